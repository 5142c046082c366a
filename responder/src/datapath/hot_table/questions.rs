//! The questions that are held, each with what it occupies.
//!
//! They stand one after the other in the order in which they came, which is that of the groups of a table: so a change of health that touches many
//! groups walks through memory, and need not search for each.

use foldhash::fast::RandomState;
use indexmap::{Equivalent, IndexMap};
use pulse53_core::compile::GroupIndex;
use pulse53_core::lower::HotKey;
use pulse53_core::model::{Name, RecordType};

use super::answers::Occupied;

/// A question by its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked<'a> {
    /// QNAME.
    pub name: &'a Name,
    /// QTYPE.
    pub qtype: RecordType,
}

impl Equivalent<HotKey> for Asked<'_> {
    fn equivalent(&self, key: &HotKey) -> bool {
        *self == Asked::from(key)
    }
}

impl<'a> From<&'a HotKey> for Asked<'a> {
    fn from(key: &'a HotKey) -> Self {
        Self { name: &key.name, qtype: key.qtype }
    }
}

impl From<Asked<'_>> for HotKey {
    fn from(asked: Asked<'_>) -> Self {
        Self { name: asked.name.clone(), qtype: asked.qtype }
    }
}

/// What an entry occupies.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) slot: u32,
    pub(super) name: Option<u32>,
    pub(super) answer: Occupied,
    /// The full synchronization that last wanted it.
    pub(super) round: u32,
    /// How often it was asked lately.
    pub(super) heat: f64,
    /// How far its slot's counter was read.
    pub(super) counted: u64,
}

/// Entries by their questions.
#[derive(Debug, Default)]
pub(super) struct Questions {
    held: IndexMap<HotKey, Held, RandomState>,
    /// For groups by index, where their question was found last: a guess, since groups get other numbers, and entries other places.
    guesses: Vec<u32>,
}

impl Questions {
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn contains(&self, asked: Asked<'_>) -> bool {
        self.held.contains_key(&asked)
    }

    pub(super) fn get(&self, asked: Asked<'_>) -> Option<&Held> {
        self.held.get(&asked)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.held.values_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&HotKey, &Held)> {
        self.held.iter()
    }

    pub(super) fn insert(&mut self, key: HotKey, held: Held) {
        self.held.insert(key, held);
    }

    pub(super) fn remove(&mut self, asked: Asked<'_>) -> Option<(HotKey, Held)> {
        self.held.swap_remove_entry(&asked)
    }

    /// What is held for a question, which may be that of a group.
    pub(super) fn find(&mut self, asked: Asked<'_>, group: Option<GroupIndex>) -> Option<&mut Held> {
        let Some(group) = group else { return self.held.get_mut(&asked) };
        let group = group.0 as usize;
        let guess = self.guesses.get(group).map_or(usize::MAX, |&guess| guess as usize);
        let is_right = self.held.get_index(guess).is_some_and(|(key, _)| asked.equivalent(key));
        let place = if is_right { guess } else { self.search(asked, group)? };
        self.held.get_index_mut(place).map(|(_, held)| held)
    }

    /// Where a question is held; for the next time, the group keeps it in mind.
    fn search(&mut self, asked: Asked<'_>, group: usize) -> Option<usize> {
        let place = self.held.get_index_of(&asked)?;
        if self.guesses.len() <= group {
            self.guesses.resize(group + 1, u32::MAX);
        }
        self.guesses[group] = place as u32;
        Some(place)
    }

    /// The slots where the questions of some groups are probably held.
    pub(super) fn probable_slots(&self, groups: &[GroupIndex]) -> impl Iterator<Item = u32> {
        let guesses = groups.iter().filter_map(|group| self.guesses.get(group.0 as usize));
        guesses.filter_map(|&guess| self.held.get_index(guess as usize)).map(|(_, held)| held.slot)
    }
}
