//! EDNS (RFC 6891): the OPT record behind the question, if there is one, with the client subnet (RFC 7871) and the cookie (RFC 7873).

use pulse53_abi::client::{CLIENT_OCTETS_V4, CLIENT_OCTETS_V6};
use pulse53_abi::limits::{OPTIONS_MAX, UDP_PAYLOAD_MAX, UDP_PAYLOAD_PLAIN};
use pulse53_abi::live::{OPTION_IGNORED, OPTION_PASSED};
use pulse53_abi::shared::at_most;
use pulse53_abi::verdict::{PassReason, Verdict};

use crate::client::Client;
use crate::cookie::{CLIENT_LEN, SERVER_LEN};
use crate::dns::Query;
use crate::ip::halves;
use crate::tables::OPT_WORDS;
use crate::udp::Datagram;
use crate::{Packet, Scratch, Step, Tables, Word, reply};

/// Octets of an OPT record without options.
const OPT_LEN: usize = 11;
const TYPE_OPT: u16 = 41;
/// The DO bit, in the first octet of the flags (RFC 3225).
const DO: u8 = 0x80;

/// Options that matter here; others are ignored (D-15).
const NSID: u16 = 3;
const CLIENT_SUBNET: u16 = 8;
const COOKIE: u16 = 10;
/// Octets of an option's code and length.
const OPTION_HEADER: usize = 4;
/// Octets of a client subnet before the address.
const SUBNET_HEADER: usize = 4;
/// Octets of the reply's cookie option.
const COOKIE_LEN: u16 = (OPTION_HEADER + CLIENT_LEN + SERVER_LEN) as u16;
/// Its code and length, as they stand in the packet.
const COOKIE_HEAD: u32 = COOKIE.to_be() as u32 | ((COOKIE_LEN - OPTION_HEADER as u16).to_be() as u32) << 16;

/// What the query's EDNS says.
pub(crate) struct Edns {
    /// Octets of the reply's OPT up to the client subnet: 0 without OPT, and more than [`OPT_LEN`] if it holds the client subnet, which is then
    /// in the scratch memory.
    pub(crate) len: u16,
    /// Octets of the reply's cookie option, which is the last one and in the scratch memory: 0 without one.
    pub(crate) cookie_len: u16,
    /// The octet with the DO bit.
    dnssec_ok: u8,
    /// Octets the reply's message may have (D-16).
    pub(crate) message_max: u16,
    /// The client, if a subnet option names one.
    pub(crate) client: Option<Client>,
}

#[inline(always)]
pub(crate) fn parse<P: Packet>(
    packet: &mut P,
    datagram: &Datagram<P::Place>,
    query: &Query,
    tables: &impl Tables,
    scratch: &mut Scratch,
) -> Step<Edns> {
    let message_end = datagram.end;
    let reply_max = tables.message_max();
    if !query.has_additional {
        if query.end != message_end {
            return Err(Verdict::Pass(PassReason::NotPlainQuery));
        }
        let message_max = UDP_PAYLOAD_PLAIN.min(reply_max);
        return Ok(Edns { len: 0, cookie_len: 0, dnssec_ok: 0, message_max, client: None });
    }
    let bad = Verdict::Pass(PassReason::BadOpt);
    let at = query.end;
    // Owner, type, size, extended RCODE, version, DO | flags, length of the options.
    let record = packet.octets::<OPT_LEN>(packet.place(at), 0).ok_or(bad)?;
    let first = u64::at::<0, OPT_LEN>(record);
    let options_len = usize::from(u16::from_be(u16::at::<9, OPT_LEN>(record)));
    let owner = first as u8;
    let rtype = u16::from_be((first >> 8) as u16);
    let size = u16::from_be((first >> 24) as u16);
    let version = (first >> 48) as u8;
    if owner != 0 || rtype != TYPE_OPT || version != 0 || at + OPT_LEN + options_len != message_end {
        return Err(bad);
    }
    let mut edns = Edns {
        len: OPT_LEN as u16,
        cookie_len: 0,
        dnssec_ok: (first >> 56) as u8 & DO,
        message_max: size.max(UDP_PAYLOAD_PLAIN).min(reply_max),
        client: None,
    };
    if options_len != 0 {
        let options = find_options(packet, tables, at + OPT_LEN, message_end)?;
        if options.cookie.at != 0 {
            edns.take_cookie(packet, &options.cookie, scratch)?;
        }
        if options.subnet.at != 0 {
            edns.take_subnet(packet, &options.subnet, scratch)?;
        }
    }
    Ok(edns)
}

/// The options of a query that are answered.
#[derive(Default)]
struct Options {
    subnet: OptionData,
    cookie: OptionData,
}

/// Where an option's data begins, and how long it is; at 0: there is no such option.
#[derive(Default)]
struct OptionData {
    at: usize,
    len: usize,
}

/// Walks the options: all must be whole, and none may need more than to be ignored, but for one client subnet and a cookie.
#[inline(always)]
fn find_options(packet: &mut impl Packet, tables: &impl Tables, start: usize, end: usize) -> Step<Options> {
    let bad = Verdict::Pass(PassReason::BadOpt);
    let passed = Verdict::Pass(PassReason::Option);
    let live = tables.live().ok_or(Verdict::Pass(PassReason::Inconsistent))?;
    let (nsid, cookies) = (live.nsid.load(), live.cookies.load());
    let mut at = start;
    let mut options = Options::default();
    let Options { subnet, cookie } = &mut options;
    for _ in 0..OPTIONS_MAX {
        if at == end {
            break;
        }
        let head: u32 = packet.load(packet.place(at), 0).ok_or(bad)?;
        let code = u16::from_be(head as u16);
        let len = usize::from(u16::from_be((head >> 16) as u16));
        at += OPTION_HEADER;
        match code {
            NSID if nsid != OPTION_IGNORED => return Err(passed),
            COOKIE if cookies == OPTION_PASSED => return Err(passed),
            // The first one counts (RFC 7873 section 5.2).
            COOKIE if cookies != OPTION_IGNORED && cookie.at == 0 => *cookie = OptionData { at, len },
            CLIENT_SUBNET if subnet.at != 0 => return Err(passed),
            CLIENT_SUBNET => *subnet = OptionData { at, len },
            _ => {}
        }
        at += len;
        if at > end {
            return Err(bad);
        }
        // All of these are offsets in a frame, or lengths that fit it.
        let forgotten = |value: usize| (packet.forget(value as u64) & 0xfff) as usize;
        at = forgotten(at);
        *subnet = OptionData { at: forgotten(subnet.at), len: forgotten(subnet.len) };
        *cookie = OptionData { at: forgotten(cookie.at), len: forgotten(cookie.len) };
    }
    if at == end { Ok(options) } else { Err(bad) }
}

impl Edns {
    /// Reads a client cookie, and perhaps a server cookie of 8 to 32 octets behind it (RFC 7873 section 5.2.2).
    #[inline(always)]
    fn take_cookie(&mut self, packet: &impl Packet, option: &OptionData, scratch: &mut Scratch) -> Step<()> {
        const WITH_OURS: usize = CLIENT_LEN + SERVER_LEN;
        // What is malformed, userspace refuses.
        let refused = Verdict::Pass(PassReason::Option);
        let (at, len) = (option.at, option.len);
        if len != CLIENT_LEN && !(16..=40).contains(&len) {
            return Err(refused);
        }
        let place = packet.place(at);
        let client = packet.load(place, 0).ok_or(refused)?;
        let server = if len == WITH_OURS {
            let server = packet.octets::<SERVER_LEN>(place, CLIENT_LEN).ok_or(refused)?;
            Some([u64::at::<0, SERVER_LEN>(server), u64::at::<8, SERVER_LEN>(server)])
        } else {
            None
        };
        scratch.cookie.ask(client, server);
        self.cookie_len = COOKIE_LEN;
        Ok(())
    }

    /// Whether the query has a cookie that is answered.
    #[inline(always)]
    pub(crate) fn has_cookie(&self) -> bool {
        self.cookie_len != 0
    }

    /// Reads a client subnet of so many octets (RFC 7871 section 6, R-63), and puts the reply's OPT with it into the scratch memory.
    #[inline(always)]
    fn take_subnet(
        &mut self,
        packet: &mut impl Packet,
        option: &OptionData,
        scratch: &mut Scratch,
    ) -> Step<()> {
        // What is malformed, userspace refuses.
        let refused = Verdict::Pass(PassReason::Option);
        let (at, len) = (option.at, option.len);
        let place = packet.place(at);
        let head: u32 = packet.load(place, 0).ok_or(refused)?;
        let is_v6 = match u16::from_be(head as u16) {
            1 => false,
            2 => true,
            _ => return Err(refused),
        };
        let source_len = (head >> 16) as u8;
        let octets = usize::from(source_len).div_ceil(8);
        let bits = if is_v6 { 128 } else { 32 };
        if head >> 24 != 0 || source_len > bits || len != SUBNET_HEADER + octets {
            return Err(refused);
        }
        // The last eight octets in one piece: behind them the frame may end.
        let end = at + SUBNET_HEADER + octets;
        let last: u64 = packet.load(packet.place(end - 8), 0).ok_or(refused)?;
        let spare = source_len & 7;
        if spare != 0 && (last >> 56 << spare) as u8 != 0 {
            return Err(refused);
        }
        let spare = 8 * (16 - octets as u32);
        let (first, second) = match octets {
            9.. => (packet.load(place, SUBNET_HEADER).ok_or(refused)?, last >> (spare & 63)),
            1.. => (last >> (spare & 63), 0),
            _ => (0, 0),
        };
        // Octets 8 to 15 of the OPT: flags, length of all options, code, length, family.
        let (option_len, opt) = (len as u64, &mut scratch.opt);
        let options_len = option_len + OPTION_HEADER as u64 + u64::from(self.cookie_len);
        opt[0] = self.words().0;
        opt[1] = options_len << 16 | (CLIENT_SUBNET as u64) << 32 | option_len << 48;
        // Family, source prefix length, scope, address.
        opt[2] = (head as u64 >> 8 & 0xff) | (source_len as u64) << 8 | first << 24;
        opt[3] = first >> 40 | second << 24;
        opt[4] = second >> 40;
        self.len = (OPT_LEN + OPTION_HEADER + len) as u16;
        if source_len != 0 {
            let client_bits = 8 * if is_v6 { CLIENT_OCTETS_V6 } else { CLIENT_OCTETS_V4 };
            let is_short = u32::from(source_len) < client_bits;
            self.client = Some(Client { is_v6, octets: first, is_short });
        }
        Ok(())
    }

    /// Says in the reply that the answer is for the client's network alone.
    #[inline(always)]
    pub(crate) fn narrow_scope(&self, scratch: &mut Scratch) {
        if let Some(client) = &self.client {
            let octets = if client.is_v6 { CLIENT_OCTETS_V6 } else { CLIENT_OCTETS_V4 };
            scratch.opt[2] |= u64::from(8 * octets) << 16;
        }
    }

    /// Whether the reply's OPT has a client subnet.
    #[inline(always)]
    fn has_subnet(&self) -> bool {
        usize::from(self.len) > OPT_LEN
    }

    /// The reply's OPT without a client subnet as two words, octets 0 to 7 and 7 to 10: the record may end with the frame, where a single octet
    /// cannot be stored.
    #[inline(always)]
    fn words(&self) -> (u64, u32) {
        let flags = self.dnssec_ok as u64;
        let first = (TYPE_OPT.to_be() as u64) << 8 | (UDP_PAYLOAD_MAX.to_be() as u64) << 24 | flags << 56;
        (first, flags as u32 | u32::from(self.cookie_len.to_be()) << 16)
    }

    /// Ones' complement sum of the reply's OPT, as if from an even offset.
    #[inline(always)]
    pub(crate) fn sum(&self, scratch: &Scratch) -> u64 {
        if self.len == 0 {
            return 0;
        }
        let mut sum = 0;
        if self.has_subnet() {
            for index in 0..OPT_WORDS {
                sum += halves(scratch.opt[index]);
            }
        } else {
            let (first, last) = self.words();
            sum = halves(first) + u64::from(last >> 8);
        }
        if self.has_cookie() {
            let [first, second, third] = scratch.cookie.words().map(halves);
            let cookie = u64::from(COOKIE_HEAD) + first + second + third;
            sum += reply::swapped_if(self.len & 1 != 0, cookie);
        }
        sum
    }

    /// Writes the reply's OPT.
    #[inline(always)]
    pub(crate) fn write_reply(&self, packet: &mut impl Packet, scratch: &Scratch, at: usize) -> Option<()> {
        let len = usize::from(self.len);
        if self.has_subnet() {
            let word = |index: usize| scratch.opt.get(at_most(index, OPT_WORDS - 1)).copied();
            let octets = |_: &_, offset: usize| {
                let (first, bits) = (word(offset / 8)?, 8 * (offset as u32 & 7));
                let second = if bits == 0 { 0 } else { word(offset / 8 + 1)? };
                Some(first >> bits | second << 1 << (63 - bits))
            };
            reply::copy::<_, OPT_WORDS>(packet, at, len, octets)?;
        } else {
            let (first, last) = self.words();
            let record = packet.octets_mut::<OPT_LEN>(packet.place(at), 0)?;
            first.put::<0, OPT_LEN>(record);
            last.put::<7, OPT_LEN>(record);
        }
        if self.has_cookie() {
            let at = packet.forget((at + len) as u64) as usize;
            let [first, second, third] = scratch.cookie.words();
            const LEN: usize = COOKIE_LEN as usize;
            let option = packet.octets_mut::<LEN>(packet.place(at), 0)?;
            COOKIE_HEAD.put::<0, LEN>(option);
            first.put::<4, LEN>(option);
            second.put::<12, LEN>(option);
            third.put::<20, LEN>(option);
        }
        Some(())
    }
}
