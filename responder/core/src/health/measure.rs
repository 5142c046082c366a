//! What is measured of each check (H-42), as numbers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::track::Data;
use super::{HealthState, Latency, Moment, Outcome};
use crate::model::CheckId;

/// The numbers of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckMeasure {
    /// Which check.
    pub id: CheckId,
    /// Final status.
    pub healthy: bool,
    /// Of the counted checkers, how many in a hundred see it healthy; endpoint checks with any, not while disabled.
    pub healthy_percent: Option<f64>,
    /// Children with final status healthy; CALCULATED only.
    pub healthy_children: Option<usize>,
    /// What the last probe of each checker measured, if it passed, as the mean of a region's checkers; a checker without a
    /// region label is a region of its own (H-17).
    pub latency: BTreeMap<Arc<str>, Latency>,
    /// The mean over all checkers.
    pub latency_over_all: Option<Latency>,
}

impl HealthState {
    /// The numbers of every check, in the order of their ids.
    pub fn measures(&self, now: Moment) -> Vec<CheckMeasure> {
        self.tracks
            .iter()
            .map(|(id, track)| {
                let mut measure = CheckMeasure {
                    id: id.clone(),
                    healthy: self.view.is_healthy(id),
                    healthy_percent: None,
                    healthy_children: None,
                    latency: BTreeMap::new(),
                    latency_over_all: None,
                };
                match &track.data {
                    _ if track.check.disabled => {}
                    Data::Endpoint(endpoint) => {
                        measure.healthy_percent = endpoint.share(&track.check, now).percent();
                        let mut by_region: BTreeMap<Arc<str>, Vec<Latency>> = BTreeMap::new();
                        for (name, checker) in &endpoint.checkers {
                            let passed = checker.last.as_ref().and_then(|(_, last)| last.latency);
                            if let Some(latency) = passed {
                                let known = self.checkers.iter().find(|checker| checker.name == *name);
                                let region = known.and_then(|checker| checker.region.clone());
                                by_region
                                    .entry(region.unwrap_or_else(|| name.0.clone()))
                                    .or_default()
                                    .push(latency);
                            }
                        }
                        let all: Vec<Latency> = by_region.values().flatten().copied().collect();
                        measure.latency_over_all = (!all.is_empty()).then(|| mean(&all));
                        measure.latency = by_region
                            .into_iter()
                            .map(|(region, latencies)| (region, mean(&latencies)))
                            .collect();
                    }
                    Data::Calculated => {
                        if let Some(Outcome::Calculated { healthy, .. }) = self.outcome(&track.check) {
                            measure.healthy_children = Some(healthy);
                        }
                    }
                    Data::Alarm { .. } | Data::RecoveryControl => {}
                }
                measure
            })
            .collect()
    }
}

/// Phase by phase; what nobody measured stays absent.
fn mean(latencies: &[Latency]) -> Latency {
    let of = |phase: fn(&Latency) -> Option<Duration>| {
        let measured: Vec<Duration> = latencies.iter().filter_map(phase).collect();
        let count = u32::try_from(measured.len()).ok().filter(|count| *count > 0)?;
        Some(measured.iter().sum::<Duration>() / count)
    };
    Latency {
        connect: of(|latency| latency.connect),
        first_byte: of(|latency| latency.first_byte),
        tls_handshake: of(|latency| latency.tls_handshake),
    }
}
