//! The reply: its size is settled first, then the frame grows and everything in it is written anew, front to back.

use pulse53_abi::entry::{BodyHead, FLAG_AUTHORITATIVE, Link, RECORDS_INLINE};
use pulse53_abi::limits::BODY_SMALL;
use pulse53_abi::shared::{Shared, at_most};
use pulse53_abi::verdict::{DropReason, PassReason, Verdict};

use crate::choose::Chosen;
use crate::dns::{self, Query};
use crate::edns::Edns;
use crate::ethernet::Ethernet;
use crate::ip::{Network, fold, halves};
use crate::tables::NAME_WORDS;
use crate::udp::{self, Datagram};
use crate::{Packet, Scratch, Step, Tables};

/// The length of the reply's message, which is no longer than the client takes.
#[inline(always)]
pub(crate) fn fit(query: &Query, edns: &Edns, chosen: &Chosen) -> Step<usize> {
    let len = message_len(query, edns, &chosen.head);
    if len > usize::from(edns.message_max) {
        return Err(Verdict::Pass(PassReason::TooLong));
    }
    Ok(len)
}

#[inline(always)]
fn message_len(query: &Query, edns: &Edns, head: &BodyHead) -> usize {
    let opt = usize::from(edns.len) + usize::from(edns.cookie_len);
    dns::HEADER + query.name_len + dns::QUESTION_TAIL + usize::from(head.len) + opt
}

/// Sizes and sums of a reply.
pub(crate) struct Reply {
    /// UDP length: header and message.
    udp_len: u16,
    header: (u64, u32),
    checksum: u16,
}

/// Settles all that can be computed before writing.
#[inline(always)]
pub(crate) fn plan(
    network: &Network,
    query: &Query,
    edns: &Edns,
    head: &BodyHead,
    truncated: bool,
    scratch: &Scratch,
) -> Reply {
    let header = query.reply_header(
        head.flags,
        head.flags & FLAG_AUTHORITATIVE != 0,
        truncated,
        [head.answers, head.authorities, head.additionals],
        edns.len != 0,
    );
    let udp_len = (message_len(query, edns, head) + udp::HEADER) as u16;
    Reply {
        udp_len,
        header,
        checksum: checksum_without_ports(network, query, edns.sum(scratch), head, udp_len, header),
    }
}

/// The ones' complement sum of everything the UDP checksum covers but the ports (RFC 768, RFC 1071).
#[inline(always)]
fn checksum_without_ports(
    network: &Network,
    query: &Query,
    opt_sum: u64,
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
    let opt = swapped_if(head.len & 1 != 0, opt_sum);
    let behind_name = query.question_tail as u64 + head.sum as u64 + opt;
    fold(even + swapped_if(query.name_len & 1 != 0, behind_name))
}

/// A sum as it counts from an odd offset (RFC 1071 section 2, byte order independence).
#[inline(always)]
pub(crate) fn swapped_if(odd: bool, sum: u64) -> u64 {
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
    let mut at = packet.forget(datagram.payload_at as u64) as usize;
    packet.store(at, reply.header.0).ok_or(damaged)?;
    packet.store(at + 8, reply.header.1).ok_or(damaged)?;
    at += dns::HEADER;
    write_name(packet, at, query, scratch).ok_or(damaged)?;
    at += query.name_len;
    packet.store(at, query.question_tail).ok_or(damaged)?;
    at += dns::QUESTION_TAIL;
    at = packet.forget(at as u64) as usize;
    if chosen.head.len != 0 {
        write_records(packet, tables, scratch, at, chosen)?;
    }
    if edns.len != 0 {
        at = packet.forget((at + usize::from(chosen.head.len)) as u64) as usize;
        edns.write_reply(packet, scratch, at).ok_or(damaged)?;
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

/// Writes the name as it was asked. Up to seven octets behind it are overwritten, if they are there: QTYPE and QCLASS, which follow, are four,
/// and in an empty reply without OPT nothing comes behind them.
#[inline(always)]
fn write_name(packet: &mut impl Packet, at: usize, query: &Query, scratch: &Scratch) -> Option<()> {
    for index in 0..NAME_WORDS {
        if 8 * index >= query.name_len {
            break;
        }
        let (at, word) = (at + 8 * index, scratch.name[index]);
        if packet.store(at, word).is_none() {
            return packet.store(at, word as u32);
        }
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
    let len = usize::from(chosen.head.len);
    let link = chosen.link;
    if link == Link::INLINE {
        let word = |index: usize| scratch.records.get(at_most(index, scratch.records.len() - 1)).copied();
        let half = |index: usize| {
            word(index / 2).map(|word| (if index & 1 == 0 { word } else { word >> 32 }) as u32)
        };
        return copy_records::<{ RECORDS_INLINE / 8 }>(packet, at, len, chosen.turn, word, half)
            .ok_or(damaged);
    }
    let uses = match link.kind() {
        Link::SMALL => {
            let body = tables.body_small(link.index()).ok_or(damaged)?;
            let word =
                |index: usize| body.records.get(at_most(index, body.records.len() - 1)).map(Shared::load);
            let half = |index: usize| Shared::load_half(&body.records, index);
            copy_records::<{ BODY_SMALL / 8 }>(packet, at, len, chosen.turn, word, half).ok_or(damaged)?;
            &body.uses
        }
        Link::MEDIUM => {
            let body = tables.body_medium(link.index()).ok_or(damaged)?;
            packet.store_words(at, &body.records, len).ok_or(damaged)?;
            &body.uses
        }
        _ => {
            let body = tables.body_large(link.index()).ok_or(damaged)?;
            packet.store_words(at, &body.records, len).ok_or(damaged)?;
            &body.uses
        }
    };
    // A recycled body must be noticed (law 4); its quarantine makes that a matter of a stopped machine.
    if uses.load() == chosen.uses { Ok(()) } else { Err(Verdict::Drop(DropReason::Recycled)) }
}

/// Copies `len` octets of records, twelve to `8 * WORDS`, beginning `turn` octets in and going on at the front. The records are
/// read by words of eight octets or by halves of four.
#[inline(always)]
fn copy_records<const WORDS: usize>(
    packet: &mut impl Packet,
    at: usize,
    len: usize,
    turn: usize,
    word: impl Fn(usize) -> Option<u64>,
    half: impl Fn(usize) -> Option<u32>,
) -> Option<()> {
    if turn != 0 {
        copy_turned::<WORDS>(packet, at, len, turn, half)
    } else {
        copy::<WORDS>(packet, at, len, word)
    }
}

/// Copies `len` octets, eight to `8 * WORDS`.
#[inline(always)]
pub(crate) fn copy<const WORDS: usize>(
    packet: &mut impl Packet,
    at: usize,
    len: usize,
    word: impl Fn(usize) -> Option<u64>,
) -> Option<()> {
    // Forgotten, or the compiler derives bounds and offsets from `len` in ways that the verifier cannot follow.
    let words = packet.forget((len / 8) as u64) as usize;
    for index in 0..WORDS {
        if index >= words {
            break;
        }
        packet.store(at + 8 * index, word(index)?)?;
    }
    let rest = len & 7;
    if rest != 0 {
        // The last eight octets once more, in one piece: they end with the records, and perhaps with the frame.
        let shift = 8 * rest as u32;
        let last = word(words.wrapping_sub(1))? >> shift | word(words)? << (64 - shift);
        packet.store(at + len - 8, last)?;
    }
    Some(())
}

/// The same by four octets, which the length of turned records is a multiple of: from `turn` to the end, then what is before it.
#[inline(always)]
fn copy_turned<const WORDS: usize>(
    packet: &mut impl Packet,
    at: usize,
    len: usize,
    turn: usize,
    half: impl Fn(usize) -> Option<u32>,
) -> Option<()> {
    let first = packet.forget((turn / 4) as u64) as usize;
    let behind = len.wrapping_sub(turn);
    for index in 0..2 * WORDS {
        if 4 * index >= behind {
            break;
        }
        packet.store(at + 4 * index, half(first.wrapping_add(index))?)?;
    }
    let at = packet.forget((at + behind) as u64) as usize;
    for index in 0..2 * WORDS {
        if 4 * index >= turn {
            break;
        }
        packet.store(at + 4 * index, half(index)?)?;
    }
    Some(())
}
