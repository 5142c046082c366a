//! Writes the hot table: slots, bodies, columns and names, so that a reader at any moment finds an old answer or a new one,
//! whole.
//!
//! Laws 4 and 7: bodies and columns are written to free elements and then named by a slot; what a slot lets go of rests for
//! [`QUARANTINE_MS`] before it is written again. A slot changes under its version. Where there is no room for
//! an entry's new answer, its old one is removed: userspace answers, and nothing stale stays.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use pulse53_abi::client::served_start;
use pulse53_abi::entry::{
    Body, Choice, FORM_CHOICE, FORM_INLINE, Link, NAME_INLINE, RECORDS_INLINE, Slot, SlotHead, SlotVersion,
    TAG_EMPTY, TAG_REMOVED,
};
use pulse53_abi::key;
use pulse53_abi::limits::{
    BODY_MEDIUM, BODY_SMALL, COLUMNS_MAX, QUARANTINE_MS, SERVED_ENTRIES, SERVED_PROBES, SLOT_PROBES,
};
use pulse53_core::compile::Column;
use pulse53_core::lower::{HotBody, HotEntry, HotKey, lower};
use pulse53_core::table::{AnswerTable, Generation};

use super::memory::HotMemory;

/// Elements of each array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each counts the array of the same name")]
pub struct Sizes {
    /// A power of two.
    pub slots: u32,
    pub names: u32,
    pub columns: u32,
    pub small: u32,
    pub medium: u32,
    pub large: u32,
}

impl Sizes {
    /// What a table's hot entries take, each once; `slots` is their number.
    pub fn needed(table: &AnswerTable) -> Self {
        let mut sizes = Self::default();
        for (key, entry) in lower(table) {
            let Ok(entry) = entry else { continue };
            sizes.slots += 1;
            sizes.names += u32::from(key.name.as_wire().len() > NAME_INLINE);
            match entry {
                HotEntry::Fixed(body) if body.octets.len() <= RECORDS_INLINE => {}
                HotEntry::Fixed(body) => sizes.count(&body),
                HotEntry::ByWeight { bodies, columns } => {
                    bodies.iter().for_each(|body| sizes.count(body));
                    sizes.columns += columns.len() as u32;
                }
            }
        }
        sizes
    }

    fn count(&mut self, body: &HotBody) {
        match class(body) {
            Link::SMALL => self.small += 1,
            Link::MEDIUM => self.medium += 1,
            _ => self.large += 1,
        }
    }

    /// Sizes of arrays that hold these counts, with room to grow and for what rests: half of all slots stay free, so that questions are found
    /// within [`SLOT_PROBES`].
    pub fn with_headroom(self, capacity: u32) -> Self {
        let doubled = |count: u32, floor: u32| (2 * count).max(floor);
        Self {
            slots: doubled(self.slots.min(capacity) + self.slots.min(capacity) / 4, 1024).next_power_of_two(),
            names: doubled(self.names, 64),
            columns: doubled(self.columns, 4 * COLUMNS_MAX),
            small: doubled(self.small, 512),
            medium: doubled(self.medium, 64),
            large: doubled(self.large, 32),
        }
    }

    /// Whether these counts fit into arrays of those sizes without crowding them; more entries than `capacity` are not tried for.
    pub fn fit(self, sizes: Self, capacity: u32) -> bool {
        let with_spare = |needed: u32, size: u32| needed + needed / 4 <= size;
        2 * self.slots.min(capacity) <= sizes.slots
            && with_spare(self.names, sizes.names)
            && with_spare(self.columns, sizes.columns)
            && with_spare(self.small, sizes.small)
            && with_spare(self.medium, sizes.medium)
            && with_spare(self.large, sizes.large)
    }
}

/// Which array had no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each names an array")]
pub enum Refused {
    Slots,
    Names,
    Columns,
    Bodies,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slots => "no free slot near its hash",
            Self::Names => "no room for a long name",
            Self::Columns => "no room for the columns of a choice",
            Self::Bodies => "no room for a body",
        })
    }
}

/// The writer's side of the hot table.
#[derive(Debug)]
pub struct HotTable {
    memory: HotMemory,
    sizes: Sizes,
    seed: u64,
    held: HashMap<HotKey, Held>,
    names: Pool,
    columns: [Pool; COLUMN_CLASSES],
    next_column: u32,
    small: Pool,
    medium: Pool,
    large: Pool,
    /// The current full synchronization.
    round: u32,
}

/// Column ranges are powers of two, 1 to [`COLUMNS_MAX`].
const COLUMN_CLASSES: usize = COLUMNS_MAX.ilog2() as usize + 1;

/// What an entry occupies.
#[derive(Debug)]
struct Held {
    slot: u32,
    name: Option<u32>,
    answer: Occupied,
    /// The full synchronization that last wanted it.
    round: u32,
}

/// Bodies and columns of one answer.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Occupied {
    bodies: Box<[Link]>,
    columns: Option<Columns>,
}

/// A range of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    first: u32,
    count: u32,
}

/// What a slot says of its answer.
struct AnswerImage {
    form: u8,
    answer: u64,
    records: [u64; RECORDS_INLINE / 8],
}

impl HotTable {
    /// An empty table over zeroed memory.
    pub fn new(memory: HotMemory, sizes: Sizes, seed: u64) -> Self {
        Self {
            memory,
            sizes,
            seed,
            held: HashMap::new(),
            names: Pool::new(sizes.names),
            columns: std::array::from_fn(|_| Pool::new(0)),
            next_column: 0,
            small: Pool::new(sizes.small),
            medium: Pool::new(sizes.medium),
            large: Pool::new(sizes.large),
            round: 0,
        }
    }

    /// The memory, for the fast path on the host.
    pub fn memory(&self) -> &HotMemory {
        &self.memory
    }

    /// The hash seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The sizes of the arrays.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether a question is held.
    pub fn holds(&self, key: &HotKey) -> bool {
        self.held.contains_key(key)
    }

    /// Begins a full synchronization: entries that are not put until [`Self::end_full`] will be removed.
    pub fn begin_full(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// Ends a full synchronization; tells how many entries went.
    pub fn end_full(&mut self, generation: Generation, now: Instant) -> usize {
        let unwanted: Vec<HotKey> = self
            .held
            .iter()
            .filter(|(_, held)| held.round != self.round)
            .map(|(key, _)| key.clone())
            .collect();
        unwanted.iter().filter(|key| self.remove(key, generation, now)).count()
    }

    /// Makes a question answered this way; false if it was already. An older generation than the slot's changes nothing.
    pub fn put(
        &mut self,
        key: &HotKey,
        entry: &HotEntry,
        generation: Generation,
        now: Instant,
    ) -> Result<bool, Refused> {
        if let Some(mut held) = self.held.remove(key) {
            held.round = self.round;
            let written = self.replace(&mut held, key, entry, generation, now);
            match written {
                Ok(_) => {
                    self.held.insert(key.clone(), held);
                }
                Err(_) => self.release(held, generation, now),
            }
            return written;
        }
        let tag = self.tag(key);
        let index = self.free_slot(tag).ok_or(Refused::Slots)?;
        let name = self.write_name(key, now)?;
        let (image, answer) = match self.write_answer(entry, now) {
            Ok(written) => written,
            Err(refused) => {
                name.into_iter().for_each(|name| self.names.rest(name, now));
                return Err(refused);
            }
        };
        let slot = &self.memory.slots[index as usize];
        let wire = key.name.as_wire();
        let version = SlotVersion(slot.version.load()).writing(generation.0);
        slot.version.store(version.0);
        let head = SlotHead {
            qtype: key.qtype.to_int(),
            name_len: wire.len() as u8,
            form: image.form,
            rest: name.unwrap_or(0),
        };
        slot.head.store(head.pack());
        let inline = &wire[..wire.len().min(NAME_INLINE)];
        for (index, word) in slot.name.iter().enumerate() {
            word.store(inline.chunks(8).nth(index).map_or(0, key::word));
        }
        write_image(slot, &image);
        slot.version.store(version.written().0);
        slot.tag.store(tag);
        self.held.insert(key.clone(), Held { slot: index, name, answer, round: self.round });
        Ok(true)
    }

    /// Writes a new answer into the slot of a held question.
    fn replace(
        &mut self,
        held: &mut Held,
        key: &HotKey,
        entry: &HotEntry,
        generation: Generation,
        now: Instant,
    ) -> Result<bool, Refused> {
        let version = SlotVersion(self.memory.slots[held.slot as usize].version.load());
        if version.generation() > generation.0 || self.is_written(held, entry) {
            return Ok(false);
        }
        let (image, answer) = self.write_answer(entry, now)?;
        let slot = &self.memory.slots[held.slot as usize];
        let version = version.writing(generation.0);
        slot.version.store(version.0);
        let head = SlotHead { form: image.form, ..SlotHead::unpack(slot.head.load()) };
        debug_assert_eq!(usize::from(head.name_len), key.name.as_wire().len());
        slot.head.store(head.pack());
        write_image(slot, &image);
        slot.version.store(version.written().0);
        let before = std::mem::replace(&mut held.answer, answer);
        self.rest(before, now);
        Ok(true)
    }

    /// Stops answering a question; false if it was not held.
    pub fn remove(&mut self, key: &HotKey, generation: Generation, now: Instant) -> bool {
        match self.held.remove(key) {
            Some(held) => {
                self.release(held, generation, now);
                true
            }
            None => false,
        }
    }

    /// Frees a slot and lets its answer rest.
    fn release(&mut self, held: Held, generation: Generation, now: Instant) {
        let slots = &self.memory.slots;
        let mask = slots.len() - 1;
        let slot = &slots[held.slot as usize];
        slot.tag.store(TAG_REMOVED);
        slot.version.store(SlotVersion(slot.version.load()).writing(generation.0).written().0);
        // Where no search goes on, the mark is not needed, nor in the removed slots right before.
        let mut index = held.slot as usize;
        while slots[(index + 1) & mask].tag.load() == TAG_EMPTY && slots[index].tag.load() == TAG_REMOVED {
            slots[index].tag.store(TAG_EMPTY);
            index = index.wrapping_sub(1) & mask;
        }
        held.name.into_iter().for_each(|name| self.names.rest(name, now));
        self.rest(held.answer, now);
    }

    /// Serves these addresses and no others. An address that does not fit is left to userspace.
    pub fn serve(&mut self, addresses: &[SocketAddr]) {
        let served = &self.memory.served;
        for entry in served.iter() {
            entry.port.store(0);
        }
        for address in addresses {
            let ip = match address.ip() {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            let words = [key::word(&ip.octets()[..8]), key::word(&ip.octets()[8..])];
            let start = served_start(words, address.port());
            let free = (0..SERVED_PROBES)
                .map(|probe| &served[(start.wrapping_add(probe) & (SERVED_ENTRIES - 1)) as usize])
                .find(|entry| entry.port.load() == 0);
            match free {
                Some(entry) => {
                    entry.address[0].store(words[0]);
                    entry.address[1].store(words[1]);
                    entry.port.store(u64::from(address.port()));
                }
                None => {
                    tracing::warn!(%address, "too many served addresses: userspace alone answers this one")
                }
            }
        }
    }

    fn tag(&self, key: &HotKey) -> u64 {
        key::hash(self.seed, key.name.as_wire(), key.qtype.to_int())
    }

    fn free_slot(&self, tag: u64) -> Option<u32> {
        let mask = self.sizes.slots - 1;
        (0..SLOT_PROBES)
            .map(|probe| key::slot_start(tag).wrapping_add(probe) & mask)
            .find(|&index| self.memory.slots[index as usize].tag.load() <= TAG_REMOVED)
    }

    /// Writes what a slot has no room for of a name.
    fn write_name(&mut self, key: &HotKey, now: Instant) -> Result<Option<u32>, Refused> {
        let Some(rest) = key.name.as_wire().get(NAME_INLINE..).filter(|rest| !rest.is_empty()) else {
            return Ok(None);
        };
        let index = self.names.take(now).ok_or(Refused::Names)?;
        for (word, chunk) in self.memory.names[index as usize].words.iter().zip(padded_words(rest)) {
            word.store(chunk);
        }
        Ok(Some(index))
    }

    /// Writes bodies and columns to free elements.
    fn write_answer(&mut self, entry: &HotEntry, now: Instant) -> Result<(AnswerImage, Occupied), Refused> {
        let mut image = AnswerImage { form: FORM_CHOICE, answer: 0, records: [0; RECORDS_INLINE / 8] };
        match entry {
            HotEntry::Fixed(body) if body.octets.len() <= RECORDS_INLINE => {
                image.form = FORM_INLINE;
                image.answer = body.head.pack();
                image
                    .records
                    .iter_mut()
                    .zip(padded_words(&body.octets))
                    .for_each(|(word, value)| *word = value);
                Ok((image, Occupied::default()))
            }
            HotEntry::Fixed(body) => {
                let link = self.write_body(body, now)?;
                image.answer = Choice { link, mask: 0 }.pack();
                Ok((image, Occupied { bodies: [link].into(), columns: None }))
            }
            HotEntry::ByWeight { bodies, columns } => {
                let mut occupied = Occupied::default();
                let mut links = Vec::with_capacity(bodies.len());
                for body in bodies {
                    match self.write_body(body, now) {
                        Ok(link) => links.push(link),
                        Err(refused) => {
                            occupied.bodies = links.into();
                            self.rest(occupied, now);
                            return Err(refused);
                        }
                    }
                }
                occupied.columns = self.take_columns(columns.len() as u32, now);
                occupied.bodies = links.into();
                let Some(range) = occupied.columns else {
                    self.rest(occupied, now);
                    return Err(Refused::Columns);
                };
                for (index, column) in columns.iter().enumerate() {
                    let element = &self.memory.columns[range.first as usize + index];
                    element.bodies.store(pack_links(column, &occupied.bodies));
                    element.threshold.store(u64::from(column.threshold));
                }
                image.answer =
                    Choice { link: Link::new(Link::COLUMNS, range.first), mask: range.count - 1 }.pack();
                Ok((image, occupied))
            }
        }
    }

    fn write_body(&mut self, body: &HotBody, now: Instant) -> Result<Link, Refused> {
        let class = class(body);
        let pool = match class {
            Link::SMALL => &mut self.small,
            Link::MEDIUM => &mut self.medium,
            _ => &mut self.large,
        };
        let index = pool.take(now).ok_or(Refused::Bodies)?;
        match class {
            Link::SMALL => write_element(&self.memory.small[index as usize], body),
            Link::MEDIUM => write_element(&self.memory.medium[index as usize], body),
            _ => write_element(&self.memory.large[index as usize], body),
        }
        Ok(Link::new(class, index))
    }

    fn take_columns(&mut self, count: u32, now: Instant) -> Option<Columns> {
        let class = self.columns.get_mut(count.ilog2() as usize)?;
        let first = class.take(now).or_else(|| {
            let first = self.next_column;
            (first + count <= self.sizes.columns).then(|| {
                self.next_column += count;
                first
            })
        })?;
        Some(Columns { first, count })
    }

    fn rest(&mut self, answer: Occupied, now: Instant) {
        for link in answer.bodies {
            match link.kind() {
                Link::SMALL => self.small.rest(link.index(), now),
                Link::MEDIUM => self.medium.rest(link.index(), now),
                _ => self.large.rest(link.index(), now),
            }
        }
        if let Some(Columns { first, count }) = answer.columns {
            self.columns[count.ilog2() as usize].rest(first, now);
        }
    }

    /// Whether a slot already answers this way.
    fn is_written(&self, held: &Held, entry: &HotEntry) -> bool {
        let slot = &self.memory.slots[held.slot as usize];
        let links = &held.answer.bodies;
        match entry {
            HotEntry::Fixed(body) if body.octets.len() <= RECORDS_INLINE => {
                SlotHead::unpack(slot.head.load()).form == FORM_INLINE
                    && slot.answer.load() == body.head.pack()
                    && slot
                        .records
                        .iter()
                        .map(|word| word.load())
                        .zip(padded_words(&body.octets))
                        .all(|(a, b)| a == b)
            }
            HotEntry::Fixed(body) => {
                held.answer.columns.is_none() && links.len() == 1 && self.is_body(links[0], body)
            }
            HotEntry::ByWeight { bodies, columns } => {
                held.answer.columns.is_some_and(|range| {
                    range.count as usize == columns.len()
                        && columns.iter().enumerate().all(|(index, column)| {
                            let element = &self.memory.columns[range.first as usize + index];
                            element.threshold.load() == u64::from(column.threshold)
                                && links.len() == bodies.len()
                                && element.bodies.load() == pack_links(column, links)
                        })
                }) && links.iter().zip(bodies).all(|(&link, body)| self.is_body(link, body))
            }
        }
    }

    fn is_body(&self, link: Link, body: &HotBody) -> bool {
        let index = link.index() as usize;
        link.kind() == class(body)
            && match link.kind() {
                Link::SMALL => is_element(&self.memory.small[index], body),
                Link::MEDIUM => is_element(&self.memory.medium[index], body),
                _ => is_element(&self.memory.large[index], body),
            }
    }
}

/// The class of body that holds these records: `Link::SMALL`, `MEDIUM` or `LARGE`.
fn class(body: &HotBody) -> u32 {
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

fn padded_words(octets: &[u8]) -> impl Iterator<Item = u64> {
    octets.chunks(8).map(key::word).chain(std::iter::repeat(0))
}

fn write_image(slot: &Slot, image: &AnswerImage) {
    slot.answer.store(image.answer);
    for (word, value) in slot.records.iter().zip(image.records) {
        word.store(value);
    }
}

fn write_element<const WORDS: usize>(element: &Body<WORDS>, body: &HotBody) {
    element.uses.store(element.uses.load().wrapping_add(1));
    element.head.store(body.head.pack());
    for (word, value) in element.records.iter().zip(body.octets.chunks(8).map(key::word)) {
        word.store(value);
    }
}

fn is_element<const WORDS: usize>(element: &Body<WORDS>, body: &HotBody) -> bool {
    element.head.load() == body.head.pack()
        && element
            .records
            .iter()
            .map(|word| word.load())
            .zip(body.octets.chunks(8).map(key::word))
            .all(|(a, b)| a == b)
}

/// Indices of an array's elements: free ones, and those that rest before they are free.
#[derive(Debug)]
struct Pool {
    next: u32,
    size: u32,
    free: Vec<u32>,
    resting: VecDeque<(Instant, u32)>,
}

impl Pool {
    fn new(size: u32) -> Self {
        Self { next: 0, size, free: Vec::new(), resting: VecDeque::new() }
    }

    fn take(&mut self, now: Instant) -> Option<u32> {
        while let Some(&(since, index)) = self.resting.front() {
            if now.saturating_duration_since(since) < Duration::from_millis(QUARANTINE_MS) {
                break;
            }
            self.resting.pop_front();
            self.free.push(index);
        }
        self.free.pop().or_else(|| {
            (self.next < self.size).then(|| {
                self.next += 1;
                self.next - 1
            })
        })
    }

    fn rest(&mut self, index: u32, now: Instant) {
        self.resting.push_back((now, index));
    }
}
