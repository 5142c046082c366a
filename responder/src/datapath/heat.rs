//! Exchanges what the kernel holds where there is no room for all, by what is asked, and finds room for what had none.
//!
//! Which questions change places [`pulse53_core::heat`] decides. What loses its room is passed from then on: its node says that a miss means nothing,
//! before the table is read again (see [`pulse53_abi::node`]).

use std::collections::HashSet;
use std::time::{Duration, Instant};

use pulse53_core::heat::{self, Candidates, EXCHANGED_MAX, Exchange};
use pulse53_core::lower::{self, HotKey, Lowered};
use pulse53_core::model::{Name, RecordType};
use pulse53_core::table::AnswerTable;

use super::hot_table::HotTable;
use super::sync::{Entries, Synced, sync_nodes};
use crate::heat::Misses;

/// The time from one round to the next.
const ROUND: Duration = Duration::from_secs(2);
/// Questions, or names, that are tried in a round where there is room again.
const TRIED_MAX: usize = 16 * EXCHANGED_MAX;

/// How many questions have changed places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exchanged {
    /// Questions that got room because they were asked often.
    pub promoted: u64,
    /// Questions whose room others got.
    pub evicted: u64,
}

/// What is known of heat from round to round.
#[derive(Debug, Default)]
pub(super) struct Heat {
    candidates: Candidates,
    exchanged: Exchanged,
    /// When the last round was.
    last: Option<Instant>,
}

impl Heat {
    pub(super) fn exchanged(&self) -> Exchanged {
        self.exchanged
    }

    /// Goes a round, if it is time. Where `names_beyond` there is no use in trying names once more.
    pub(super) fn follow(
        &mut self,
        hot: &mut HotTable,
        table: &AnswerTable,
        misses: &Misses,
        names_beyond: bool,
        now: Instant,
    ) {
        let is_crowded = !hot.without_room().is_empty();
        misses.want(is_crowded);
        let last = *self.last.get_or_insert(now);
        let passed = now.saturating_duration_since(last);
        if passed < ROUND {
            return;
        }
        self.last = Some(now);
        if !names_beyond {
            let names: HashSet<Name> = hot.names_without_room().take(TRIED_MAX).cloned().collect();
            if !names.is_empty() {
                sync_nodes(hot, table, names, Synced::default());
            }
        }
        if is_crowded {
            self.go_round(hot, table, misses, heat::kept(passed), now);
        } else {
            self.candidates.clear();
        }
    }

    fn go_round(
        &mut self,
        hot: &mut HotTable,
        table: &AnswerTable,
        misses: &Misses,
        kept: f64,
        now: Instant,
    ) {
        hot.measure(kept);
        let missed: Vec<(HotKey, u64)> = misses
            .take()
            .into_iter()
            .filter_map(|(key, count)| Some((placeable(hot, table, key)?, count)))
            .collect();
        self.candidates.follow(kept, missed);
        self.candidates.retain(|key| hot.without_room().contains(key));
        let wanted = heat::exchange(hot.free(), hot.heats(), self.candidates.iter());
        let heats: Vec<(HotKey, f64)> =
            wanted.admitted.iter().map(|key| (key.clone(), self.candidates.remove(key))).collect();
        for key in &wanted.evicted {
            let heat = hot.heat(key);
            self.candidates.insert(key.clone(), heat);
        }
        if !wanted.admitted.is_empty() {
            exchange(hot, table, &wanted, now);
            for (key, heat) in heats {
                if hot.holds(&key) {
                    hot.set_heat(&key, heat);
                    self.exchanged.promoted += 1;
                } else {
                    self.candidates.insert(key, heat);
                }
            }
            self.exchanged.evicted += wanted.evicted.len() as u64;
            tracing::debug!(
                admitted = wanted.admitted.len(),
                evicted = wanted.evicted.len(),
                "hot set exchanged"
            );
        }
        // Whoever has not been asked for: all are hot while they fit.
        let room = hot.free().min(TRIED_MAX);
        if room > 0 {
            let admitted = hot.without_room().iter().take(room).cloned().collect();
            exchange(hot, table, &Exchange { admitted, evicted: Vec::new() }, now);
        }
    }
}

/// The question whose entry would answer this one, if it has no room and would be found.
fn placeable(hot: &HotTable, table: &AnswerTable, key: HotKey) -> Option<HotKey> {
    // A CNAME answers every type, and is held for some.
    let (key, is_itself) = if hot.without_room().contains(&key) {
        (key, true)
    } else {
        let alias = HotKey { qtype: RecordType::CNAME, ..key };
        (hot.without_room().contains(&alias).then_some(alias)?, false)
    };
    if is_itself && !key.name.is_wildcard() {
        return Some(key);
    }
    // By way of its node alone.
    let zone = table.zone_of(key.name.as_wire())?;
    hot.is_whole(&zone.apex).then_some(key)
}

/// Takes the room of some questions and gives it to others; nodes say what is not held before anybody reads them again.
pub fn exchange(hot: &mut HotTable, table: &AnswerTable, exchange: &Exchange, now: Instant) -> Synced {
    let evicted = exchange.evicted.iter().filter(|key| hot.evict(key, table.generation(), now));
    let removed = evicted.count();
    let mut entries = Entries::new(hot, table);
    entries.extend(exchange.admitted.iter().flat_map(|key| lowered(table, key)));
    let synced = entries.end();
    let synced = sync_nodes(hot, table, HashSet::new(), synced);
    Synced { removed: synced.removed + removed, ..synced }
}

/// The entry of one question.
pub(super) fn lowered<'t>(table: &'t AnswerTable, key: &'t HotKey) -> impl Iterator<Item = Lowered<'t>> {
    let entries = lower::lower_group(table, &key.name, key.qtype);
    entries.into_iter().filter(move |lowered| lowered.qtype == key.qtype)
}
