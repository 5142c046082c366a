//! Response rate limiting: a budget for each prefix of client addresses, in a hashed array of buckets.
//!
//! A bucket is one number, the time until which its budget is spent (the generic cell rate algorithm, which is a token bucket without a
//! refill). Prefixes that fall into one bucket share it: with many more buckets than floods that is rare, and memory stays bounded
//! (D-21). Both halves decide by these functions.

/// What a prefix may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Nanoseconds that one response uses up.
    pub interval_ns: u64,
    /// Nanoseconds that may be used up in advance: the burst.
    pub burst_ns: u64,
}

impl Budget {
    /// So many responses a second, and so many at once after a silence; both at least one.
    pub const fn new(per_second: u32, burst: u32) -> Self {
        let interval_ns = 1_000_000_000 / per_second as u64;
        Self { interval_ns, burst_ns: interval_ns * (burst as u64 - 1) }
    }

    /// The bucket after one more response at `now`, if there is budget for it. Times are nanoseconds of any clock; one that jumps back only
    /// gives a new budget.
    #[inline(always)]
    pub const fn spend(self, bucket: u64, now: u64) -> Option<u64> {
        let ahead = bucket.saturating_sub(now);
        // Nobody can have used up more than that: the clock has jumped back, or the bucket is of another budget.
        let is_stale = ahead > self.burst_ns + self.interval_ns;
        if ahead == 0 || is_stale {
            Some(now + self.interval_ns)
        } else if ahead <= self.burst_ns {
            Some(bucket + self.interval_ns)
        } else {
            None
        }
    }
}

/// The leading bits of an address that share a budget; `words` are its octets as they stand in a packet, an IPv4 address in the lower half of
/// the first.
#[inline(always)]
pub fn prefix(words: [u64; 2], is_v6: bool, len: u32) -> [u64; 2] {
    let mask = |word: u64, len: u32| match len {
        0 => 0,
        64.. => word,
        len => word & (u64::MAX << (64 - len)).swap_bytes(),
    };
    if is_v6 {
        [mask(words[0], len), mask(words[1], len.saturating_sub(64))]
    } else {
        [mask(words[0] & 0xffff_ffff, len), 0]
    }
}

/// The bucket of a prefix, less than a power of two less `mask`. The seed is random, so that nobody can aim at a neighbor's bucket.
#[inline(always)]
pub fn bucket(prefix: [u64; 2], is_v6: bool, seed: u64, mask: u32) -> u32 {
    let hash = scramble(scramble(seed ^ is_v6 as u64 ^ prefix[0]) ^ prefix[1]);
    (hash >> 32) as u32 & mask
}

/// The finalizer of SplitMix64: every bit of the word bears on every bit of the result.
#[inline(always)]
const fn scramble(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// How many of `offered` responses at `at` are sent; the bucket goes on.
    fn sent(budget: Budget, bucket: &mut u64, at: u64, offered: u32) -> u32 {
        (0..offered).filter(|_| budget.spend(*bucket, at).inspect(|after| *bucket = *after).is_some()).count()
            as u32
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let budget = Budget::new(10, 25);
        let mut bucket = 0;
        assert_eq!(sent(budget, &mut bucket, SECOND, 100), 25);
        // One came free, then none, then a second's worth, and after a silence the burst again.
        assert_eq!(sent(budget, &mut bucket, SECOND + SECOND / 10, 100), 1);
        assert_eq!(sent(budget, &mut bucket, SECOND + SECOND / 10, 100), 0);
        assert_eq!(sent(budget, &mut bucket, 2 * SECOND + SECOND / 10, 100), 10);
        assert_eq!(sent(budget, &mut bucket, 3600 * SECOND, 100), 25);
    }

    #[test]
    fn at_the_rate_nothing_is_ever_limited() {
        let budget = Budget::new(100, 1);
        let mut bucket = 0;
        assert!((1..10_000).all(|tick| sent(budget, &mut bucket, tick * SECOND / 100, 1) == 1));
        assert_eq!(sent(budget, &mut bucket, 100 * SECOND, 50), 1);
    }

    #[test]
    fn a_clock_that_jumps_back_locks_nobody_out() {
        let budget = Budget::new(5, 5);
        let mut bucket = 0;
        assert_eq!(sent(budget, &mut bucket, 1000 * SECOND, 9), 5);
        assert_eq!(sent(budget, &mut bucket, SECOND, 9), 5);
    }

    #[test]
    fn prefixes_cut_addresses() {
        let v4 = |octets: [u8; 4], len| prefix([u32::from_le_bytes(octets).into(), 0], false, len)[0];
        let of = |octets: [u8; 4]| u64::from(u32::from_le_bytes(Ipv4Addr::from(octets).octets()));
        assert_eq!(v4([192, 0, 2, 255], 24), of([192, 0, 2, 0]));
        assert_eq!(v4([192, 0, 2, 255], 32), of([192, 0, 2, 255]));
        assert_eq!(v4([192, 0, 2, 255], 9), of([192, 0, 0, 0]));
        assert_eq!(v4([192, 0, 2, 255], 0), 0);
        let words = |address: &str| {
            let value = u128::from_le_bytes(address.parse::<Ipv6Addr>().unwrap().octets());
            [value as u64, (value >> 64) as u64]
        };
        let all = words("2001:db8:1234:5678:9abc:def0:1234:5678");
        assert_eq!(prefix(all, true, 56), words("2001:db8:1234:5600::"));
        assert_eq!(prefix(all, true, 72), words("2001:db8:1234:5678:9a00::"));
        assert_eq!(prefix(all, true, 128), all);
    }

    #[test]
    fn buckets_spread_and_depend_on_the_seed() {
        let index = |net: u32, seed| bucket([u64::from(net), 0], false, seed, 0xffff);
        let mut used = [false; 0x10000];
        (0..0x10000u32).for_each(|net| used[index(net, 7) as usize] = true);
        // 1 - 1/e of all, if they fall at random.
        let used = used.iter().filter(|used| **used).count();
        assert!((39_000..44_000).contains(&used), "{used}");
        assert!((0..64).any(|net| index(net, 7) != index(net, 8)));
    }
}
