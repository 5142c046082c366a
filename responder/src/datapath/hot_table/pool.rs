//! Which elements of an array are free, which rest before they are free again, and which are in use.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pulse53_abi::limits::QUARANTINE_MS;

/// Indices of an array's elements.
#[derive(Debug)]
pub(super) struct Pool {
    next: u32,
    size: u32,
    free: Vec<u32>,
    resting: VecDeque<(Instant, u32)>,
}

impl Pool {
    pub(super) fn new(size: u32) -> Self {
        Self { next: 0, size, free: Vec::new(), resting: VecDeque::new() }
    }

    pub(super) fn take(&mut self, now: Instant) -> Option<u32> {
        while let Some(&(since, index)) = self.resting.front() {
            if now.saturating_duration_since(since) < Duration::from_millis(QUARANTINE_MS) {
                break;
            }
            self.resting.pop_front();
            self.free.push(index);
        }
        self.free.pop().or_else(|| {
            (self.next < self.size).then(|| {
                self.next += 1;
                self.next - 1
            })
        })
    }

    pub(super) fn rest(&mut self, index: u32, now: Instant) {
        self.resting.push_back((now, index));
    }
}

/// Consecutive elements of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    pub(super) first: u32,
    pub(super) count: u32,
}

/// Ranges of an array, powers of two long.
#[derive(Debug)]
pub(super) struct Ranges {
    /// By the logarithm of the length; they hold what has been used before.
    pools: Vec<Pool>,
    next: u32,
    size: u32,
}

impl Ranges {
    pub(super) fn new(size: u32) -> Self {
        Self { pools: (0..=u32::BITS).map(|_| Pool::new(0)).collect(), next: 0, size }
    }

    /// A range of at least so many elements, of which only these count.
    pub(super) fn take(&mut self, count: u32, now: Instant) -> Option<Range> {
        let length = count.next_power_of_two();
        let first = self.pools[length.ilog2() as usize].take(now).or_else(|| {
            let first = self.next;
            let end = first.checked_add(length).filter(|end| *end <= self.size)?;
            self.next = end;
            Some(first)
        })?;
        Some(Range { first, count })
    }

    pub(super) fn rest(&mut self, range: Range, now: Instant) {
        self.pools[range.count.next_power_of_two().ilog2() as usize].rest(range.first, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_let_go_rests_before_it_is_used_again() {
        let start = Instant::now();
        let later = start + Duration::from_millis(QUARANTINE_MS);
        let mut ranges = Ranges::new(8);
        let three = ranges.take(3, start).unwrap();
        assert_eq!(ranges.take(4, start), Some(Range { first: 4, count: 4 }));
        assert_eq!(ranges.take(1, start), None);
        ranges.rest(three, start);
        assert_eq!(ranges.take(4, start), None);
        assert_eq!(ranges.take(8, later), None);
        assert_eq!(ranges.take(4, later), Some(Range { first: 0, count: 4 }));
    }
}
