//! Writes answers: bodies, columns and variants, to elements that no slot leads to.
//!
//! What the answer before held and the new one wants too stays where it is, so that a flip writes what it changes. Variants are single
//! words, each an answer of its own: they change in place.

use std::sync::Arc;
use std::time::Instant;

use pulse53_abi::client::ByClass;
use pulse53_abi::entry::{Body, Choice, FORM_BY_CLASS, FORM_CHOICE, FORM_INLINE, Link, RECORDS_INLINE};
use pulse53_abi::key;
use pulse53_abi::limits::{BODY_MEDIUM, BODY_SMALL};
use pulse53_core::compile::Column;
use pulse53_core::lower::{HotBody, HotEntry};
use smallvec::SmallVec;

use super::pool::{Pool, Range, Ranges};
use super::sizes::{Refused, Sizes};
use crate::datapath::memory::HotMemory;

/// The elements that answers are made of.
#[derive(Debug)]
pub(super) struct Answers {
    columns: Ranges,
    variants: Ranges,
    small: Pool,
    medium: Pool,
    large: Pool,
    /// Words from one partition to the next.
    partition_words: u32,
}

/// What an answer occupies.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Occupied {
    bodies: Box<[Placed]>,
    /// For each variant; one where there are none.
    choices: Box<[Choice]>,
    variants: Option<Range>,
}

/// A body and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) link: Link,
    /// As it was written: looking here is cheaper than reading it back.
    body: HotBody,
}

/// What a slot says of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnswerImage {
    pub(super) form: u8,
    pub(super) answer: u64,
    pub(super) records: [u64; RECORDS_INLINE / 8],
}

impl AnswerImage {
    fn of(form: u8, answer: u64) -> Self {
        Self { form, answer, records: [0; RECORDS_INLINE / 8] }
    }
}

/// Elements taken for an answer, to be given back if there is no room for all of it.
#[derive(Default)]
struct Taken {
    bodies: Vec<Link>,
    columns: Vec<Range>,
}

impl Answers {
    pub(super) fn new(sizes: Sizes, partition_words: u32) -> Self {
        Self {
            columns: Ranges::new(sizes.columns),
            variants: Ranges::new(sizes.variants),
            small: Pool::new(sizes.small),
            medium: Pool::new(sizes.medium),
            large: Pool::new(sizes.large),
            partition_words,
        }
    }

    /// Writes an entry's answer in place of `before`, which keeps what the two have in common.
    pub(super) fn write(
        &mut self,
        memory: &HotMemory,
        entry: &HotEntry,
        before: &Occupied,
        now: Instant,
    ) -> Result<(AnswerImage, Occupied), Refused> {
        let mut taken = Taken::default();
        let written = self.write_entry(memory, entry, before, &mut taken, now);
        if written.is_err() {
            taken.bodies.into_iter().for_each(|link| self.rest_body(link, now));
            taken.columns.into_iter().for_each(|range| self.columns.rest(range, now));
        }
        written
    }

    fn write_entry(
        &mut self,
        memory: &HotMemory,
        entry: &HotEntry,
        before: &Occupied,
        taken: &mut Taken,
        now: Instant,
    ) -> Result<(AnswerImage, Occupied), Refused> {
        match entry {
            HotEntry::Fixed(body) if body.octets.len() <= RECORDS_INLINE => {
                let mut image = AnswerImage::of(FORM_INLINE, body.head.pack());
                image
                    .records
                    .iter_mut()
                    .zip(padded_words(&body.octets))
                    .for_each(|(word, value)| *word = value);
                Ok((image, Occupied::default()))
            }
            HotEntry::Fixed(body) => {
                let bodies = self.bodies(memory, std::slice::from_ref(body), before, taken, now)?;
                let choice = Choice { link: bodies[0].link, mask: 0 };
                let occupied = Occupied { bodies, choices: [choice].into(), variants: None };
                Ok((AnswerImage::of(FORM_CHOICE, choice.pack()), occupied))
            }
            HotEntry::ByWeight { bodies, columns } => {
                let bodies = self.bodies(memory, bodies, before, taken, now)?;
                let present = before.choices.first().copied();
                let links: Few<Link> = bodies.iter().map(|placed| placed.link).collect();
                let choice = self.choice(memory, columns, &links, present, taken, now)?;
                let occupied = Occupied { bodies, choices: [choice].into(), variants: None };
                Ok((AnswerImage::of(FORM_CHOICE, choice.pack()), occupied))
            }
            HotEntry::ByClient { partition, bodies, variants } => {
                let bodies = self.bodies(memory, bodies, before, taken, now)?;
                let mut choices = Vec::with_capacity(variants.len());
                for (number, variant) in variants.iter().enumerate() {
                    let links: Few<Link> =
                        variant.bodies.iter().map(|&body| bodies[body as usize].link).collect();
                    choices.push(match &variant.columns {
                        None => Choice { link: links[0], mask: 0 },
                        Some(columns) => {
                            let present = before.choices.get(number).copied();
                            self.choice(memory, columns, &links, present, taken, now)?
                        }
                    });
                }
                let count = choices.len() as u32;
                let range = match before.variants.filter(|range| range.count == count) {
                    Some(range) => range,
                    None => self.variants.take(count, now).ok_or(Refused::Variants)?,
                };
                // Nothing fails from here on: words that clients already follow may change.
                let words = &memory.variants[range.first as usize..];
                for (word, choice) in words.iter().zip(&choices) {
                    word.store(choice.pack());
                }
                let by_class = ByClass { variants: range.first, partition: partition * self.partition_words };
                let occupied = Occupied { bodies, choices: choices.into(), variants: Some(range) };
                Ok((AnswerImage::of(FORM_BY_CLASS, by_class.pack()), occupied))
            }
        }
    }

    /// Where these bodies are: those there are already, and new ones.
    fn bodies(
        &mut self,
        memory: &HotMemory,
        bodies: &[HotBody],
        before: &Occupied,
        taken: &mut Taken,
        now: Instant,
    ) -> Result<Box<[Placed]>, Refused> {
        let mut placed = Vec::with_capacity(bodies.len());
        for (number, body) in bodies.iter().enumerate() {
            // Most often a body keeps its place, or those behind one that came or went move by one.
            let near = before.bodies.get(number).filter(|present| present.body == *body);
            let same =
                || before.bodies.iter().find(|present| Arc::ptr_eq(&present.body.octets, &body.octets));
            let equal = || before.bodies.iter().find(|present| present.body == *body);
            let present =
                near.or_else(|| same().filter(|present| present.body.head == body.head)).or_else(equal);
            let link = match present {
                Some(present) => present.link,
                None => {
                    let link = self.write_body(memory, body, now)?;
                    taken.bodies.push(link);
                    link
                }
            };
            placed.push(Placed { link, body: body.clone() });
        }
        Ok(placed.into())
    }

    /// Where this body is: in the present place if it is the same, else in a new one.
    pub(super) fn keep(
        &mut self,
        memory: &HotMemory,
        body: &HotBody,
        present: Option<&Placed>,
        now: Instant,
    ) -> Result<Placed, Refused> {
        match present.filter(|present| present.body == *body) {
            Some(present) => Ok(present.clone()),
            None => Ok(Placed { link: self.write_body(memory, body, now)?, body: body.clone() }),
        }
    }

    fn write_body(&mut self, memory: &HotMemory, body: &HotBody, now: Instant) -> Result<Link, Refused> {
        let class = class(body);
        let pool = match class {
            Link::SMALL => &mut self.small,
            Link::MEDIUM => &mut self.medium,
            _ => &mut self.large,
        };
        let index = pool.take(now).ok_or(Refused::Bodies)?;
        match class {
            Link::SMALL => write_element(&memory.small[index as usize], body),
            Link::MEDIUM => write_element(&memory.medium[index as usize], body),
            _ => write_element(&memory.large[index as usize], body),
        }
        Ok(Link::new(class, index))
    }

    /// The choice that these columns make among bodies: the present one if it is the same, else in a new range.
    fn choice(
        &mut self,
        memory: &HotMemory,
        columns: &[Column],
        links: &[Link],
        present: Option<Choice>,
        taken: &mut Taken,
        now: Instant,
    ) -> Result<Choice, Refused> {
        if let Some(choice) = present
            && is_choice(memory, choice, columns, links)
        {
            return Ok(choice);
        }
        let range = self.columns.take(columns.len() as u32, now).ok_or(Refused::Columns)?;
        taken.columns.push(range);
        for (element, column) in memory.columns[range.first as usize..].iter().zip(columns) {
            element.bodies.store(pack_links(column, links));
            element.threshold.store(u64::from(column.threshold));
        }
        Ok(Choice { link: Link::new(Link::COLUMNS, range.first), mask: range.count - 1 })
    }

    /// Lets go of what an answer held and the one after it does not.
    pub(super) fn rest(&mut self, before: &Occupied, after: &Occupied, now: Instant) {
        if before == after {
            return;
        }
        let links = |occupied: &Occupied| -> Few<u32> {
            occupied.bodies.iter().map(|placed| placed.link.0).collect()
        };
        without(links(before), links(after), |link| self.rest_body(Link(link), now));
        let ranges =
            |occupied: &Occupied| -> Few<Range> { occupied.choices.iter().filter_map(columns_of).collect() };
        without(ranges(before), ranges(after), |range| self.columns.rest(range, now));
        if let Some(range) = before.variants.filter(|_| before.variants != after.variants) {
            self.variants.rest(range, now);
        }
    }

    pub(super) fn rest_body(&mut self, link: Link, now: Instant) {
        match link.kind() {
            Link::SMALL => self.small.rest(link.index(), now),
            Link::MEDIUM => self.medium.rest(link.index(), now),
            _ => self.large.rest(link.index(), now),
        }
    }
}

/// As many as most answers hold; no more are put on the heap.
type Few<T> = SmallVec<[T; 8]>;

/// Calls for each element that is among the first and not among the others, once: an answer may name one twice.
fn without<T: Copy + Ord>(mut held: Few<T>, mut kept: Few<T>, mut unused: impl FnMut(T)) {
    held.sort_unstable();
    held.dedup();
    kept.sort_unstable();
    held.into_iter().filter(|element| kept.binary_search(element).is_err()).for_each(&mut unused);
}

/// The columns a choice leads to, if it goes by lot.
fn columns_of(choice: &Choice) -> Option<Range> {
    (choice.link.kind() == Link::COLUMNS)
        .then(|| Range { first: choice.link.index(), count: choice.mask + 1 })
}

/// Whether a choice already goes by these columns.
fn is_choice(memory: &HotMemory, choice: Choice, columns: &[Column], links: &[Link]) -> bool {
    columns_of(&choice).is_some_and(|range| {
        range.count as usize == columns.len()
            && memory.columns[range.first as usize..].iter().zip(columns).all(|(element, column)| {
                element.threshold.load() == u64::from(column.threshold)
                    && element.bodies.load() == pack_links(column, links)
            })
    })
}

/// The class of body that holds these records: `Link::SMALL`, `MEDIUM` or `LARGE`.
pub(super) fn class(body: &HotBody) -> u32 {
    let len = body.octets.len();
    if len <= BODY_SMALL {
        Link::SMALL
    } else if len <= BODY_MEDIUM {
        Link::MEDIUM
    } else {
        Link::LARGE
    }
}

fn pack_links(column: &Column, links: &[Link]) -> u64 {
    let link = |body: u16| u64::from(links[usize::from(body)].0);
    link(column.first) | link(column.second) << 32
}

pub(super) fn padded_words(octets: &[u8]) -> impl Iterator<Item = u64> {
    octets.chunks(8).map(key::word).chain(std::iter::repeat(0))
}

fn write_element<const WORDS: usize>(element: &Body<WORDS>, body: &HotBody) {
    element.uses.store(element.uses.load().wrapping_add(1));
    element.head.store(body.head.pack());
    for (word, value) in element.records.iter().zip(body.octets.chunks(8).map(key::word)) {
        word.store(value);
    }
}
