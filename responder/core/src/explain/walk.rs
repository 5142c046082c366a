//! The walk itself, exact: every group that an answer may come from, with what each decides.

use std::collections::HashMap;
use std::sync::Arc;

use crate::compile::{Decision, Distribution, Health, is_healthy, of_values, policy};
use crate::geo::Client;
use crate::model::{AliasTarget, Name, RRsetGroup, RecordData, RecordType, Snapshot, Zone};

/// A group and what it decides for one client.
#[derive(Debug)]
pub(super) struct Step<'s> {
    pub(super) zone: &'s Zone,
    pub(super) owner: &'s Name,
    pub(super) rtype: RecordType,
    pub(super) group: &'s RRsetGroup,
    /// Members that may answer this client, in order of preference.
    pub(super) applicable: Vec<usize>,
    /// Of all members, applicable or not.
    pub(super) healthy: Vec<bool>,
    /// Of members that are aliases with a target, its step.
    pub(super) targets: Vec<Option<usize>>,
    pub(super) decision: Decision,
    pub(super) distribution: Arc<Distribution>,
}

/// Walks from a group through all aliases; the group itself is the first step, and each group is one step however often it is
/// reached. None if there is no such group.
pub(super) fn walk<'s>(
    snapshot: &'s Snapshot,
    client: &Client,
    health: Health<'_>,
    zone: &'s Zone,
    owner: &Name,
    rtype: RecordType,
) -> Option<Vec<Step<'s>>> {
    let mut walk = Walk { snapshot, client, health, steps: Vec::new(), seen: HashMap::new() };
    walk.visit(zone, owner, rtype)?;
    Some(walk.steps.into_iter().flatten().collect())
}

struct Walk<'s, 'a> {
    snapshot: &'s Snapshot,
    client: &'a Client,
    health: Health<'a>,
    /// None while its targets are being visited.
    steps: Vec<Option<Step<'s>>>,
    seen: HashMap<*const RRsetGroup, usize>,
}

impl<'s> Walk<'s, '_> {
    /// The step of a group; none if it is missing, or is being visited already, which comes to the same.
    fn visit(&mut self, zone: &'s Zone, owner: &Name, rtype: RecordType) -> Option<usize> {
        let ((owner, _), group) = zone.groups.get_key_value(&(owner.clone(), rtype))?;
        let group = &**group;
        if let Some(&at) = self.seen.get(&std::ptr::from_ref(group)) {
            return self.steps[at].is_some().then_some(at);
        }
        let at = self.steps.len();
        self.seen.insert(group, at);
        self.steps.push(None);
        // Validation bounds the depth of this recursion.
        let targets: Vec<Option<usize>> =
            group.members.iter().map(|member| self.target(&member.data, rtype)).collect();
        let of = |index: usize| targets[index].and_then(|target| self.steps[target].as_ref());
        let target_healthy = |index: usize| of(index).is_some_and(|step: &Step<'_>| step.decision.healthy);
        let healthy = |index: usize| is_healthy(&group.members[index], || target_healthy(index), self.health);
        let healthy: Vec<bool> = (0..group.members.len()).map(healthy).collect();
        let applicable = policy::order(group, self.client);
        let decision = Decision::of(group, &applicable, |index| healthy[index]);
        let of_member =
            |index: usize| of_values(&group.members[index]).or_else(|| Some(of(index)?.distribution.clone()));
        let distribution = decision.distribution(group, &of_member);
        self.steps[at] =
            Some(Step { zone, owner, rtype, group, applicable, healthy, targets, decision, distribution });
        Some(at)
    }

    fn target(&mut self, data: &RecordData, rtype: RecordType) -> Option<usize> {
        let RecordData::Alias(AliasTarget { zone, name, .. }) = data else { return None };
        let snapshot = self.snapshot;
        self.visit(snapshot.zones.get(zone)?, name, rtype)
    }
}
