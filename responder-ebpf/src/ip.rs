//! IPv4 without options or fragments (RFC 791) and IPv6 without extension headers (RFC 8200), D-23.

use pulse53_abi::served::{AddressWords, ipv4_words};
use pulse53_abi::verdict::{PassReason, Verdict};

use crate::ethernet::{self, Ethernet};
use crate::{Packet, Step};

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
/// Protocol number of UDP.
const UDP: u8 = 17;
/// TTL and hop limit of replies (D-24).
const HOP_LIMIT: u8 = 64;

/// Octets 8 to 11 of an IPv4-mapped IPv6 address, read little-endian.
const IPV4_MAPPED: u32 = 0xffff_0000;

/// What the IP header says.
pub(crate) struct Network {
    pub(crate) is_v6: bool,
    /// As they stand in the header; an IPv4 address is the lower half of the first word.
    source: [u64; 2],
    destination: [u64; 2],
    /// Where the header begins.
    pub(crate) at: usize,
    /// Where its payload begins, and how long it is.
    pub(crate) payload_at: usize,
    pub(crate) payload_len: usize,
}

#[inline(always)]
pub(crate) fn parse(packet: &impl Packet, link: &Ethernet) -> Step<Network> {
    match link.ethertype {
        ethernet::IPV4 => parse_v4(packet, link.len),
        ethernet::IPV6 => parse_v6(packet, link.len),
        _ => Err(Verdict::Pass(PassReason::NotIp)),
    }
}

#[inline(always)]
fn parse_v4(packet: &impl Packet, at: usize) -> Step<Network> {
    let short = Verdict::Pass(PassReason::Short);
    let version_and_length: u8 = packet.load(at).ok_or(short)?;
    let total_length = usize::from(u16::from_be(packet.load(at + 2).ok_or(short)?));
    let fragment = u16::from_be(packet.load(at + 6).ok_or(short)?);
    let protocol: u8 = packet.load(at + 9).ok_or(short)?;
    // More fragments, or an offset.
    if version_and_length != 0x45 || fragment & 0x3fff != 0 {
        return Err(Verdict::Pass(PassReason::Ipv4Special));
    }
    if protocol != UDP {
        return Err(Verdict::Pass(PassReason::NotUdp));
    }
    let source: u32 = packet.load(at + 12).ok_or(short)?;
    let destination: u32 = packet.load(at + 16).ok_or(short)?;
    Ok(Network {
        is_v6: false,
        source: [source as u64, 0],
        destination: [destination as u64, 0],
        at,
        payload_at: at + IPV4_HEADER,
        payload_len: total_length.checked_sub(IPV4_HEADER).ok_or(short)?,
    })
}

#[inline(always)]
fn parse_v6(packet: &impl Packet, at: usize) -> Step<Network> {
    let short = Verdict::Pass(PassReason::Short);
    let version: u8 = packet.load(at).ok_or(short)?;
    let payload_len = usize::from(u16::from_be(packet.load(at + 4).ok_or(short)?));
    let next_header: u8 = packet.load(at + 6).ok_or(short)?;
    if version >> 4 != 6 {
        return Err(Verdict::Pass(PassReason::NotIp));
    }
    if next_header != UDP {
        return Err(Verdict::Pass(PassReason::NotUdp));
    }
    let source = [packet.load(at + 8).ok_or(short)?, packet.load(at + 16).ok_or(short)?];
    let destination = [packet.load(at + 24).ok_or(short)?, packet.load(at + 32).ok_or(short)?];
    Ok(Network { is_v6: true, source, destination, at, payload_at: at + IPV6_HEADER, payload_len })
}

impl Network {
    /// The address asked, as the table of served addresses holds it.
    #[inline(always)]
    pub(crate) fn destination(&self) -> AddressWords {
        if self.is_v6 { self.destination } else { ipv4_words(self.destination[0] as u32) }
    }

    /// Whether a reply may be sent to where the query came from: not to a group, not to nobody, and not to an IPv4-mapped address
    /// (RFC 4291 section 2.5.5.2). The stack drops such packets.
    #[inline(always)]
    pub(crate) fn source_is_unicast(&self) -> bool {
        let first = self.source[0] as u8;
        if self.is_v6 {
            let is_mapped = self.source[0] == 0 && self.source[1] as u32 == IPV4_MAPPED;
            first != 0xff && self.source != [0, 0] && !is_mapped
        } else {
            first != 0 && first < 224
        }
    }

    /// The address asked, as it stands in the header; an IPv4 address is the lower half of the first word.
    #[inline(always)]
    pub(crate) fn asked(&self) -> [u64; 2] {
        self.destination
    }

    /// Whether the query comes from an address that means something on one link alone (RFC 4291 section 2.5.6).
    #[inline(always)]
    pub(crate) fn source_is_link_local(&self) -> bool {
        // The first ten bits are those of fe80.
        self.is_v6 && self.source[0] & 0xc0ff == 0x80fe
    }

    /// The address asked from, as it stands in the header; an IPv4 address is the lower half of the first word.
    #[inline(always)]
    pub(crate) fn source(&self) -> [u64; 2] {
        self.source
    }

    /// Ones' complement sum of both addresses.
    #[inline(always)]
    pub(crate) fn address_sum(&self) -> u64 {
        let [source, destination] =
            [self.source, self.destination].map(|[first, second]| halves(first) + halves(second));
        source + destination
    }

    /// Writes the reply's header for a payload of so many octets.
    #[inline(always)]
    pub(crate) fn write_reply(&self, packet: &mut impl Packet, payload_len: u16) -> Option<()> {
        let at = self.at;
        let (source, destination) = (self.source, self.destination);
        if self.is_v6 {
            // Version 6, no traffic class, no flow label | length | next header | hop limit.
            let first =
                0x60 | (payload_len.to_be() as u64) << 32 | (UDP as u64) << 48 | (HOP_LIMIT as u64) << 56;
            packet.store(at, first)?;
            packet.store(at + 8, destination[0])?;
            packet.store(at + 16, destination[1])?;
            packet.store(at + 24, source[0])?;
            packet.store(at + 32, source[1])
        } else {
            // Version 4, five words, no TOS | length | identification 0, no flags, no offset.
            let first = 0x45 | ((payload_len + IPV4_HEADER as u16).to_be() as u64) << 16;
            let second = HOP_LIMIT as u32 | (UDP as u32) << 8;
            let sum = halves(first) + second as u64 + source[0] + destination[0];
            packet.store(at, first)?;
            packet.store(at + 8, second | (!fold(sum) as u32) << 16)?;
            packet.store(at + 12, destination[0] as u32)?;
            packet.store(at + 16, source[0] as u32)
        }
    }
}

/// Both halves of a word added: its 16-bit ones' complement sum once folded.
#[inline(always)]
pub(crate) fn halves(word: u64) -> u64 {
    (word & 0xffff_ffff) + (word >> 32)
}

/// Folds a ones' complement sum to 16 bits (RFC 1071).
#[inline(always)]
pub(crate) fn fold(sum: u64) -> u16 {
    let mut sum = halves(sum);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}
