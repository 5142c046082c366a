//! Writes the hot table: slots, bodies, columns and names, so that a reader at any moment finds an old answer or a new one,
//! whole.
//!
//! Laws 4 and 7: bodies and columns are written to free elements and then named by a slot; what a slot lets go of rests for
//! [`pulse53_abi::limits::QUARANTINE_MS`] before it is written again. A slot changes under its version. Where there is no room for
//! an entry's new answer, its old one is removed: userspace answers, and nothing stale stays.

mod answers;
mod pool;
mod sizes;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use answers::{AnswerImage, Answers, Occupied, padded_words};
use foldhash::fast::RandomState;
use pool::Pool;
use pulse53_abi::client::{CLASSES_PER_WORD, NODE_ENTRIES};
use pulse53_abi::entry::{
    FORM_INLINE, NAME_INLINE, RECORDS_INLINE, Slot, SlotHead, SlotVersion, TAG_EMPTY, TAG_REMOVED,
};
use pulse53_abi::limits::{SERVED_ENTRIES, SERVED_PROBES, SLOT_PROBES};
use pulse53_abi::served::served_start;
use pulse53_abi::settings::Settings;
use pulse53_abi::{ABI_VERSION, key};
use pulse53_core::compile::Clients;
use pulse53_core::lower::{HotEntry, HotKey};
use pulse53_core::table::Generation;
pub use sizes::{Refused, Sizes};

use super::memory::HotMemory;

/// Questions that are remembered as never to be held. Whoever has so many has another problem.
const DISTRUSTED_MAX: usize = 4096;

/// The writer's side of the hot table.
#[derive(Debug)]
pub struct HotTable {
    memory: HotMemory,
    sizes: Sizes,
    seed: u64,
    /// What tells clients apart, as it is written in the memory.
    clients: Arc<Clients>,
    held: HashMap<HotKey, Held, RandomState>,
    names: Pool,
    answers: Answers,
    /// The current full synchronization.
    round: u32,
    /// Questions that are never held.
    distrusted: HashSet<HotKey>,
}

/// What an entry occupies.
#[derive(Debug)]
struct Held {
    slot: u32,
    name: Option<u32>,
    answer: Occupied,
    /// The full synchronization that last wanted it.
    round: u32,
}

impl HotTable {
    /// An empty table over zeroed memory, for answers to these clients.
    pub fn new(memory: HotMemory, sizes: Sizes, seed: u64, clients: Arc<Clients>) -> Self {
        let table = Self {
            memory,
            sizes,
            seed,
            held: HashMap::default(),
            names: Pool::new(sizes.names),
            answers: Answers::new(sizes, clients.partition_words()),
            clients,
            round: 0,
            distrusted: HashSet::new(),
        };
        if table.clients.fit_kernel() {
            table.write_clients();
        }
        table
    }

    fn write_clients(&self) {
        let words = self.clients.map.words();
        for (node, entries) in self.memory.client_nodes.iter().zip(words.chunks(NODE_ENTRIES)) {
            for (word, pair) in node.entries.iter().zip(entries.chunks(2)) {
                word.store(pair.iter().rev().fold(0, |word, entry| word << 32 | u64::from(*entry)));
            }
        }
        let partition_words = self.clients.partition_words() as usize;
        for (number, of_class) in self.clients.partitions.iter().enumerate() {
            let words = &self.memory.partitions[number * partition_words..];
            for (word, variants) in words.iter().zip(of_class.chunks(CLASSES_PER_WORD as usize)) {
                word.store(variants.iter().rev().fold(0, |word, variant| word << 16 | u64::from(*variant)));
            }
        }
    }

    /// Whether clients are told apart here in this very way; answers that go by another want another table.
    pub fn tells_apart(&mut self, clients: &Arc<Clients>) -> bool {
        let same = Arc::ptr_eq(&self.clients, clients) || self.clients == *clients;
        if same {
            // The next comparison then is one of pointers.
            self.clients = clients.clone();
        }
        same
    }

    /// The memory, for the fast path on the host.
    pub fn memory(&self) -> &HotMemory {
        &self.memory
    }

    /// What a program over this table is told when it is loaded: the largest reply, and one in how many passed packets to log.
    pub fn settings(&self, message_max: u16, log_one_in: u32) -> Settings {
        settings(self.sizes, &self.clients, self.seed, message_max, log_one_in)
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

    /// Stops answering a question and never holds it again; false if it was not held. Of more than [`DISTRUSTED_MAX`] questions the latest come
    /// back when they are synchronized.
    pub fn distrust(&mut self, key: HotKey, generation: Generation, now: Instant) -> bool {
        let was_held = self.remove(&key, generation, now);
        if self.distrusted.len() < DISTRUSTED_MAX {
            self.distrusted.insert(key);
        }
        was_held
    }

    /// The questions that are never held.
    pub fn distrusted(&self) -> &HashSet<HotKey> {
        &self.distrusted
    }

    /// Never holds these questions.
    pub fn set_distrusted(&mut self, keys: HashSet<HotKey>) {
        self.distrusted = keys;
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
        if let Some(held) = self.held.get_mut(key) {
            held.round = self.round;
            let written = replace(&self.memory, &mut self.answers, held, entry, generation, now);
            if written.is_err() {
                self.remove(key, generation, now);
            }
            return written;
        }
        let tag = self.tag(key);
        let index = self.free_slot(tag).ok_or(Refused::Slots)?;
        let name = self.write_name(key, now)?;
        let written = self.answers.write(&self.memory, entry, &Occupied::default(), now);
        let (image, answer) = match written {
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
        self.answers.rest(&held.answer, &Occupied::default(), now);
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
}

/// Writes a new answer into the slot of a held question.
fn replace(
    memory: &HotMemory,
    answers: &mut Answers,
    held: &mut Held,
    entry: &HotEntry,
    generation: Generation,
    now: Instant,
) -> Result<bool, Refused> {
    let slot = &memory.slots[held.slot as usize];
    let version = SlotVersion(slot.version.load());
    if version.generation() > generation.0 {
        return Ok(false);
    }
    let (image, answer) = answers.write(memory, entry, &held.answer, now)?;
    if answer == held.answer && image == read_image(slot) {
        return Ok(false);
    }
    let version = version.writing(generation.0);
    slot.version.store(version.0);
    let head = SlotHead { form: image.form, ..SlotHead::unpack(slot.head.load()) };
    slot.head.store(head.pack());
    write_image(slot, &image);
    slot.version.store(version.written().0);
    let before = std::mem::replace(&mut held.answer, answer);
    answers.rest(&before, &held.answer, now);
    Ok(true)
}

/// See [`HotTable::settings`].
pub(super) fn settings(
    sizes: Sizes,
    clients: &Clients,
    seed: u64,
    message_max: u16,
    log_one_in: u32,
) -> Settings {
    Settings {
        abi_version: ABI_VERSION,
        log_one_in,
        seed,
        slot_mask: sizes.slots - 1,
        message_max: message_max.into(),
        short_subnets: clients.map.shorter().is_empty().into(),
        sample_one_in: 0,
        expires: 0,
    }
}

fn write_image(slot: &Slot, image: &AnswerImage) {
    slot.answer.store(image.answer);
    if image.form != FORM_INLINE {
        // Only such a slot's records are sent.
        return;
    }
    for (word, value) in slot.records.iter().zip(image.records) {
        word.store(value);
    }
}

fn read_image(slot: &Slot) -> AnswerImage {
    let form = SlotHead::unpack(slot.head.load()).form;
    let mut records = [0; RECORDS_INLINE / 8];
    if form == FORM_INLINE {
        records.iter_mut().zip(&slot.records).for_each(|(value, word)| *value = word.load());
    }
    AnswerImage { form, answer: slot.answer.load(), records }
}
