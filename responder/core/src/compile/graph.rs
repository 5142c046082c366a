//! The groups of a snapshot as a graph: who leads to whom through aliases, and which groups a health check touches.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::sync::Arc;

use smallvec::SmallVec;

use super::Health;
use super::decision::of_values;
use super::distribution::Distribution;
use crate::model::{
    CheckId, Name, PolicyKind, RRsetGroup, RecordData, RecordSet, RecordType, Snapshot, ZoneId,
};

/// A group's place in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupIndex(pub u32);

/// One group with its edges.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) zone: ZoneId,
    pub(super) owner: Name,
    pub(super) rtype: RecordType,
    pub(super) group: Arc<RRsetGroup>,
    /// For each member its check.
    checks: SmallVec<[Option<CheckNumber>; 4]>,
    /// For each member that is an alias with an existing target, the target; empty if no member is an alias.
    targets: Box<[Option<GroupIndex>]>,
    /// What each member comes to by itself; empty if there is no choice between members.
    values: Box<[Option<Arc<Distribution>>]>,
    /// Groups with an alias to this one.
    parents: Vec<GroupIndex>,
    /// Above the rank of every target, so that ascending rank is a valid order of evaluation.
    rank: u32,
}

impl Node {
    /// The check of a member.
    pub(super) fn check(&self, member: usize) -> Option<CheckNumber> {
        self.checks.get(member).copied().flatten()
    }

    /// The target of a member, if it is an alias whose target exists.
    pub(super) fn target(&self, member: usize) -> Option<GroupIndex> {
        self.targets.get(member).copied().flatten()
    }

    /// What a member with values comes to.
    pub(super) fn of_values(&self, member: usize) -> Option<Arc<Distribution>> {
        match self.values.get(member) {
            Some(prepared) => prepared.clone(),
            None => of_values(&self.group.members[member]),
        }
    }

    /// The existing targets of all members.
    pub(super) fn targets(&self) -> impl Iterator<Item = GroupIndex> {
        self.targets.iter().flatten().copied()
    }

    /// Whether any member is an alias, with a target or without.
    pub(super) fn has_aliases(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Zone, owner and type: nodes are in this order.
    pub(super) fn key(&self) -> (&ZoneId, &Name, RecordType) {
        (&self.zone, &self.owner, self.rtype)
    }

    /// Whether another group's answer depends on this one.
    pub(super) fn is_target(&self) -> bool {
        !self.parents.is_empty()
    }
}

/// A check that some group refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CheckNumber(NonZeroU32);

impl CheckNumber {
    fn of_index(index: usize) -> Self {
        Self(NonZeroU32::MIN.saturating_add(index as u32))
    }

    fn index(self) -> usize {
        (self.0.get() - 1) as usize
    }
}

/// A status for each check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statuses(Vec<bool>);

impl std::ops::Index<CheckNumber> for Statuses {
    type Output = bool;

    fn index(&self, check: CheckNumber) -> &bool {
        &self.0[check.index()]
    }
}

impl std::ops::IndexMut<CheckNumber> for Statuses {
    fn index_mut(&mut self, check: CheckNumber) -> &mut bool {
        &mut self.0[check.index()]
    }
}

/// All groups of a snapshot.
#[derive(Debug)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    checks: Checks,
}

/// All checks that groups refer to.
#[derive(Debug, Default)]
struct Checks {
    numbers: HashMap<CheckId, CheckNumber>,
    /// For each check the groups that refer to it, ascending.
    referring: Vec<Vec<GroupIndex>>,
}

impl Checks {
    /// The check that a group refers to by this id.
    fn refer(&mut self, id: &CheckId, from: GroupIndex) -> CheckNumber {
        let number = match self.numbers.get(id) {
            Some(&number) => number,
            None => {
                let number = CheckNumber::of_index(self.referring.len());
                self.referring.push(Vec::new());
                self.numbers.insert(id.clone(), number);
                number
            }
        };
        let referring = &mut self.referring[number.index()];
        if referring.last() != Some(&from) {
            referring.push(from);
        }
        number
    }
}

/// A key that finds a group: zone, owner and type.
type GroupKey<'a> = (&'a ZoneId, &'a Name, RecordType);

impl Graph {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let groups = || {
            snapshot.zones.values().flat_map(|zone| {
                zone.groups.iter().map(move |((owner, rtype), group)| ((&zone.id, owner, *rtype), group))
            })
        };
        let has_aliases =
            |group: &RRsetGroup| group.members.iter().any(|m| matches!(m.data, RecordData::Alias(_)));
        // Only groups that some alias names need to be found by key.
        let named: BTreeSet<GroupKey<'_>> = groups()
            .flat_map(|((_, _, rtype), group)| {
                group.members.iter().filter_map(move |member| match &member.data {
                    RecordData::Alias(target) => Some((&target.zone, &target.name, rtype)),
                    RecordData::Values { .. } => None,
                })
            })
            .collect();
        let mut by_key: HashMap<GroupKey<'_>, GroupIndex> = HashMap::new();
        let mut checks = Checks::default();
        let mut nodes = Vec::new();
        for (index, (key, group)) in groups().enumerate() {
            let index = GroupIndex(index as u32);
            if named.contains(&key) {
                by_key.insert(key, index);
            }
            let checked = |member: &RecordSet| Some(checks.refer(member.check.as_ref()?, index));
            let of_members = group.members.iter().map(checked).collect();
            nodes.push(Node {
                zone: key.0.clone(),
                owner: key.1.clone(),
                rtype: key.2,
                group: group.clone(),
                checks: of_members,
                targets: Box::default(),
                values: prepared(group),
                parents: Vec::new(),
                rank: 0,
            });
        }
        let mut graph = Self { nodes, checks };
        let with_aliases: Vec<GroupIndex> =
            graph.indices().filter(|&index| has_aliases(&graph[index].group)).collect();
        for &index in &with_aliases {
            let node = &graph[index];
            let targets: Box<[_]> = node
                .group
                .members
                .iter()
                .map(|member| match &member.data {
                    RecordData::Alias(target) => {
                        by_key.get(&(&target.zone, &target.name, node.rtype)).copied()
                    }
                    RecordData::Values { .. } => None,
                })
                .collect();
            for target in targets.iter().flatten().copied().collect::<BTreeSet<_>>() {
                graph.nodes[target.0 as usize].parents.push(index);
            }
            graph.nodes[index.0 as usize].targets = targets;
        }
        graph.rank(&with_aliases);
        graph
    }

    /// Gives every group with aliases a rank above its targets'. An edge that would close a cycle, which validation refuses
    /// is cut: its target counts as missing.
    fn rank(&mut self, with_aliases: &[GroupIndex]) {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            Open,
            Done,
        }
        let mut marks: HashMap<GroupIndex, Mark> = HashMap::new();
        for &root in with_aliases {
            // A stack of (group, next member to look at): the depth of alias trees must not become the depth of ours.
            let mut stack = vec![(root, 0)];
            while let Some((index, member)) = stack.pop() {
                if member == 0 {
                    if marks.contains_key(&index) {
                        continue;
                    }
                    marks.insert(index, Mark::Open);
                }
                let Some(&target) = self[index].targets.get(member) else {
                    let above =
                        self[index].targets.iter().flatten().map(|&target| self[target].rank + 1).max();
                    self.nodes[index.0 as usize].rank = above.unwrap_or(0);
                    marks.insert(index, Mark::Done);
                    continue;
                };
                stack.push((index, member + 1));
                if let Some(target) = target {
                    match marks.get(&target) {
                        None => stack.push((target, 0)),
                        Some(Mark::Done) => {}
                        Some(Mark::Open) => self.nodes[index.0 as usize].targets[member] = None,
                    }
                }
            }
        }
    }

    pub(super) fn indices(&self) -> impl ExactSizeIterator<Item = GroupIndex> + use<> {
        (0..self.nodes.len() as u32).map(GroupIndex)
    }

    /// Every group, targets before those that lead to them.
    pub(super) fn in_order(&self) -> Vec<GroupIndex> {
        let mut order: Vec<GroupIndex> = self.indices().collect();
        order.sort_by_key(|&index| self[index].rank);
        order
    }

    /// Every check that a group refers to.
    pub(super) fn checks(&self) -> impl Iterator<Item = (&CheckId, CheckNumber)> {
        self.checks.numbers.iter().map(|(id, &number)| (id, number))
    }

    /// A check that a group refers to.
    pub(super) fn check(&self, id: &CheckId) -> Option<CheckNumber> {
        self.checks.numbers.get(id).copied()
    }

    /// The statuses of all checks under a health view.
    pub(super) fn statuses(&self, health: Health<'_>) -> Statuses {
        let mut statuses = Statuses(vec![true; self.checks.referring.len()]);
        self.checks().for_each(|(id, number)| statuses[number] = health(id));
        statuses
    }

    /// The groups that refer to a check directly.
    pub(super) fn with_check(&self, check: CheckNumber) -> &[GroupIndex] {
        &self.checks.referring[check.index()]
    }
}

impl std::ops::Index<GroupIndex> for Graph {
    type Output = Node;

    fn index(&self, index: GroupIndex) -> &Node {
        &self.nodes[index.0 as usize]
    }
}

/// What the members of a group come to, if health or clients choose among them.
fn prepared(group: &RRsetGroup) -> Box<[Option<Arc<Distribution>>]> {
    match group.policy() {
        PolicyKind::Simple | PolicyKind::Multivalue => Box::default(),
        _ => group.members.iter().map(of_values).collect(),
    }
}

/// Groups still to be evaluated, taken in ascending rank; each once.
#[derive(Debug, Default)]
pub(super) struct Pending(BTreeMap<u32, Vec<GroupIndex>>);

impl Pending {
    pub(super) fn add(&mut self, graph: &Graph, index: GroupIndex) {
        self.0.entry(graph[index].rank).or_default().push(index);
    }

    pub(super) fn add_parents(&mut self, graph: &Graph, index: GroupIndex) {
        for &parent in &graph[index].parents {
            self.add(graph, parent);
        }
    }

    /// All groups of the lowest rank.
    pub(super) fn take_rank(&mut self) -> Option<Vec<GroupIndex>> {
        let (_, mut groups) = self.0.pop_first()?;
        groups.sort_unstable();
        groups.dedup();
        Some(groups)
    }
}
