//! Response rate limiting in userspace: who gets an answer, who is told to come again over TCP, and who gets nothing. The budgets are
//! [`fastpath::limit`]'s.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use fastpath::limit::{self, Budget};
use ipnet::IpNet;

/// Buckets, a power of two: half a mebibyte, whatever the flood (D-21).
const BUCKETS: usize = 1 << 16;

/// The configured limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// Responses a second for each prefix, at least one.
    pub responses_per_second: u32,
    /// Responses at once after a silence, at least one.
    pub burst: u32,
    /// Of the responses beyond, one in this many says TC=1 instead; 0: none does.
    pub slip: u32,
    /// Bits of an IPv4 address that share a budget.
    pub ipv4_prefix: u8,
    /// Bits of an IPv6 address that share a budget.
    pub ipv6_prefix: u8,
    /// Networks that are never limited.
    pub exempt: Vec<IpNet>,
}

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

/// The budgets of all prefixes. Threads share it without locks: two that spend at the same moment may spend once.
#[derive(Debug)]
pub struct Limiter {
    settings: RateLimit,
    budget: Budget,
    seed: u64,
    buckets: Box<[AtomicU64]>,
}

/// Equal where they limit alike.
impl PartialEq for Limiter {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

impl Eq for Limiter {}

impl Limiter {
    /// Full budgets for everyone. The seed should be random.
    pub fn new(settings: RateLimit, seed: u64) -> Self {
        let budget = Budget::new(settings.responses_per_second.max(1), settings.burst.max(1));
        Self { settings, budget, seed, buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect() }
    }

    /// What it was made with.
    pub fn settings(&self) -> &RateLimit {
        &self.settings
    }

    /// Rules on one response to an address, `now` in nanoseconds; `draw` is uniformly random.
    pub fn rule(&self, client: IpAddr, now: u64, draw: u64) -> Ruling {
        let client = client.to_canonical();
        let (words, is_v6, len) = match client {
            IpAddr::V4(v4) => ([u32::from_le_bytes(v4.octets()).into(), 0], false, self.settings.ipv4_prefix),
            IpAddr::V6(v6) => {
                let value = u128::from_le_bytes(v6.octets());
                ([value as u64, (value >> 64) as u64], true, self.settings.ipv6_prefix)
            }
        };
        let prefix = limit::prefix(words, is_v6, len.into());
        let bucket = &self.buckets[limit::bucket(prefix, is_v6, self.seed, BUCKETS as u32 - 1) as usize];
        if let Some(after) = self.budget.spend(bucket.load(Ordering::Relaxed), now) {
            bucket.store(after, Ordering::Relaxed);
            return Ruling::Send;
        }
        // Looked for last: it is a list, and hardly anyone gets here.
        if self.settings.exempt.iter().any(|network| network.contains(&client)) {
            return Ruling::Send;
        }
        match u64::from(self.settings.slip) {
            0 => Ruling::Drop,
            slip if draw.is_multiple_of(slip) => Ruling::Slip,
            _ => Ruling::Drop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn limiter(slip: u32) -> Limiter {
        let exempt = vec!["198.51.100.0/24".parse().unwrap()];
        let settings =
            RateLimit { responses_per_second: 10, burst: 10, slip, ipv4_prefix: 24, ipv6_prefix: 56, exempt };
        Limiter::new(settings, 53)
    }

    /// How many of a hundred responses at `at` are sent, slip and are dropped.
    fn hundred(limiter: &Limiter, clients: &[&str], at: u64) -> [usize; 3] {
        let rulings: Vec<Ruling> = (0..100)
            .map(|index| limiter.rule(clients[index % clients.len()].parse().unwrap(), at, index as u64))
            .collect();
        [Ruling::Send, Ruling::Slip, Ruling::Drop]
            .map(|ruling| rulings.iter().filter(|found| **found == ruling).count())
    }

    #[test]
    fn addresses_of_one_prefix_share_a_budget() {
        let limiter = limiter(0);
        assert_eq!(hundred(&limiter, &["192.0.2.1", "192.0.2.254"], SECOND), [10, 0, 90]);
        assert_eq!(hundred(&limiter, &["::ffff:192.0.2.7"], SECOND), [0, 0, 100]);
        assert_eq!(hundred(&limiter, &["203.0.113.1"], SECOND), [10, 0, 90]);
        assert_eq!(hundred(&limiter, &["2001:db8:0:1::1", "2001:db8:0:ff::2"], SECOND), [10, 0, 90]);
        assert_eq!(hundred(&limiter, &["2001:db8:0:100::"], SECOND), [10, 0, 90]);
        assert_eq!(hundred(&limiter, &["192.0.2.1"], 2 * SECOND), [10, 0, 90]);
    }

    #[test]
    fn one_in_slip_is_told_to_use_tcp() {
        assert_eq!(hundred(&limiter(1), &["192.0.2.1"], SECOND), [10, 90, 0]);
        assert_eq!(hundred(&limiter(2), &["192.0.2.1"], SECOND), [10, 45, 45]);
        assert_eq!(hundred(&limiter(10), &["192.0.2.1"], SECOND), [10, 9, 81]);
    }

    #[test]
    fn exempt_networks_are_not_limited() {
        assert_eq!(hundred(&limiter(2), &["198.51.100.9"], SECOND), [100, 0, 0]);
    }
}
