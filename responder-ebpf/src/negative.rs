//! What is answered for a question that is not in the hot table: no such type, no such name, a referral; or what a wildcard or a CNAME
//! says.
//!
//! The closest existing name at or above the one that is asked decides, as RFC 1034 section 4.3.2 has it. Whatever is not certain is passed:
//! what exists but is not held, what is being written, meta types.

use pulse53_abi::entry::{Choice, FORM_CHOICE, Link};
use pulse53_abi::key;
use pulse53_abi::limits::{AUTHORITIES_MAX, NODE_STEPS};
use pulse53_abi::node::{
    NODE_ALIAS, NODE_CUT, NODE_OPAQUE_BELOW, NODE_PARTIAL, NODE_TYPE, NODE_WILDCARD_BELOW, Node, NodeAnswer,
    NodeHead, ZoneWord,
};
use pulse53_abi::verdict::{DropReason, NoAnswer, PassReason, Verdict};

use crate::ancestors::{self, Ancestor};
use crate::choose::Chosen;
use crate::dns::{self, Query};
use crate::ip::fold;
use crate::table::{self, Found, Question};
use crate::udp;
use crate::{Packet, Scratch, Step, Tables};

const CNAME: u16 = 5;
const OPT: u16 = 41;
const DS: u16 = 43;
/// TKEY, TSIG, IXFR, AXFR, MAILB and MAILA, which are no questions for data (D-5, D-6).
const META: core::ops::RangeInclusive<u16> = 249..=254;
const ANY: u16 = 255;

const NXDOMAIN: u64 = 3;

/// What answers in place of a hot entry, as plain words.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Substitute {
    /// `FORM_…`
    form: u64,
    answer: u64,
    /// [`HAS_ANSWER`], or one more than the [`NoAnswer`].
    kind: u64,
    /// The RCODE.
    rcode: u64,
    /// The number of authority records, the pointer in place of their owners as it stands in the packet, and what these add to the sum.
    authorities: u64,
    pointer: u64,
    sum: u64,
}

/// `Substitute::kind` of an entry that answers, of a wildcard or with a CNAME.
const HAS_ANSWER: u64 = 0;

impl Substitute {
    /// Nothing.
    pub(crate) const fn new() -> Self {
        Self { form: 0, answer: 0, kind: HAS_ANSWER, rcode: 0, authorities: 0, pointer: 0, sum: 0 }
    }

    #[inline(always)]
    const fn of_entry(found: Found) -> Self {
        Self { form: found.form as u64, answer: found.answer, ..Self::new() }
    }

    /// A body whose authority records, so many at even offsets and so many at odd ones, are owned by the end of the query's name from `owner_at` on.
    #[inline(always)]
    fn without_answer(body: Link, kind: NoAnswer, owner_at: usize, even: u8, odd: u8) -> Self {
        let pointer = (0xc000 | (dns::HEADER as u16 + (owner_at & 0xff) as u16)).to_be();
        Self {
            form: FORM_CHOICE as u64,
            answer: Choice { link: body, mask: 0 }.pack(),
            kind: 1 + kind as u64,
            rcode: if kind as u64 == NoAnswer::NxDomain as u64 { NXDOMAIN } else { 0 },
            authorities: even as u64 + odd as u64,
            pointer: pointer.into(),
            sum: even as u64 * u64::from(pointer) + odd as u64 * u64::from(pointer.swap_bytes()),
        }
    }

    /// As if it had been found in the hot table.
    #[inline(always)]
    pub(crate) const fn entry(&self) -> Found {
        Found { form: self.form as u8, answer: self.answer, slot: 0 }
    }

    #[inline(always)]
    const fn kind(&self) -> Option<NoAnswer> {
        match self.kind {
            HAS_ANSWER => None,
            kind if kind == 1 + NoAnswer::NoData as u64 => Some(NoAnswer::NoData),
            kind if kind == 1 + NoAnswer::NxDomain as u64 => Some(NoAnswer::NxDomain),
            _ => Some(NoAnswer::Referral),
        }
    }
}

/// Finds what answers in place of a hot entry, and leaves it in the scratch memory.
#[inline(always)]
pub(crate) fn find(
    packet: &mut impl Packet,
    tables: &impl Tables,
    query: &Query,
    scratch: &mut Scratch,
) -> Step<()> {
    let replaced = Verdict::Pass(PassReason::Replaced);
    if query.qtype == 0 || query.qtype == OPT || META.contains(&query.qtype) {
        return Err(NOT_HOT);
    }
    let head = tables.nodes_head().ok_or(NOT_HOT)?;
    let version = head.version.load();
    if version & 1 != 0 {
        return Err(replaced);
    }
    let labels = ancestors::walk(packet, query, scratch)?;
    let first = labels.saturating_sub(head.labels_max.load() as usize);
    let closest = closest(packet, tables, query, scratch, labels, first, head.mask.load() as u32)?;
    let found = decide(packet, tables, query, scratch, closest)?;
    if head.version.load() != version {
        return Err(replaced);
    }
    scratch.found = found;
    Ok(())
}

const NOT_HOT: Verdict = Verdict::Pass(PassReason::NotHot);

/// A node with its name, which is in the scratch memory.
struct Closest {
    head: NodeHead,
    answer: NodeAnswer,
    name: Ancestor,
    /// Offset of the name in the query's name; of a wildcard, that of the closest encloser.
    at: usize,
    is_wildcard: bool,
}

/// The node of the name itself, of its closest encloser, or of the wildcard below that. The search begins at a label.
#[inline(always)]
fn closest(
    packet: &mut impl Packet,
    tables: &impl Tables,
    query: &Query,
    scratch: &mut Scratch,
    labels: usize,
    first: usize,
    mask: u32,
) -> Step<Closest> {
    let mut state = first as u64;
    for _ in 0..NODE_STEPS {
        let forgotten = packet.forget(state);
        let number = (forgotten & 0xff) as usize;
        let is_wildcard = forgotten & AS_WILDCARD != 0;
        let at = ancestors::label_at(scratch, number);
        let name = ancestors::take(packet, query, scratch, tables.seed(), at, is_wildcard);
        if let Some(node) = search(tables, mask, &name, scratch) {
            let (head, answer) = (node.head.load(), node.answer.load());
            let has_wildcard = NodeHead::unpack(head).flags & BELOW == NODE_WILDCARD_BELOW;
            if at == 0 || is_wildcard || !has_wildcard {
                let head = NodeHead::unpack(packet.forget(head));
                let answer = NodeAnswer::unpack(packet.forget(answer));
                let known = packet.forget(name.len as u64 | (at as u64) << 8 | u64::from(is_wildcard) << 16);
                let name = Ancestor { hash: packet.forget(name.hash), len: (known & 0xff) as usize };
                let (at, is_wildcard) = ((known >> 8 & 0xff) as usize, known >> 16 & 1 != 0);
                return Ok(Closest { head, answer, name, at, is_wildcard });
            }
            state = forgotten | AS_WILDCARD;
        } else {
            // A wildcard that is said to be there, and a root above all: without them nothing is certain.
            if is_wildcard || number >= labels {
                return Err(NOT_HOT);
            }
            state = forgotten + 1;
        }
    }
    Err(NOT_HOT)
}

/// In the state of the search: the wildcard below the present name is looked for.
const AS_WILDCARD: u64 = 1 << 8;

/// Flags that decide about names below a node.
const BELOW: u8 = NODE_CUT | NODE_OPAQUE_BELOW | NODE_WILDCARD_BELOW;

/// The node with a name, which is in the scratch memory.
#[inline(always)]
fn search<'t, T: Tables>(tables: &'t T, mask: u32, name: &Ancestor, scratch: &Scratch) -> Option<&'t Node> {
    let tag = key::finish(name.hash, NODE_TYPE);
    let (_, node) = table::probe(tag, mask, |index| tables.node(index), |node| &node.tag)?;
    let head = NodeHead::unpack(node.head.load());
    let is_it = usize::from(head.name_len) == name.len
        && table::is_name(tables, &node.name, head.rest, &scratch.owner, name.len);
    if is_it { Some(node) } else { None }
}

/// What the closest name makes of the question.
#[inline(always)]
fn decide(
    packet: &impl Packet,
    tables: &impl Tables,
    query: &Query,
    scratch: &mut Scratch,
    closest: Closest,
) -> Step<Substitute> {
    let Closest { head, answer, name, at, is_wildcard } = closest;
    let flags = head.flags;
    let is_itself = at == 0 && !is_wildcard;
    let zone = tables.zone(answer.zone).ok_or(NOT_HOT)?;
    let zone = ZoneWord::unpack(zone.load()).ok_or(NOT_HOT)?;
    if flags & NODE_CUT != 0 && !(is_itself && query.qtype == DS) {
        if is_wildcard || answer.referral == Link::INLINE {
            return Err(NOT_HOT);
        }
        return Ok(Substitute::without_answer(answer.referral, NoAnswer::Referral, at, head.even, head.odd));
    }
    let apex_at = query.name_len.wrapping_sub(usize::from(zone.apex_len)) & 0xff;
    if !is_itself && !is_wildcard {
        if flags & NODE_OPAQUE_BELOW != 0 {
            return Err(NOT_HOT);
        }
        return Ok(Substitute::without_answer(zone.negative, NoAnswer::NxDomain, apex_at, 1, 0));
    }
    // The name itself or the wildcard owns the records of each type that exists.
    if query.qtype == ANY {
        return Err(NOT_HOT);
    }
    let qtype = if flags & NODE_ALIAS != 0 { CNAME } else { query.qtype };
    let question = Question { tag: key::finish(name.hash, qtype), qtype, name_len: name.len };
    if let Some(found) = table::look_up(packet, tables, &question, &scratch.owner, &mut scratch.records)? {
        scratch.slot = found.slot.into();
        return Ok(Substitute::of_entry(found));
    }
    if flags & (NODE_PARTIAL | NODE_ALIAS) != 0 {
        return Err(NOT_HOT);
    }
    Ok(Substitute::without_answer(zone.negative, NoAnswer::NoData, apex_at, 1, 0))
}

/// Completes a chosen body that is the same for every name: the RCODE, and what its owner names, which point into the question, add to
/// the sum.
#[inline(always)]
pub(crate) fn complete(chosen: &mut Chosen, scratch: &Scratch) {
    let head = &mut chosen.head;
    head.flags |= scratch.found.rcode as u8;
    head.sum = fold(u64::from(head.sum) + scratch.found.sum);
}

/// Writes the owner names of authority records, which are whole but for these; tells what there is in place of an answer.
#[inline(always)]
pub(crate) fn write_owners(
    packet: &mut impl Packet,
    datagram_at: usize,
    query: &Query,
    scratch: &Scratch,
) -> Step<Option<NoAnswer>> {
    let damaged = Verdict::Drop(DropReason::Damaged);
    let found = &scratch.found;
    let mut at = datagram_at + udp::HEADER + dns::HEADER + query.name_len + dns::QUESTION_TAIL;
    for number in 0..u64::from(AUTHORITIES_MAX) {
        if number >= found.authorities {
            break;
        }
        at = packet.forget(at as u64) as usize;
        let place = packet.place(at);
        packet.store(place, 0, found.pointer as u16).ok_or(damaged)?;
        // Type, class, TTL, and then the length of what follows.
        let rdata_len = u16::from_be(packet.load(place, 10).ok_or(damaged)?);
        at += 12 + usize::from(rdata_len);
    }
    Ok(found.kind())
}
