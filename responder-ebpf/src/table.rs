//! The question in the hot table.

#![expect(
    clippy::needless_range_loop,
    reason = "plain indices become plain loads, which the verifier follows"
)]

use pulse53_abi::entry::{NAME_INLINE, RECORDS_INLINE, Slot, SlotHead, SlotVersion, TAG_EMPTY};
use pulse53_abi::key;
use pulse53_abi::limits::SLOT_PROBES;
use pulse53_abi::verdict::{PassReason, Verdict};

use crate::dns::Query;
use crate::tables::NAME_WORDS;
use crate::{Scratch, Step, Tables};

/// What answers; inline records are in the scratch memory.
pub(crate) struct Found {
    /// `FORM_…`
    pub(crate) form: u8,
    pub(crate) answer: u64,
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
pub(crate) fn find(tables: &impl Tables, query: &Query, scratch: &mut Scratch) -> Step<Found> {
    let question = Question { tag: query.tag, qtype: query.qtype, name_len: query.name_len };
    look_up(tables, &question, &scratch.name, &mut scratch.records)?.ok_or(Verdict::Pass(PassReason::NotHot))
}

/// A consistent copy of the entry for a question; `name` is zero-padded to as many words as a slot holds.
#[inline(always)]
pub(crate) fn look_up(
    tables: &impl Tables,
    question: &Question,
    name: &[u64; NAME_WORDS],
    records: &mut [u64; RECORDS_INLINE / 8],
) -> Step<Option<Found>> {
    let Some(slot) = search(tables, question.tag) else { return Ok(None) };
    let version = slot.version.load();
    if SlotVersion(version).is_being_written() {
        return Err(Verdict::Pass(PassReason::Replaced));
    }
    let head = SlotHead::unpack(slot.head.load());
    let same = is_question(tables, slot, head, question, name);
    let answer = slot.answer.load();
    for index in 0..RECORDS_INLINE / 8 {
        records[index] = slot.records[index].load();
    }
    if slot.version.load() != version {
        return Err(Verdict::Pass(PassReason::Replaced));
    }
    Ok(if same { Some(Found { form: head.form, answer }) } else { None })
}

#[inline(always)]
fn search<T: Tables>(tables: &T, tag: u64) -> Option<&Slot> {
    let start = key::slot_start(tag);
    let mask = tables.slot_mask();
    for probe in 0..SLOT_PROBES {
        let slot = tables.slot(start.wrapping_add(probe) & mask)?;
        let present = slot.tag.load();
        if present == tag {
            return Some(slot);
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
    if head.qtype != question.qtype || usize::from(head.name_len) != question.name_len {
        return false;
    }
    let mut difference = 0;
    for index in 0..NAME_INLINE / 8 {
        difference |= key::fold(name[index]) ^ slot.name[index].load();
    }
    if difference != 0 {
        return false;
    }
    if question.name_len <= NAME_INLINE {
        return true;
    }
    let Some(rest) = tables.name_rest(head.rest) else { return false };
    for index in NAME_INLINE / 8..NAME_WORDS {
        if 8 * index >= question.name_len {
            break;
        }
        difference |= key::fold(name[index]) ^ rest.words[index - NAME_INLINE / 8].load();
    }
    difference == 0
}
