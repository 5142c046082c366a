//! Tells people which names a change of health has moved: one log line a transition.

use std::collections::HashSet;

use pulse53_core::compile::{Compiler, GroupIndex};
use pulse53_core::health::{HealthStatus, Transition};

/// Names told a line; of the others only the number.
const NAMES_TOLD_MAX: usize = 10;

/// Logs every transition with the names it moved, given the groups that all of them together have touched.
pub(super) fn log(compiler: &Compiler, transitions: &[Transition], touched: &[GroupIndex]) {
    let touched: HashSet<GroupIndex> = touched.iter().copied().collect();
    for transition in transitions {
        let Transition { check, from, to, reason } = transition;
        let (moved, names) = names(compiler, transition, &touched);
        if *to == HealthStatus::Unknown {
            tracing::info!(%check, moved, names, "health check removed");
        } else {
            tracing::info!(%check, %from, %to, %reason, moved, names, "health changed");
        }
    }
}

/// How many questions have other answers because of a transition, and some of them.
fn names(compiler: &Compiler, transition: &Transition, touched: &HashSet<GroupIndex>) -> (usize, String) {
    let mut moved = 0;
    let mut names = String::new();
    for index in compiler.reached_by(&transition.check) {
        if !touched.contains(&index) {
            continue;
        }
        moved += 1;
        if moved <= NAMES_TOLD_MAX {
            let (owner, rtype) = compiler.question(index);
            let separator = if names.is_empty() { "" } else { ", " };
            names.push_str(&format!("{separator}{owner} {rtype}"));
        }
    }
    if moved > NAMES_TOLD_MAX {
        names.push_str(", …");
    }
    (moved, names)
}

#[cfg(test)]
mod tests {
    use pulse53_core::assemble::{Limits, SnapshotBuilder, ZoneBuilder};
    use pulse53_core::health::TransitionReason;
    use pulse53_core::model::{Name, Revision, ZoneId};
    use pulse53_core::route53::read_record_sets;
    use pulse53_core::table::Generation;

    use super::*;

    /// Weighted groups of two members with the checks `one` and `two`, and an alias to the first group.
    fn compiler(groups: usize) -> Compiler {
        let mut sets = vec![
            r#"{"Name": "alias.example.com.", "Type": "A", "AliasTarget": {"HostedZoneId": "Z1",
            "DNSName": "g0.example.com.", "EvaluateTargetHealth": true}}"#
                .to_owned(),
        ];
        for group in 0..groups {
            for (check, address) in [("one", "192.0.2.1"), ("two", "192.0.2.2")] {
                sets.push(format!(
                    r#"{{"Name": "g{group}.example.com.", "Type": "A", "SetIdentifier": "{check}", "Weight": 1,
                    "TTL": 60, "ResourceRecords": [{{"Value": "{address}"}}], "HealthCheckId": "{check}"}}"#
                ));
            }
        }
        let name = Name::from_route53("example.com").unwrap();
        let mut zone = ZoneBuilder::new(name, Some(ZoneId("Z1".into())));
        zone.add_record_sets(read_record_sets("r.json", &format!("[{}]", sets.join(","))));
        let mut builder = SnapshotBuilder::new(Limits::default());
        builder.add_zone(zone);
        let (snapshot, _) = builder.build(Revision(1)).unwrap();
        Compiler::new(&snapshot, &|_| true, Generation(1))
    }

    fn transition(check: &str) -> Transition {
        Transition {
            check: check.into(),
            from: HealthStatus::Healthy,
            to: HealthStatus::Unhealthy,
            reason: TransitionReason::Declared,
        }
    }

    #[test]
    fn each_transition_names_what_it_moved() {
        let mut compiler = compiler(2);
        let touched = compiler.flip(&["one".into()], &|check| &*check.0 != "one", Generation(2));
        let touched = touched.into_iter().collect();
        let names = |check: &str| names(&compiler, &transition(check), &touched);
        let all = "g0.example.com. A, g1.example.com. A, alias.example.com. A";
        assert_eq!(names("one"), (3, all.to_owned()));
        assert_eq!(names("nobody"), (0, String::new()));
    }

    #[test]
    fn many_names_are_counted_and_some_told() {
        let compiler = compiler(40);
        let touched = compiler.reached_by(&"one".into()).into_iter().collect();
        let (moved, told) = names(&compiler, &transition("one"), &touched);
        assert_eq!(moved, 41, "the alias too");
        assert!(
            told.starts_with("g0.example.com. A, g1.example.com. A, ") && told.ends_with(", …"),
            "{told}"
        );
        assert_eq!(told.matches(" A").count(), NAMES_TOLD_MAX);
    }
}
