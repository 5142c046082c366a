//! The classes as R-74 defines them, found by putting every group in order anew for every client: what the aspects must agree with.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::compile::policy;
use crate::compile::random::{World, groups_of_every_policy, snapshot, world};

struct Plain {
    /// For each class the order of each group that depends on the client.
    classes: Vec<BTreeMap<GroupIndex, Vec<usize>>>,
    map: ClientMap,
    overflown: bool,
}

impl Plain {
    fn new(snapshot: &Snapshot, graph: &Graph, geo: &GeoDb, most: usize) -> Self {
        let (mut classes, mut overflown) = (Vec::new(), false);
        let map = classify(geo, &snapshot.collections, &mut |client| {
            let client = client.client();
            let placed = graph.indices().filter(|&index| aspect_of(graph[index].group.policy()).is_some());
            let orders = placed.map(|index| (index, policy::order(&graph[index].group, &client))).collect();
            match classes.iter().position(|known| *known == orders) {
                Some(class) => class as u16,
                None if classes.len() >= most => {
                    overflown = true;
                    UNKNOWN
                }
                None => {
                    classes.push(orders);
                    classes.len() as u16 - 1
                }
            }
        });
        Self { classes, map, overflown }
    }

    /// The variant of every class for a group from which these are reachable, and the first class of each variant.
    fn partition(&self, reachable: &BTreeSet<GroupIndex>) -> (Vec<u16>, Vec<u16>) {
        let (mut of_class, mut representatives) = (Vec::new(), Vec::new());
        let mut variants: Vec<Vec<_>> = Vec::new();
        for (class, orders) in self.classes.iter().enumerate() {
            let seen: Vec<_> = orders.iter().filter(|(index, _)| reachable.contains(index)).collect();
            let known = variants.iter().position(|known| *known == seen);
            of_class.push(known.unwrap_or(variants.len()) as u16);
            if known.is_none() {
                variants.push(seen);
                representatives.push(class as u16);
            }
        }
        (of_class, representatives)
    }
}

/// A group and all that aliases lead to from it.
fn reachable(graph: &Graph, index: GroupIndex) -> BTreeSet<GroupIndex> {
    let mut all = BTreeSet::from([index]);
    graph[index].targets().for_each(|target| all.extend(reachable(graph, target)));
    all
}

fn agree(snapshot: &Snapshot, geo: &GeoDb, most: usize) -> Result<(), TestCaseError> {
    let graph = Graph::new(snapshot);
    let classes = Classes::with_most(snapshot, &graph, geo, most);
    let plain = Plain::new(snapshot, &graph, geo, most);
    let placed = |index: &GroupIndex| aspect_of(graph[*index].group.policy()).is_some();
    if !graph.indices().any(|index| placed(&index)) {
        prop_assert_eq!(classes.clients, Clients::alike());
        return Ok(());
    }
    prop_assert_eq!(&classes.clients.map, &plain.map);
    prop_assert_eq!(classes.overflown, plain.overflown);
    for index in graph.indices() {
        let reachable: BTreeSet<_> = reachable(&graph, index).into_iter().filter(placed).collect();
        let partition = classes.partition(index);
        prop_assert_eq!(partition.is_some(), !reachable.is_empty());
        if let Some(partition) = partition {
            let (of_class, representatives) = plain.partition(&reachable);
            prop_assert_eq!(&*classes.clients.partitions[partition.number as usize], &of_class);
            prop_assert_eq!(&*partition.representatives, &representatives);
        }
        for (class, orders) in plain.classes.iter().enumerate() {
            let order = classes.order(index, class as u16);
            prop_assert_eq!(order, orders.get(&index).map(Vec::as_slice));
        }
    }
    Ok(())
}

/// Several worlds in one, so that there are more combinations of what is known.
fn crowded_world() -> impl Strategy<Value = World> {
    prop::collection::vec(world(), 1..5).prop_map(|worlds| worlds.into_iter().reduce(World::with).unwrap())
}

proptest! {
    // A client map is large, so there are few of these.
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn aspects_divide_clients_as_the_definition_does(
        groups in groups_of_every_policy(),
        world in crowded_world(),
        most in prop_oneof![3 => Just(CLASSES_MAX), 1 => 1..8usize],
    ) {
        agree(&snapshot(&groups, &world), &world.geo(), most)?;
    }
}
