//! Client classes: clients that no group can tell apart share one.
//!
//! Groups whose members are for the same places form one [`Arrangement`]. A class is what all arrangements together make of a client; a
//! group sees of it only what the arrangements reachable from it make: its [`Partition`] of the classes into variants.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use super::graph::{Graph, GroupIndex};
use super::policy;
use crate::geo::{ClientMap, GeoDb, Network, classify};
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
#[derive(Debug)]
pub(super) struct Partition {
    /// Its number in [`Clients`].
    pub(super) number: u32,
    /// For each variant, one of its classes.
    pub(super) representatives: Box<[u16]>,
}

/// All that tells which variant of an answer a client gets. It follows from declarations and databases alone, not from health.
#[derive(Debug, PartialEq, Eq)]
pub struct Clients {
    /// The class of every client network.
    pub map: ClientMap,
    /// For each partition, the variant of every class.
    pub partitions: Vec<Box<[u16]>>,
}

impl Clients {
    /// All clients alike; the map in it has a size, so all who divide no clients share it.
    pub fn alike() -> Arc<Self> {
        static ALIKE: LazyLock<Arc<Clients>> =
            LazyLock::new(|| Arc::new(Clients { map: ClientMap::uniform(UNKNOWN), partitions: Vec::new() }));
        ALIKE.clone()
    }

    /// The variant that a client gets where the classes are divided by this partition.
    pub fn variant(&self, partition: u32, client: Network) -> usize {
        self.variant_of_class(partition, self.map.class_of_network(client))
    }

    /// The variant of a class.
    pub fn variant_of_class(&self, partition: u32, class: u16) -> usize {
        let variants = self.partitions.get(partition as usize);
        variants.and_then(|of_class| of_class.get(usize::from(class))).copied().unwrap_or_default().into()
    }
}

/// The classes of all clients, as the groups of one snapshot see them.
#[derive(Debug)]
pub(super) struct Classes {
    pub(super) clients: Arc<Clients>,
    arrangements: Vec<Arrangement>,
    /// Of the groups that depend on the client themselves.
    arrangement_of: HashMap<GroupIndex, usize>,
    partitions: Vec<Partition>,
    /// Of the groups from which an arrangement is reachable.
    partition_of: HashMap<GroupIndex, usize>,
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
            clients: Clients::alike(),
            arrangements: groups.iter().map(|_| Arrangement::default()).collect(),
            arrangement_of,
            partitions: Vec::new(),
            partition_of: HashMap::new(),
            overflown: false,
        };
        if !groups.is_empty() {
            let map = classes.classify(snapshot, geo, &groups);
            let partitions = classes.find_partitions(graph);
            classes.clients = Arc::new(Clients { map, partitions });
        }
        classes
    }

    /// Divides the clients: one class for each combination of orders.
    fn classify(&mut self, snapshot: &Snapshot, geo: &GeoDb, groups: &[&RRsetGroup]) -> ClientMap {
        let mut numbers: Vec<HashMap<Box<[usize]>, u16>> = groups.iter().map(|_| HashMap::new()).collect();
        let mut class_of: HashMap<Box<[u16]>, u16> = HashMap::new();
        let (arrangements, overflown) = (&mut self.arrangements, &mut self.overflown);
        classify(geo, &snapshot.collections, &mut |client| {
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
        })
    }

    /// Finds which arrangements are reachable from each group, targets first. Gives the variants by class of each partition.
    fn find_partitions(&mut self, graph: &Graph) -> Vec<Box<[u16]>> {
        let mut variants = Vec::new();
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
                let (of_class, representatives) = partition(&self.arrangements, &set);
                self.partitions.push(Partition { number: variants.len() as u32, representatives });
                variants.push(of_class);
                self.partitions.len() - 1
            });
            self.partition_of.insert(index, number);
            reachable.insert(index, set);
        }
        variants
    }

    /// The members that may answer clients of a class, in order of preference; none: all, whoever asks.
    pub(super) fn order(&self, index: GroupIndex, class: u16) -> Option<&[usize]> {
        let arrangement = &self.arrangements[*self.arrangement_of.get(&index)?];
        let order = arrangement.of_class.get(usize::from(class)).copied().unwrap_or_default();
        arrangement.orders.get(usize::from(order)).map(|order| &**order)
    }

    /// How a group sees the classes; none: all alike.
    pub(super) fn partition(&self, index: GroupIndex) -> Option<&Partition> {
        self.partition_of.get(&index).map(|&partition| &self.partitions[partition])
    }

    /// The variant of a group that answers a class.
    pub(super) fn variant(&self, index: GroupIndex, class: u16) -> usize {
        self.partition(index).map_or(0, |partition| self.clients.variant_of_class(partition.number, class))
    }
}

/// Joins some arrangements: classes for which all of them have the same orders are one variant.
/// The variant of every class, and a class of every variant.
fn partition(arrangements: &[Arrangement], set: &BTreeSet<usize>) -> (Box<[u16]>, Box<[u16]>) {
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
    (of_class, representatives.into())
}

/// Whether a policy looks at where the client is.
fn depends_on_client(policy: PolicyKind) -> bool {
    match policy {
        PolicyKind::Latency | PolicyKind::Geolocation | PolicyKind::Cidr | PolicyKind::Geoproximity => true,
        PolicyKind::Simple | PolicyKind::Weighted | PolicyKind::Failover | PolicyKind::Multivalue => false,
    }
}
