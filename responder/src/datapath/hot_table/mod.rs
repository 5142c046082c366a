//! Writes the hot table: slots, bodies, columns and names, so that a reader at any moment finds an old answer or a new one,
//! whole.
//!
//! Laws 4 and 7: bodies and columns are written to free elements and then named by a slot; what a slot lets go of rests for
//! [`pulse53_abi::limits::QUARANTINE_MS`] before it is written again. A slot changes under its version. Where there is no room for
//! an entry's new answer, its old one is removed: userspace answers, and nothing stale stays.

mod answers;
mod nodes;
mod pool;
mod probing;
mod questions;
mod sizes;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use answers::{AnswerImage, Answers, Occupied, padded_words};
use foldhash::fast::RandomState;
use nodes::{Nodes, Stock};
use pool::Pool;
use probing::Tags;
use pulse53_abi::client::{CLASSES_PER_WORD, NODE_ENTRIES};
use pulse53_abi::entry::{FORM_INLINE, NAME_INLINE, Slot, SlotHead, SlotVersion};
use pulse53_abi::limits::{SERVED_ENTRIES, SERVED_PROBES};
use pulse53_abi::served::served_start;
use pulse53_abi::settings::Settings;
use pulse53_abi::shared::Shared;
use pulse53_abi::{ABI_VERSION, key};
use pulse53_core::compile::{Clients, GroupIndex};
use pulse53_core::heat::HITS_ONE_IN;
use pulse53_core::lower::{HotEntry, HotKey};
use pulse53_core::model::{Name, RecordType};
use pulse53_core::nodes::{HotNode, HotZone};
use pulse53_core::table::Generation;
pub use questions::Asked;
use questions::{Held, Questions};
pub use sizes::{Refused, Sizes, names_max};

use super::memory::HotMemory;

/// Questions and names that are remembered as wrong. Whoever has so many has another problem.
const DISTRUSTED_MAX: usize = 4096;

/// The writer's side of the hot table.
#[derive(Debug)]
pub struct HotTable {
    memory: HotMemory,
    sizes: Sizes,
    seed: u64,
    /// What tells clients apart, as it is written in the memory.
    clients: Arc<Clients>,
    held: Questions,
    names: Pool,
    answers: Answers,
    nodes: Nodes,
    /// Names of questions that came or went since their nodes were last written.
    touched: HashSet<Name>,
    /// The current full synchronization.
    round: u32,
    /// Questions that are never held.
    distrusted: HashSet<HotKey>,
    /// The most questions held.
    capacity: usize,
    /// Questions that could be held, and have no room.
    without_room: HashSet<HotKey, RandomState>,
}

/// What is left to userspace because the kernel's answer was wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distrusted {
    /// Questions that are never held.
    pub questions: HashSet<HotKey>,
    /// Names of which nothing is told that follows from their nodes, and how far: `NODE_…`.
    pub names: HashMap<Name, u8>,
}

impl HotTable {
    /// An empty table over zeroed memory, for answers to these clients.
    pub fn new(memory: HotMemory, sizes: Sizes, seed: u64, clients: Arc<Clients>) -> Self {
        let table = Self {
            sizes,
            seed,
            held: Questions::default(),
            names: Pool::new(sizes.names),
            nodes: Nodes::new(&memory, sizes.zones),
            touched: HashSet::new(),
            memory,
            answers: Answers::new(sizes, clients.partition_words()),
            clients,
            round: 0,
            distrusted: HashSet::new(),
            capacity: usize::MAX,
            without_room: HashSet::default(),
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
        self.len() == 0
    }

    /// Holds no more questions than this from now on.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// How many more questions may be held.
    pub fn free(&self) -> usize {
        self.capacity.saturating_sub(self.len())
    }

    /// Questions that could be held, and have no room.
    pub fn without_room(&self) -> &HashSet<HotKey, RandomState> {
        &self.without_room
    }

    /// Takes up what the kernel half has counted: heat of before is worth `kept` of what it was.
    pub fn measure(&mut self, kept: f64) {
        for held in self.held.all_mut() {
            let counter = self.memory.heat.get(held.slot as usize).map_or(0, Shared::load);
            let counted = counter.wrapping_sub(held.counted).wrapping_mul(HITS_ONE_IN.into());
            held.heat = held.heat * kept + counted as f64;
            held.counted = counter;
        }
    }

    /// The questions held, and how often each was asked lately.
    pub fn heats(&self) -> impl Iterator<Item = (&HotKey, f64)> {
        self.held.iter().map(|(key, held)| (key, held.heat))
    }

    /// How often a question was asked lately; 0 if it is not held.
    pub fn heat(&self, key: &HotKey) -> f64 {
        self.held.get(key.into()).map_or(0.0, |held| held.heat)
    }

    /// Notes how often a question that is held was asked before.
    pub fn set_heat(&mut self, key: &HotKey, heat: f64) {
        self.held.find(key.into(), None).into_iter().for_each(|held| held.heat = heat);
    }

    /// Takes the room of a question for others; false if it was not held.
    pub fn evict(&mut self, key: &HotKey, generation: Generation, now: Instant) -> bool {
        let was_held = self.remove(key, generation, now);
        if was_held {
            self.without_room.insert(key.clone());
        }
        was_held
    }

    /// Whether a question is held.
    pub fn holds<'a>(&self, question: impl Into<Asked<'a>>) -> bool {
        self.held.contains(question.into())
    }

    /// Stops answering a question and never holds it again; false if it was not held. Of more than [`DISTRUSTED_MAX`] questions the latest come
    /// back when they are synchronized.
    pub fn distrust(&mut self, key: HotKey, generation: Generation, now: Instant) -> bool {
        let was_held = self.remove(&key, generation, now);
        let (nodes, mut stock) = self.nodes_and_stock(now);
        nodes.distrust(&mut stock, &key.name);
        self.settle();
        if self.distrusted.len() < DISTRUSTED_MAX {
            self.distrusted.insert(key);
        }
        was_held
    }

    /// The questions that are never held.
    pub fn distrusted(&self) -> &HashSet<HotKey> {
        &self.distrusted
    }

    /// The same, and the names that are not relied on, for another table to go on with.
    pub fn all_distrusted(&self) -> Distrusted {
        Distrusted { questions: self.distrusted.clone(), names: self.nodes.distrusted().clone() }
    }

    /// Leaves these to userspace; before anything is put.
    pub fn set_distrusted(&mut self, distrusted: Distrusted) {
        self.distrusted = distrusted.questions;
        self.nodes.set_distrusted(distrusted.names);
    }

    /// Names held, of which half as many as there are elements find room with certainty.
    pub fn names(&self) -> usize {
        self.nodes.len()
    }

    /// Zones for whose names the kernel half answers whether they exist or not, and zones in all.
    pub fn whole_zones(&self) -> (usize, usize) {
        self.nodes.whole_zones()
    }

    /// Begins a full synchronization: entries that are not put until [`Self::end_full`] will be removed.
    pub fn begin_full(&mut self) {
        self.round = self.round.wrapping_add(1);
        // What still has none is put, too.
        self.without_room.clear();
        self.nodes.begin_full();
    }

    /// Ends a full synchronization; tells how many entries went.
    pub fn end_full(&mut self, generation: Generation, now: Instant) -> usize {
        let (nodes, mut stock) = self.nodes_and_stock(now);
        nodes.end_full(&mut stock);
        let unwanted: Vec<HotKey> = self
            .held
            .iter()
            .filter(|(_, held)| held.round != self.round)
            .map(|(key, _)| key.clone())
            .collect();
        unwanted.iter().filter(|&key| self.remove(key, generation, now)).count()
    }

    /// Makes a zone's negative answers known.
    pub fn put_zone(&mut self, zone: &HotZone, now: Instant) -> Result<(), Refused> {
        let (nodes, mut stock) = self.nodes_and_stock(now);
        nodes.put_zone(&mut stock, zone)
    }

    /// Makes a name of a zone known, once the questions for it have been put.
    pub fn put_node(&mut self, node: &HotNode, now: Instant) -> Result<(), Refused> {
        self.touched.remove(&node.name);
        let holds = |&qtype: &RecordType| self.holds(Asked { name: &node.name, qtype });
        let is_whole = node.types.iter().all(holds);
        let (nodes, mut stock) = self.nodes_and_stock(now);
        nodes.put(&mut stock, node, is_whole)
    }

    /// Makes a name unknown.
    pub fn remove_node(&mut self, name: &Name, now: Instant) {
        self.touched.remove(name);
        let (nodes, mut stock) = self.nodes_and_stock(now);
        nodes.remove(&mut stock, name);
    }

    /// Names whose nodes or referrals have found no room.
    pub fn names_without_room(&self) -> impl Iterator<Item = &Name> {
        self.nodes.without_room()
    }

    /// Whether names below this apex are answered for that do not exist, or whose answers are a wildcard's.
    pub fn is_whole(&self, apex: &Name) -> bool {
        self.nodes.is_whole(&self.memory, apex)
    }

    /// Names whose nodes have to be put or removed again, since questions for them came or went.
    pub fn touched(&self) -> Vec<Name> {
        self.touched.iter().cloned().collect()
    }

    /// Zone cuts whose referrals hold addresses of a server.
    pub fn served_by(&self, server: &Name) -> Vec<Name> {
        self.nodes.served_by(server).cloned().collect()
    }

    /// Ends a synchronization: from now on the kernel half again answers for what does not exist.
    pub fn settle(&mut self) {
        self.nodes.settle(&self.memory);
    }

    fn nodes_and_stock(&mut self, now: Instant) -> (&mut Nodes, Stock<'_>) {
        let Self { memory, names, answers, nodes, seed, .. } = self;
        (nodes, Stock { memory, names, answers, seed: *seed, now })
    }

    /// Looks at the slots of some groups that are about to be put. They lie anywhere in memory, which fetches those of several at once.
    pub fn look_ahead(&self, groups: &[GroupIndex]) {
        let slots = self.held.probable_slots(groups);
        std::hint::black_box(
            slots.fold(0, |seen, slot| seen ^ self.memory.slots[slot as usize].version.load()),
        );
    }

    /// Makes a question answered this way; false if it was already. An older generation than the slot's changes nothing.
    pub fn put<'a>(
        &mut self,
        question: impl Into<Asked<'a>>,
        entry: HotEntry,
        generation: Generation,
        now: Instant,
    ) -> Result<bool, Refused> {
        self.put_for(None, question.into(), entry, generation, now)
    }

    /// The same for a question that is that of a group, which need not be searched for each time.
    pub fn put_for(
        &mut self,
        group: Option<GroupIndex>,
        question: Asked<'_>,
        entry: HotEntry,
        generation: Generation,
        now: Instant,
    ) -> Result<bool, Refused> {
        // For which names it answers, their nodes say: both change at once.
        if question.name.is_wildcard() {
            nodes::open(&self.memory);
        }
        if let Some(held) = self.held.find(question, group) {
            held.round = self.round;
            let written = replace(&self.memory, &mut self.answers, held, entry, generation, now);
            if written.is_err() {
                self.remove(question, generation, now);
                self.without_room.insert(question.into());
            }
            return written;
        }
        let written = self.write(question, entry, generation, now);
        match written {
            Ok(()) if self.without_room.is_empty() => {}
            Ok(()) => _ = self.without_room.remove(&HotKey::from(question)),
            Err(_) => _ = self.without_room.insert(question.into()),
        }
        written.map(|()| true)
    }

    /// Writes a question that is not held.
    fn write(
        &mut self,
        question: Asked<'_>,
        entry: HotEntry,
        generation: Generation,
        now: Instant,
    ) -> Result<(), Refused> {
        if self.free() == 0 {
            return Err(Refused::Capacity);
        }
        let tag = self.tag(question);
        let index = tags(&self.memory).free(tag).ok_or(Refused::Slots)?;
        let name = self.write_name(question.name, now)?;
        let written = self.answers.write(&self.memory, entry, &Occupied::default(), now);
        let (image, answer) = match written {
            Ok(written) => written,
            Err(refused) => {
                name.into_iter().for_each(|name| self.names.rest(name, now));
                return Err(refused);
            }
        };
        let slot = &self.memory.slots[index as usize];
        let wire = question.name.as_wire();
        let version = SlotVersion(slot.version.load()).writing(generation.0);
        slot.version.store(version.0);
        let head = SlotHead {
            qtype: question.qtype.to_int(),
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
        let counted = self.memory.heat.get(index as usize).map_or(0, Shared::load);
        let held = Held { slot: index, name, answer, round: self.round, heat: 0.0, counted };
        self.held.insert(question.into(), held);
        self.touched.insert(question.name.clone());
        Ok(())
    }

    /// Stops answering a question; false if it was not held.
    pub fn remove<'a>(
        &mut self,
        question: impl Into<Asked<'a>>,
        generation: Generation,
        now: Instant,
    ) -> bool {
        let question = question.into();
        if !self.without_room.is_empty() {
            self.without_room.remove(&HotKey::from(question));
        }
        match self.held.remove(question) {
            Some((key, held)) => {
                self.touched.insert(key.name);
                self.release(held, generation, now);
                true
            }
            None => false,
        }
    }

    /// Frees a slot and lets its answer rest.
    fn release(&mut self, held: Held, generation: Generation, now: Instant) {
        // Where the name is known, a miss says something about it.
        if self.nodes.len() > 0 {
            nodes::open(&self.memory);
        }
        let tags = tags(&self.memory);
        tags.remove(held.slot);
        let version = &self.memory.slots[held.slot as usize].version;
        version.store(SlotVersion(version.load()).writing(generation.0).written().0);
        tags.tidy(held.slot);
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

    fn tag(&self, question: Asked<'_>) -> u64 {
        key::hash(self.seed, question.name.as_wire(), question.qtype.to_int())
    }

    /// Writes what a slot has no room for of a name.
    fn write_name(&mut self, name: &Name, now: Instant) -> Result<Option<u32>, Refused> {
        let Some(rest) = name.as_wire().get(NAME_INLINE..).filter(|rest| !rest.is_empty()) else {
            return Ok(None);
        };
        let index = self.names.take(now).ok_or(Refused::Names)?;
        for (word, chunk) in self.memory.names[index as usize].words.iter().zip(padded_words(rest)) {
            word.store(chunk);
        }
        Ok(Some(index))
    }
}

fn tags<'m>(memory: &'m HotMemory) -> Tags<impl Fn(usize) -> &'m Shared> {
    Tags(|index: usize| &memory.slots[index].tag, memory.slots.len())
}

/// Writes a new answer into the slot of a held question.
fn replace(
    memory: &HotMemory,
    answers: &mut Answers,
    held: &mut Held,
    entry: HotEntry,
    generation: Generation,
    now: Instant,
) -> Result<bool, Refused> {
    if held.answer.is(&entry) {
        return Ok(false);
    }
    let slot = &memory.slots[held.slot as usize];
    let version = SlotVersion(slot.version.load());
    if version.generation() > generation.0 {
        return Ok(false);
    }
    let (image, answer) = answers.write(memory, entry, &held.answer, now)?;
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
        routes_replies: 0,
        heat_one_in: 0,
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
