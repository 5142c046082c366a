//! Bringing an answer table into a hot table: all of it, or what has changed.

use std::collections::HashSet;
use std::time::Instant;

use pulse53_core::compile::{Compiler, GroupIndex};
use pulse53_core::lower::{self, HotEntry, HotKey, Lowered};
use pulse53_core::model::{Name, RecordType};
use pulse53_core::nodes;
use pulse53_core::table::{AnswerTable, Generation};

use super::hot_table::{Asked, HotTable, Refused};

/// What a synchronization did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Synced {
    /// Entries written.
    pub written: usize,
    /// Entries removed.
    pub removed: usize,
    /// Entries held afterwards.
    pub held: usize,
    /// Questions that had to be left to userspace because an array had no room.
    pub refused: usize,
    /// Questions that were left to userspace because as many are held as are to be.
    pub beyond: usize,
    /// Names and zones that the kernel half does not know of for want of room: what is absent there userspace tells.
    pub refused_names: usize,
    /// Questions that userspace answers because of what they are.
    pub not_hot: usize,
}

impl Synced {
    /// Whether there was room for all.
    pub fn is_whole(&self) -> bool {
        self.refused == 0 && self.beyond == 0 && self.refused_names == 0
    }
}

/// Makes a hot table hold exactly what a table lowers to.
pub fn fill(hot: &mut HotTable, table: &AnswerTable) -> Synced {
    hot.begin_full();
    let mut entries = Entries::new(hot, table);
    entries.extend(lower::lower(table));
    let mut synced = entries.end();
    let mut now = Instant::now();
    for zone in nodes::zones(table) {
        synced.refused_names += usize::from(hot.put_zone(&zone, now).is_err());
    }
    for (number, node) in nodes::nodes(table).enumerate() {
        if number % 256 == 255 {
            now = Instant::now();
        }
        synced.refused_names += usize::from(hot.put_node(&node, now).is_err());
    }
    synced.removed += hot.end_full(table.generation(), Instant::now());
    hot.settle();
    synced.held = hot.len();
    synced
}

/// Brings groups of a table into a hot table that came, went or changed: with them names do, and those above, and addresses in referrals.
pub fn sync_declared<'a>(
    hot: &mut HotTable,
    table: &AnswerTable,
    groups: impl IntoIterator<Item = (&'a Name, RecordType)>,
) -> Synced {
    let mut groups: Vec<(&Name, RecordType)> = groups.into_iter().collect();
    // Who answers for DS at the apex of a zone, delegations above decide.
    let delegated: Vec<&Name> =
        groups.iter().filter(|(_, rtype)| *rtype == RecordType::NS).map(|(owner, _)| *owner).collect();
    groups.extend(delegated.into_iter().map(|owner| (owner, RecordType::DS)));
    let owners: HashSet<&Name> = groups.iter().map(|(owner, _)| *owner).collect();
    let mut names: HashSet<Name> = HashSet::new();
    for owner in owners {
        names.insert(owner.clone());
        names.extend(nodes::above(table, owner));
        names.extend(hot.served_by(owner));
    }
    let mut entries = Entries::new(hot, table);
    entries.extend(groups.into_iter().flat_map(|(owner, rtype)| lower::lower_group(table, owner, rtype)));
    let synced = entries.end();
    sync_nodes(hot, table, names, synced)
}

/// Groups whose slots are fetched at once.
const AHEAD: usize = 32;

/// Brings groups of a compiler's table into a hot table that a change of health has touched.
pub fn sync_touched(hot: &mut HotTable, compiler: &Compiler, touched: &[GroupIndex]) -> Synced {
    let table = compiler.table();
    let mut entries = Entries::new(hot, table);
    for groups in touched.chunks(AHEAD) {
        entries.hot.look_ahead(groups);
        for &index in groups {
            let (owner, rtype) = compiler.question(index);
            entries.extend(lower::lower_index(table, index, owner, rtype));
        }
    }
    let synced = entries.end();
    sync_nodes(hot, table, HashSet::new(), synced)
}

/// Brings the nodes of these names into a hot table, and of all that entries have made or left whole.
pub(super) fn sync_nodes(
    hot: &mut HotTable,
    table: &AnswerTable,
    mut names: HashSet<Name>,
    mut synced: Synced,
) -> Synced {
    names.extend(hot.touched());
    let now = Instant::now();
    for name in names {
        match nodes::node(table, &name) {
            Some(node) => synced.refused_names += usize::from(hot.put_node(&node, now).is_err()),
            None => hot.remove_node(&name, now),
        }
    }
    hot.settle();
    synced
}

/// Puts entries of a table into a hot table, and removes those that are not hot any more.
pub(super) struct Entries<'h> {
    hot: &'h mut HotTable,
    generation: Generation,
    same_clients: bool,
    synced: Synced,
    taken: usize,
    /// Asked for now and then: it decides what has rested for a second.
    now: Instant,
}

impl<'h> Entries<'h> {
    pub(super) fn new(hot: &'h mut HotTable, table: &AnswerTable) -> Self {
        let same_clients = hot.tells_apart(table.clients());
        let generation = table.generation();
        Self { hot, generation, same_clients, synced: Synced::default(), taken: 0, now: Instant::now() }
    }

    pub(super) fn extend<'t>(&mut self, lowered: impl IntoIterator<Item = Lowered<'t>>) {
        lowered.into_iter().for_each(|lowered| self.take(lowered));
    }

    fn take(&mut self, Lowered { name, qtype, group, entry }: Lowered<'_>) {
        self.taken += 1;
        if self.taken.is_multiple_of(256) {
            self.now = Instant::now();
        }
        let Self { hot, synced, generation, now, .. } = self;
        let (generation, now, asked) = (*generation, *now, Asked { name, qtype });
        match entry {
            // Not read where nothing is distrusted, which is always.
            Ok(_) if !hot.distrusted().is_empty() && hot.distrusted().contains(&HotKey::from(asked)) => {
                synced.not_hot += 1;
            }
            Ok(HotEntry::ByClient { .. }) if !self.same_clients => {
                synced.refused += 1;
                synced.removed += usize::from(hot.remove(asked, generation, now));
            }
            Ok(entry) => match hot.put_for(group, asked, entry, generation, now) {
                Ok(written) => synced.written += usize::from(written),
                Err(Refused::Capacity) => synced.beyond += 1,
                Err(refused) => {
                    tracing::debug!(%name, %qtype, %refused, "left to userspace");
                    synced.refused += 1;
                }
            },
            Err(_) => {
                synced.not_hot += 1;
                synced.removed += usize::from(hot.remove(asked, generation, now));
            }
        }
    }

    pub(super) fn end(self) -> Synced {
        Synced { held: self.hot.len(), ..self.synced }
    }
}
