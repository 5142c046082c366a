//! Several checkers' verdicts put together (H-22, H-25).

use serde::Serialize;

use super::Verdict;

/// Share of checkers, in per cent, that must be exceeded.
const QUORUM_PERCENT: usize = 18;

/// The counted checkers, and how many of them do not see the check unhealthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Share {
    /// Verdict `Healthy` or `Initial`.
    pub healthy: usize,
    /// All counted checkers.
    pub counted: usize,
}

impl Share {
    /// Puts the verdicts of the counted checkers together.
    pub fn of(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        verdicts.into_iter().fold(Self::default(), |share, verdict| Self {
            healthy: share.healthy + usize::from(verdict != Verdict::Unhealthy),
            counted: share.counted + 1,
        })
    }

    /// In per cent; nothing without a counted checker.
    pub fn percent(self) -> Option<f64> {
        (self.counted > 0).then(|| self.healthy as f64 * 100.0 / self.counted as f64)
    }
}

/// The raw status of an endpoint check; `last` is what it was before, kept when nobody reports (H-25).
pub fn quorum(share: Share, last: bool) -> bool {
    match share.counted {
        0 => last,
        counted => 100 * share.healthy > QUORUM_PERCENT * counted,
    }
}

/// How many of `counted` checkers must see the endpoint healthy.
pub fn needed(counted: usize) -> usize {
    QUORUM_PERCENT * counted / 100 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needed_checkers_are_those_of_the_table_h22() {
        for (counted, expect) in
            [(1..=5, 1), (6..=11, 2), (12..=16, 3), (17..=22, 4), (23..=27, 5), (50..=50, 10)]
        {
            for counted in counted {
                assert_eq!(needed(counted), expect, "n = {counted}");
                for healthy in 0..=counted {
                    assert_eq!(quorum(Share { healthy, counted }, false), healthy >= expect);
                }
            }
        }
    }

    #[test]
    fn vector_1_h22() {
        let healthy = |healthy, counted| quorum(Share { healthy, counted }, false);
        assert!(!healthy(2, 16));
        assert!(healthy(3, 16));
        assert!(!healthy(9, 50));
        assert!(healthy(10, 50));
    }

    #[test]
    fn vector_2_partitions_h24_h25() {
        use Verdict::{Healthy as H, Unhealthy as U};
        let at = |verdicts: &[Verdict], last| quorum(Share::of(verdicts.iter().copied()), last);
        assert!(at(&[H, U, U, U, U], true));
        assert!(!at(&[U, U, U, U], true), "node X lost the healthy checker");
        assert!(at(&[H], true), "node Y reaches just that one");
        assert!(at(&[], true), "node Z reaches none and keeps healthy");
        assert!(!at(&[], false));
    }

    #[test]
    fn initial_counts_as_healthy_h20() {
        assert_eq!(Share::of([Verdict::Initial, Verdict::Unhealthy]), Share { healthy: 1, counted: 2 });
    }
}
