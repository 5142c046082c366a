//! Random histories of calculated, inverted, disabled and overridden checks against an obvious model.

use proptest::prelude::*;

use super::*;

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Probes(usize, bool),
    Disable(usize, bool),
    Invert(usize, bool),
    Force(usize, Option<Override>),
    Threshold(usize, u16),
    Remove(usize),
    Control(bool),
}

const LEAVES: [&str; 4] = ["a", "b", "c", "r"];
const PARENTS: [&str; 2] = ["p", "q"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any_check = 0..LEAVES.len() + PARENTS.len();
    let operator = prop_oneof![Just(None), Just(Some(Override::Healthy)), Just(Some(Override::Unhealthy))];
    let step = prop_oneof![
        4 => (0usize..3, any::<bool>()).prop_map(|(at, passed)| Step::Probes(at, passed)),
        2 => (any_check.clone(), any::<bool>()).prop_map(|(at, on)| Step::Disable(at, on)),
        2 => (any_check.clone(), any::<bool>()).prop_map(|(at, on)| Step::Invert(at, on)),
        2 => (any_check.clone(), operator).prop_map(|(at, operator)| Step::Force(at, operator)),
        1 => (0usize..2, 0u16..6).prop_map(|(at, threshold)| Step::Threshold(at, threshold)),
        1 => (0usize..4).prop_map(Step::Remove),
        1 => any::<bool>().prop_map(Step::Control),
    ];
    prop::collection::vec(step, 0..40)
}

/// What is true of one check, without any memory of how it came about.
#[derive(Debug, Clone)]
struct Fact {
    raw: bool,
    disabled: bool,
    inverted: bool,
    operator: Option<Override>,
    children: Option<(Vec<&'static str>, u16)>,
}

/// The obvious slow model: every status from scratch, children by recursion.
fn model(facts: &BTreeMap<&'static str, Fact>, id: &str) -> bool {
    let Some(fact) = facts.get(id) else { return true };
    if let Some(operator) = fact.operator {
        return operator == Override::Healthy;
    }
    let raw = match &fact.children {
        _ if fact.disabled => true,
        Some((children, threshold)) => {
            children.iter().filter(|child| model(facts, child)).count() >= usize::from(*threshold)
        }
        None => fact.raw,
    };
    if fact.inverted { !raw } else { raw }
}

proptest! {
    #[test]
    fn trees_agree_with_the_obvious_model_h32_to_h38(steps in steps()) {
        let all: Vec<&'static str> = LEAVES.into_iter().chain(PARENTS).collect();
        let mut node = Node::new(
            &["k"],
            [
                check("a", CheckKind::Endpoint(endpoint())),
                check("b", CheckKind::Endpoint(endpoint())),
                check("c", CheckKind::Endpoint(endpoint())),
                check("r", CheckKind::RecoveryControl { arn: "arn:a".into() }),
                calculated("p", &LEAVES, 2),
                calculated("q", &["a", "p"], 1),
            ],
        );
        let fact = |raw, children| Fact { raw, disabled: false, inverted: false, operator: None, children };
        let mut facts = BTreeMap::from([
            ("a", fact(true, None)),
            ("b", fact(true, None)),
            ("c", fact(true, None)),
            ("r", fact(false, None)),
            ("p", fact(true, Some((LEAVES.to_vec(), 2)))),
            ("q", fact(true, Some((vec!["a", "p"], 1)))),
        ]);
        let mut on = false;
        let mut seen: BTreeMap<&str, bool> = all.iter().map(|id| (*id, node.healthy(id))).collect();
        for (version, step) in (1..).zip(steps) {
            let transitions = match step {
                Step::Probes(at, passed) => {
                    if let Some(fact) = facts.get_mut(all[at]) && !fact.disabled {
                        fact.raw = passed;
                    }
                    node.probes("k", all[at], if passed { "PPP" } else { "FFF" })
                }
                Step::Disable(at, disabled) if facts.contains_key(all[at]) => {
                    let fact = facts.get_mut(all[at]).unwrap();
                    if fact.disabled != disabled {
                        fact.raw = all[at] != "r" || on;
                    }
                    fact.disabled = disabled;
                    node.edit(all[at], |check| check.disabled = disabled)
                }
                Step::Invert(at, inverted) if facts.contains_key(all[at]) => {
                    facts.get_mut(all[at]).unwrap().inverted = inverted;
                    node.edit(all[at], |check| check.inverted = inverted)
                }
                Step::Force(at, operator) if facts.contains_key(all[at]) => {
                    facts.get_mut(all[at]).unwrap().operator = operator;
                    node.force(all[at], operator)
                }
                Step::Threshold(at, value) => {
                    facts.get_mut(PARENTS[at]).unwrap().children.as_mut().unwrap().1 = value;
                    node.edit(PARENTS[at], |check| {
                        if let CheckKind::Calculated { threshold, .. } = &mut check.kind {
                            *threshold = value;
                        }
                    })
                }
                Step::Remove(at) => {
                    facts.remove(all[at]);
                    node.checks.remove(&CheckId::from(all[at]));
                    node.declare([])
                }
                Step::Control(switch) => {
                    on = switch;
                    if let Some(fact) = facts.get_mut("r") {
                        fact.raw = switch;
                    }
                    node.state.set_routing_control(node.now, "arn:a", RoutingControl { on: switch, version })
                }
                _ => continue,
            };
            for id in &all {
                prop_assert_eq!(node.healthy(id), model(&facts, id), "{}", id);
            }
            // The transitions are exactly the changes that a reader of the view sees.
            for transition in transitions {
                let id = all.iter().find(|id| **id == &*transition.check.0).unwrap();
                prop_assert_eq!(transition.from.counts_as_healthy(), seen[id]);
                seen.insert(id, transition.to.counts_as_healthy());
            }
            for id in &all {
                prop_assert_eq!(node.healthy(id), seen[id]);
            }
        }
    }
}
