//! What userspace may change while the program runs: its clock, how DNS cookies are answered, and the rate limit.

use crate::limits::{EXEMPT_MAX, WAYS_OUT_MAX};
use crate::served::{AddressWords, ipv4_words};
use crate::shared::Shared;

/// The settings of a running program; all zero before userspace has written them.
#[repr(C)]
#[derive(Default)]
pub struct LiveSettings {
    /// Nanoseconds since 1970, less those of the monotonic clock, modulo 2^64: the kernel half knows that one alone.
    pub clock_offset: Shared,
    /// When the tables stop being good, in nanoseconds of the monotonic clock; see [`crate::settings::Settings::expires`].
    pub good_until: Shared,
    /// Odd while `cookies` and `secrets` are being written.
    pub version: Shared,
    /// What becomes of a query that asks for NSID: [`OPTION_PASSED`] or [`OPTION_IGNORED`].
    pub nsid: Shared,
    /// What becomes of a query with a cookie: an `OPTION_…`.
    pub cookies: Shared,
    /// The secret that makes cookies, and another one whose cookies are valid; two words each.
    pub secrets: [Shared; 4],
    /// The rate limit.
    pub limit: LiveLimit,
    /// The interfaces by which replies may leave that came in elsewhere, by their numbers; 0: none. Of use where replies are routed.
    pub ways_out: [Shared; WAYS_OUT_MAX],
}

/// Never shows the secrets.
impl core::fmt::Debug for LiveSettings {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("LiveSettings(..)")
    }
}

/// Userspace answers the query.
pub const OPTION_PASSED: u64 = 0;
/// The option is as if it were not there.
pub const OPTION_IGNORED: u64 = 1;
/// The option is answered.
pub const OPTION_ANSWERED: u64 = 2;
/// The option is answered; where it proves nothing, userspace answers the query.
pub const OPTION_REQUIRED: u64 = 3;

/// How many responses a client network may have.
#[repr(C)]
#[derive(Debug, Default)]
pub struct LiveLimit {
    /// Nanoseconds that one response uses up; 0: nothing is limited.
    pub interval_ns: Shared,
    /// Nanoseconds that may be used up in advance.
    pub burst_ns: Shared,
    /// Of the responses beyond, one in this many says TC=1; 0: none does.
    pub slip: Shared,
    /// Seed of the hash that chooses a network's bucket.
    pub seed: Shared,
    /// The bits of an IPv4 address that share a budget, as they stand in a packet.
    pub ipv4_mask: Shared,
    /// The bits of an IPv6 address that share a budget.
    pub ipv6_mask: [Shared; 2],
    /// How many networks are never limited; if more than [`EXEMPT_MAX`], userspace alone knows which.
    pub exempt_count: Shared,
    /// Those networks.
    pub exempt: [Exempt; EXEMPT_MAX],
}

/// A network that is never limited. One of IPv4 addresses is held as the network of the IPv4-mapped ones.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Exempt {
    /// 1 if its addresses are IPv6 ones, else 0.
    pub is_v6: Shared,
    /// Its first address.
    pub address: [Shared; 2],
    /// The bits that all its addresses share.
    pub mask: [Shared; 2],
}

impl Exempt {
    /// Whether an address lies in the network.
    #[inline(always)]
    pub fn contains(&self, is_v6: bool, address: AddressWords) -> bool {
        let differs = |index: usize| (self.address[index].load() ^ address[index]) & self.mask[index].load();
        self.is_v6.load() == is_v6 as u64 && differs(0) | differs(1) == 0
    }
}

/// The words of an address as an [`Exempt`] network compares them.
#[inline(always)]
pub fn exempt_words(is_v6: bool, words: AddressWords) -> AddressWords {
    if is_v6 { words } else { ipv4_words(words[0] as u32) }
}

const _: () = assert!(size_of::<LiveSettings>() == 8 * (17 + 5 * EXEMPT_MAX + WAYS_OUT_MAX));
