//! The reply: its size is settled first, then the frame grows and everything in it is written anew, front to back.

use pulse53_abi::entry::{BodyHead, FLAG_AUTHORITATIVE, Link};
use pulse53_abi::shared::Shared;
use pulse53_abi::verdict::{DropReason, PassReason, Verdict};

use crate::choose::Chosen;
use crate::dns::{self, Query};
use crate::edns::Edns;
use crate::ethernet::Ethernet;
use crate::ip::{Network, fold, halves};
use crate::tables::NAME_WORDS;
use crate::udp::{self, Datagram};
use crate::{Packet, Scratch, Step, Tables};

/// Sizes and sums of a reply that fits.
pub(crate) struct Reply {
    /// UDP length: header and message.
    udp_len: u16,
    header: (u64, u32),
    checksum: u16,
}

/// Settles whether the reply fits the client, and all that can be computed before writing.
#[inline(always)]
pub(crate) fn plan(network: &Network, query: &Query, edns: &Edns, chosen: &Chosen) -> Step<Reply> {
    let head = &chosen.head;
    let message = dns::HEADER + query.name_len + dns::QUESTION_TAIL + usize::from(head.len) + edns.len();
    if message > usize::from(edns.message_max) {
        return Err(Verdict::Pass(PassReason::TooLong));
    }
    let header = query.reply_header(
        head.flags,
        head.flags & FLAG_AUTHORITATIVE != 0,
        [head.answers, head.authorities, head.additionals],
        edns.is_present(),
    );
    let udp_len = (message + udp::HEADER) as u16;
    Ok(Reply {
        udp_len,
        header,
        checksum: checksum_without_ports(network, query, edns, head, udp_len, header),
    })
}

/// The ones' complement sum of everything the UDP checksum covers but the ports (RFC 768, RFC 1071).
#[inline(always)]
fn checksum_without_ports(
    network: &Network,
    query: &Query,
    edns: &Edns,
    head: &BodyHead,
    udp_len: u16,
    header: (u64, u32),
) -> u16 {
    // Protocol 17 and the length, which counts twice: in the pseudo-header and in the UDP header.
    let even = network.address_sum()
        + 17u16.to_be() as u64
        + 2 * udp_len.to_be() as u64
        + halves(header.0)
        + header.1 as u64
        + query.name_sum;
    // What follows the name stands at an odd offset if the name's length is odd: sum it from an even one, then swap.
    let opt = swapped_if(head.len & 1 != 0, edns.sum());
    let behind_name = query.question_tail as u64 + head.sum as u64 + opt;
    fold(even + swapped_if(query.name_len & 1 != 0, behind_name))
}

/// A sum as it counts from an odd offset (RFC 1071 section 2, byte order independence).
#[inline(always)]
fn swapped_if(odd: bool, sum: u64) -> u64 {
    let folded = fold(sum);
    (if odd { folded.swap_bytes() } else { folded }) as u64
}

/// Writes the reply. Only the growing can be refused; behind it every failure means a damaged frame.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "each is one step's result, named once in `answer`")]
pub(crate) fn write(
    packet: &mut impl Packet,
    tables: &impl Tables,
    scratch: &Scratch,
    link: &Ethernet,
    network: &Network,
    datagram: &Datagram,
    query: &Query,
    edns: &Edns,
    chosen: &Chosen,
    reply: &Reply,
) -> Step<()> {
    let frame_len = datagram.at + usize::from(reply.udp_len);
    let growth = frame_len as i32 - packet.frame_len() as i32;
    if growth != 0 {
        packet.resize(growth).ok_or(Verdict::Pass(PassReason::NoRoom))?;
    }
    let damaged = Verdict::Drop(DropReason::Damaged);
    link.write_reply(packet).ok_or(damaged)?;
    network.write_reply(packet, reply.udp_len).ok_or(damaged)?;
    write_udp(packet, datagram, reply).ok_or(damaged)?;
    let mut at = datagram.payload_at;
    packet.store(at, reply.header.0).ok_or(damaged)?;
    packet.store(at + 8, reply.header.1).ok_or(damaged)?;
    at += dns::HEADER;
    write_name(packet, at, query, scratch).ok_or(damaged)?;
    at += query.name_len;
    packet.store(at, query.question_tail).ok_or(damaged)?;
    at += dns::QUESTION_TAIL;
    at = packet.forget(at as u64) as usize;
    write_records(packet, tables, scratch, at, chosen)?;
    if edns.is_present() {
        at = packet.forget((at + usize::from(chosen.head.len)) as u64) as usize;
        edns.write_reply(packet, at).ok_or(damaged)?;
    }
    Ok(())
}

#[inline(always)]
fn write_udp(packet: &mut impl Packet, datagram: &Datagram, reply: &Reply) -> Option<()> {
    let ports = datagram.ports.rotate_left(16);
    let checksum = match !fold(reply.checksum as u64 + ports as u64) {
        0 => 0xffff, // zero would mean "none" (RFC 768)
        checksum => checksum,
    };
    packet.store(datagram.at, ports)?;
    packet.store(datagram.at + 4, reply.udp_len.to_be() as u32 | (checksum as u32) << 16)
}

/// Writes the name as it was asked. Up to seven octets behind it are overwritten; question and records, which follow, take more.
#[inline(always)]
fn write_name(packet: &mut impl Packet, at: usize, query: &Query, scratch: &Scratch) -> Option<()> {
    for index in 0..NAME_WORDS {
        if 8 * index >= query.name_len {
            break;
        }
        packet.store(at + 8 * index, scratch.name[index])?;
    }
    Some(())
}

#[inline(always)]
fn write_records(
    packet: &mut impl Packet,
    tables: &impl Tables,
    scratch: &Scratch,
    at: usize,
    chosen: &Chosen,
) -> Step<()> {
    let damaged = Verdict::Drop(DropReason::Damaged);
    let Some(link) = chosen.link else {
        return copy(packet, at, chosen, |index| scratch.records.get(index).copied()).ok_or(damaged);
    };
    let uses = match link.kind() {
        Link::SMALL => {
            let body = tables.body_small(link.index()).ok_or(damaged)?;
            copy(packet, at, chosen, |index| word(&body.records, index)).ok_or(damaged)?;
            &body.uses
        }
        Link::MEDIUM => {
            let body = tables.body_medium(link.index()).ok_or(damaged)?;
            copy(packet, at, chosen, |index| word(&body.records, index)).ok_or(damaged)?;
            &body.uses
        }
        _ => {
            let body = tables.body_large(link.index()).ok_or(damaged)?;
            copy(packet, at, chosen, |index| word(&body.records, index)).ok_or(damaged)?;
            &body.uses
        }
    };
    // A recycled body must be noticed (law 4); its quarantine makes that a matter of a stopped machine.
    if uses.load() == chosen.uses { Ok(()) } else { Err(Verdict::Drop(DropReason::Recycled)) }
}

#[inline(always)]
fn word(records: &[Shared], index: usize) -> Option<u64> {
    records.get(index).map(|word| word.load())
}

/// The most words a body holds.
const RECORD_WORDS: usize = pulse53_abi::limits::BODY_LARGE / 8;

/// Copies `len` octets of records, at least twelve, beginning `turn` octets in and going on at the front.
#[inline(always)]
fn copy(
    packet: &mut impl Packet,
    at: usize,
    chosen: &Chosen,
    word: impl Fn(usize) -> Option<u64>,
) -> Option<()> {
    let len = usize::from(chosen.head.len);
    if chosen.turn & 7 != 0 || (chosen.turn != 0 && len & 7 != 0) {
        return copy_halves(packet, at, chosen, word);
    }
    let words = len / 8;
    let mut source = chosen.turn / 8;
    for index in 0..RECORD_WORDS {
        if index >= words {
            break;
        }
        packet.store(at + 8 * index, word(source)?)?;
        source += 1;
        if source >= words && chosen.turn != 0 {
            source = 0;
        }
    }
    let rest = len & 7;
    if rest != 0 {
        // The last eight octets once more, in one piece: they end with the records, and perhaps with the frame.
        let shift = 8 * rest as u32;
        let last = word(words - 1)? >> shift | word(words)? << (64 - shift);
        packet.store(at + len - 8, last)?;
    }
    Some(())
}

/// The same by four octets, for records whose length is no multiple of eight.
#[inline(always)]
fn copy_halves(
    packet: &mut impl Packet,
    at: usize,
    chosen: &Chosen,
    word: impl Fn(usize) -> Option<u64>,
) -> Option<()> {
    let halves = usize::from(chosen.head.len) / 4;
    let mut source = chosen.turn / 4;
    for index in 0..2 * RECORD_WORDS {
        if index >= halves {
            break;
        }
        let both = word(source / 2)?;
        packet.store(at + 4 * index, (if source & 1 == 0 { both } else { both >> 32 }) as u32)?;
        source += 1;
        if source >= halves {
            source = 0;
        }
    }
    Some(())
}
