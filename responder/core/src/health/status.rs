//! Final status: what answers, parents and users see (H-33, H-38).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The final status of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Nobody knows such a check, or nothing was reported yet.
    Unknown,
    /// Healthy.
    Healthy,
    /// Unhealthy.
    Unhealthy,
}

impl HealthStatus {
    /// Healthy or unhealthy.
    pub fn from_healthy(healthy: bool) -> Self {
        if healthy { Self::Healthy } else { Self::Unhealthy }
    }

    /// How answers and parents see it: what is unknown counts as healthy (R-54, H-32).
    pub fn counts_as_healthy(self) -> bool {
        self != Self::Unhealthy
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        })
    }
}

/// A status set by hand (H-38).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Override {
    /// Healthy until set back to auto.
    Healthy,
    /// Unhealthy until set back to auto: a drain.
    Unhealthy,
}

/// Disabled, then inverted, then the operator: in this order.
pub fn final_status(raw: bool, disabled: bool, inverted: bool, operator: Option<Override>) -> bool {
    match operator {
        Some(chosen) => chosen == Override::Healthy,
        None => (raw || disabled) != inverted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_h33() {
        for (raw, disabled, inverted, expect) in [
            (true, false, false, true),
            (false, false, false, false),
            (true, false, true, false),
            (false, false, true, true),
            (true, true, false, true),
            (false, true, false, true),
            (true, true, true, false),
            (false, true, true, false),
        ] {
            assert_eq!(final_status(raw, disabled, inverted, None), expect);
            assert!(final_status(raw, disabled, inverted, Some(Override::Healthy)), "H-38");
            assert!(!final_status(raw, disabled, inverted, Some(Override::Unhealthy)), "H-38");
        }
    }
}
