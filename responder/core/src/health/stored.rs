//! What must survive a restart (H-20, H-31, H-38), as plain data.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AlarmState, CheckerName, Moment, Override, Verdict};
use crate::model::check::{CheckKind, HealthCheck, Protocol, Sni};

/// Everything stored about health.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredHealth {
    /// By check id.
    pub checks: BTreeMap<Arc<str>, StoredCheck>,
    /// By ARN.
    pub routing_controls: BTreeMap<Arc<str>, RoutingControl>,
}

/// What is stored about one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredCheck {
    /// What was probed: all but the override is worthless if this changed.
    pub fingerprint: String,
    /// Raw status; it stays until somebody reports (H-25).
    pub raw_healthy: bool,
    /// When the final status last changed (H-39).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Moment>,
    /// Set by hand (H-38).
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub operator: Option<Override>,
    /// Last verdict of each checker (H-20).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub verdicts: BTreeMap<CheckerName, Verdict>,
    /// Last states of an alarm (H-29).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<StoredAlarm>,
}

/// What is stored about an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StoredAlarm {
    /// Its last state.
    pub state: AlarmState,
    /// Its last state that was OK (true) or ALARM (false).
    pub last_known: Option<bool>,
}

/// A manual switch (H-31).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RoutingControl {
    /// On is healthy.
    pub on: bool,
    /// The highest version wins.
    pub version: u64,
}

/// What a check probes or queries, as text. Equal texts mean that an old verdict still speaks of the same thing (H-20,
/// H-21); how often and how patiently it asks does not matter.
pub fn fingerprint(check: &HealthCheck) -> String {
    match &check.kind {
        CheckKind::Endpoint(probe) => {
            let address =
                probe.endpoint.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
            let name = probe.endpoint.name.as_deref().unwrap_or("-");
            let port = probe.port;
            match &probe.protocol {
                Protocol::Tcp => format!("tcp {address} {name} {port}"),
                Protocol::Http { tls, path, search } => {
                    let scheme = match tls {
                        None => "http",
                        Some(Sni(false)) => "https",
                        Some(Sni(true)) => "https+sni",
                    };
                    format!("{scheme} {address} {name} {port} {path:?} {search:?}")
                }
            }
        }
        CheckKind::Alarm(alarm) => {
            format!("alarm {:?} {:?} {}", alarm.query, alarm.threshold, alarm.evaluation_periods)
        }
        CheckKind::Calculated { .. } => "calculated".to_owned(),
        CheckKind::RecoveryControl { arn } => format!("control {arn}"),
    }
}
