//! Health: probes go out, transitions come in (health-check specification).
//!
//! ```text
//!  Snapshot ──► actor ──► scheduler ──► probe, alarm     one task a check
//!                 ▲ │                       │
//!                 │ └─► HealthUpdate        │ Finding
//!                 └─────────────────────────┘
//! ```
//!
//! One task, the actor, owns the [`HealthState`](pulse53_core::health::HealthState); all rules are there. It applies what
//! is declared, found or asked in the order of arrival, sends every change of a final status at once (H-37), and stores
//! what must survive a restart off the probes' path.

mod actor;
mod alarm;
mod handle;
mod journal;
mod metrics;
mod probe;
mod scheduler;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use pulse53_core::health::{Checker, HealthView, Transition};
use pulse53_core::model::Snapshot;
use tokio::sync::{mpsc, watch};

pub use handle::{Handle, HealthError};
pub use journal::FILES;
pub use metrics::{HealthMetrics, HealthMetricsSnapshot, HistogramSnapshot};
pub use probe::TargetPolicy;

/// Updates that may wait for the receiver; after that they are merged into one.
const UPDATES_WAITING_MAX: usize = 64;

/// How this node checks health.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This node as a checker.
    pub checker: Checker,
    /// Which addresses may be probed (H-6).
    pub targets: TargetPolicy,
    /// Probes that may be in flight at once; a hanging endpoint delays nobody as long as there are fewer checks.
    pub in_flight_max: usize,
    /// The declared routing controls by ARN, and whether they start On (H-31).
    pub routing_controls: BTreeMap<String, bool>,
    /// Where verdicts, overrides and routing controls survive a restart; without it they do not.
    pub data_dir: Option<PathBuf>,
}

/// What changed, and all final statuses after it.
#[derive(Debug, Clone)]
pub struct HealthUpdate {
    /// All final statuses.
    pub view: HealthView,
    /// The changes since the update before. If the receiver lagged behind, several changes of one check are one.
    pub transitions: Vec<Transition>,
    /// When the first of them was observed: the end of the probe, the command, the declaration.
    pub observed_at: Instant,
    /// When the first of them was decided and sent.
    pub decided_at: Instant,
}

/// Starts to check health. Must be called within a tokio runtime.
///
/// The first update comes at once, with what is stored about the checks declared now; it may have no transitions.
pub fn spawn(
    settings: Settings,
    checks: watch::Receiver<Arc<Snapshot>>,
) -> (Handle, mpsc::Receiver<HealthUpdate>) {
    let (updates, updates_out) = mpsc::channel(UPDATES_WAITING_MAX);
    (actor::start(settings, checks, updates), updates_out)
}
