//! DNS cookies (RFC 7873) with the server cookie that all servers of one anycast address share (RFC 9018, D-17).
//!
//! Both halves compute them here. Words are octets as they stand in a packet, read little-endian.

use pulse53_abi::live::OPTION_REQUIRED;
use pulse53_abi::verdict::{PassReason, Verdict};

use crate::edns::Edns;
use crate::ip::Network;
use crate::{Scratch, Step, Tables};

/// Octets of a client cookie.
pub const CLIENT_LEN: usize = 8;

/// Octets of a server cookie as we make it: version, reserved, timestamp, hash (RFC 9018 section 4).
pub const SERVER_LEN: usize = 16;

/// Version 1, and three octets that are reserved.
const VERSION: u32 = u32::from_le_bytes([1, 0, 0, 0]);

/// How old a server cookie may be, in seconds (RFC 9018 section 4.3).
const AGE_MAX: u32 = 3600;

/// How far in the future a server cookie may be, in seconds: clocks of servers differ.
const AHEAD_MAX: u32 = 300;

/// The age in seconds from which on a cookie is replaced by a new one.
const RENEWED_FROM: u32 = 1800;

/// A server secret, 128 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Secret(pub [u64; 2]);

impl Secret {
    /// The secret of these octets.
    pub const fn new(octets: [u8; 16]) -> Self {
        let value = u128::from_le_bytes(octets);
        Self([value as u64, (value >> 64) as u64])
    }
}

/// Never shows what it is.
impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The client's address, of which a cookie is proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    /// Whether this is an IPv6 address.
    pub is_v6: bool,
    /// Its octets; an IPv4 address is the lower half of the first word.
    pub words: [u64; 2],
}

/// A server cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerCookie {
    /// Version, reserved octets and timestamp.
    pub head: u64,
    /// What only a server that knows the secret can compute.
    pub hash: u64,
}

/// The server cookie of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// What the reply carries.
    pub cookie: ServerCookie,
    /// Whether the query carried a server cookie that one of us has made for this address: the address is not forged.
    pub is_valid: bool,
}

/// A client's cookie and all that its answer depends on, as plain words: the kernel half answers it in a function that the verifier
/// follows apart, and that takes one pointer.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    secrets: [Secret; 2],
    client: u64,
    /// Head and hash: of the query's server cookie before, of the reply's behind.
    server: [u64; 2],
    address: [u64; 2],
    /// Seconds since 1970 modulo 2^32, [`WITH_SERVER`], [`FROM_V6`].
    now_and_flags: u64,
}

/// `Exchange::now_and_flags`: the query has a server cookie of our length.
const WITH_SERVER: u64 = 1 << 32;
/// `Exchange::now_and_flags`: the client has an IPv6 address.
const FROM_V6: u64 = 1 << 33;

const NANOSECONDS: u64 = 1_000_000_000;

impl Exchange {
    /// Nothing asked.
    pub const fn new() -> Self {
        Self { secrets: [Secret([0; 2]); 2], client: 0, server: [0; 2], address: [0; 2], now_and_flags: 0 }
    }

    /// Puts down what the query says.
    #[inline(always)]
    pub(crate) fn ask(&mut self, client: u64, server: Option<[u64; 2]>) {
        self.client = client;
        self.now_and_flags = if server.is_some() { WITH_SERVER } else { 0 };
        if let Some(server) = server {
            self.server = server;
        }
    }

    /// Makes the reply's server cookie; whether the query's was valid.
    #[inline(always)]
    pub fn answer(&mut self) -> bool {
        let flags = self.now_and_flags;
        let [head, hash] = self.server;
        let server = if flags & WITH_SERVER != 0 { Some(ServerCookie { head, hash }) } else { None };
        let address = ClientAddress { is_v6: flags & FROM_V6 != 0, words: self.address };
        let answered = answer(&self.secrets, self.client, server, &address, flags as u32);
        self.server = [answered.cookie.head, answered.cookie.hash];
        answered.is_valid
    }

    /// The data of the reply's option.
    #[inline(always)]
    pub(crate) fn words(&self) -> [u64; 3] {
        [self.client, self.server[0], self.server[1]]
    }
}

impl Default for Exchange {
    fn default() -> Self {
        Self::new()
    }
}

/// Answers the query's cookie, if it has one; whether that proves the client's address.
#[inline(always)]
pub(crate) fn answer_query(
    tables: &impl Tables,
    network: &Network,
    edns: &Edns,
    scratch: &mut Scratch,
) -> Step<bool> {
    if !edns.has_cookie() {
        return Ok(false);
    }
    let live = tables.live().ok_or(Verdict::Pass(PassReason::Inconsistent))?;
    let version = live.version.load();
    let exchange = &mut scratch.cookie;
    let [k0, k1, k2, k3] = &live.secrets;
    exchange.secrets = [Secret([k0.load(), k1.load()]), Secret([k2.load(), k3.load()])];
    let is_required = live.cookies.load() == OPTION_REQUIRED;
    if version & 1 != 0 || live.version.load() != version {
        return Err(Verdict::Pass(PassReason::Replaced));
    }
    exchange.address = scratch.source;
    let family = if network.is_v6 { FROM_V6 } else { 0 };
    exchange.now_and_flags |= u64::from((tables.now() / NANOSECONDS) as u32) | family;
    let is_valid = tables.answer_cookie(exchange);
    if is_required && !is_valid {
        return Err(Verdict::Pass(PassReason::Option));
    }
    Ok(is_valid)
}

/// Answers a client's cookie at `now`, in seconds since 1970 modulo 2^32. The first secret signs; a cookie made with any of them is
/// valid, so that secrets can be replaced on one server after the other (RFC 9018 section 5).
#[inline(always)]
pub fn answer(
    secrets: &[Secret; 2],
    client: u64,
    server: Option<ServerCookie>,
    address: &ClientAddress,
    now: u32,
) -> Answered {
    let [current, previous] = secrets;
    let mut is_valid = false;
    if let Some(found) = server
        && let Some(age) = age(found.head, now)
    {
        let is_current = found.hash == hash(current, client, found.head, address);
        if is_current && age < RENEWED_FROM {
            return Answered { cookie: found, is_valid: true };
        }
        is_valid = is_current || found.hash == hash(previous, client, found.head, address);
    }
    let head = VERSION as u64 | (now.to_be() as u64) << 32;
    Answered { cookie: ServerCookie { head, hash: hash(current, client, head, address) }, is_valid }
}

/// The age of a cookie in seconds, 0 if it is of the near future; none if it is of another version, too old or too new.
#[inline(always)]
fn age(head: u64, now: u32) -> Option<u32> {
    // The reserved octets are not looked at, but the hash covers them (RFC 9018 section 4.2).
    if head as u8 != VERSION as u8 {
        return None;
    }
    // Serial number arithmetic (RFC 1982), as RFC 9018 section 4.3 has it.
    let age = now.wrapping_sub(u32::from_be((head >> 32) as u32));
    if age <= AGE_MAX {
        Some(age)
    } else if age.wrapping_neg() <= AHEAD_MAX {
        Some(0)
    } else {
        None
    }
}

/// SipHash-2-4 of client cookie, head and address (RFC 9018 section 4.4).
#[inline(always)]
fn hash(secret: &Secret, client: u64, head: u64, address: &ClientAddress) -> u64 {
    let mut state = SipHash::new(secret);
    state.word(client);
    state.word(head);
    let last = if address.is_v6 {
        state.word(address.words[0]);
        state.word(address.words[1]);
        32 << 56
    } else {
        address.words[0] & 0xffff_ffff | 20 << 56
    };
    state.finish(last)
}

/// SipHash-2-4 over whole words.
struct SipHash([u64; 4]);

impl SipHash {
    #[inline(always)]
    fn new(Secret([k0, k1]): &Secret) -> Self {
        Self([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    #[inline(always)]
    fn round(&mut self) {
        let [v0, v1, v2, v3] = &mut self.0;
        *v0 = v0.wrapping_add(*v1);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v0 = v0.rotate_left(32);
        *v2 = v2.wrapping_add(*v3);
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.wrapping_add(*v3);
        *v3 = v3.rotate_left(21) ^ *v0;
        *v2 = v2.wrapping_add(*v1);
        *v1 = v1.rotate_left(17) ^ *v2;
        *v2 = v2.rotate_left(32);
    }

    #[inline(always)]
    fn word(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    /// Ends with what is left of the message, whose length in octets is the highest octet.
    #[inline(always)]
    fn finish(mut self, last: u64) -> u64 {
        self.word(last);
        self.0[2] ^= 0xff;
        self.round();
        self.round();
        self.round();
        self.round();
        let [v0, v1, v2, v3] = self.0;
        v0 ^ v1 ^ v2 ^ v3
    }
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn word(octets: &[u8; 8]) -> u64 {
        u64::from_le_bytes(*octets)
    }

    fn v4(address: Ipv4Addr) -> ClientAddress {
        ClientAddress { is_v6: false, words: [u32::from_le_bytes(address.octets()) as u64, 0] }
    }

    fn v6(address: Ipv6Addr) -> ClientAddress {
        let value = u128::from_le_bytes(address.octets());
        ClientAddress { is_v6: true, words: [value as u64, (value >> 64) as u64] }
    }

    fn server(octets: u128) -> ServerCookie {
        let [head, hash] = [octets >> 64, octets].map(|half| u64::from_be(half as u64));
        ServerCookie { head, hash }
    }

    const OLD: Secret = Secret::new(0xe5e9_73e5_a6b2_a43f_48e7_dc84_9e37_bfcf_u128.to_be_bytes());
    const NEW: Secret = Secret::new(0x4455_36bc_d251_3298_075a_5d37_9663_c962_u128.to_be_bytes());
    const OTHER: Secret = Secret::new([7; 16]);
    const A1: u128 = 0x0100_0000_5cf7_9f11_1f81_30c3_eee2_9480;

    /// A client's question for cookies, with the secrets it is answered with.
    struct Asked {
        secrets: [Secret; 2],
        client: [u8; 8],
        server: Option<u128>,
        address: ClientAddress,
    }

    impl Asked {
        /// The client of RFC 9018 appendix A.1 and A.2.
        fn first_client(server: Option<u128>) -> Self {
            Self {
                secrets: [OLD, OTHER],
                client: 0x2464_c4ab_cf10_c957_u64.to_be_bytes(),
                server,
                address: v4(Ipv4Addr::new(198, 51, 100, 100)),
            }
        }

        #[track_caller]
        fn check(&self, now: u32, cookie: u128, is_valid: bool) {
            let found =
                answer(&self.secrets, word(&self.client), self.server.map(server), &self.address, now);
            assert_eq!(found, Answered { cookie: server(cookie), is_valid });
        }
    }

    #[test]
    fn rfc_9018_a1_a_new_cookie_is_learned() {
        Asked::first_client(None).check(1_559_731_985, A1, false);
    }

    #[test]
    fn rfc_9018_a2_the_same_client_gets_a_renewed_one() {
        Asked::first_client(Some(A1)).check(1_559_734_385, 0x0100_0000_5cf7_a871_d4a5_64a1_442a_ca77, true);
    }

    #[test]
    fn rfc_9018_a3_reserved_octets_count_but_are_not_looked_at() {
        let asked = Asked {
            secrets: [OLD, OTHER],
            client: 0xfc93_fc62_807d_db86_u64.to_be_bytes(),
            server: Some(0x01ab_cdef_5cf7_8f71_a314_227b_6679_ebf5),
            address: v4(Ipv4Addr::new(203, 0, 113, 203)),
        };
        let made = 1_559_727_985;
        asked.check(made + 60, 0x01ab_cdef_5cf7_8f71_a314_227b_6679_ebf5, true);
        // The example's own reply comes later than an hour, which is too late here.
        asked.check(1_559_734_700, 0x0100_0000_5cf7_a9ac_f73a_7810_aca2_381e, false);
    }

    #[test]
    fn rfc_9018_a4_a_secret_rolls_over() {
        let asked = Asked {
            secrets: [NEW, Secret::new(0xdd3b_df93_44b6_78b1_85a6_f5cb_60fc_a715_u128.to_be_bytes())],
            client: 0x2268_1ab9_7d52_c298_u64.to_be_bytes(),
            server: Some(0x0100_0000_5cf7_c579_2655_6bd0_934c_72f8),
            address: v6("2001:db8:220:1:59de:d0f4:8769:82b8".parse().unwrap()),
        };
        asked.check(1_559_741_961, 0x0100_0000_5cf7_c609_a6bb_79d1_6625_507a, true);
    }

    #[test]
    fn cookies_are_kept_renewed_and_forgotten_by_age() {
        let made = 1_559_731_985_u32;
        let age = |age: u32| {
            let asked = Asked::first_client(Some(A1));
            let now = made.wrapping_add(age);
            let found =
                answer(&asked.secrets, word(&asked.client), asked.server.map(server), &asked.address, now);
            (found.is_valid, found.cookie == server(A1))
        };
        assert_eq!(age(0), (true, true));
        assert_eq!(age(RENEWED_FROM - 1), (true, true));
        assert_eq!(age(RENEWED_FROM), (true, false));
        assert_eq!(age(AGE_MAX), (true, false));
        assert_eq!(age(AGE_MAX + 1), (false, false));
        assert_eq!(age(AHEAD_MAX.wrapping_neg()), (true, true));
        assert_eq!(age((AHEAD_MAX + 1).wrapping_neg()), (false, false));
    }

    #[test]
    fn a_cookie_counts_for_one_client_address_and_secret_alone() {
        let made = 1_559_731_985;
        let valid = |change: fn(&mut Asked)| {
            let mut asked = Asked::first_client(Some(A1));
            change(&mut asked);
            answer(&asked.secrets, word(&asked.client), asked.server.map(server), &asked.address, made)
                .is_valid
        };
        assert!(valid(|_| ()));
        assert!(valid(|asked| asked.secrets = [OTHER, OLD]));
        assert!(!valid(|asked| asked.secrets = [OTHER, NEW]));
        assert!(!valid(|asked| asked.client[7] ^= 1));
        assert!(!valid(|asked| asked.address.words[0] ^= 1));
        assert!(!valid(|asked| asked.address.is_v6 = true));
        assert!(!valid(|asked| asked.server = Some(A1 ^ 1)));
        assert!(!valid(|asked| asked.server = Some(A1 ^ 3 << 120)));
    }
}
