//! What users see of a check (H-39, H-40), ready to be serialised.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::track::Data;
use super::{
    CheckerName, HealthState, HealthStatus, Latency, Moment, Observation, Outcome, Override, Share,
    TransitionReason, Verdict, freshness_window,
};
use crate::model::check::{CheckId, CheckKind, Protocol};

/// One check in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckSummary {
    /// Its id.
    pub id: Arc<str>,
    /// Route 53's name of its type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Final status; unknown before the first report.
    pub status: HealthStatus,
    /// How answers see it, also before the first report (H-34).
    pub counts_as_healthy: bool,
    /// Set by hand, if it is (H-38).
    #[serde(rename = "override")]
    pub operator: Option<Override>,
    /// `Disabled`.
    pub disabled: bool,
    /// `Inverted`.
    pub inverted: bool,
    /// The checkers counted; endpoint checks only, not while disabled.
    pub checkers: Option<Share>,
    /// Children with final status healthy; CALCULATED only.
    pub healthy_children: Option<usize>,
    /// The latest status string of any kind, inverted or not.
    pub reason: String,
    /// When the final status last changed, also before a restart.
    pub changed_at: Option<Moment>,
}

/// Everything about one check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// As in the list.
    #[serde(flatten)]
    pub summary: CheckSummary,
    /// Endpoint checks: every assigned checker.
    pub checker_reports: Vec<CheckerReport>,
    /// Other types: what this node itself observes.
    pub node_report: Option<NodeReport>,
}

/// One checker's view of an endpoint check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckerReport {
    /// Its location.
    pub location: CheckerName,
    /// Its region label.
    pub region: Option<Arc<str>>,
    /// Where it probes from.
    pub address: Option<IpAddr>,
    /// What it thinks.
    pub verdict: Verdict,
    /// Whether its reports are fresh enough to count (H-24).
    pub counted: bool,
    /// The last probe.
    pub last: Option<ProbeRecord>,
    /// The last failed probe.
    pub last_failure: Option<ProbeRecord>,
    /// Latencies of the last passing probe.
    pub latency: Option<LatencyReport>,
    /// The last probes, oldest first; probes of this node only.
    pub recent: Vec<RecentProbe>,
}

/// Latencies in milliseconds (H-17); a phase the check's type does not measure is absent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LatencyReport {
    /// TCP connect time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<f64>,
    /// From the request to the first byte of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<f64>,
    /// TLS handshake time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_handshake_ms: Option<f64>,
}

impl From<Latency> for LatencyReport {
    fn from(latency: Latency) -> Self {
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        Self {
            connect_ms: latency.connect.map(ms),
            first_byte_ms: latency.first_byte.map(ms),
            tls_handshake_ms: latency.tls_handshake.map(ms),
        }
    }
}

/// What this node observes of a check that is not an endpoint check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeReport {
    /// The last observation.
    pub last: ProbeRecord,
    /// The last observation that was not a success.
    pub last_failure: Option<ProbeRecord>,
}

/// When something was observed, and its status string (H-41).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeRecord {
    /// When the result was in.
    pub at: Moment,
    /// The status string.
    pub status: String,
}

/// One probe in a row of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RecentProbe {
    /// Pass or fail.
    pub passed: bool,
    /// From start to end, in milliseconds.
    pub duration_ms: u32,
}

impl HealthState {
    /// All checks in the order of their ids (H-39).
    pub fn summaries(&self, now: Moment) -> Vec<CheckSummary> {
        self.tracks.keys().filter_map(|id| self.summary(now, id)).collect()
    }

    /// One check in full (H-39, H-40).
    pub fn report(&self, now: Moment, id: &CheckId) -> Option<CheckReport> {
        let track = self.tracks.get(id)?;
        let summary = self.summary(now, id)?;
        let text = |(at, outcome): &(Moment, Outcome)| ProbeRecord { at: *at, status: outcome.to_string() };
        let probe_text = |(at, observation): &(Moment, Observation)| ProbeRecord {
            at: *at,
            status: observation.to_string(),
        };
        let mut checker_reports = Vec::new();
        let mut node_report = None;
        match (&track.data, &track.check.kind) {
            (Data::Endpoint(endpoint), CheckKind::Endpoint(probe)) => {
                let window = freshness_window(probe);
                for name in endpoint.included() {
                    let known = endpoint.checkers.get(name);
                    let checker = self.checkers.iter().find(|checker| checker.name == *name);
                    checker_reports.push(CheckerReport {
                        location: name.clone(),
                        region: checker.and_then(|checker| checker.region.clone()),
                        address: checker.and_then(|checker| checker.address),
                        verdict: endpoint.verdict(name),
                        counted: endpoint.is_counted(name, window, now),
                        last: known.and_then(|known| known.last.as_ref()).map(probe_text),
                        last_failure: known.and_then(|known| known.last_failure.as_ref()).map(probe_text),
                        latency: known.and_then(|known| known.latency).map(Into::into),
                        recent: known.map(|known| known.recent.iter().copied().collect()).unwrap_or_default(),
                    });
                }
            }
            (Data::Alarm { record, .. }, _) => {
                node_report = record.as_ref().map(|record| NodeReport {
                    last: text(&record.last),
                    last_failure: record.last_failure.as_ref().map(text),
                });
            }
            _ => {
                let last = ProbeRecord { at: now, status: summary.reason.clone() };
                node_report = Some(NodeReport { last, last_failure: None });
            }
        }
        Some(CheckReport { summary, checker_reports, node_report })
    }

    fn summary(&self, now: Moment, id: &CheckId) -> Option<CheckSummary> {
        let track = self.tracks.get(id)?;
        let disabled = track.check.disabled;
        let mut share = None;
        let mut healthy_children = None;
        let (observed, reason) = match &track.data {
            _ if disabled => (true, "Disabled".to_owned()),
            Data::Endpoint(endpoint) => {
                share = Some(endpoint.share(&track.check, now));
                let last = endpoint.checkers.values().filter_map(|checker| checker.last.as_ref());
                match last.max_by_key(|(at, _)| *at) {
                    Some((_, observation)) => (true, observation.to_string()),
                    None if track.resumed => (true, TransitionReason::Resumed.to_string()),
                    None => (false, String::new()),
                }
            }
            Data::Alarm { record: Some(record), .. } => (true, record.last.1.to_string()),
            Data::Alarm { record: None, .. } => (track.resumed, String::new()),
            Data::Calculated | Data::RecoveryControl => {
                let outcome = self.outcome(&track.check);
                if let Some(Outcome::Calculated { healthy, .. }) = outcome {
                    healthy_children = Some(healthy);
                }
                (true, outcome.map(|outcome| outcome.to_string()).unwrap_or_default())
            }
        };
        let healthy = self.view.is_healthy(id);
        let known = observed || track.operator.is_some();
        Some(CheckSummary {
            id: id.0.clone(),
            kind: type_name(&track.check.kind),
            status: if known { HealthStatus::from_healthy(healthy) } else { HealthStatus::Unknown },
            counts_as_healthy: healthy,
            operator: track.operator,
            disabled,
            inverted: track.check.inverted,
            checkers: share,
            healthy_children,
            reason,
            changed_at: track.changed_at,
        })
    }
}

/// Route 53's name of a check's type (H-1).
fn type_name(kind: &CheckKind) -> &'static str {
    match kind {
        CheckKind::Endpoint(probe) => match &probe.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Http { tls: None, search: None, .. } => "HTTP",
            Protocol::Http { tls: None, search: Some(_), .. } => "HTTP_STR_MATCH",
            Protocol::Http { tls: Some(_), search: None, .. } => "HTTPS",
            Protocol::Http { tls: Some(_), search: Some(_), .. } => "HTTPS_STR_MATCH",
        },
        CheckKind::Calculated { .. } => "CALCULATED",
        CheckKind::Alarm(_) => "CLOUDWATCH_METRIC",
        CheckKind::RecoveryControl { .. } => "RECOVERY_CONTROL",
    }
}
