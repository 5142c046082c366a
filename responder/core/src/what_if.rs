//! "What if": the answers that other health would change.

use std::sync::Arc;

use crate::compile::{Compiler, Distribution, Evaluation, Health};
use crate::model::{CheckId, Name, RecordType};

/// What other health does to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The name.
    pub owner: Name,
    /// The type.
    pub rtype: RecordType,
    /// The answers before and after, for those clients whose answers change; the first of them where that depends on the client. None
    /// if no answer changes.
    pub change: Option<(Arc<Distribution>, Arc<Distribution>)>,
    /// Whether only some clients see a change.
    pub some_clients: bool,
    /// Whether the answer comes to last resort that was not there before, at least for some clients.
    pub last_resort: bool,
}

/// Every question whose answer changes or comes to last resort when health goes from `now`, which the compiler follows, to `then`,
/// in order of names. `changed` are the checks that differ. The compiler is left as it was.
pub fn effects(
    compiler: &mut Compiler,
    changed: &[CheckId],
    now: Health<'_>,
    then: Health<'_>,
) -> Vec<Effect> {
    let dependents = compiler.dependents(changed);
    let before: Vec<Vec<Evaluation>> = dependents.iter().map(|&index| compiler.evaluations(index)).collect();
    let generation = compiler.table().generation();
    compiler.flip(changed, then, generation);
    let mut effects = Vec::new();
    for (&index, before) in dependents.iter().zip(&before) {
        let after = compiler.evaluations(index);
        let pairs = || before.iter().zip(&after);
        let differing = || pairs().filter(|(before, after)| before.distribution != after.distribution);
        let change = differing()
            .next()
            .map(|(before, after)| (before.distribution.clone(), after.distribution.clone()));
        let last_resort = pairs().any(|(before, after)| after.last_resort && !before.last_resort);
        if change.is_some() || last_resort {
            let some_clients = change.is_some() && differing().count() < before.len();
            let (owner, rtype) = compiler.question(index);
            effects.push(Effect { owner: owner.clone(), rtype, change, some_clients, last_resort });
        }
    }
    compiler.flip(changed, now, generation);
    effects.sort_by_cached_key(|effect| (effect.owner.to_string(), effect.rtype));
    effects
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compile::GroupIndex;
    use crate::compile::random::{
        CHECKS, World, check_id, client, groups, groups_of_every_policy, name, snapshot, status, world,
    };
    use crate::table::Generation;

    fn agree_with_two_tables(
        groups: &[crate::compile::random::Group],
        world: &World,
        network: crate::geo::Network,
        healthy: [bool; CHECKS],
        then: [bool; CHECKS],
    ) -> Result<(), TestCaseError> {
        let (snapshot, geo) = (snapshot(groups, world), world.geo());
        let compile = |healthy| Compiler::with_geo(&snapshot, &geo, &status(healthy), Generation(1));
        let (mut compiler, after) = (compile(healthy), compile(then));
        let before = compiler.table().clone();
        let changed: Vec<CheckId> =
            (0..CHECKS).filter(|check| healthy[*check] != then[*check]).map(check_id).collect();
        let effects = effects(&mut compiler, &changed, &status(healthy), &status(then));
        let class = before.clients().map.class_of_network(network);
        for index in (0..groups.len() as u32).map(GroupIndex) {
            prop_assert_eq!(compiler.table().plan(index), before.plan(index), "the compiler is as it was");
            let (owner, _) = compiler.question(index);
            let effect = effects.iter().find(|effect| effect.owner == *owner);
            let distributions = (compiler.distribution(index, class), after.distribution(index, class));
            if distributions.0 != distributions.1 {
                let effect = effect.and_then(|effect| effect.change.as_ref().map(|_| effect));
                prop_assert!(effect.is_some(), "{} changes for {:?}", owner, network);
                if compiler.evaluations(index).len() == 1 {
                    prop_assert_eq!(&effect.unwrap().change, &Some(distributions));
                }
            }
            let changes = effect.is_some_and(|effect| effect.change.is_some());
            if before.plan(index) != after.table().plan(index) {
                prop_assert!(changes);
            }
            let last_resort = |compiler: &Compiler| {
                let evaluations = compiler.evaluations(index);
                evaluations.iter().map(|evaluation| evaluation.last_resort).collect::<Vec<_>>()
            };
            let (was, is) = (last_resort(&compiler), last_resort(&after));
            let comes = was.iter().zip(&is).any(|(was, is)| *is && !*was);
            prop_assert_eq!(effect.is_some_and(|effect| effect.last_resort), comes);
        }
        let names: Vec<_> = (0..groups.len()).map(name).collect();
        prop_assert!(effects.iter().all(|effect| names.contains(&effect.owner)));
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn effects_are_the_difference_of_two_tables(
            groups in groups(), client in client(), healthy in any::<[bool; CHECKS]>(), then in any::<[bool; CHECKS]>(),
        ) {
            agree_with_two_tables(&groups, &World::unknown(), client, healthy, then)?;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        #[test]
        fn effects_are_the_difference_of_two_tables_wherever_clients_are(
            groups in groups_of_every_policy(), world in world(), client in client(),
            healthy in any::<[bool; CHECKS]>(), then in any::<[bool; CHECKS]>(),
        ) {
            agree_with_two_tables(&groups, &world, client, healthy, then)?;
        }
    }
}
