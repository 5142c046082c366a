//! Spans by the clock, and by the thread's CPU time, which a busy machine changes less.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A moment by the clock and by the thread's CPU time.
#[derive(Clone, Copy)]
pub struct Moment(Instant, Duration);

impl Moment {
    /// This one.
    pub fn now() -> Self {
        let spent = clock_gettime(ClockId::ThreadCPUTime);
        Self(Instant::now(), Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32))
    }

    /// How long it is until a later one of the same thread: by the clock, and of CPU time.
    pub fn until(self, later: Self) -> (Duration, Duration) {
        (later.0 - self.0, later.1 - self.1)
    }
}
