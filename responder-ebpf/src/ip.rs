//! IPv4 without options or fragments (RFC 791) and IPv6 without extension headers (RFC 8200), D-23.

use pulse53_abi::served::{AddressWords, ipv4_words};
use pulse53_abi::verdict::{PassReason, Verdict};

use crate::ethernet::{self, Ethernet};
use crate::udp;
use crate::{Packet, Scratch, Step, Word};

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
/// Protocol number of UDP.
const UDP: u8 = 17;
/// TTL and hop limit of replies (D-24).
const HOP_LIMIT: u8 = 64;

/// Octets 8 to 11 of an IPv4-mapped IPv6 address, read little-endian.
const IPV4_MAPPED: u32 = 0xffff_0000;

/// What the IP header says; its addresses are in the scratch memory.
pub(crate) struct Network {
    pub(crate) is_v6: bool,
    /// Ones' complement sum of both addresses.
    pub(crate) address_sum: u64,
    /// Where the header's payload begins, and how long it is.
    pub(crate) payload_at: usize,
    pub(crate) payload_len: usize,
}

#[inline(always)]
pub(crate) fn parse(packet: &impl Packet, link: &Ethernet, scratch: &mut Scratch) -> Step<Network> {
    match link.ethertype {
        ethernet::IPV4 => parse_v4(packet, link.len, scratch),
        ethernet::IPV6 => parse_v6(packet, link.len, scratch),
        _ => Err(Verdict::Pass(PassReason::NotIp)),
    }
}

#[inline(always)]
fn parse_v4(packet: &impl Packet, at: usize, scratch: &mut Scratch) -> Step<Network> {
    let short = Verdict::Pass(PassReason::Short);
    let header = packet.octets::<IPV4_HEADER>(packet.place(at), 0).ok_or(short)?;
    // Version and length of the header; more fragments, or an offset.
    const PLAIN: u64 = 0xff | (0x3fff_u16.to_be() as u64) << 48;
    let first = u64::at::<0, IPV4_HEADER>(header);
    if first & PLAIN != 0x45 {
        return Err(Verdict::Pass(PassReason::Ipv4Special));
    }
    if u8::at::<9, IPV4_HEADER>(header) != UDP {
        return Err(Verdict::Pass(PassReason::NotUdp));
    }
    let total_length = usize::from(u16::from_be((first >> 16) as u16));
    let source = u64::from(u32::at::<12, IPV4_HEADER>(header));
    let destination = u64::from(u32::at::<16, IPV4_HEADER>(header));
    scratch.source = [source, 0];
    scratch.destination = [destination, 0];
    Ok(Network {
        is_v6: false,
        address_sum: source + destination,
        payload_at: at + IPV4_HEADER,
        payload_len: total_length.checked_sub(IPV4_HEADER).ok_or(short)?,
    })
}

#[inline(always)]
fn parse_v6(packet: &impl Packet, at: usize, scratch: &mut Scratch) -> Step<Network> {
    let short = Verdict::Pass(PassReason::Short);
    let header = packet.octets::<IPV6_HEADER>(packet.place(at), 0).ok_or(short)?;
    if u8::at::<0, IPV6_HEADER>(header) >> 4 != 6 {
        return Err(Verdict::Pass(PassReason::NotIp));
    }
    if u8::at::<6, IPV6_HEADER>(header) != UDP {
        return Err(Verdict::Pass(PassReason::NotUdp));
    }
    let payload_len = usize::from(u16::from_be(u16::at::<4, IPV6_HEADER>(header)));
    let source = [u64::at::<8, IPV6_HEADER>(header), u64::at::<16, IPV6_HEADER>(header)];
    let destination = [u64::at::<24, IPV6_HEADER>(header), u64::at::<32, IPV6_HEADER>(header)];
    let [s0, s1] = source.map(halves);
    let [d0, d1] = destination.map(halves);
    let address_sum = s0 + s1 + d0 + d1;
    scratch.source = source;
    scratch.destination = destination;
    Ok(Network { is_v6: true, address_sum, payload_at: at + IPV6_HEADER, payload_len })
}

impl Network {
    /// The address asked, as the table of served addresses holds it.
    #[inline(always)]
    pub(crate) fn destination(&self, scratch: &Scratch) -> AddressWords {
        if self.is_v6 { scratch.destination } else { ipv4_words(scratch.destination[0] as u32) }
    }

    /// Whether a reply may be sent to where the query came from: not to a group, not to nobody, and not to an IPv4-mapped address
    /// (RFC 4291 section 2.5.5.2). The stack drops such packets.
    #[inline(always)]
    pub(crate) fn source_is_unicast(&self, scratch: &Scratch) -> bool {
        let source = scratch.source;
        let first = source[0] as u8;
        if self.is_v6 {
            let is_mapped = source[0] == 0 && source[1] as u32 == IPV4_MAPPED;
            first != 0xff && source != [0, 0] && !is_mapped
        } else {
            first != 0 && first < 224
        }
    }

    /// Whether the query comes from an address that means something on one link alone (RFC 4291 section 2.5.6).
    #[inline(always)]
    pub(crate) fn source_is_link_local(&self, scratch: &Scratch) -> bool {
        // The first ten bits are those of fe80.
        self.is_v6 && scratch.source[0] & 0xc0ff == 0x80fe
    }

    /// Writes the reply's header behind a link header of so many octets, for a payload of so many; and that payload's header.
    #[inline(always)]
    pub(crate) fn write_reply(
        &self,
        packet: &mut impl Packet,
        scratch: &Scratch,
        at: usize,
        payload_len: u16,
        payload_header: u64,
    ) -> Option<()> {
        let place = packet.place(at);
        let (source, destination) = (scratch.source, scratch.destination);
        if self.is_v6 {
            const LEN: usize = IPV6_HEADER + udp::HEADER;
            let header = packet.octets_mut::<LEN>(place, 0)?;
            // Version 6, no traffic class, no flow label | length | next header | hop limit.
            let first =
                0x60 | (payload_len.to_be() as u64) << 32 | (UDP as u64) << 48 | (HOP_LIMIT as u64) << 56;
            first.put::<0, LEN>(header);
            destination[0].put::<8, LEN>(header);
            destination[1].put::<16, LEN>(header);
            source[0].put::<24, LEN>(header);
            source[1].put::<32, LEN>(header);
            payload_header.put::<IPV6_HEADER, LEN>(header);
        } else {
            const LEN: usize = IPV4_HEADER + udp::HEADER;
            let header = packet.octets_mut::<LEN>(place, 0)?;
            // Version 4, five words, no TOS | length | identification 0, no flags, no offset.
            const VERSION: u64 = 0x45;
            let len = u64::from((payload_len + IPV4_HEADER as u16).to_be());
            const SECOND: u64 = HOP_LIMIT as u64 | (UDP as u64) << 8;
            // The words at octets 0 and 2, and that at 8; those of zeros add nothing.
            let sum = VERSION + len + SECOND + self.address_sum;
            (VERSION | len << 16).put::<0, LEN>(header);
            (SECOND as u32 | u32::from(!fold(sum)) << 16).put::<8, LEN>(header);
            (destination[0] as u32).put::<12, LEN>(header);
            (source[0] as u32).put::<16, LEN>(header);
            payload_header.put::<IPV4_HEADER, LEN>(header);
        }
        Some(())
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
