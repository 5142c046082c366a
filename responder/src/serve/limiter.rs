//! Response rate limiting in userspace: who gets an answer, who is told to come again over TCP, and who gets nothing. The rules are
//! [`fastpath::limit`]'s, and the kernel half spends from the same buckets.

use std::net::IpAddr;
use std::sync::Arc;

use fastpath::abi::limits::RATE_BUCKETS;
use fastpath::limit::{self, Budget};
use ipnet::IpNet;

use crate::buckets::Buckets;

pub use fastpath::limit::Ruling;

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

/// The budgets of all prefixes. Threads share it without locks: two that spend at the same moment may spend once.
#[derive(Debug)]
pub struct Limiter {
    settings: RateLimit,
    budget: Budget,
    seed: u64,
    ipv4_mask: [u64; 2],
    ipv6_mask: [u64; 2],
    buckets: Arc<Buckets>,
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
        Self {
            budget: Budget::new(settings.responses_per_second.max(1), settings.burst.max(1)),
            seed,
            ipv4_mask: limit::mask(false, settings.ipv4_prefix.into()),
            ipv6_mask: limit::mask(true, settings.ipv6_prefix.into()),
            settings,
            buckets: Arc::default(),
        }
    }

    /// What it was made with.
    pub fn settings(&self) -> &RateLimit {
        &self.settings
    }

    /// What a prefix may cost.
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Where budgets are kept.
    pub fn buckets(&self) -> &Arc<Buckets> {
        &self.buckets
    }

    /// Rules on one response to an address, `now` in nanoseconds; `draw` is uniformly random.
    pub fn rule(&self, client: IpAddr, now: u64, draw: u64) -> Ruling {
        let client = client.to_canonical();
        let (words, is_v6, mask) = match client {
            IpAddr::V4(v4) => ([u32::from_le_bytes(v4.octets()).into(), 0], false, self.ipv4_mask),
            IpAddr::V6(v6) => {
                let value = u128::from_le_bytes(v6.octets());
                ([value as u64, (value >> 64) as u64], true, self.ipv6_mask)
            }
        };
        let prefix = [words[0] & mask[0], words[1] & mask[1]];
        let buckets = self.buckets.words();
        let bucket = &buckets[limit::bucket(prefix, is_v6, self.seed, RATE_BUCKETS - 1) as usize];
        if let Some(after) = self.budget.spend(bucket.load(), now) {
            bucket.store(after);
            return Ruling::Send;
        }
        // Looked for last: it is a list, and hardly anyone gets here.
        if self.settings.exempt.iter().any(|network| network.contains(&client)) {
            return Ruling::Send;
        }
        Ruling::beyond(self.settings.slip, draw)
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
