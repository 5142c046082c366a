//! Client classes: clients that no group can tell apart share one.
//!
//! Groups whose members are for the same places form one [`Arrangement`]. A class is what all arrangements together make of a client; a
//! group sees of it only what the arrangements reachable from it make, its [`Domain`].

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::graph::{Graph, GroupIndex};
use super::policy;
use crate::geo::{ClientMap, GeoDb, classify};
use crate::model::{PolicyKind, RRsetGroup, RoutingPolicy, SetId, Snapshot};

/// The most classes there can be; clients beyond share the class of the unknown client.
pub const CLASSES_MAX: usize = u16::MAX as usize;

/// The class of the client of whom nothing is known.
pub const UNKNOWN: u16 = 0;

/// One way in which groups are divided among clients.
#[derive(Debug, Default)]
struct Arrangement {
    /// The different orders of members, applicable ones only.
    orders: Vec<Box<[usize]>>,
    /// For each class, an index into `orders`.
    of_class: Vec<u16>,
}

/// What a set of arrangements makes of the classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// For each class, the variant.
    pub of_class: Arc<[u16]>,
    /// For each variant, one of its classes.
    pub representatives: Box<[u16]>,
}

/// The classes of all clients, as the groups of one snapshot see them.
#[derive(Debug)]
pub(super) struct Classes {
    pub(super) map: Arc<ClientMap>,
    arrangements: Vec<Arrangement>,
    /// Of the groups that depend on the client themselves.
    arrangement_of: HashMap<GroupIndex, usize>,
    domains: Vec<Domain>,
    /// Of the groups from which an arrangement is reachable.
    domain_of: HashMap<GroupIndex, usize>,
    /// Whether there were more classes than [`CLASSES_MAX`].
    pub(super) overflown: bool,
}

/// What two groups must share to be divided among clients in the same way: policies, and the set identifiers that break ties.
type Key<'a> = Vec<(&'a RoutingPolicy, Option<&'a SetId>)>;

impl Classes {
    pub(super) fn new(snapshot: &Snapshot, graph: &Graph, geo: &GeoDb) -> Self {
        let mut by_key: HashMap<Key<'_>, usize> = HashMap::new();
        let mut groups: Vec<&RRsetGroup> = Vec::new();
        let mut arrangement_of = HashMap::new();
        for index in graph.indices().filter(|&index| depends_on_client(graph[index].group.policy())) {
            let group = &*graph[index].group;
            let key = group.members.iter().map(|member| (&member.policy, member.set_id.as_ref())).collect();
            let arrangement = *by_key.entry(key).or_insert_with(|| {
                groups.push(group);
                groups.len() - 1
            });
            arrangement_of.insert(index, arrangement);
        }
        let mut classes = Self {
            map: Arc::new(ClientMap::uniform(UNKNOWN)),
            arrangements: groups.iter().map(|_| Arrangement::default()).collect(),
            arrangement_of,
            domains: Vec::new(),
            domain_of: HashMap::new(),
            overflown: false,
        };
        if !groups.is_empty() {
            classes.classify(snapshot, geo, &groups);
            classes.find_domains(graph);
        }
        classes
    }

    /// Divides the clients: one class for each combination of orders.
    fn classify(&mut self, snapshot: &Snapshot, geo: &GeoDb, groups: &[&RRsetGroup]) {
        let mut numbers: Vec<HashMap<Box<[usize]>, u16>> = groups.iter().map(|_| HashMap::new()).collect();
        let mut class_of: HashMap<Box<[u16]>, u16> = HashMap::new();
        let (arrangements, overflown) = (&mut self.arrangements, &mut self.overflown);
        let map = classify(geo, &snapshot.collections, &mut |client| {
            let combination: Box<[u16]> = groups
                .iter()
                .zip(&mut numbers)
                .zip(arrangements.iter_mut())
                .map(|((group, numbers), arrangement)| {
                    let order: Box<[usize]> = policy::order(group, client).into();
                    let next = numbers.len() as u16;
                    *numbers.entry(order).or_insert_with_key(|order| {
                        arrangement.orders.push(order.clone());
                        next
                    })
                })
                .collect();
            let next = class_of.len();
            if let Some(&class) = class_of.get(&combination) {
                return class;
            }
            if next >= CLASSES_MAX {
                *overflown = true;
                return UNKNOWN;
            }
            for (arrangement, &order) in arrangements.iter_mut().zip(&combination) {
                arrangement.of_class.push(order);
            }
            class_of.insert(combination, next as u16);
            next as u16
        });
        self.map = Arc::new(map);
    }

    /// Finds which arrangements are reachable from each group, targets first.
    fn find_domains(&mut self, graph: &Graph) {
        let mut reachable: HashMap<GroupIndex, BTreeSet<usize>> = HashMap::new();
        let mut numbers: HashMap<BTreeSet<usize>, usize> = HashMap::new();
        for index in graph.in_order() {
            let mut set: BTreeSet<usize> = self.arrangement_of.get(&index).copied().into_iter().collect();
            for target in graph[index].targets() {
                set.extend(reachable.get(&target).into_iter().flatten());
            }
            if set.is_empty() {
                continue;
            }
            let number = *numbers.entry(set.clone()).or_insert_with(|| {
                self.domains.push(domain(&self.arrangements, &set));
                self.domains.len() - 1
            });
            self.domain_of.insert(index, number);
            reachable.insert(index, set);
        }
    }

    /// The members that may answer clients of a class, in order of preference; none: all, whoever asks.
    pub(super) fn order(&self, index: GroupIndex, class: u16) -> Option<&[usize]> {
        let arrangement = &self.arrangements[*self.arrangement_of.get(&index)?];
        let order = arrangement.of_class.get(usize::from(class)).copied().unwrap_or_default();
        arrangement.orders.get(usize::from(order)).map(|order| &**order)
    }

    /// How a group sees the classes; none: all alike.
    pub(super) fn domain(&self, index: GroupIndex) -> Option<&Domain> {
        self.domain_of.get(&index).map(|&domain| &self.domains[domain])
    }

    /// The variant of a group that answers a class.
    pub(super) fn variant(&self, index: GroupIndex, class: u16) -> usize {
        let variant = self.domain(index).and_then(|domain| domain.of_class.get(usize::from(class)));
        variant.copied().unwrap_or_default().into()
    }
}

/// Joins some arrangements: classes for which all of them have the same orders are one variant.
fn domain(arrangements: &[Arrangement], set: &BTreeSet<usize>) -> Domain {
    let classes = set.first().map_or(0, |&first| arrangements[first].of_class.len());
    let mut numbers: HashMap<Vec<u16>, u16> = HashMap::new();
    let mut representatives = Vec::new();
    let of_class = (0..classes)
        .map(|class| {
            let combination = set.iter().map(|&index| arrangements[index].of_class[class]).collect();
            *numbers.entry(combination).or_insert_with(|| {
                representatives.push(class as u16);
                representatives.len() as u16 - 1
            })
        })
        .collect();
    Domain { of_class, representatives: representatives.into() }
}

/// Whether a policy looks at where the client is.
fn depends_on_client(policy: PolicyKind) -> bool {
    match policy {
        PolicyKind::Latency | PolicyKind::Geolocation | PolicyKind::Cidr | PolicyKind::Geoproximity => true,
        PolicyKind::Simple | PolicyKind::Weighted | PolicyKind::Failover | PolicyKind::Multivalue => false,
    }
}
