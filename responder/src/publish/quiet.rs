//! When nothing was changing: only then can an answer given by the kernel be compared with one that userspace gives later.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;

/// Watches changes of what answers are made from: the table, the kernel's copy of it, the settings of replies.
#[derive(Debug, Default)]
pub struct Quiet {
    /// Changes that are under way.
    under_way: AtomicU64,
    /// Changes begun so far.
    begun: AtomicU64,
    /// When the last one ended, on the monotonic clock.
    ended_at_ns: AtomicU64,
}

/// How many changes had begun when it was quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since(u64);

impl Quiet {
    /// Makes a change.
    pub fn disturb<T>(&self, change: impl FnOnce() -> T) -> T {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        self.begun.fetch_add(1, Ordering::SeqCst);
        let done = change();
        self.ended_at_ns.fetch_max(clock::monotonic_ns(), Ordering::SeqCst);
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        done
    }

    /// Whether it has been quiet since that moment of the monotonic clock.
    pub fn since(&self, moment_ns: u64) -> Option<Since> {
        let since = Since(self.begun.load(Ordering::SeqCst));
        let is_quiet = self.under_way.load(Ordering::SeqCst) == 0;
        (is_quiet && self.ended_at_ns.load(Ordering::SeqCst) < moment_ns).then_some(since)
    }

    /// Whether it still is.
    pub fn is_still(&self, since: Since) -> bool {
        self.begun.load(Ordering::SeqCst) == since.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_quiet_if_no_change_touches_it() {
        let quiet = Quiet::default();
        let before = clock::monotonic_ns();
        let since = quiet.since(before).expect("nothing has changed ever");
        assert!(quiet.is_still(since));
        quiet.disturb(|| {
            assert_eq!(quiet.since(clock::monotonic_ns()), None);
            assert!(!quiet.is_still(since));
        });
        assert_eq!(quiet.since(before), None);
        let since = quiet.since(clock::monotonic_ns() + 1).expect("it is quiet again");
        quiet.disturb(|| ());
        assert!(!quiet.is_still(since));
    }
}
