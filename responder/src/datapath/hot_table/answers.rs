//! Writes answers: bodies, columns and variants, to elements that no slot leads to.
//!
//! What the answer before held and the new one wants too stays where it is, so that a flip writes what it changes. Variants are single
//! words, each an answer of its own: they change in place.

use std::sync::Arc;
use std::time::Instant;

use pulse53_abi::client::ByClass;
use pulse53_abi::entry::{self, Choice, FORM_BY_CLASS, FORM_CHOICE, FORM_INLINE, Link, RECORDS_INLINE};
use pulse53_abi::key;
use pulse53_abi::limits::{BODY_MEDIUM, BODY_SMALL};
use pulse53_core::body::Body;
use pulse53_core::compile::Column;
use pulse53_core::lower::HotEntry;
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
#[derive(Debug, Default)]
pub(super) struct Occupied {
    /// What is answered; nothing yet.
    entry: Option<HotEntry>,
    /// For each body of the entry, where it is; empty if it lies in its slot.
    placed: SmallVec<[Placed; 4]>,
    /// For each choice of the entry, as it is written.
    choices: SmallVec<[Choice; 1]>,
    variants: Option<Range>,
}

/// Where a body is, and what tells it from most others without a look at it.
#[derive(Debug, Clone, Copy)]
struct Placed {
    link: Link,
    print: u32,
}

/// A body that no slot leads to, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) link: Link,
    body: Arc<Body>,
}

impl Occupied {
    /// Whether an entry is what is answered already.
    pub(super) fn is(&self, entry: &HotEntry) -> bool {
        self.entry.as_ref() == Some(entry)
    }

    /// Where a body of this number in another entry is, if it is held here.
    fn place_of(&self, number: usize, body: &Arc<Body>) -> Option<Placed> {
        let bodies = self.entry.as_ref().map_or(&[][..], bodies);
        let held = || bodies.iter().zip(&self.placed);
        // Most often a body keeps its place, or those behind one that came or went move by one.
        let near =
            bodies.get(number).zip(self.placed.get(number)).filter(|(near, _)| Arc::ptr_eq(near, body));
        let same = || held().find(|(present, _)| Arc::ptr_eq(present, body));
        let print = print(body);
        let equal = || held().find(|(present, placed)| placed.print == print && *present == body);
        near.or_else(same).or_else(equal).map(|(_, placed)| *placed)
    }

    /// The choice among these bodies by these columns, if it is written here; it is looked for at the number it has in another entry first.
    fn choice_among(&self, number: usize, links: &[Link], columns: &Arc<[Column]>) -> Option<Choice> {
        let entry = self.entry.as_ref()?;
        let is = |number: &usize| {
            let (bodies, present) = choice(entry, *number);
            present == Some(columns) && bodies.map(|body| self.placed[body].link).eq(links.iter().copied())
        };
        let near = Some(number).filter(|&number| number < self.choices.len());
        near.into_iter().chain(0..self.choices.len()).find(is).map(|number| self.choices[number])
    }
}

/// Length and sum of a body.
fn print(body: &Body) -> u32 {
    let head = body.head();
    u32::from(head.len) << 16 | u32::from(head.sum)
}

/// The bodies of an entry.
fn bodies(entry: &HotEntry) -> &[Arc<Body>] {
    match entry {
        HotEntry::Fixed(body) => std::slice::from_ref(body),
        HotEntry::ByWeight { bodies, .. } => bodies,
        HotEntry::ByClient { bodies, .. } => bodies,
    }
}

/// How many choices there are in an entry.
fn choice_count(entry: &HotEntry) -> usize {
    match entry {
        HotEntry::Fixed(_) | HotEntry::ByWeight { .. } => 1,
        HotEntry::ByClient { choices, .. } => choices.len(),
    }
}

/// One of them: the numbers of its bodies, and the columns if it goes by lot.
fn choice(entry: &HotEntry, number: usize) -> (impl Iterator<Item = usize>, Option<&Arc<[Column]>>) {
    let (all, some, columns): (_, &[u32], _) = match entry {
        HotEntry::Fixed(_) => (1, &[], None),
        HotEntry::ByWeight { bodies, columns } => (bodies.len(), &[], Some(columns)),
        HotEntry::ByClient { choices, .. } => (0, &choices[number].bodies, choices[number].columns.as_ref()),
    };
    ((0..all).chain(some.iter().map(|&body| body as usize)), columns)
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
    bodies: Few<Link>,
    columns: Few<Range>,
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
        entry: HotEntry,
        before: &Occupied,
        now: Instant,
    ) -> Result<(AnswerImage, Occupied), Refused> {
        let mut taken = Taken::default();
        match self.write_entry(memory, &entry, before, &mut taken, now) {
            Ok((image, occupied)) => Ok((image, Occupied { entry: Some(entry), ..occupied })),
            Err(refused) => {
                taken.bodies.into_iter().for_each(|link| self.rest_body(link, now));
                taken.columns.into_iter().for_each(|range| self.columns.rest(range, now));
                Err(refused)
            }
        }
    }

    /// Writes all of it; what it occupies then lacks the entry alone.
    fn write_entry(
        &mut self,
        memory: &HotMemory,
        entry: &HotEntry,
        before: &Occupied,
        taken: &mut Taken,
        now: Instant,
    ) -> Result<(AnswerImage, Occupied), Refused> {
        if let HotEntry::Fixed(body) = entry
            && body.len() <= RECORDS_INLINE
        {
            let mut image = AnswerImage::of(FORM_INLINE, body.head().pack());
            let words = image.records.iter_mut().zip(padded_words(body.octets()));
            words.for_each(|(word, value)| *word = value);
            return Ok((image, Occupied::default()));
        }
        let placed = self.bodies(memory, bodies(entry), before, taken, now)?;
        let mut choices: SmallVec<[Choice; 1]> = SmallVec::new();
        for number in 0..choice_count(entry) {
            let (bodies, columns) = choice(entry, number);
            let links: Few<Link> = bodies.map(|body| placed[body].link).collect();
            let known = |columns| before.choice_among(number, &links, columns);
            choices.push(match columns {
                None => Choice { link: links[0], mask: 0 },
                Some(columns) => match known(columns) {
                    Some(choice) => choice,
                    None => self.write_columns(memory, columns, &links, taken, now)?,
                },
            });
        }
        let HotEntry::ByClient { partition, variants, .. } = entry else {
            let image = AnswerImage::of(FORM_CHOICE, choices[0].pack());
            return Ok((image, Occupied { placed, choices, ..Occupied::default() }));
        };
        let count = variants.len() as u32;
        let range = match before.variants.filter(|range| range.count == count) {
            Some(range) => range,
            None => self.variants.take(count, now).ok_or(Refused::Variants)?,
        };
        // Nothing fails from here on: words that clients already follow may change.
        let words = &memory.variants[range.first as usize..];
        for (word, &variant) in words.iter().zip(variants) {
            word.store(choices[variant as usize].pack());
        }
        let by_class = ByClass { variants: range.first, partition: partition * self.partition_words };
        let image = AnswerImage::of(FORM_BY_CLASS, by_class.pack());
        Ok((image, Occupied { placed, choices, variants: Some(range), entry: None }))
    }

    /// Where these bodies are: those there are already, and new ones.
    fn bodies(
        &mut self,
        memory: &HotMemory,
        bodies: &[Arc<Body>],
        before: &Occupied,
        taken: &mut Taken,
        now: Instant,
    ) -> Result<SmallVec<[Placed; 4]>, Refused> {
        let mut placed = SmallVec::with_capacity(bodies.len());
        for (number, body) in bodies.iter().enumerate() {
            placed.push(match before.place_of(number, body) {
                Some(place) => place,
                None => {
                    let link = self.write_body(memory, body, now)?;
                    taken.bodies.push(link);
                    Placed { link, print: print(body) }
                }
            });
        }
        Ok(placed)
    }

    /// Where a body is that no slot leads to: in the present place if it is the same, else in a new one.
    pub(super) fn keep(
        &mut self,
        memory: &HotMemory,
        body: &Arc<Body>,
        present: Option<&Kept>,
        now: Instant,
    ) -> Result<Kept, Refused> {
        match present.filter(|present| present.body == *body) {
            Some(present) => Ok(present.clone()),
            None => Ok(Kept { link: self.write_body(memory, body, now)?, body: body.clone() }),
        }
    }

    fn write_body(&mut self, memory: &HotMemory, body: &Body, now: Instant) -> Result<Link, Refused> {
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

    /// Writes columns into a range of their own.
    fn write_columns(
        &mut self,
        memory: &HotMemory,
        columns: &[Column],
        links: &[Link],
        taken: &mut Taken,
        now: Instant,
    ) -> Result<Choice, Refused> {
        let range = self.columns.take(columns.len() as u32, now).ok_or(Refused::Columns)?;
        taken.columns.push(range);
        for (element, column) in memory.columns[range.first as usize..].iter().zip(columns) {
            let link = |body: u16| u64::from(links[usize::from(body)].0);
            element.bodies.store(link(column.first) | link(column.second) << 32);
            element.threshold.store(u64::from(column.threshold));
        }
        Ok(Choice { link: Link::new(Link::COLUMNS, range.first), mask: range.count - 1 })
    }

    /// Lets go of what an answer held and the one after it does not.
    pub(super) fn rest(&mut self, before: &Occupied, after: &Occupied, now: Instant) {
        let links = |occupied: &Occupied| -> Few<u32> {
            occupied.placed.iter().map(|placed| placed.link.0).collect()
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

/// The class of body that holds these records: `Link::SMALL`, `MEDIUM` or `LARGE`.
pub(super) fn class(body: &Body) -> u32 {
    let len = body.len();
    if len <= BODY_SMALL {
        Link::SMALL
    } else if len <= BODY_MEDIUM {
        Link::MEDIUM
    } else {
        Link::LARGE
    }
}

pub(super) fn padded_words(octets: &[u8]) -> impl Iterator<Item = u64> {
    octets.chunks(8).map(key::word).chain(std::iter::repeat(0))
}

fn write_element<const WORDS: usize>(element: &entry::Body<WORDS>, body: &Body) {
    element.uses.store(element.uses.load().wrapping_add(1));
    element.head.store(body.head().pack());
    for (word, value) in element.records.iter().zip(body.octets().chunks(8).map(key::word)) {
        word.store(value);
    }
}
