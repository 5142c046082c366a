//! What the kernel half is told anew whenever the configuration is read, and what time it is.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use fastpath::cookie::Secret;
use fastpath::limit::{self, Budget};
use ipnet::IpNet;
use pulse53_abi::live::{
    Exempt, LiveSettings, OPTION_ANSWERED, OPTION_IGNORED, OPTION_PASSED, OPTION_REQUIRED,
};
use pulse53_abi::{self as abi, key};

use crate::buckets::Buckets;
use crate::clock;

/// What may change while the program runs.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Whether there is an answer to NSID, which userspace gives.
    pub nsid: bool,
    /// How cookies are answered; none: they are ignored.
    pub cookies: Option<LiveCookies>,
    /// How many responses a client network may have; none: any number.
    pub limit: Option<LiveLimit>,
}

/// How cookies are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveCookies {
    /// The first makes cookies; one of either is valid.
    pub secrets: [Secret; 2],
    /// Whether a query whose cookie is not valid is left to userspace.
    pub required: bool,
}

/// The rate limit.
#[derive(Debug, Clone)]
pub struct LiveLimit {
    /// What a prefix may cost.
    pub budget: Budget,
    /// Of the responses beyond, one in this many says TC=1; 0: none does.
    pub slip: u32,
    /// Seed of the hash that chooses a bucket.
    pub seed: u64,
    /// Bits of an IPv4 address that share a budget.
    pub ipv4_prefix: u8,
    /// Bits of an IPv6 address that share a budget.
    pub ipv6_prefix: u8,
    /// Networks that are never limited.
    pub exempt: Vec<IpNet>,
    /// Where userspace keeps budgets, and the kernel half from now on.
    pub buckets: Arc<Buckets>,
}

impl Live {
    /// Writes all but the clock.
    pub fn write(&self, to: &LiveSettings) {
        to.nsid.store(if self.nsid { OPTION_PASSED } else { OPTION_IGNORED });
        self.write_cookies(to);
        match &self.limit {
            Some(limit) => limit.write(&to.limit),
            None => to.limit.interval_ns.store(0),
        }
    }

    fn write_cookies(&self, to: &LiveSettings) {
        let version = to.version.load();
        to.version.store(version | 1);
        let option = match &self.cookies {
            None => OPTION_IGNORED,
            Some(LiveCookies { required: false, .. }) => OPTION_ANSWERED,
            Some(LiveCookies { required: true, .. }) => OPTION_REQUIRED,
        };
        to.cookies.store(option);
        let secrets = self.cookies.map_or([Secret([0; 2]); 2], |cookies| cookies.secrets);
        let words = secrets.iter().flat_map(|secret| secret.0);
        to.secrets.iter().zip(words).for_each(|(word, value)| word.store(value));
        to.version.store((version | 1).wrapping_add(1));
    }
}

impl LiveLimit {
    fn write(&self, limit: &abi::live::LiveLimit) {
        limit.slip.store(self.slip.into());
        limit.seed.store(self.seed);
        limit.ipv4_mask.store(limit::mask(false, self.ipv4_prefix.into())[0]);
        let ipv6_mask = limit::mask(true, self.ipv6_prefix.into());
        limit.ipv6_mask.iter().zip(ipv6_mask).for_each(|(word, value)| word.store(value));
        limit.exempt.iter().zip(&self.exempt).for_each(|(to, network)| write_exempt(to, network));
        limit.exempt_count.store(self.exempt.len() as u64);
        limit.burst_ns.store(self.budget.burst_ns);
        limit.interval_ns.store(self.budget.interval_ns);
    }
}

fn write_exempt(to: &Exempt, network: &IpNet) {
    let is_v6 = network.network().is_ipv6();
    let len = network.prefix_len() + if is_v6 { 0 } else { 96 };
    let mask = limit::mask(true, len.into());
    to.is_v6.store(is_v6.into());
    to.address.iter().zip(words(network.network())).for_each(|(word, value)| word.store(value));
    to.mask.iter().zip(mask).for_each(|(word, value)| word.store(value));
}

/// The words of an address as a packet holds it, an IPv4 address as the IPv4-mapped one.
fn words(address: IpAddr) -> [u64; 2] {
    let octets = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    [key::word(&octets[..8]), key::word(&octets[8..])]
}

/// Writes what the monotonic clock lacks to the present time since 1970.
pub fn write_clock(to: &LiveSettings, now: Duration) {
    to.clock_offset.store((now.as_nanos() as u64).wrapping_sub(clock::monotonic_ns()));
}

#[cfg(test)]
mod tests {
    use pulse53_abi::live::exempt_words;

    use super::*;

    const FIRST: Secret = Secret([1, 2]);
    const SECOND: Secret = Secret([3, 4]);

    fn limit(exempt: &[&str]) -> LiveLimit {
        LiveLimit {
            budget: Budget::new(10, 20),
            slip: 3,
            seed: 53,
            ipv4_prefix: 24,
            ipv6_prefix: 56,
            exempt: exempt.iter().map(|network| network.parse().unwrap()).collect(),
            buckets: Arc::default(),
        }
    }

    #[test]
    fn cookies_are_written_under_a_version() {
        let to = LiveSettings::default();
        let write = |cookies| {
            Live { cookies, ..Live::default() }.write(&to);
            assert_eq!(to.version.load() % 2, 0, "the writing has ended");
            (to.cookies.load(), to.secrets.each_ref().map(|word| word.load()))
        };
        assert_eq!(write(None), (OPTION_IGNORED, [0; 4]));
        let version = to.version.load();
        let cookies = LiveCookies { secrets: [FIRST, SECOND], required: false };
        assert_eq!(write(Some(cookies)), (OPTION_ANSWERED, [1, 2, 3, 4]));
        assert_ne!(to.version.load(), version);
        assert_eq!(write(Some(LiveCookies { required: true, ..cookies })).0, OPTION_REQUIRED);
        assert_eq!(write(None), (OPTION_IGNORED, [0; 4]), "secrets do not stay longer than they are used");
    }

    #[test]
    fn the_clock_is_told_beside_the_monotonic_one() {
        let to = LiveSettings::default();
        let now = Duration::from_secs(1_800_000_000);
        let before = clock::monotonic_ns();
        write_clock(&to, now);
        let passed =
            |reading: u64| reading.wrapping_add(to.clock_offset.load()).wrapping_sub(now.as_nanos() as u64);
        // Between the two readings the clock said just what it was told.
        assert!((passed(before) as i64) <= 0 && (passed(clock::monotonic_ns()) as i64) >= 0);
    }

    #[test]
    fn nsid_is_passed_only_where_it_is_answered() {
        let to = LiveSettings::default();
        assert_eq!(to.nsid.load(), OPTION_PASSED, "before anything is written");
        for (nsid, option) in [(false, OPTION_IGNORED), (true, OPTION_PASSED)] {
            Live { nsid, ..Live::default() }.write(&to);
            assert_eq!(to.nsid.load(), option);
        }
    }

    #[test]
    fn a_limit_is_written_and_taken_away() {
        let to = LiveSettings::default();
        Live { limit: Some(limit(&["192.0.2.0/25", "2001:db8::/33"])), ..Live::default() }.write(&to);
        let found = &to.limit;
        assert_eq!((found.interval_ns.load(), found.burst_ns.load()), (100_000_000, 1_900_000_000));
        assert_eq!([&found.slip, &found.seed, &found.exempt_count].map(|word| word.load()), [3, 53, 2]);
        assert_eq!(found.ipv4_mask.load(), 0x00ff_ffff);
        assert_eq!(found.ipv6_mask.each_ref().map(|word| word.load()), [0x00ff_ffff_ffff_ffff, 0]);
        for (index, address, is_in) in [
            (0, "192.0.2.127", true),
            (0, "192.0.2.128", false),
            (0, "::ffff:192.0.2.1", false),
            (1, "2001:db8:7fff:ffff::1", true),
            (1, "2001:db8:8000::", false),
            (1, "192.0.2.1", false),
        ] {
            let address: IpAddr = address.parse().unwrap();
            // As a packet has it: an IPv4 address is the lower half of the first word.
            let in_packet = match address {
                IpAddr::V4(address) => [u32::from_le_bytes(address.octets()).into(), 0],
                IpAddr::V6(_) => words(address),
            };
            let is_v6 = address.is_ipv6();
            let found = to.limit.exempt[index].contains(is_v6, exempt_words(is_v6, in_packet));
            assert_eq!(found, is_in, "{index} {address}");
        }
        Live::default().write(&to);
        assert_eq!(to.limit.interval_ns.load(), 0);
    }
}
