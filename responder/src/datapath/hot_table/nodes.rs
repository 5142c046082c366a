//! Writes which names exist, and what is answered for those that do not.
//!
//! All of it, the removal of slots, and what is written for wildcards, happens while the version of [`pulse53_abi::node::NodesHead`] is odd: from the first such change of a
//! synchronization until its end the kernel half passes what it does not find. A zone whose names have not all found room has no word, and neither has one
//! that would take such a zone's names for its own.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use pulse53_abi::entry::Link;
use pulse53_abi::key;
use pulse53_abi::node::{
    NODE_NAME_INLINE, NODE_OPAQUE_BELOW, NODE_PARTIAL, NODE_TYPE, NodeAnswer, NodeHead, NodesHead, ZoneWord,
};
use pulse53_abi::shared::Shared;
use pulse53_core::model::Name;
use pulse53_core::nodes::{HotNode, HotZone};

use super::DISTRUSTED_MAX;
use super::answers::{Answers, Kept, padded_words};
use super::pool::Pool;
use super::probing::Tags;
use super::sizes::Refused;
use crate::datapath::memory::HotMemory;

/// Names and zones as they are written.
#[derive(Debug)]
pub(super) struct Nodes {
    held: HashMap<Name, HeldNode>,
    /// Names that found no room.
    missing: HashMap<Name, Missing>,
    /// Names of zone cuts whose referrals found no room.
    withheld: HashSet<Name>,
    zones: HashMap<Name, HeldZone>,
    numbers: Pool,
    /// Flags that are always set.
    distrusted: HashMap<Name, u8>,
    /// Zone cuts whose referrals name a server.
    served_by: HashMap<Name, HashSet<Name>>,
    /// Whether a zone's word may have to change.
    zones_differ: bool,
    /// The current full synchronization.
    round: u32,
}

/// What a name occupies.
#[derive(Debug)]
struct HeldNode {
    index: u32,
    rest: Option<u32>,
    head: NodeHead,
    zone: u32,
    referral: Option<Kept>,
    servers: Vec<Name>,
    round: u32,
}

/// A name without a node.
#[derive(Debug)]
struct Missing {
    zone: Name,
    round: u32,
}

/// What a zone occupies.
#[derive(Debug)]
struct HeldZone {
    number: u32,
    negative: Option<Kept>,
    round: u32,
}

/// The elements that nodes share with slots.
pub(super) struct Stock<'h> {
    pub(super) memory: &'h HotMemory,
    pub(super) names: &'h mut Pool,
    pub(super) answers: &'h mut Answers,
    pub(super) seed: u64,
    pub(super) now: Instant,
}

impl Stock<'_> {
    /// Before a name has a node: longer ones are not looked for.
    fn make_deep_enough(&self, name: &Name) {
        let labels_max = &head(self.memory).labels_max;
        labels_max.store(labels_max.load().max(name.label_count() as u64));
    }
}

impl Nodes {
    pub(super) fn new(memory: &HotMemory, zones: u32) -> Self {
        head(memory).mask.store((memory.nodes.len() as u64).wrapping_sub(1));
        Self {
            held: HashMap::new(),
            missing: HashMap::new(),
            withheld: HashSet::new(),
            zones: HashMap::new(),
            numbers: Pool::new(zones),
            distrusted: HashMap::new(),
            served_by: HashMap::new(),
            zones_differ: false,
            round: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Names that found no room, or whose referrals did not.
    pub(super) fn without_room(&self) -> impl Iterator<Item = &Name> {
        self.missing.keys().chain(&self.withheld)
    }

    /// Whether the kernel half answers for names below this apex that do not exist.
    pub(super) fn is_whole(&self, memory: &HotMemory, apex: &Name) -> bool {
        let word = |zone: &HeldZone| memory.zones[zone.number as usize].load();
        self.zones.get(apex).is_some_and(|zone| ZoneWord::unpack(word(zone)).is_some())
    }

    /// Names of which nothing is told that follows from their nodes.
    pub(super) fn distrusted(&self) -> &HashMap<Name, u8> {
        &self.distrusted
    }

    /// Tells nothing of these from now on.
    pub(super) fn set_distrusted(&mut self, names: HashMap<Name, u8>) {
        self.distrusted = names;
    }

    /// Zones that the kernel half answers for whole, and zones in all.
    pub(super) fn whole_zones(&self) -> (usize, usize) {
        let broken = self.broken();
        let whole =
            self.zones.iter().filter(|(apex, zone)| zone.negative.is_some() && !broken.contains(apex));
        (whole.count(), self.zones.len())
    }

    /// Ends what [`open`] began, zones' words last.
    pub(super) fn settle(&mut self, memory: &HotMemory) {
        if std::mem::take(&mut self.zones_differ) {
            open(memory);
            let broken = self.broken();
            for (apex, zone) in &self.zones {
                let negative = zone.negative.as_ref().filter(|_| !broken.contains(apex));
                let apex_len = apex.as_wire().len() as u8;
                let word = negative.map(|negative| ZoneWord { negative: negative.link, apex_len });
                memory.zones[zone.number as usize].store(word.map_or(0, ZoneWord::pack));
            }
        }
        let version = &head(memory).version;
        version.store(version.load().next_multiple_of(2));
    }

    /// Zones with names that the kernel half would not find. Where an apex is not found, its names look like ones of a zone above.
    fn broken(&self) -> HashSet<&Name> {
        let mut broken = HashSet::new();
        for (name, missing) in &self.missing {
            broken.extend(self.zones.get_key_value(&missing.zone).map(|(apex, _)| apex));
            if *name == missing.zone {
                broken.extend(self.zones.keys().filter(|above| name.is_at_or_below(above)));
            }
        }
        broken
    }

    /// Leaves to userspace what the kernel half says of a name by its node, or by that of its closest encloser: at the first such mistake one of
    /// them is wrong. A zone cut gives no referral any more.
    pub(super) fn distrust(&mut self, stock: &mut Stock<'_>, name: &Name) {
        let mut next = Some(name.clone());
        while let Some(at) = next {
            if let Some(held) = self.held.get_mut(&at) {
                let flags = if at == *name { NODE_PARTIAL } else { NODE_OPAQUE_BELOW };
                if self.distrusted.len() < DISTRUSTED_MAX || self.distrusted.contains_key(&at) {
                    *self.distrusted.entry(at).or_default() |= flags;
                }
                held.head.flags |= flags;
                open(stock.memory);
                let element = &stock.memory.nodes[held.index as usize];
                element.head.store(held.head.pack());
                element.answer.store(NodeAnswer { zone: held.zone, referral: Link::INLINE }.pack());
                let referral = held.referral.take();
                referral.into_iter().for_each(|it| stock.answers.rest_body(it.link, stock.now));
                return;
            }
            next = at.parent();
        }
    }

    /// The zone cuts whose referrals name a server.
    pub(super) fn served_by(&self, server: &Name) -> impl Iterator<Item = &Name> {
        self.served_by.get(server).into_iter().flatten()
    }

    pub(super) fn begin_full(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// Removes what was not put since [`Self::begin_full`].
    pub(super) fn end_full(&mut self, stock: &mut Stock<'_>) {
        let present = self.round;
        let unwanted = |round: u32| round != present;
        let names: Vec<Name> =
            self.held.iter().filter(|(_, held)| unwanted(held.round)).map(|(name, _)| name.clone()).collect();
        let zones: Vec<Name> = self
            .zones
            .iter()
            .filter(|(_, held)| unwanted(held.round))
            .map(|(apex, _)| apex.clone())
            .collect();
        names.iter().for_each(|name| self.remove(stock, name));
        for apex in zones {
            self.remove_zone(stock, &apex);
        }
        let missing = self.missing.len();
        self.missing.retain(|_, missing| !unwanted(missing.round));
        self.zones_differ |= self.missing.len() != missing;
    }

    /// Makes a zone's negative answers known.
    pub(super) fn put_zone(&mut self, stock: &mut Stock<'_>, zone: &HotZone) -> Result<(), Refused> {
        if !self.zones.contains_key(&zone.apex) {
            let number = self.numbers.take(stock.now).ok_or(Refused::Zones)?;
            let held = HeldZone { number, negative: None, round: self.round };
            self.zones.insert(zone.apex.clone(), held);
        }
        let Some(held) = self.zones.get_mut(&zone.apex) else { return Err(Refused::Zones) };
        held.round = self.round;
        let body = zone.negative.as_ref().map(|negative| &negative.body);
        let kept = body.map(|body| stock.answers.keep(stock.memory, body, held.negative.as_ref(), stock.now));
        let (placed, refused) = match kept.transpose() {
            Ok(placed) => (placed, Ok(())),
            Err(refused) => (None, Err(refused)),
        };
        if placed != held.negative {
            self.zones_differ = true;
            let before = std::mem::replace(&mut held.negative, placed);
            open(stock.memory);
            before.into_iter().for_each(|before| stock.answers.rest_body(before.link, stock.now));
        }
        refused
    }

    fn remove_zone(&mut self, stock: &mut Stock<'_>, apex: &Name) {
        let Some(zone) = self.zones.remove(apex) else { return };
        open(stock.memory);
        stock.memory.zones[zone.number as usize].store(0);
        self.numbers.rest(zone.number, stock.now);
        zone.negative.into_iter().for_each(|negative| stock.answers.rest_body(negative.link, stock.now));
        self.zones_differ = true;
    }

    /// Makes a name known; `is_whole` says that all its types are in the hot table.
    pub(super) fn put(
        &mut self,
        stock: &mut Stock<'_>,
        node: &HotNode,
        is_whole: bool,
    ) -> Result<(), Refused> {
        match self.write(stock, node, is_whole) {
            Ok(has_referral) => {
                self.zones_differ |= self.missing.remove(&node.name).is_some();
                if has_referral {
                    self.withheld.remove(&node.name);
                    return Ok(());
                }
                self.withheld.insert(node.name.clone());
                Err(Refused::Bodies)
            }
            Err(refused) => {
                let was_missing = self.missing.remove(&node.name).is_some();
                self.remove(stock, &node.name);
                let missing = Missing { zone: node.zone.clone(), round: self.round };
                self.missing.insert(node.name.clone(), missing);
                self.zones_differ |= !was_missing;
                Err(refused)
            }
        }
    }

    /// Writes a node; false if there was no room for its referral, without which the name is still one.
    fn write(&mut self, stock: &mut Stock<'_>, node: &HotNode, is_whole: bool) -> Result<bool, Refused> {
        let zone = self.zones.get(&node.zone).ok_or(Refused::Zones)?.number;
        let present = self.held.get(&node.name);
        let distrusted = self.distrusted.get(&node.name).copied().unwrap_or(0);
        let wanted = node.referral.as_ref().filter(|_| distrusted == 0);
        let referral = wanted.and_then(|authority| {
            let present = present.and_then(|held| held.referral.as_ref());
            stock.answers.keep(stock.memory, &authority.body, present, stock.now).ok()
        });
        let has_referral = referral.is_some() || wanted.is_none();
        let wire = node.name.as_wire();
        let partial = if is_whole { 0 } else { NODE_PARTIAL };
        let mut head = NodeHead {
            name_len: wire.len() as u8,
            flags: node.flags | partial | distrusted,
            even: node.referral.as_ref().map_or(0, |it| it.body.head().authorities - it.odd),
            odd: node.referral.as_ref().map_or(0, |it| it.odd),
            rest: present.and_then(|held| held.rest).unwrap_or(0),
        };
        let link = referral.as_ref().map_or(Link::INLINE, |referral| referral.link);
        let answer = NodeAnswer { zone, referral: link };
        if let Some(held) = self.held.get_mut(&node.name) {
            held.round = self.round;
            if held.head != head || held.zone != zone || held.referral != referral {
                open(stock.memory);
                let element = &stock.memory.nodes[held.index as usize];
                element.head.store(head.pack());
                element.answer.store(answer.pack());
                (held.head, held.zone) = (head, zone);
                let before = std::mem::replace(&mut held.referral, referral);
                let unused = before.filter(|before| before.link != link);
                unused.into_iter().for_each(|before| stock.answers.rest_body(before.link, stock.now));
            }
            if held.servers != node.servers {
                let before = std::mem::replace(&mut held.servers, node.servers.clone());
                self.unlink(&node.name, &before);
                self.link(&node.name, &node.servers);
            }
            return Ok(has_referral);
        }
        let placed = self.place(stock, wire);
        let Ok((tag, index, rest)) = placed else {
            referral.into_iter().for_each(|referral| stock.answers.rest_body(referral.link, stock.now));
            return placed.map(|_| has_referral);
        };
        head.rest = rest.unwrap_or(0);
        open(stock.memory);
        stock.make_deep_enough(&node.name);
        let element = &stock.memory.nodes[index as usize];
        let inline = &wire[..wire.len().min(NODE_NAME_INLINE)];
        element.name.iter().zip(padded_words(inline)).for_each(|(word, value)| word.store(value));
        element.head.store(head.pack());
        element.answer.store(answer.pack());
        element.tag.store(tag);
        let (servers, round) = (node.servers.clone(), self.round);
        let held = HeldNode { index, rest, head, zone, referral, servers, round };
        self.held.insert(node.name.clone(), held);
        self.link(&node.name, &node.servers);
        Ok(has_referral)
    }

    /// Finds a free element, and room for what it does not hold of the name.
    fn place(&self, stock: &mut Stock<'_>, wire: &[u8]) -> Result<(u64, u32, Option<u32>), Refused> {
        let tag = key::hash(stock.seed, wire, NODE_TYPE);
        let index = tags(stock.memory).free(tag).ok_or(Refused::Nodes)?;
        let rest = match wire.get(NODE_NAME_INLINE..).filter(|rest| !rest.is_empty()) {
            Some(rest) => {
                let number = stock.names.take(stock.now).ok_or(Refused::Names)?;
                let words = &stock.memory.names[number as usize].words;
                words.iter().zip(padded_words(rest)).for_each(|(word, chunk)| word.store(chunk));
                Some(number)
            }
            None => None,
        };
        Ok((tag, index, rest))
    }

    /// Makes a name unknown.
    pub(super) fn remove(&mut self, stock: &mut Stock<'_>, name: &Name) {
        if self.missing.remove(name).is_some() {
            self.zones_differ = true;
        }
        self.withheld.remove(name);
        let Some(held) = self.held.remove(name) else { return };
        open(stock.memory);
        let tags = tags(stock.memory);
        tags.remove(held.index);
        tags.tidy(held.index);
        held.rest.into_iter().for_each(|rest| stock.names.rest(rest, stock.now));
        held.referral.into_iter().for_each(|referral| stock.answers.rest_body(referral.link, stock.now));
        self.unlink(name, &held.servers);
    }

    fn link(&mut self, cut: &Name, servers: &[Name]) {
        for server in servers {
            self.served_by.entry(server.clone()).or_default().insert(cut.clone());
        }
    }

    fn unlink(&mut self, cut: &Name, servers: &[Name]) {
        for server in servers {
            if let Some(cuts) = self.served_by.get_mut(server) {
                cuts.remove(cut);
                if cuts.is_empty() {
                    self.served_by.remove(server);
                }
            }
        }
    }
}

fn head(memory: &HotMemory) -> &NodesHead {
    &memory.nodes_head[0]
}

/// Before the first change of a synchronization.
pub(super) fn open(memory: &HotMemory) {
    let version = &head(memory).version;
    version.store(version.load() | 1);
}

fn tags<'m>(memory: &'m HotMemory) -> Tags<impl Fn(usize) -> &'m Shared> {
    Tags(|index: usize| &memory.nodes[index].tag, memory.nodes.len())
}
