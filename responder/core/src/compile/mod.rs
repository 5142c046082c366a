//! The routing compiler: records and health become finished answers.
//!
//! The passes, in order: `graph` finds which group leads to which; every group is evaluated, targets first: `policy`
//! chooses among the members that health has left, which gives a [`Distribution`]; `plan` turns that into a decision one draw can
//! take. Aliases are gone by then, and so is health.
//!
//! A flip evaluates the groups that refer to the check, and then only those above whose input really changed.

mod classes;
mod distribution;
mod graph;
mod plan;
mod policy;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use classes::Classes;
pub use classes::{CLASSES_MAX, Clients, UNKNOWN};
pub use distribution::{Distribution, Outcome};
pub use graph::GroupIndex;
use graph::{Graph, Node, Pending};
pub use plan::{ANSWERS_MAX, Column, Plan, Weights};
use policy::Selection;

use crate::body::Body;
use crate::geo::GeoDb;
use crate::model::{CheckId, Name, Rdata, RecordData, RecordSet, RecordType, Snapshot, Ttl, ZoneId};
use crate::table::{AnswerTable, Generation};

/// A group that could not be compiled as declared (law 8). It answers SERVFAIL; its neighbors are not affected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The zone that holds the group.
    pub zone: ZoneId,
    /// The group's owner.
    pub owner: Name,
    /// The group's type.
    pub rtype: RecordType,
    /// What is wrong, and what to do.
    pub what: String,
}

/// What a group comes to under one health view.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Evaluation {
    ///
    healthy: bool,
    distribution: Arc<Distribution>,
}

/// The status of a health check, an argument of the compiler; true for a check that does not exist.
pub type Health<'a> = &'a dyn Fn(&CheckId) -> bool;

/// Compiles a snapshot once, and then follows health group by group.
#[derive(Debug)]
pub struct Compiler {
    graph: Graph,
    classes: Classes,
    /// Of the groups that aliases lead to, one for each variant; nobody else's is asked for twice.
    evaluations: HashMap<GroupIndex, Box<[Evaluation]>>,
    table: AnswerTable,
    findings: Vec<Finding>,
}

impl Compiler {
    /// Compiles everything, nothing being known of any client.
    pub fn new(snapshot: &Snapshot, health: Health<'_>, generation: Generation) -> Self {
        Self::with_geo(snapshot, &GeoDb::default(), health, generation)
    }

    /// Compiles everything.
    pub fn with_geo(snapshot: &Snapshot, geo: &GeoDb, health: Health<'_>, generation: Generation) -> Self {
        let graph = Graph::new(snapshot);
        let classes = Classes::new(snapshot, &graph, geo);
        let groups = graph.indices().map(|index| {
            let node = &graph[index];
            (index, &node.zone, &node.owner, node.rtype)
        });
        let table = AnswerTable::new(snapshot, groups, classes.clients.clone(), generation);
        let mut compiler = Self { graph, classes, evaluations: HashMap::new(), table, findings: Vec::new() };
        for index in compiler.graph.in_order() {
            compiler.evaluate(index, health);
        }
        compiler
    }

    /// The table as it stands. Cloning it is cheap; the clone does not change any more.
    pub fn table(&self) -> &AnswerTable {
        &self.table
    }

    /// Groups that could not be compiled.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Takes up changed check statuses and tells which groups' answers are different now.
    pub fn flip(
        &mut self,
        changed: &[CheckId],
        health: Health<'_>,
        generation: Generation,
    ) -> Vec<GroupIndex> {
        let mut pending = Pending::default();
        for check in changed {
            for &index in self.graph.with_check(check) {
                pending.add(&self.graph, index);
            }
        }
        let mut touched = Vec::new();
        while let Some(index) = pending.take() {
            let change = self.evaluate(index, health);
            if change.for_parents {
                pending.add_parents(&self.graph, index);
            }
            if change.of_plan {
                touched.push(index);
            }
        }
        self.table.set_generation(generation);
        touched
    }

    /// Owner and type of a group, as a query asks for it.
    pub fn question(&self, index: GroupIndex) -> (&Name, RecordType) {
        let node = &self.graph[index];
        (&node.owner, node.rtype)
    }

    /// The exact distribution of a group for a class of clients, under a health view (routing specification, section 9).
    pub fn distribution(&self, index: GroupIndex, class: u16, health: Health<'_>) -> Arc<Distribution> {
        self.evaluate_for(index, class, health).distribution
    }

    /// Whether there were more classes of clients than can be told apart; the clients beyond are answered as unknown ones.
    pub fn classes_overflown(&self) -> bool {
        self.classes.overflown
    }

    fn evaluate(&mut self, index: GroupIndex, health: Health<'_>) -> Change {
        let partition = self.classes.partition(index);
        let representatives: &[u16] = partition.map_or(&[UNKNOWN], |partition| &partition.representatives);
        let evaluations: Box<[Evaluation]> =
            representatives.iter().map(|&class| self.evaluate_for(index, class, health)).collect();
        let node = &self.graph[index];
        let nodata = self.table.nodata(&node.zone);
        let variants: Option<Box<[Plan]>> = evaluations
            .iter()
            .map(|evaluation| Plan::prepare(&evaluation.distribution, node.rtype, nodata))
            .collect();
        let plan = match (variants, partition) {
            (Some(variants), Some(partition)) => Plan::ByClient { partition: partition.number, variants },
            (Some(variants), None) => variants[0].clone(),
            (None, _) => {
                let finding = Finding {
                    zone: node.zone.clone(),
                    owner: node.owner.clone(),
                    rtype: node.rtype,
                    what: format!("more than {ANSWERS_MAX} possible answers; nest fewer weighted groups"),
                };
                if !self.findings.contains(&finding) {
                    self.findings.push(finding);
                }
                Plan::Fixed(Arc::new(Body::empty(crate::body::rcode::SERVFAIL, false)))
            }
        };
        let for_parents = node.is_target() && self.evaluations.get(&index) != Some(&evaluations);
        if for_parents {
            self.evaluations.insert(index, evaluations);
        }
        Change { for_parents, of_plan: self.table.set_plan(index, plan) }
    }

    /// One group for one class, given those its aliases lead to (routing specification, section 9).
    fn evaluate_for(&self, index: GroupIndex, class: u16, health: Health<'_>) -> Evaluation {
        let node = &self.graph[index];
        let target = |member: usize| {
            let target = node.target(member)?;
            self.evaluations.get(&target)?.get(self.classes.variant(target, class))
        };
        match self.classes.order(index, class) {
            Some(applicable) => evaluate(node, applicable, &target, health),
            None => {
                let all: Vec<usize> = (0..node.group.members.len()).collect();
                evaluate(node, &all, &target, health)
            }
        }
    }
}

/// What an evaluation changed.
struct Change {
    /// The group's health or distribution: whoever leads to it must look again.
    for_parents: bool,
    /// The group's own answers.
    of_plan: bool,
}

/// One group, of which these members are applicable, in order of preference.
fn evaluate<'e>(
    node: &Node,
    applicable: &[usize],
    target: &impl Fn(usize) -> Option<&'e Evaluation>,
    health: Health<'_>,
) -> Evaluation {
    let members = &node.group.members;
    if applicable.is_empty() {
        //
        return Evaluation { healthy: false, distribution: Arc::new(Distribution::certain(Outcome::NoData)) };
    }
    let is_healthy = |index: usize, member: &RecordSet| {
        //
        member.check.as_ref().is_none_or(health)
            && match &member.data {
                RecordData::Alias(alias) if alias.evaluate_target_health => {
                    target(index).is_some_and(|t| t.healthy)
                }
                _ => true,
            }
    };
    let mut pool: Vec<usize> =
        applicable.iter().copied().filter(|&index| is_healthy(index, &members[index])).collect();
    let healthy = !pool.is_empty();
    if !healthy {
        pool = applicable.to_vec(); // last resort, R-56
    }
    let of_member = |index: usize| match &members[index].data {
        RecordData::Values { ttl, rdatas } => {
            Arc::new(Distribution::certain(Outcome::Set(*ttl, sorted(rdatas))))
        }
        RecordData::Alias(_) => target(index).map_or_else(
            || Arc::new(Distribution::certain(Outcome::NoData)),
            |target| target.distribution.clone(),
        ),
    };
    let distribution = match policy::select(&node.group, &pool) {
        Selection::OneOf(shares) => match shares.as_slice() {
            [(only, _)] => of_member(*only),
            _ => {
                let parts: Vec<_> =
                    shares.iter().map(|&(index, weight)| (of_member(index), weight)).collect();
                Arc::new(Distribution::mixed(parts.iter().map(|(part, weight)| (&**part, *weight))))
            }
        },
        Selection::Together(together) => Arc::new(Distribution::certain(answer_together(members, &together))),
    };
    Evaluation { healthy, distribution }
}

/// The members of a multivalue group that answer together.
fn answer_together(members: &[RecordSet], together: &[usize]) -> Outcome {
    let values = |member: &RecordSet| match &member.data {
        RecordData::Values { ttl, rdatas } => (*ttl, sorted(rdatas)),
        RecordData::Alias(_) => (Ttl::MAX, Arc::from([])), // refused by validation, R-43
    };
    let ttl = members.iter().map(|member| values(member).0).min().unwrap_or(Ttl(0));
    let mut sets: Vec<_> = together.iter().map(|&index| values(&members[index]).1).collect();
    if sets.len() <= policy::TOGETHER_MAX {
        let mut union: Vec<Rdata> = sets.iter().flat_map(|set| set.iter().cloned()).collect();
        union.sort_unstable();
        union.dedup();
        Outcome::Set(ttl, union.into())
    } else {
        sets.sort_unstable();
        Outcome::Choose(ttl, sets.into())
    }
}

/// Answers are compared as sets: one order for all.
fn sorted(rdatas: &Arc<[Rdata]>) -> Arc<[Rdata]> {
    if rdatas.is_sorted() {
        return rdatas.clone();
    }
    let mut sorted = rdatas.to_vec();
    sorted.sort_unstable();
    sorted.into()
}
