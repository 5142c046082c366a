//! The routing compiler: records and health become finished answers.
//!
//! The passes, in order: `graph` finds which group leads to which; every group is evaluated, targets first: `policy`
//! chooses among the members that health has left, which gives a [`Distribution`]; `plan` turns that into a decision one draw can
//! take. Aliases are gone by then, and so is health.
//!
//! A flip evaluates the groups that refer to the check, and then only those above whose input really changed.

mod distribution;
mod graph;
mod plan;
mod policy;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

pub use distribution::{Distribution, Outcome};
pub use graph::GroupIndex;
use graph::{Graph, Node, Pending};
pub use plan::{ANSWERS_MAX, Column, Plan, Weights};
use policy::Selection;

use crate::body::Body;
use crate::model::{
    CheckId, Name, PolicyKind, Rdata, RecordData, RecordSet, RecordType, Snapshot, Ttl, ZoneId,
};
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
    /// Of the groups that aliases lead to; nobody else's is asked for twice.
    evaluations: HashMap<GroupIndex, Evaluation>,
    table: AnswerTable,
    findings: Vec<Finding>,
}

impl Compiler {
    /// Compiles everything.
    pub fn new(snapshot: &Snapshot, health: Health<'_>, generation: Generation) -> Self {
        let graph = Graph::new(snapshot);
        let groups = graph.indices().map(|index| {
            let node = &graph[index];
            (index, &node.zone, &node.owner, node.rtype)
        });
        let table = AnswerTable::new(snapshot, groups, generation);
        let mut compiler = Self { graph, evaluations: HashMap::new(), table, findings: Vec::new() };
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

    /// The exact distribution of a group under a health view (routing specification, section 9).
    pub fn distribution(&self, index: GroupIndex, health: Health<'_>) -> Arc<Distribution> {
        evaluate(&self.graph[index], &self.evaluations, health).distribution
    }

    fn evaluate(&mut self, index: GroupIndex, health: Health<'_>) -> Change {
        let node = &self.graph[index];
        let evaluation = evaluate(node, &self.evaluations, health);
        let plan = match unsupported(node.group.policy()) {
            Some(what) => Err(what.to_owned()),
            None => Plan::prepare(&evaluation.distribution, node.rtype, self.table.nodata(&node.zone))
                .ok_or_else(|| {
                    format!("more than {ANSWERS_MAX} possible answers; nest fewer weighted groups")
                }),
        };
        let plan = plan.unwrap_or_else(|what| {
            let finding =
                Finding { zone: node.zone.clone(), owner: node.owner.clone(), rtype: node.rtype, what };
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
            Plan::Fixed(Arc::new(Body::empty(crate::body::rcode::SERVFAIL, false)))
        });
        let for_parents = node.is_target() && self.evaluations.get(&index) != Some(&evaluation);
        if for_parents {
            self.evaluations.insert(index, evaluation);
        }
        Change { for_parents, of_plan: self.table.set_plan(index, plan) }
    }
}

/// What an evaluation changed.
struct Change {
    /// The group's health or distribution: whoever leads to it must look again.
    for_parents: bool,
    /// The group's own answers.
    of_plan: bool,
}

/// Why a policy cannot be compiled yet.
fn unsupported(policy: PolicyKind) -> Option<&'static str> {
    match policy {
        PolicyKind::Simple | PolicyKind::Weighted | PolicyKind::Failover | PolicyKind::Multivalue => None,
        PolicyKind::Latency | PolicyKind::Geolocation | PolicyKind::Cidr | PolicyKind::Geoproximity => {
            Some("policies that depend on the client's location are not answered by this version yet")
        }
    }
}

/// One group, given those its aliases lead to (routing specification, section 9).
fn evaluate(node: &Node, evaluations: &HashMap<GroupIndex, Evaluation>, health: Health<'_>) -> Evaluation {
    let members = &node.group.members;
    let target = |index: usize| node.target(index).and_then(|target| evaluations.get(&target));
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
    let mut pool: Vec<usize> = members
        .iter()
        .enumerate()
        .filter(|&(index, member)| is_healthy(index, member))
        .map(|(index, _)| index)
        .collect();
    let healthy = !pool.is_empty();
    if !healthy {
        pool = (0..members.len()).collect(); // last resort, R-56
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
