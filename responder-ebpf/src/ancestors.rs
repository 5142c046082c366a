//! The query's name cut at a label: its ancestors, and the wildcards right below them.

use pulse53_abi::entry::NAME_INLINE;
use pulse53_abi::key;
use pulse53_abi::node::NODE_NAME_INLINE;
use pulse53_abi::shared::at_most;
use pulse53_abi::verdict::{PassReason, Verdict};

use crate::dns::Query;
use crate::tables::{LABELS, NAME_WORDS};
use crate::{Packet, Scratch, Step};

/// The longest label in octets.
const LABEL_MAX: usize = 63;
/// The first octets of a wildcard's name, as they stand in it.
const ASTERISK: u64 = u16::from_le_bytes([1, b'*']) as u64;

/// Walks the labels of the query's name, and puts down where each begins, the root's last. Gives their number without the root.
///
/// Only here it shows whether the name is one: where it is compared with a stored one that goes without saying. What holds a zero octet is not
/// told from what is no name, and left to userspace, too.
#[inline(always)]
pub(crate) fn walk(packet: &mut impl Packet, query: &Query, scratch: &mut Scratch) -> Step<usize> {
    let bad = Verdict::Pass(PassReason::BadName);
    // A copy: what comparisons tell of it ends here.
    let name_len = packet.forget(query.name_len as u64) as usize;
    let mut at = 0;
    let mut count = LABELS;
    for number in 0..LABELS {
        scratch.labels[number] = at as u8;
        if at + 1 == name_len {
            count = number;
            break;
        }
        let len = octet(scratch, at);
        at += 1 + len;
        if len == 0 || len > LABEL_MAX || at >= name_len {
            return Err(bad);
        }
    }
    let count = packet.forget(count as u64) as usize;
    if count < LABELS { Ok(count) } else { Err(bad) }
}

/// Where a label begins.
#[inline(always)]
pub(crate) fn label_at(scratch: &Scratch, number: usize) -> usize {
    scratch.labels.get(at_most(number, LABELS - 1)).map_or(0, |at| usize::from(*at))
}

#[inline(always)]
fn octet(scratch: &Scratch, at: usize) -> usize {
    (word(scratch, at / 8) >> (8 * (at & 7) as u32)) as usize & 0xff
}

#[inline(always)]
fn word(scratch: &Scratch, index: usize) -> u64 {
    scratch.name[index & (NAME_WORDS - 1)]
}

/// A name in the scratch memory, made from the query's.
#[derive(Clone, Copy)]
pub(crate) struct Ancestor {
    /// Hash without a type.
    pub(crate) hash: u64,
    /// Its octets.
    pub(crate) len: usize,
}

/// Copies the query's name from a label on; as a wildcard, with an asterisk before that label.
#[inline(always)]
pub(crate) fn take(
    packet: &mut impl Packet,
    query: &Query,
    scratch: &mut Scratch,
    seed: u64,
    label_at: usize,
    as_wildcard: bool,
) -> Ancestor {
    // No branches, of which the verifier would follow each to the end. There is a label before it, which has two octets at least.
    let as_wildcard = u64::from(as_wildcard);
    let start = label_at.wrapping_sub(2 * as_wildcard as usize);
    let (clear, set) = (0xffff * as_wildcard, ASTERISK * as_wildcard);
    let forgotten = packet.forget((query.name_len.wrapping_sub(start) & 0xff) as u64 | (start as u64) << 8);
    let len = (forgotten & 0xff) as usize;
    let from = (forgotten >> 8) as usize & 0xff;
    let bits = 8 * (from & 7) as u32;
    // What stands behind the name is cut off below; a shift by 64 would not give zero.
    let shifted = |scratch: &Scratch, index: usize| {
        let at = from / 8 + index;
        word(scratch, at) >> bits | word(scratch, at + 1) << 1 << (63 - bits)
    };
    let tail = u64::MAX >> ((64 - 8 * (len & 7) as u32) & 63);

    // Nodes and slots compare the words they hold themselves whatever the name's length.
    for index in 1..INLINE_WORDS {
        scratch.owner[index] = 0;
    }
    let mut first = shifted(scratch, 0) & !clear | set;
    if len < 8 {
        first &= tail;
    }
    scratch.owner[0] = first;
    let mut hash = key::mix(seed, first);
    let whole = len / 8;
    for index in 1..NAME_WORDS {
        if index >= whole {
            break;
        }
        let word = shifted(scratch, index);
        scratch.owner[index] = word;
        hash = key::mix(hash, word);
    }
    let len = packet.forget(len as u64) as usize & 0xff;
    let (whole, rest) = (len / 8, len & 7);
    if whole != 0 && rest != 0 {
        let word = shifted(scratch, whole) & tail;
        if let Some(last) = scratch.owner.get_mut(at_most(whole, NAME_WORDS - 1)) {
            *last = word;
        }
        hash = key::mix(hash, word);
    }
    Ancestor { hash: packet.forget(hash), len: packet.forget(len as u64) as usize & 0xff }
}

const INLINE_WORDS: usize = if NODE_NAME_INLINE > NAME_INLINE { NODE_NAME_INLINE } else { NAME_INLINE } / 8;
