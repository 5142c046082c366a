//! Where aliases lead.

use std::collections::HashMap;

use super::Limits;
use super::view::View;
use crate::model::{AliasTarget, Name, Problem, RecordData, RecordSet, RecordType, Zone, ZoneId};
use crate::route53::label_of;

/// A group: zone, owner, type.
type Key<'z> = (&'z ZoneId, &'z Name, RecordType);

/// A group with aliases in it.
struct Node<'z> {
    key: Key<'z>,
    /// The first alias, to name in messages.
    alias: &'z RecordSet,
    /// Groups with aliases that an alias here leads to.
    targets: Vec<usize>,
    /// Groups with aliases that lead here.
    sources: Vec<usize>,
    /// Longest chain of hops from here.
    hops: usize,
}

/// Checks the length and the ends of every chain of aliases among finished zones.
pub(crate) fn check_chains<'z>(zones: impl Iterator<Item = &'z Zone>, limits: &Limits) -> Vec<Problem> {
    let views: Vec<View<'_>> = zones.map(View::Served).collect();
    let mut problems = Vec::new();
    check(&views, limits, &mut problems);
    problems
}

/// Checks every alias of all zones.
pub(super) fn check(zones: &[View<'_>], limits: &Limits, problems: &mut Vec<Problem>) {
    let by_id: HashMap<&ZoneId, &View<'_>> = zones.iter().map(|zone| (zone.id(), zone)).collect();
    let mut nodes: Vec<Node<'_>> = Vec::new();
    let mut index: HashMap<Key<'_>, usize> = HashMap::new();
    // Every alias with the node of its own group and its target's key.
    let mut edges: Vec<(usize, Key<'_>)> = Vec::new();
    for zone in zones {
        zone.visit(&mut |owner, record_type, set, written| {
            let RecordData::Alias(target) = &set.data else { return };
            if written {
                problems.extend(missing_target(owner, record_type, set, target, &by_id));
            }
            let key = (zone.id(), owner, record_type);
            let from = *index.entry(key).or_insert_with(|| {
                nodes.push(Node { key, alias: set, targets: Vec::new(), sources: Vec::new(), hops: 1 });
                nodes.len() - 1
            });
            edges.push((from, (&target.zone, &target.name, record_type)));
        });
    }
    for (from, target) in edges {
        if let Some(&to) = index.get(&target) {
            nodes[from].targets.push(to);
            nodes[to].sources.push(from);
        }
    }
    let looping = count_hops(&mut nodes);
    report(&nodes, &looping, limits, problems);
}

/// the target exists, with that very owner and type.
fn missing_target(
    owner: &Name,
    record_type: RecordType,
    set: &RecordSet,
    target: &AliasTarget,
    zones: &HashMap<&ZoneId, &View<'_>>,
) -> Option<Problem> {
    let label = label_of(owner, record_type, set.set_id.as_ref());
    let problem = |rule, what| Some(Problem::of_rule(set.source.clone(), rule, what));
    let Some(zone) = zones.get(&target.zone) else {
        let what = format!(
            "{label}: AliasTarget.HostedZoneId: {} is no zone served here; name one that is",
            target.zone
        );
        return problem("R-42", what);
    };
    if zone.has_group(&target.name, record_type) {
        return None;
    }
    let what = format!(
        "{label}: AliasTarget.DNSName: {} has no {record_type} record set in zone {}; add one or change the target",
        target.name,
        zone.apex()
    );
    problem("R-44", what)
}

/// Sets the hops of every node that leads out in the end; returns those that go round in circles.
///
/// Without recursion, since chains are as long as operators make them: nodes are settled from the targets backwards, and
/// what cannot be settled is on a loop or leads to one. The latter are then peeled off from the other side.
fn count_hops(nodes: &mut [Node<'_>]) -> Vec<bool> {
    let mut unsettled: Vec<usize> = nodes.iter().map(|node| node.targets.len()).collect();
    let mut ready: Vec<usize> = (0..nodes.len()).filter(|at| unsettled[*at] == 0).collect();
    let mut looping = vec![true; nodes.len()];
    while let Some(at) = ready.pop() {
        looping[at] = false;
        let hops = nodes[at].hops + 1;
        for from in nodes[at].sources.clone() {
            nodes[from].hops = nodes[from].hops.max(hops);
            unsettled[from] -= 1;
            if unsettled[from] == 0 {
                ready.push(from);
            }
        }
    }
    let count = |at: usize, looping: &[bool]| nodes[at].sources.iter().filter(|from| looping[**from]).count();
    let mut reached: Vec<usize> = (0..nodes.len()).map(|at| count(at, &looping)).collect();
    let mut ready: Vec<usize> = (0..nodes.len()).filter(|at| looping[*at] && reached[*at] == 0).collect();
    while let Some(at) = ready.pop() {
        looping[at] = false;
        for to in &nodes[at].targets {
            reached[*to] -= 1;
            if looping[*to] && reached[*to] == 0 {
                ready.push(*to);
            }
        }
    }
    looping
}

fn report(nodes: &[Node<'_>], looping: &[bool], limits: &Limits, problems: &mut Vec<Problem>) {
    for (at, node) in nodes.iter().enumerate() {
        let (_, owner, record_type) = node.key;
        let label = label_of(owner, record_type, node.alias.set_id.as_ref());
        let what = if looping[at] {
            let next = node.targets.iter().find(|to| looping[**to]).map(|to| nodes[*to].key.1);
            let next = next.map_or_else(String::new, |name| format!(", next to {name}"));
            format!("{label}: AliasTarget: leads back to itself in a loop{next}; break the loop")
        } else if node.hops > limits.alias_hops {
            let (hops, max) = (node.hops, limits.alias_hops);
            format!(
                "{label}: AliasTarget: {hops} hops from its records; at most {max} are allowed, by alias_hops of [limits]"
            )
        } else {
            continue;
        };
        problems.push(Problem::of_rule(node.alias.source.clone(), "R-46", what));
    }
}
