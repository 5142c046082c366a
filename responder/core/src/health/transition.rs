//! Changes of final status, and what caused them.

use std::fmt;
use std::time::Duration;

use super::{CheckerName, HealthStatus, Override};
use crate::model::check::CheckId;

/// A change of a check's final status.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// Which check.
    pub check: CheckId,
    /// The status before; unknown for a check just declared.
    pub from: HealthStatus,
    /// The status after; unknown for a check just deleted.
    pub to: HealthStatus,
    /// What caused it.
    pub reason: TransitionReason,
}

/// Why a final status changed.
#[derive(Debug, Clone, PartialEq)]
pub enum TransitionReason {
    /// It was declared, changed or deleted.
    Declared,
    /// It was unhealthy before the last restart.
    Resumed,
    /// A checker's probe or report decided.
    Observed {
        /// Which checker.
        checker: CheckerName,
        /// Its status string.
        status: String,
        /// From the start of the first probe of the run that decided to the end of its last; none for another node's report.
        detection: Option<Duration>,
    },
    /// An evaluation of its alarm decided; the status string.
    Evaluated(String),
    /// The routing control was switched.
    RoutingControl(bool),
    /// Enough children changed; the status string.
    Children(String),
    /// An operator set it, or set it back to auto.
    Override(Option<Override>),
    /// Checkers came, went or fell silent.
    Checkers,
}

impl fmt::Display for TransitionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared => f.write_str("declaration changed"),
            Self::Resumed => f.write_str("status before the restart"),
            Self::Observed { checker, status, .. } => write!(f, "{checker}: {status}"),
            Self::Evaluated(status) | Self::Children(status) => f.write_str(status),
            Self::RoutingControl(on) => {
                write!(f, "routing control switched {}", if *on { "on" } else { "off" })
            }
            Self::Override(Some(Override::Healthy)) => f.write_str("set to healthy by an operator"),
            Self::Override(Some(Override::Unhealthy)) => f.write_str("set to unhealthy by an operator"),
            Self::Override(None) => f.write_str("set back to auto by an operator"),
            Self::Checkers => f.write_str("the checkers that count have changed"),
        }
    }
}
