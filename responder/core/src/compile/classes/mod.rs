//! Client classes: clients that no group can tell apart share one.
//!
//! Groups whose members are for the same places form one [`Arrangement`]. A class is what all arrangements together make of a client; a
//! group sees of it only what the arrangements reachable from it make: its [`Partition`] of the classes into variants.

mod aspect;
mod aspects;
mod latencies;
mod partition;
#[cfg(test)]
mod plain;
mod proximity;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use aspect::{Aspect, Finder};
use aspects::{ASPECTS, Alike, Arrangement, Aspects, aspect_of};
use partition::partition;

use super::graph::{Graph, GroupIndex};
use crate::geo::{ClientMap, GeoDb, Network, classify};
use crate::model::{RRsetGroup, RoutingPolicy, SetId, Snapshot};

/// The most classes there can be; clients beyond share the class of the unknown client.
pub const CLASSES_MAX: usize = u16::MAX as usize;

/// The class of the client of whom nothing is known.
pub const UNKNOWN: u16 = 0;

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
    aspects: Vec<Aspect>,
    /// For each class, what its clients are in each aspect.
    of_class: Vec<Alike>,
    /// Of the groups that depend on the client themselves.
    arrangement_of: HashMap<GroupIndex, Arrangement>,
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
        Self::with_most(snapshot, graph, geo, CLASSES_MAX)
    }

    /// With at most so many classes.
    fn with_most(snapshot: &Snapshot, graph: &Graph, geo: &GeoDb, most: usize) -> Self {
        let mut by_key: HashMap<Key<'_>, Arrangement> = HashMap::new();
        let mut finders: [Finder<'_>; ASPECTS] = Default::default();
        let mut arrangement_of = HashMap::new();
        for index in graph.indices() {
            let group: &RRsetGroup = &graph[index].group;
            let Some(aspect) = aspect_of(group.policy()) else { continue };
            let key = group.members.iter().map(|member| (&member.policy, member.set_id.as_ref())).collect();
            let arrangement = *by_key
                .entry(key)
                .or_insert_with(|| Arrangement { aspect, place: finders[aspect].add(group) });
            arrangement_of.insert(index, arrangement);
        }
        let mut classes = Self {
            clients: Clients::alike(),
            aspects: Vec::new(),
            of_class: Vec::new(),
            arrangement_of,
            partitions: Vec::new(),
            partition_of: HashMap::new(),
            overflown: false,
        };
        if !by_key.is_empty() {
            let map = classes.classify(snapshot, geo, Aspects::new(finders, geo), most);
            let partitions = classes.find_partitions(graph);
            classes.clients = Arc::new(Clients { map, partitions });
        }
        classes
    }

    /// Divides the clients: one class for each combination of orders.
    fn classify(
        &mut self,
        snapshot: &Snapshot,
        geo: &GeoDb,
        mut aspects: Aspects<'_>,
        most: usize,
    ) -> ClientMap {
        let mut class_of: HashMap<Alike, u16> = HashMap::new();
        let map = classify(geo, &snapshot.collections, &mut |client| {
            let alike = aspects.alike(client);
            let next = class_of.len();
            if let Some(&class) = class_of.get(&alike) {
                return class;
            }
            if next >= most {
                self.overflown = true;
                return UNKNOWN;
            }
            self.of_class.push(alike);
            class_of.insert(alike, next as u16);
            next as u16
        });
        self.aspects = aspects.found().into();
        map
    }

    /// Finds which arrangements are reachable from each group, targets first. Gives the variants by class of each partition.
    fn find_partitions(&mut self, graph: &Graph) -> Vec<Box<[u16]>> {
        let mut variants = Vec::new();
        let mut reachable: HashMap<GroupIndex, BTreeSet<Arrangement>> = HashMap::new();
        let mut numbers: HashMap<BTreeSet<Arrangement>, usize> = HashMap::new();
        for index in graph.in_order() {
            let mut set: BTreeSet<Arrangement> =
                self.arrangement_of.get(&index).copied().into_iter().collect();
            for target in graph[index].targets() {
                set.extend(reachable.get(&target).into_iter().flatten());
            }
            if set.is_empty() {
                continue;
            }
            let number = *numbers.entry(set.clone()).or_insert_with(|| {
                let (of_class, representatives) = partition(&self.aspects, &self.of_class, &set);
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
        let Arrangement { aspect, place } = *self.arrangement_of.get(&index)?;
        let alike = self.of_class.get(usize::from(class)).or_else(|| self.of_class.first())?;
        let Aspect { orders, classes } = &self.aspects[aspect];
        let order = classes[alike[aspect] as usize][place];
        Some(&orders[place][order as usize])
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
