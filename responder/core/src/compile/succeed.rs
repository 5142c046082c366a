//! Other declarations after the present ones: what they have in common is not evaluated again.
//!
//! A group whose record sets and checks' statuses are as before, and that leads nowhere and asks nothing about the client, has the answers
//! it had. All others are evaluated; those that come to the same answers count as unchanged, too.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use super::columns::Shapes;
use super::graph::GroupIndex;
use super::{Compiler, Health};
use crate::geo::GeoDb;
use crate::model::{CheckId, Name, RecordType, Snapshot};
use crate::table::Generation;

/// What became of the present declarations.
#[derive(Debug)]
pub struct Succession {
    /// The compiler of the new declarations.
    pub compiler: Compiler,
    /// Owner and type of the groups that are new, gone or answered differently; none if more may be different: zones, zone cuts, or how
    /// clients are told apart.
    pub changed: Option<Vec<(Name, RecordType)>>,
}

impl Compiler {
    /// Compiles other declarations, under a health view that may be another one, too.
    pub fn succeed(
        &self,
        snapshot: &Snapshot,
        geo: &GeoDb,
        health: Health<'_>,
        generation: Generation,
    ) -> Succession {
        let mut next = Self::begin(snapshot, geo, health, generation);
        let same_clients = Arc::ptr_eq(&next.classes.clients, &self.classes.clients)
            || next.classes.clients == self.classes.clients;
        if same_clients {
            next.table.set_clients(self.table.clients().clone());
            next.classes.clients = self.classes.clients.clone();
        }
        let status = |check: &CheckId| self.graph.check(check).map(|number| self.statuses[number]);
        let differs = |id: &CheckId, number| status(id) != Some(next.statuses[number]);
        let flipped = next.graph.checks().filter(|&(id, number)| differs(id, number));
        let flipped: HashSet<CheckId> = flipped.map(|(id, _)| id.clone()).collect();
        let (before, mut changed) = self.matched(&next);
        let mut shapes = Shapes::default();
        for index in next.graph.in_order() {
            let before = before[index.0 as usize];
            match before.filter(|&before| self.answers_as_before(before, &next, index, &flipped)) {
                Some(before) => next.keep(index, self, before),
                None => {
                    let evaluated = next.evaluate(index, &mut shapes);
                    next.take_up(index, evaluated);
                    let present = before.map(|before| self.table.plan(before));
                    match present.filter(|plan| same_clients && *plan == next.table.plan(index)) {
                        Some(plan) => next.table.share_plan(index, plan.clone()),
                        None => changed.push(next.owned_question(index)),
                    }
                }
            }
        }
        let zones_alike = self.table.zones_alike(&next.table);
        let in_place = same_clients && zones_alike && !changed.iter().any(|(_, rtype)| divides(*rtype));
        Succession { compiler: next, changed: in_place.then_some(changed) }
    }

    /// For each group of the next compiler the same one here, and the groups that it has not. Both are in one order.
    fn matched(&self, next: &Self) -> (Vec<Option<GroupIndex>>, Vec<(Name, RecordType)>) {
        let mut gone = Vec::new();
        let mut rest = self.graph.indices().peekable();
        let matched = next.graph.indices().map(|index| {
            let key = next.graph[index].key();
            while let Some(&before) = rest.peek() {
                match self.graph[before].key().cmp(&key) {
                    Ordering::Less => {
                        gone.push(self.owned_question(before));
                        rest.next();
                    }
                    Ordering::Equal => return rest.next(),
                    Ordering::Greater => break,
                }
            }
            None
        });
        let matched = matched.collect();
        gone.extend(rest.map(|before| self.owned_question(before)));
        (matched, gone)
    }

    fn owned_question(&self, index: GroupIndex) -> (Name, RecordType) {
        let (owner, rtype) = self.question(index);
        (owner.clone(), rtype)
    }

    /// Whether nothing that a group's answers depend on is different.
    fn answers_as_before(
        &self,
        before: GroupIndex,
        next: &Self,
        index: GroupIndex,
        flipped: &HashSet<CheckId>,
    ) -> bool {
        let node = &next.graph[index];
        let present = &self.graph[before];
        let depends = node.has_aliases()
            || next.classes.partition(index).is_some()
            || self.classes.partition(before).is_some();
        let checks = || node.group.members.iter().filter_map(|member| member.check.as_ref());
        // An answer that is not minimal holds other groups' records, too.
        let minimal = next.full.is_empty() && self.full.is_empty();
        !depends
            && minimal
            // A finding would have to be found again.
            && self.findings.is_empty()
            && (!node.is_target() || present.is_target())
            && (Arc::ptr_eq(&node.group, &present.group) || node.group == present.group)
            && (flipped.is_empty() || !checks().any(|check| flipped.contains(check)))
    }

    /// Takes over what a group came to before.
    fn keep(&mut self, index: GroupIndex, before: &Self, at: GroupIndex) {
        self.table.share_plan(index, before.table.plan(at).clone());
        if self.graph[index].is_target()
            && let Some(evaluations) = before.evaluations.get(&at)
        {
            self.evaluations.insert(index, evaluations.clone());
        }
    }
}

/// Whether groups of this type take names below them away from their zone, or answer for them.
fn divides(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::NS | RecordType::DNAME)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::random::{CHECKS, Group, World, groups_of_every_policy, snapshot, status, world};
    use super::*;
    use crate::dnssec::tests::signed_by_nobody;
    use crate::lower::{HotEntry, HotKey, NotHot, lower, lower_group};
    use crate::table::AnswerTable;

    type Entries = HashMap<HotKey, Result<HotEntry, NotHot>>;

    /// What the kernel half would hold; a question without an answer is as one that was never asked.
    fn all(table: &AnswerTable) -> Entries {
        let entries = lower(table).map(|lowered| (lowered.key(), lowered.entry));
        entries.filter(|(_, entry)| *entry != Err(NotHot::Empty)).collect()
    }

    /// Takes up changes as the kernel half does.
    fn apply(entries: &mut Entries, succession: &Succession) {
        let table = succession.compiler.table();
        match &succession.changed {
            None => *entries = all(table),
            Some(changed) => {
                let changed = changed.iter().flat_map(|(owner, rtype)| lower_group(table, owner, *rtype));
                entries.extend(changed.map(|lowered| (lowered.key(), lowered.entry)));
                entries.retain(|_, entry| *entry != Err(NotHot::Empty));
            }
        }
    }

    /// Groups of one declaration, mixed with those of another.
    fn mixed(first: &[Group], second: &[Group], from_second: u16) -> Vec<Group> {
        let both = first.iter().zip(second).enumerate();
        both.map(|(at, (first, second))| if from_second >> at & 1 == 0 { first } else { second }.clone())
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Step by step or all at once: the same answers, to the last body and column.
        #[test]
        fn what_is_kept_is_what_a_whole_compilation_gives(
            first in groups_of_every_policy(),
            second in groups_of_every_policy(),
            [world, other] in [world(), world()],
            steps in prop::collection::vec((any::<u16>(), any::<[bool; CHECKS]>(), 0u8..6, 0u8..4), 1..6),
        ) {
            let start = snapshot(&first, &world);
            let mut compiler = Compiler::with_geo(&start, &world.geo(), &|_| true, Generation(1));
            let mut entries = all(compiler.table());
            for (from_second, healthy, elsewhere, state) in steps {
                let groups = mixed(&first, &second, from_second);
                let world: &World = if elsewhere == 0 { &other } else { &world };
                let (mut declared, geo, status) = (snapshot(&groups, world), world.geo(), status(healthy));
                if state == 0 {
                    declared.query_logs = declared.zones.keys().map(|zone| (zone.clone(), "group".into())).collect();
                }
                if state == 1 {
                    declared.signing = declared.zones.keys().map(|zone| (zone.clone(), signed_by_nobody())).collect();
                }
                let generation = compiler.table().generation().next();
                let succession = compiler.succeed(&declared, &geo, &status, generation);
                let whole = Compiler::with_geo(&declared, &geo, &status, generation);
                apply(&mut entries, &succession);
                prop_assert_eq!(&entries, &all(whole.table()));
                prop_assert!(entries.values().all(|entry| (*entry == Err(NotHot::Logged)) == (state == 0)));
                prop_assert!(entries.values().all(|entry| (*entry == Err(NotHot::Signed)) == (state == 1)));
                compiler = succession.compiler;
                prop_assert_eq!(&compiler.statuses, &whole.statuses);
                prop_assert_eq!(&compiler.evaluations, &whole.evaluations);
                prop_assert_eq!(compiler.table().generation(), generation);
            }
        }
    }
}
