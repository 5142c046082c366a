//! The routing compiler: records and health become finished answers.
//!
//! The passes, in order: `graph` finds which group leads to which; every group is evaluated, targets first: in `decision`, `policy`
//! chooses among the members that health has left, which gives a [`Distribution`]; `plan` turns that into a decision one draw can
//! take. Aliases are gone by then, and so is health.
//!
//! A flip evaluates the groups that refer to the check, and then only those above whose input really changed.

mod answer;
mod classes;
mod columns;
mod decision;
mod distribution;
mod graph;
mod plan;
pub(crate) mod policy;
mod succeed;
mod whole;

#[cfg(test)]
pub(crate) mod random;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;
use smallvec::SmallVec;

pub use classes::{CLASSES_MAX, Clients, UNKNOWN};
use classes::{Classes, Partition};
pub use columns::Column;
use columns::Shapes;
pub(crate) use decision::{Decision, is_healthy, of_values};
pub use distribution::{Distribution, Outcome};
pub use graph::GroupIndex;
use graph::{Graph, Pending, Statuses};
pub use plan::{ANSWERS_MAX, Plan, Weights};
use policy::Members;
pub(crate) use policy::TOGETHER_MAX;
pub use succeed::Succession;

use crate::beside::Beside;
use crate::body::Body;
use crate::geo::GeoDb;
use crate::model::{CheckId, Name, RecordType, Snapshot, Zone, ZoneId};
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

/// What a group comes to under one health view, for clients it cannot tell apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    ///
    pub healthy: bool,
    /// Whether a group in last resort has a part in the answer: this one, or one that its answer may come from.
    pub last_resort: bool,
    /// The answers.
    pub distribution: Arc<Distribution>,
}

/// The status of a health check, an argument of the compiler; true for a check that does not exist.
pub type Health<'a> = &'a dyn Fn(&CheckId) -> bool;

/// Compiles a snapshot once, and then follows health group by group.
#[derive(Debug)]
pub struct Compiler {
    graph: Graph,
    classes: Classes,
    /// Of the groups that aliases lead to, one for each variant; nobody else's is asked for twice.
    evaluations: HashMap<GroupIndex, Evaluations, FixedState>,
    table: AnswerTable,
    findings: Vec<Finding>,
    /// The status under which each check was last looked at.
    statuses: Statuses,
    /// The zones, if answers are not minimal.
    full: BTreeMap<ZoneId, Arc<Zone>>,
}

impl Compiler {
    /// Compiles everything, nothing being known of any client.
    pub fn new(snapshot: &Snapshot, health: Health<'_>, generation: Generation) -> Self {
        Self::with_geo(snapshot, &GeoDb::default(), health, generation)
    }

    /// Compiles everything.
    pub fn with_geo(snapshot: &Snapshot, geo: &GeoDb, health: Health<'_>, generation: Generation) -> Self {
        let mut compiler = Self::begin(snapshot, geo, health, generation);
        let mut shapes = Shapes::default();
        for index in compiler.graph.in_order() {
            let evaluated = compiler.evaluate(index, &mut shapes);
            compiler.take_up(index, evaluated);
        }
        compiler
    }

    /// Everything but the evaluations.
    fn begin(snapshot: &Snapshot, geo: &GeoDb, health: Health<'_>, generation: Generation) -> Self {
        let graph = Graph::new(snapshot);
        let classes = Classes::new(snapshot, &graph, geo);
        let groups = graph.indices().map(|index| {
            let node = &graph[index];
            (index, &node.zone, &node.owner, node.rtype)
        });
        let table = AnswerTable::new(snapshot, groups, classes.clients.clone(), generation);
        let statuses = graph.statuses(health);
        let full = if snapshot.full_responses { snapshot.zones.clone() } else { BTreeMap::new() };
        Self { graph, classes, evaluations: HashMap::default(), table, findings: Vec::new(), statuses, full }
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
        for check in changed {
            if let Some(number) = self.graph.check(check) {
                self.statuses[number] = health(check);
            }
        }
        let mut pending = self.referring_to(changed);
        let (mut touched, mut shapes) = (Vec::new(), Shapes::default());
        while let Some(rank) = pending.take_rank() {
            for index in rank {
                let evaluated = self.evaluate(index, &mut shapes);
                let change = self.take_up(index, evaluated);
                if change.for_parents {
                    pending.add_parents(&self.graph, index);
                }
                if change.of_plan {
                    touched.push(index);
                }
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

    /// The exact distribution of a group for a class of clients, under the health that was last told (routing specification, section 9).
    pub fn distribution(&self, index: GroupIndex, class: u16) -> Arc<Distribution> {
        self.evaluate_for(index, class).distribution
    }

    /// What a group comes to under the health that was last told, for each set of clients it tells apart: one if clients do not matter.
    pub fn evaluations(&self, index: GroupIndex) -> Vec<Evaluation> {
        let representatives =
            self.classes.partition(index).map_or(&[UNKNOWN][..], |partition| &partition.representatives);
        representatives.iter().map(|&class| self.evaluate_for(index, class)).collect()
    }

    /// The groups that refer to one of these checks themselves.
    fn referring_to(&self, checks: &[CheckId]) -> Pending {
        let mut pending = Pending::default();
        let numbers = checks.iter().filter_map(|check| self.graph.check(check));
        for &index in numbers.flat_map(|check| self.graph.with_check(check)) {
            pending.add(&self.graph, index);
        }
        pending
    }

    /// Every group whose answer may depend on one of these checks, targets before those that lead to them.
    pub fn dependents(&self, checks: &[CheckId]) -> Vec<GroupIndex> {
        let mut pending = self.referring_to(checks);
        let mut dependents = Vec::new();
        while let Some(rank) = pending.take_rank() {
            rank.iter().for_each(|&index| pending.add_parents(&self.graph, index));
            dependents.extend(rank);
        }
        dependents
    }

    /// Whether there were more classes of clients than can be told apart; the clients beyond are answered as unknown ones.
    pub fn classes_overflown(&self) -> bool {
        self.classes.overflown
    }

    fn evaluate(&self, index: GroupIndex, shapes: &mut Shapes) -> Evaluated {
        let partition = self.classes.partition(index);
        let representatives: &[u16] = partition.map_or(&[UNKNOWN], |partition| &partition.representatives);
        let evaluations: Evaluations =
            representatives.iter().map(|&class| self.evaluate_for(index, class)).collect();
        let node = &self.graph[index];
        let nodata = || self.table.nodata(&node.zone);
        let beside = self.full.get(&node.zone).map(|zone| Beside { zone, owner: &node.owner });
        let mut prepare = |evaluation: &Evaluation| {
            Plan::of(&evaluation.distribution, node.rtype, nodata, beside.as_ref(), shapes)
        };
        let plan = match partition {
            None => prepare(&evaluations[0]),
            Some(Partition { number, .. }) => evaluations
                .iter()
                .map(prepare)
                .collect::<Option<_>>()
                .map(|variants| Arc::new(Plan::ByClient { partition: *number, variants })),
        };
        Evaluated { evaluations, plan }
    }

    /// Keeps what an evaluation came to.
    fn take_up(&mut self, index: GroupIndex, evaluated: Evaluated) -> Change {
        let node = &self.graph[index];
        let plan = evaluated.plan.unwrap_or_else(|| {
            let finding = Finding {
                zone: node.zone.clone(),
                owner: node.owner.clone(),
                rtype: node.rtype,
                what: format!("more than {ANSWERS_MAX} possible answers; nest fewer weighted groups"),
            };
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
            Arc::new(Plan::Fixed(Arc::new(Body::empty(crate::body::rcode::SERVFAIL, false))))
        });
        let for_parents = node.is_target() && self.evaluations.get(&index) != Some(&evaluated.evaluations);
        if for_parents {
            self.evaluations.insert(index, evaluated.evaluations);
        }
        Change { for_parents, of_plan: self.table.set_plan(index, plan) }
    }

    /// One group for one class, given those its aliases lead to (routing specification, section 9).
    fn evaluate_for(&self, index: GroupIndex, class: u16) -> Evaluation {
        let node = &self.graph[index];
        let target = |member: usize| {
            let target = node.target(member)?;
            self.evaluations.get(&target)?.get(self.classes.variant(target, class))
        };
        let all: Members;
        let applicable = match self.classes.order(index, class) {
            Some(applicable) => applicable,
            None => {
                all = (0..node.group.members.len()).collect();
                &all
            }
        };
        let healthy = |member: usize| {
            let target_healthy = || target(member).is_some_and(|target| target.healthy);
            let status = |_: &CheckId| node.check(member).is_none_or(|check| self.statuses[check]);
            is_healthy(&node.group.members[member], target_healthy, status)
        };
        let decision = Decision::of(&node.group, applicable, healthy);
        let of_member =
            |member: usize| node.of_values(member).or_else(|| Some(target(member)?.distribution.clone()));
        let distribution = decision.distribution(&node.group, &of_member);
        let below = || decision.selection.members().any(|index| target(index).is_some_and(|t| t.last_resort));
        let last_resort = decision.is_last_resort() || below();
        Evaluation { healthy: decision.healthy, last_resort, distribution }
    }
}

/// One for each variant.
type Evaluations = SmallVec<[Evaluation; 1]>;

/// What a group comes to.
struct Evaluated {
    evaluations: Evaluations,
    /// None if there are too many possible answers.
    plan: Option<Arc<Plan>>,
}

/// What an evaluation changed.
struct Change {
    /// The group's health or distribution: whoever leads to it must look again.
    for_parents: bool,
    /// The group's own answers.
    of_plan: bool,
}
