//! Which prebuilt body answers: the one in the slot, the one it leads to, or one by lot; perhaps by where the client is.

use pulse53_abi::client::ByClass;
use pulse53_abi::draw;
use pulse53_abi::entry::{
    BodyHead, Choice, FLAG_ROTATES, FORM_BY_CLASS, FORM_CHOICE, FORM_INLINE, Link, RECORDS_INLINE,
};
use pulse53_abi::limits::{BODY_LARGE, COLUMNS_MAX};
use pulse53_abi::verdict::{PassReason, Verdict};

use crate::edns::Edns;
use crate::ip::Network;
use crate::table::Found;
use crate::tables::RECORDS_ROOM;
use crate::{Packet, Scratch, Step, Tables, Word, client};

/// The chosen body.
pub(crate) struct Chosen {
    pub(crate) head: BodyHead,
    /// Where the records are; [`Link::INLINE`]: in the scratch memory.
    pub(crate) link: Link,
    /// The body's `uses`, if it is linked.
    pub(crate) uses: u64,
    /// Octets by which the records are turned, so that another one comes first.
    pub(crate) turn: usize,
    /// The draw that was taken; 0: none was.
    pub(crate) draw: u64,
}

impl Chosen {
    /// Leaves the records out.
    #[inline(always)]
    pub(crate) fn empty(&mut self) {
        let flags = self.head.flags;
        self.head = BodyHead { flags, ..BodyHead::default() };
        self.turn = 0;
    }
}

#[inline(always)]
pub(crate) fn choose(
    packet: &mut impl Packet,
    tables: &impl Tables,
    found: &Found,
    network: &Network,
    edns: &Edns,
    scratch: &mut Scratch,
) -> Step<Chosen> {
    let inconsistent = Verdict::Pass(PassReason::Inconsistent);
    let mut draw = 0;
    let mut answer = found.answer;
    if found.form == FORM_BY_CLASS {
        let client = client::of_query(network, edns, scratch);
        answer = client::choice(packet, tables, ByClass::unpack(answer), client)?;
        edns.narrow_scope(scratch);
    }
    let (head, link, uses) = match found.form {
        FORM_INLINE => (BodyHead::unpack(answer), Link::INLINE, 0),
        FORM_CHOICE | FORM_BY_CLASS => {
            let choice = Choice::unpack(answer);
            let mut link = choice.link;
            if link.kind() == Link::COLUMNS {
                draw = tables.draw();
                link = by_weight(tables, choice, draw).ok_or(inconsistent)?;
            }
            let (uses, head) = head(tables, link).ok_or(inconsistent)?;
            (BodyHead::unpack(head), link, uses)
        }
        _ => return Err(inconsistent),
    };
    let max = if link == Link::INLINE { RECORDS_INLINE } else { BODY_LARGE };
    if usize::from(head.len) < RECORD_MIN || usize::from(head.len) > max {
        return Err(inconsistent);
    }
    let mut turn = 0;
    if head.flags & FLAG_ROTATES != 0 {
        let answers = u32::from(head.answers);
        // All are as long as the first says it is: cheaper than a division.
        let len = RECORD_MIN + first_rdata_len(tables, link, scratch).ok_or(inconsistent)?;
        if answers as usize * len != usize::from(head.len) {
            return Err(inconsistent);
        }
        if draw == 0 {
            draw = tables.draw();
        }
        turn = draw::rotation(draw, answers) as usize * len;
    }
    Ok(Chosen { head, link, uses, turn, draw })
}

/// The shortest record: pointer, type, class, TTL and an empty RDATA.
const RECORD_MIN: usize = 12;

/// Octets of data of the first record.
#[inline(always)]
fn first_rdata_len(tables: &impl Tables, link: Link, scratch: &Scratch) -> Option<usize> {
    const AT: usize = RECORD_MIN - 2;
    let len = match link.kind() {
        Link::SMALL => (tables.body_small(link.index())?.records[AT / 8].load() >> (8 * (AT % 8))) as u16,
        _ => u16::at::<AT, RECORDS_ROOM>(&scratch.records),
    };
    Some(usize::from(u16::from_be(len)))
}

#[inline(always)]
fn by_weight(tables: &impl Tables, choice: Choice, draw: u64) -> Option<Link> {
    let offset = draw::column(draw, choice.mask & (COLUMNS_MAX - 1));
    let column = tables.column(choice.link.index().wrapping_add(offset))?;
    let bodies = column.bodies.load();
    let first = draw::takes_first(draw, column.threshold.load() as u32);
    Some(Link(if first { bodies as u32 } else { (bodies >> 32) as u32 }))
}

/// Uses and head of a linked body.
#[inline(always)]
fn head(tables: &impl Tables, link: Link) -> Option<(u64, u64)> {
    let (uses, head) = match link.kind() {
        Link::SMALL => tables.body_small(link.index()).map(|body| (&body.uses, &body.head))?,
        Link::MEDIUM => tables.body_medium(link.index()).map(|body| (&body.uses, &body.head))?,
        Link::LARGE => tables.body_large(link.index()).map(|body| (&body.uses, &body.head))?,
        _ => return None,
    };
    Some((uses.load(), head.load()))
}
