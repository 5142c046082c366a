//! What the kernel half is told anew whenever the configuration is read, and what time it is.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use fastpath::cookie::Secret;
use fastpath::limit::{self, Budget};
use ipnet::IpNet;
use pulse53_abi::key;
use pulse53_abi::live::{
    Exempt, LiveSettings, OPTION_ANSWERED, OPTION_IGNORED, OPTION_PASSED, OPTION_REQUIRED,
};
use rustix::time::{ClockId, clock_gettime};

use crate::buckets::Buckets;

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
        let limit = &to.limit;
        let Some(from) = &self.limit else {
            limit.interval_ns.store(0);
            return;
        };
        limit.slip.store(from.slip.into());
        limit.seed.store(from.seed);
        limit.ipv4_mask.store(limit::mask(false, from.ipv4_prefix.into())[0]);
        let ipv6_mask = limit::mask(true, from.ipv6_prefix.into());
        limit.ipv6_mask.iter().zip(ipv6_mask).for_each(|(word, value)| word.store(value));
        limit.exempt.iter().zip(&from.exempt).for_each(|(to, network)| write_exempt(to, network));
        limit.exempt_count.store(from.exempt.len() as u64);
        limit.burst_ns.store(from.budget.burst_ns);
        limit.interval_ns.store(from.budget.interval_ns);
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
    let monotonic = clock_gettime(ClockId::Monotonic);
    let monotonic = Duration::new(monotonic.tv_sec as u64, monotonic.tv_nsec as u32);
    to.clock_offset.store((now.as_nanos() as u64).wrapping_sub(monotonic.as_nanos() as u64));
}
