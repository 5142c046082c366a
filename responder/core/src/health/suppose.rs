//! What statuses would be if some were otherwise: the question "what if" of an operator.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::status::final_status;
use super::view::HealthView;
use crate::model::check::CheckKind;
use crate::model::{CheckId, HealthCheck};

/// The statuses with some of them set as if by hand (H-38), and the CALCULATED checks that count these computed anew (H-32). `by_hand`
/// says which checks an operator has set already; these stay.
pub fn suppose(
    now: &HealthView,
    checks: &BTreeMap<CheckId, Arc<HealthCheck>>,
    supposed: &BTreeMap<CheckId, bool>,
    by_hand: &dyn Fn(&CheckId) -> bool,
) -> HealthView {
    let mut then = now.clone();
    supposed.iter().for_each(|(id, healthy)| then.set(id.clone(), *healthy));
    // No child is CALCULATED itself (H-2), so one look at each parent is enough.
    for check in checks.values() {
        let CheckKind::Calculated { children, threshold } = &check.kind else { continue };
        let counts = children.iter().any(|child| supposed.contains_key(child));
        if !counts || supposed.contains_key(&check.id) || by_hand(&check.id) {
            continue;
        }
        let healthy = children.iter().filter(|child| then.is_healthy(child)).count();
        let raw = healthy >= usize::from(*threshold);
        then.set(check.id.clone(), final_status(raw, check.disabled, check.inverted, None));
    }
    then
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::health::{HealthState, Moment, Override, StoredHealth};
    use crate::route53::read_health_checks;

    /// Two endpoints, two that count them (the second inverted), one disabled.
    fn checks() -> BTreeMap<CheckId, Arc<HealthCheck>> {
        let calculated = |id: &str, rest: &str| {
            format!(
                "{{\"Id\": {id:?}, \"HealthCheckConfig\": {{\"Type\": \"CALCULATED\", \"ChildHealthChecks\": [\"a\", \"b\"], {rest}}}}}"
            )
        };
        let endpoint = |id: &str| {
            format!(
                "{{\"Id\": {id:?}, \"HealthCheckConfig\": {{\"Type\": \"HTTP\", \"IPAddress\": \"192.0.2.1\"}}}}"
            )
        };
        let text = [
            endpoint("a"),
            endpoint("b"),
            calculated("all", "\"HealthThreshold\": 2"),
            calculated("none", "\"HealthThreshold\": 1, \"Inverted\": true"),
            calculated("off", "\"HealthThreshold\": 2, \"Disabled\": true"),
        ];
        let read = read_health_checks("h.json", &format!("[{}]", text.join(",")));
        assert!(read.findings.errors.is_empty(), "{}", read.findings);
        read.checks.into_iter().map(|check| (check.id.clone(), Arc::new(check))).collect()
    }

    proptest! {
        /// The same as what health checking itself makes of overrides.
        #[test]
        fn a_supposed_status_is_like_one_set_by_hand_h38(
            supposed in prop::collection::btree_map(prop::sample::select(vec!["a", "b", "all", "none", "off"]), any::<bool>(), 0..5),
            by_hand in prop::option::of((prop::sample::select(vec!["all", "none"]), any::<bool>())),
        ) {
            let checks = checks();
            let moment = Moment(0);
            let mut state = HealthState::new(Vec::new(), &BTreeMap::new(), StoredHealth::default());
            state.apply(moment, &checks);
            let operator = |healthy| Some(if healthy { Override::Healthy } else { Override::Unhealthy });
            if let Some((id, healthy)) = by_hand {
                state.set_override(moment, &id.into(), operator(healthy)).unwrap();
            }
            let held = |id: &CheckId| by_hand.is_some_and(|(held, _)| *id == held.into());
            let supposed: BTreeMap<CheckId, bool> =
                supposed.into_iter().map(|(id, healthy)| (id.into(), healthy)).collect();
            let view = suppose(&state.view(), &checks, &supposed, &held);
            for (id, healthy) in &supposed {
                state.set_override(moment, id, operator(*healthy)).unwrap();
            }
            for id in checks.keys() {
                prop_assert_eq!(view.is_healthy(id), state.view().is_healthy(id), "{}", id);
            }
        }
    }
}
