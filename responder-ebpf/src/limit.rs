//! Response rate limiting: a budget for each prefix of client addresses, in a hashed array of buckets.
//!
//! A bucket is one number, the time until which its budget is spent (the generic cell rate algorithm, which is a token bucket without a
//! refill). Prefixes that fall into one bucket share it: with many more buckets than floods that is rare, and memory stays bounded
//! (D-21). Both halves decide by these functions.

use pulse53_abi::limits::{EXEMPT_MAX, RATE_BUCKETS};
use pulse53_abi::live::exempt_words;
use pulse53_abi::verdict::{DropReason, PassReason, Verdict};

use crate::choose::Chosen;
use crate::ip::Network;
use crate::{Scratch, Step, Tables};

/// What becomes of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It is sent.
    Send,
    /// An empty one with TC=1 is sent, which costs an attacker's victim no more than the query did the attacker, and a real client one
    /// more round trip.
    Slip,
    /// Nothing is sent.
    Drop,
}

impl Ruling {
    /// What becomes of a response beyond the budget: one in `slip` says TC=1. `draw` is uniformly random.
    #[inline(always)]
    pub const fn beyond(slip: u32, draw: u64) -> Self {
        match slip as u64 {
            0 => Self::Drop,
            slip if draw.is_multiple_of(slip) => Self::Slip,
            _ => Self::Drop,
        }
    }
}

/// A response that is to be ruled on, as plain words: the kernel half does so in a function that the verifier follows apart, and that takes one
/// pointer.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Response {
    /// Whom it goes to, as [`mask`] has it.
    client: [u64; 2],
    /// 1 if that is an IPv6 address, else 0.
    is_v6: u64,
    /// The draw that was taken; 0: none was.
    draw: u64,
}

impl Response {
    /// To nobody.
    pub(crate) const fn new() -> Self {
        Self { client: [0; 2], is_v6: 0, draw: 0 }
    }
}

/// What [`rule`] gives: the response is sent.
const SENT: u64 = 0;
/// It is sent empty, with TC=1.
const SLIPPED: u64 = 1;
/// It is not sent.
const DROPPED: u64 = 2;
/// Only userspace knows.
const UNDECIDED: u64 = 3;

/// Rules on the reply to a client that has not shown that its address is its own; whether it is to be empty with TC=1.
#[inline(always)]
pub(crate) fn rule_reply(
    tables: &impl Tables,
    network: &Network,
    chosen: &Chosen,
    scratch: &mut Scratch,
) -> Step<bool> {
    let live = tables.live().ok_or(Verdict::Pass(PassReason::Inconsistent))?;
    if live.limit.interval_ns.load() == 0 {
        return Ok(false);
    }
    let is_v6 = network.is_v6.into();
    scratch.response = Response { client: scratch.source, is_v6, draw: chosen.draw };
    match tables.rule(&mut scratch.response) {
        SENT => Ok(false),
        SLIPPED => Ok(true),
        DROPPED => Err(Verdict::Drop(DropReason::Limited)),
        _ => Err(Verdict::Pass(PassReason::PerhapsExempt)),
    }
}

/// Rules on one response: one of the constants above.
#[inline(always)]
pub fn rule(tables: &impl Tables, response: &Response) -> u64 {
    let Some(live) = tables.live() else { return UNDECIDED };
    let (limit, is_v6) = (&live.limit, response.is_v6 != 0);
    let [first, second] = response.client;
    let prefix = if is_v6 {
        [first & limit.ipv6_mask[0].load(), second & limit.ipv6_mask[1].load()]
    } else {
        [first & limit.ipv4_mask.load(), 0]
    };
    let index = bucket(prefix, is_v6, limit.seed.load(), RATE_BUCKETS - 1);
    let Some(bucket) = tables.bucket(index) else { return UNDECIDED };
    let budget = Budget { interval_ns: limit.interval_ns.load(), burst_ns: limit.burst_ns.load() };
    if let Some(after) = budget.spend(bucket.load(), tables.now()) {
        bucket.store(after);
        return SENT;
    }
    // Looked for last: it is a list, and hardly anyone gets here.
    let exempt_count = limit.exempt_count.load();
    if exempt_count > EXEMPT_MAX as u64 {
        return UNDECIDED;
    }
    let address = exempt_words(is_v6, response.client);
    for index in 0..EXEMPT_MAX {
        if index as u64 >= exempt_count {
            break;
        }
        if limit.exempt[index].contains(is_v6, address) {
            return SENT;
        }
    }
    let draw = if response.draw == 0 { tables.draw() } else { response.draw };
    match Ruling::beyond(limit.slip.load() as u32, draw) {
        Ruling::Send => SENT,
        Ruling::Slip => SLIPPED,
        Ruling::Drop => DROPPED,
    }
}

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

/// The leading bits of an address that share a budget, as a mask of its octets as they stand in a packet; of an IPv4 address they are the lower
/// half of the first word.
pub fn mask(is_v6: bool, len: u32) -> [u64; 2] {
    let mask = |len: u32| match len {
        0 => 0,
        64.. => u64::MAX,
        len => (u64::MAX << (64 - len)).swap_bytes(),
    };
    if is_v6 { [mask(len), mask(len.saturating_sub(64))] } else { [mask(len.min(32)), 0] }
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
        let of = |octets: [u8; 4]| u64::from(u32::from_le_bytes(Ipv4Addr::from(octets).octets()));
        let v4 = |octets: [u8; 4], len| of(octets) & mask(false, len)[0];
        assert_eq!(v4([192, 0, 2, 255], 24), of([192, 0, 2, 0]));
        assert_eq!(v4([192, 0, 2, 255], 32), of([192, 0, 2, 255]));
        assert_eq!(v4([192, 0, 2, 255], 9), of([192, 0, 0, 0]));
        assert_eq!(v4([192, 0, 2, 255], 0), 0);
        let words = |address: &str| {
            let value = u128::from_le_bytes(address.parse::<Ipv6Addr>().unwrap().octets());
            [value as u64, (value >> 64) as u64]
        };
        let all = words("2001:db8:1234:5678:9abc:def0:1234:5678");
        let v6 = |len| {
            let mask = mask(true, len);
            [all[0] & mask[0], all[1] & mask[1]]
        };
        assert_eq!(v6(56), words("2001:db8:1234:5600::"));
        assert_eq!(v6(72), words("2001:db8:1234:5678:9a00::"));
        assert_eq!(v6(128), all);
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
