//! Explanations against the compiled table, and in words.

use proptest::prelude::*;

use super::*;
use crate::compile::random::{
    CHECKS, Group, World, check_id, client, groups, groups_of_every_policy, name, snapshot, status, world,
};
use crate::lower::{Lowered, lower};

/// Whether a group in last resort has a part in the answer, read off the tree.
fn last_resort(groups: &[GroupTold], at: usize) -> bool {
    let below = |member: &MemberTold| match member.data {
        DataTold::Alias { target: Some(target), .. } => last_resort(groups, target),
        _ => false,
    };
    groups[at].last_resort
        || groups[at].members.iter().any(|member| member.share.percent > 0.0 && below(member))
}

/// What is explained is what the table answers; what is supposed, what a table compiled under that health would.
fn agree_with_the_table(
    groups: &[Group],
    world: &World,
    clients: &[Network],
    healthy: [bool; CHECKS],
    supposed: BTreeMap<usize, bool>,
) -> Result<(), TestCaseError> {
    let (snapshot, geo) = (snapshot(groups, world), world.geo());
    let compile = |healthy| Compiler::with_geo(&snapshot, &geo, &status(healthy), Generation(1));
    let now = compile(healthy);
    let mut then = healthy;
    supposed.iter().for_each(|(check, up)| then[*check] = *up);
    let compiled = compile(then);
    let supposed: BTreeMap<CheckId, bool> =
        supposed.into_iter().map(|(check, up)| (check_id(check), up)).collect();
    let of = |check: &CheckId| Some((status(then)(check), String::new()));
    for (at, network) in (0..groups.len()).flat_map(|at| clients.iter().map(move |client| (at, client))) {
        // An explanation starts from an address, which stands for a whole client network.
        let network = Network::of_client(network.address(), 128);
        let class = compiled.table().clients().map.class_of_network(network);
        let asked = Asked { name: name(at), rtype: RecordType::A, client: Some(network.address()) };
        let told = explain(&snapshot, &geo, now.table(), &asked, Statuses { of: &of, supposed: &supposed });
        let told = told.unwrap();
        let question = Question { qname: asked.name.as_wire(), qtype: asked.rtype };
        let Located::Group(index) = locate(compiled.table(), &question) else { panic!() };

        let zone = snapshot.zones.values().next().unwrap();
        let client = Client::at(&geo, &snapshot.collections, network);
        let steps = walk(&snapshot, &client, &status(then), zone, &asked.name, RecordType::A).unwrap();
        let distribution = compiled.distribution(index, class);
        prop_assert_eq!(&*steps[0].distribution, &*distribution);
        prop_assert_eq!(&told.answers, &answers_told(RecordType::A, &steps[0].distribution));
        let sum: f64 = told.answers.iter().map(|answer| answer.share.percent).sum();
        prop_assert!((sum - 100.0).abs() < 1e-6, "{}", sum);

        let evaluations = compiled.evaluations(index);
        let own = evaluations.iter().find(|evaluation| {
            evaluation.distribution == distribution
                && evaluation.healthy == told.groups[0].healthy
                && evaluation.last_resort == last_resort(&told.groups, 0)
        });
        prop_assert!(own.is_some(), "{:#?}", told);

        let is_asked = |lowered: &Lowered<'_>| *lowered.name == asked.name && lowered.qtype == asked.rtype;
        let entry = lower(compiled.table()).find(is_asked).unwrap().entry;
        prop_assert_eq!(told.path.kernel, entry.is_ok());
        prop_assert_eq!(told.path.why, entry.err().map(|why| why.to_string()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn explanations_agree_with_the_table(
        groups in groups(),
        client in client(),
        healthy in any::<[bool; CHECKS]>(),
        supposed in prop::collection::btree_map(0..CHECKS, any::<bool>(), 0..3),
    ) {
        agree_with_the_table(&groups, &World::unknown(), &[client], healthy, supposed)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn explanations_agree_with_the_table_wherever_clients_are(
        groups in groups_of_every_policy(),
        world in world(),
        clients in prop::collection::btree_set(client(), 3..6),
        healthy in any::<[bool; CHECKS]>(),
        supposed in prop::collection::btree_map(0..CHECKS, any::<bool>(), 0..2),
    ) {
        let clients: Vec<Network> = clients.into_iter().collect();
        agree_with_the_table(&groups, &world, &clients, healthy, supposed)?;
    }
}
