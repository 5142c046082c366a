//! From what checkers observe to the status that answers follow (health-check specification, sections 4 to 7).
//!
//! ```text
//!  Observation ──► VerdictMachine ──► quorum ─┐ raw              final
//!  Evaluation  ──► AlarmMachine ──────────────┤ status ─► Disabled, Inverted, Override ─► Transition ─► HealthView
//!  routing control, children's final status ──┘
//! ```
//!
//! The rules of each arrow are pure functions in a file of their own; [`HealthState`] keeps what they need to
//! remember and applies them in order. Time is an argument ([`Moment`]); no function here sends a probe or a query.

mod alarm;
mod assignment;
mod limits;
mod measure;
mod moment;
mod observation;
mod quorum;
mod report;
mod state;
mod status;
mod stored;
mod suppose;
mod track;
mod transition;
mod verdict;
mod view;

pub use alarm::{AlarmMachine, AlarmState, Evaluation, evaluate};
pub use assignment::{Checker, CheckerName, assigned};
pub use limits::{TimeLimits, freshness_window};
pub use measure::CheckMeasure;
pub use moment::Moment;
pub use observation::{Latency, Observation, Outcome, OutcomeKind, alert_name};
pub use quorum::{Share, needed, quorum};
pub use report::{
    CheckReport, CheckSummary, CheckerReport, LatencyReport, NodeReport, ProbeRecord, RecentProbe,
};
pub use state::{HealthState, PeerReport, UnknownCheck};
pub use status::{HealthStatus, Override, final_status};
pub use stored::{RoutingControl, StoredAlarm, StoredCheck, StoredHealth, fingerprint};
pub use suppose::suppose;
pub use transition::{Transition, TransitionReason};
pub use verdict::{Verdict, VerdictMachine};
pub use view::HealthView;
