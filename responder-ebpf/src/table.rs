//! The question in the hot table.

#![expect(
    clippy::needless_range_loop,
    reason = "plain indices become plain loads, which the verifier follows"
)]

use pulse53_abi::entry::{
    BodyHead, FLAG_ROTATES, FORM_INLINE, RECORDS_INLINE, Slot, SlotHead, SlotVersion, TAG_EMPTY,
};
use pulse53_abi::key;
use pulse53_abi::limits::SLOT_PROBES;
use pulse53_abi::shared::Shared;
use pulse53_abi::verdict::{PassReason, Verdict};

use crate::dns::Query;
use crate::tables::{NAME_WORDS, RECORDS_ROOM};
use crate::{Packet, Scratch, Step, Tables};

/// What answers; inline records are in the scratch memory.
pub(crate) struct Found {
    /// `FORM_…`
    pub(crate) form: u8,
    pub(crate) answer: u64,
    /// The slot it was found in.
    pub(crate) slot: u32,
}

/// What is looked for.
pub(crate) struct Question {
    /// The hash of name and type.
    pub(crate) tag: u64,
    pub(crate) qtype: u16,
    /// Octets of the name.
    pub(crate) name_len: usize,
}

/// The entry that answers the query.
#[inline(always)]
pub(crate) fn find(
    packet: &impl Packet,
    tables: &impl Tables,
    query: &Query,
    scratch: &mut Scratch,
) -> Step<Found> {
    let question = Question { tag: query.tag, qtype: query.qtype, name_len: query.name_len };
    let found = look_up(packet, tables, &question, &scratch.name, &mut scratch.records)?;
    let found = found.ok_or(Verdict::Pass(PassReason::NotHot))?;
    scratch.slot = found.slot.into();
    Ok(found)
}

/// A consistent copy of the entry for a question; `name` is zero-padded to as many words as a slot holds.
#[inline(always)]
pub(crate) fn look_up(
    packet: &impl Packet,
    tables: &impl Tables,
    question: &Question,
    name: &[u64; NAME_WORDS],
    records: &mut [u8; RECORDS_ROOM],
) -> Step<Option<Found>> {
    let Some((index, slot)) = search(tables, question.tag) else { return Ok(None) };
    let version = slot.version.load();
    if SlotVersion(version).is_being_written() {
        return Err(Verdict::Pass(PassReason::Replaced));
    }
    let head = SlotHead::unpack(slot.head.load());
    let same = is_question(tables, slot, head, question, name);
    let answer = slot.answer.load();
    if same && head.form == FORM_INLINE {
        copy_records(packet, slot, BodyHead::unpack(answer), records);
    }
    if slot.version.load() != version {
        return Err(Verdict::Pass(PassReason::Replaced));
    }
    Ok(if same { Some(Found { form: head.form, answer, slot: index }) } else { None })
}

/// Copies a slot's records, twice in a row if they rotate.
#[inline(always)]
fn copy_records(packet: &impl Packet, slot: &Slot, head: BodyHead, records: &mut [u8; RECORDS_ROOM]) {
    const HALF: usize = RECORDS_INLINE / 2;
    let len = usize::from(head.len) & (2 * RECORDS_INLINE - 1);
    let again = if head.flags & FLAG_ROTATES != 0 { len } else { 0 };
    // The second time over the first if once will do: no branch that the verifier would follow.
    let again = packet.forget(again as u64) as usize & (2 * RECORDS_INLINE - 1);
    let first = load_half(slot, 0);
    store_half(first, records, 0);
    if len > HALF {
        let second = load_half(slot, 1);
        store_half(second, records, HALF);
        store_half(first, records, again);
        store_half(second, records, again + HALF);
    } else {
        store_half(first, records, again);
    }
}

/// Words of half the records.
const HALF_WORDS: usize = RECORDS_INLINE / 16;

#[inline(always)]
fn load_half(slot: &Slot, half: usize) -> [u64; HALF_WORDS] {
    core::array::from_fn(|index| slot.records[HALF_WORDS * half + index].load())
}

#[inline(always)]
fn store_half(words: [u64; HALF_WORDS], records: &mut [u8; RECORDS_ROOM], at: usize) {
    for index in 0..HALF_WORDS {
        records[at + 8 * index..at + 8 * index + 8].copy_from_slice(&words[index].to_ne_bytes());
    }
}

#[inline(always)]
fn search<T: Tables>(tables: &T, tag: u64) -> Option<(u32, &Slot)> {
    probe(tag, tables.slot_mask(), |index| tables.slot(index), |slot| &slot.tag)
}

/// The entry with a tag and its index, from where its search begins up to a free one.
#[inline(always)]
pub(crate) fn probe<'t, E>(
    tag: u64,
    mask: u32,
    entry: impl Fn(u32) -> Option<&'t E>,
    tag_of: impl Fn(&'t E) -> &'t Shared,
) -> Option<(u32, &'t E)> {
    let start = key::slot_start(tag);
    for step in 0..SLOT_PROBES {
        let index = start.wrapping_add(step) & mask;
        let entry = entry(index)?;
        let present = tag_of(entry).load();
        if present == tag {
            return Some((index, entry));
        }
        if present == TAG_EMPTY {
            return None;
        }
    }
    None
}

/// Whether the slot's question is this one: the hash alone proves nothing.
#[inline(always)]
fn is_question(
    tables: &impl Tables,
    slot: &Slot,
    head: SlotHead,
    question: &Question,
    name: &[u64; NAME_WORDS],
) -> bool {
    head.qtype == question.qtype
        && usize::from(head.name_len) == question.name_len
        && is_name(tables, &slot.name, head.rest, name, question.name_len)
}

/// Whether a name, zero-padded to as many words as an entry holds, is the entry's, but for case.
#[inline(always)]
pub(crate) fn is_name<const INLINE: usize>(
    tables: &impl Tables,
    inline: &[Shared; INLINE],
    rest: u32,
    name: &[u64; NAME_WORDS],
    len: usize,
) -> bool {
    for index in 0..INLINE {
        let stored = inline[index].load();
        // Most names come as they are stored.
        if name[index] != stored && key::fold(name[index]) != stored {
            return false;
        }
    }
    if len <= 8 * INLINE {
        return true;
    }
    let Some(rest) = tables.name_rest(rest) else { return false };
    let mut difference = 0;
    for index in INLINE..NAME_WORDS {
        if 8 * index >= len {
            break;
        }
        difference |= key::fold(name[index]) ^ rest.words[index - INLINE].load();
    }
    difference == 0
}
