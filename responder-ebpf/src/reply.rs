//! The reply: its size is settled first, then the frame grows and everything in it is written anew, front to back.

#![expect(
    clippy::needless_range_loop,
    reason = "plain indices become plain loads, which the verifier follows"
)]

use pulse53_abi::entry::{BodyHead, FLAG_AUTHORITATIVE, Link, RECORDS_INLINE};
use pulse53_abi::shared::Shared;
use pulse53_abi::verdict::{DropReason, PassReason, Verdict};

use crate::choose::Chosen;
use crate::dns::{self, Query};
use crate::edns::Edns;
use crate::ethernet;
use crate::ip::{Network, fold, halves};
use crate::tables::NAME_WORDS;
use crate::udp;
use crate::{Packet, Scratch, Step, Tables, Word};

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
    /// Of all that the UDP checksum covers but the ports; not folded.
    sum: u64,
}

impl Reply {
    /// Makes the verifier forget what these came of.
    #[inline(always)]
    pub(crate) fn forget(&mut self, packet: &impl Packet) {
        self.udp_len = packet.forget(self.udp_len.into()) as u16;
        self.header = (packet.forget(self.header.0), packet.forget(self.header.1.into()) as u32);
        self.sum = packet.forget(self.sum);
    }
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
        sum: sum_without_ports(network, query, edns.sum(scratch), head, udp_len, header),
    }
}

/// The ones' complement sum of everything the UDP checksum covers but the ports (RFC 768, RFC 1071).
#[inline(always)]
fn sum_without_ports(
    network: &Network,
    query: &Query,
    opt_sum: u64,
    head: &BodyHead,
    udp_len: u16,
    header: (u64, u32),
) -> u64 {
    // Protocol 17 and the length, which counts twice: in the pseudo-header and in the UDP header.
    let even = network.address_sum
        + 17u16.to_be() as u64
        + 2 * udp_len.to_be() as u64
        + halves(header.0)
        + header.1 as u64
        + query.name_sum;
    // What follows the name stands at an odd offset if the name's length is odd: sum it from an even one, then swap.
    let opt = swapped_if(head.len & 1 != 0, opt_sum);
    let behind_name = query.question_tail as u64 + head.sum as u64 + opt;
    even + swapped_if(query.name_len & 1 != 0, behind_name)
}

/// A sum below 2^40 as it counts from an odd offset, where each octet counts 256 times as much or little (RFC 1071 section 2, byte order
/// independence).
#[inline(always)]
pub(crate) fn swapped_if(odd: bool, sum: u64) -> u64 {
    sum << (8 * u32::from(odd))
}

/// Writes the reply. Only the growing can be refused; behind it every failure means a damaged frame.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "each is one step's result, named once in `answer`")]
pub(crate) fn write(
    packet: &mut impl Packet,
    tables: &impl Tables,
    scratch: &Scratch,
    link_len: usize,
    network: &Network,
    datagram_at: usize,
    ports: u32,
    query: &Query,
    edns: &Edns,
    chosen: &Chosen,
    reply: &Reply,
) -> Step<()> {
    let frame_len = datagram_at + usize::from(reply.udp_len);
    let growth = frame_len as i32 - packet.frame_len() as i32;
    if growth != 0 {
        packet.resize(growth).ok_or(Verdict::Pass(PassReason::NoRoom))?;
    }
    match write_frame(
        packet,
        tables,
        scratch,
        link_len,
        network,
        datagram_at,
        ports,
        query,
        edns,
        chosen,
        reply,
    ) {
        Some(true) => Ok(()),
        Some(false) => Err(Verdict::Drop(DropReason::Recycled)),
        None => Err(Verdict::Drop(DropReason::Damaged)),
    }
}

/// Writes the whole frame; whether its records are what they were when they were chosen.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "those of `write`")]
fn write_frame(
    packet: &mut impl Packet,
    tables: &impl Tables,
    scratch: &Scratch,
    link_len: usize,
    network: &Network,
    datagram_at: usize,
    ports: u32,
    query: &Query,
    edns: &Edns,
    chosen: &Chosen,
    reply: &Reply,
) -> Option<bool> {
    let ethertype = if network.is_v6 { ethernet::IPV6 } else { ethernet::IPV4 };
    ethernet::write_reply(packet, scratch, link_len, ethertype)?;
    network.write_reply(packet, scratch, link_len, reply.udp_len, udp_header(ports, reply))?;
    let message_at = datagram_at + udp::HEADER;
    // Here, as the loop over the name's words bears on its length.
    let mut at = packet.forget((message_at + dns::HEADER + query.name_len) as u64) as usize;
    write_question(packet, message_at, at, query, reply, scratch)?;
    at += dns::QUESTION_TAIL;
    let mut are_same = true;
    if chosen.head.len != 0 {
        are_same = write_records(packet, tables, scratch, at, chosen)?;
    }
    if edns.len != 0 {
        at += usize::from(chosen.head.len);
        edns.write_reply(packet, scratch, at)?;
    }
    Some(are_same)
}

/// The UDP header of the reply, as one word as it stands in the packet.
#[inline(always)]
fn udp_header(ports: u32, reply: &Reply) -> u64 {
    let ports = u64::from(ports.rotate_left(16));
    let checksum = match !fold(reply.sum + ports) {
        0 => 0xffff, // zero would mean "none" (RFC 768)
        checksum => checksum,
    };
    ports | u64::from(reply.udp_len.to_be()) << 32 | u64::from(checksum) << 48
}

/// Words of a name that are written at once.
const NAME_AT_ONCE: usize = 4;

/// Writes header and question, the name as it was asked. Behind the name up to 31 octets are overwritten, if they are there; they are written
/// later.
#[inline(always)]
fn write_question(
    packet: &mut impl Packet,
    at: usize,
    tail_at: usize,
    query: &Query,
    reply: &Reply,
    scratch: &Scratch,
) -> Option<()> {
    const LEN: usize = dns::HEADER + 8 * NAME_AT_ONCE;
    let place = packet.place(at);
    let name = &scratch.name;
    let mut written = 0;
    if let Some(octets) = packet.octets_mut::<LEN>(place, 0) {
        reply.header.0.put::<0, LEN>(octets);
        reply.header.1.put::<8, LEN>(octets);
        name[0].put::<12, LEN>(octets);
        name[1].put::<20, LEN>(octets);
        name[2].put::<28, LEN>(octets);
        name[3].put::<36, LEN>(octets);
        written = NAME_AT_ONCE;
    } else {
        packet.store(place, 0, reply.header.0)?;
        packet.store(place, 8, reply.header.1)?;
    }
    if 8 * written < query.name_len {
        for index in 0..NAME_WORDS {
            if 8 * index >= query.name_len {
                break;
            }
            let ahead = dns::HEADER + 8 * index;
            if packet.store(place, ahead, name[index]).is_none() {
                // QTYPE and QCLASS, which follow the name, are four octets.
                packet.store(place, ahead, name[index] as u32)?;
                break;
            }
        }
    }
    packet.store(packet.place(tail_at), 0, query.question_tail)
}

/// Writes the records; whether they are what they were when they were chosen.
#[inline(always)]
fn write_records(
    packet: &mut impl Packet,
    tables: &impl Tables,
    scratch: &Scratch,
    at: usize,
    chosen: &Chosen,
) -> Option<bool> {
    let len = usize::from(chosen.head.len);
    let link = chosen.link;
    if link == Link::INLINE {
        // Already in order from the record on that comes first.
        let from = (packet.forget(chosen.turn as u64) & (RECORDS_INLINE as u64 - 1)) as usize;
        let octets = |_: &_, offset: usize| scratch.records.get(from + offset..).and_then(u64::read);
        copy::<_, { RECORDS_INLINE / 8 }>(packet, at, len, octets)?;
        return Some(true);
    }
    let uses = match link.kind() {
        Link::SMALL => {
            let body = tables.body_small(link.index())?;
            copy_turned(packet, at, len, chosen.turn, &body.records)?;
            &body.uses
        }
        Link::MEDIUM => {
            let body = tables.body_medium(link.index())?;
            packet.store_words(at, &body.records, len)?;
            &body.uses
        }
        _ => {
            let body = tables.body_large(link.index())?;
            packet.store_words(at, &body.records, len)?;
            &body.uses
        }
    };
    // A recycled body must be noticed (law 4); its quarantine makes that a matter of a stopped machine.
    Some(uses.load() == chosen.uses)
}

/// Copies `len` octets of records, twelve to `8 * WORDS`, beginning `turn` octets in and going on at the front; both parts have twelve octets at
/// least, or none.
#[inline(always)]
fn copy_turned<P: Packet, const WORDS: usize>(
    packet: &mut P,
    at: usize,
    len: usize,
    turn: usize,
    records: &[Shared; WORDS],
) -> Option<()> {
    // Forgotten, or each word's bound would bear on all others'.
    let octets =
        |packet: &P, offset: usize| Some(Shared::load_at(records, packet.forget(offset as u64) as usize));
    let behind = len.checked_sub(turn)?;
    copy::<P, WORDS>(packet, at, behind, |packet, offset| octets(packet, turn + offset))?;
    if turn != 0 {
        copy::<P, WORDS>(packet, at + behind, turn, octets)?;
    }
    Some(())
}

/// Copies `len` octets, eight to `8 * WORDS`; `octets` reads eight from an offset on.
#[inline(always)]
pub(crate) fn copy<P: Packet, const WORDS: usize>(
    packet: &mut P,
    at: usize,
    len: usize,
    octets: impl Fn(&P, usize) -> Option<u64>,
) -> Option<()> {
    // Forgotten, or the compiler derives bounds and offsets from `len` in ways that the verifier cannot follow.
    let words = packet.forget((len / 8) as u64) as usize;
    let place = packet.place(at);
    for index in 0..WORDS {
        if index >= words {
            break;
        }
        packet.store(place, 8 * index, octets(packet, 8 * index)?)?;
    }
    if len & 7 != 0 {
        // The last eight octets once more, in one piece: they end with the records, and perhaps with the frame.
        let last = packet.forget(len.wrapping_sub(8) as u64) as usize;
        packet.store(packet.place(at + last), 0, octets(packet, last)?)?;
    }
    Some(())
}
