//! Tells people which names a change of health has moved: one log line a transition.

use std::collections::HashSet;

use pulse53_core::compile::{Compiler, GroupIndex};
use pulse53_core::health::{HealthStatus, Transition};

/// Names told a line; of the others only the number.
const NAMES_TOLD_MAX: usize = 10;

/// Logs every transition with the names it moved, given the groups that all of them together have touched.
pub(super) fn log(compiler: &Compiler, transitions: &[Transition], touched: &[GroupIndex]) {
    let all: HashSet<GroupIndex> = match transitions {
        [_, _, ..] => touched.iter().copied().collect(),
        _ => HashSet::new(),
    };
    for transition in transitions {
        let Transition { check, from, to, reason } = transition;
        let moved: Vec<GroupIndex> = match transitions {
            [_] => touched.to_vec(),
            _ => compiler
                .dependents(std::slice::from_ref(check))
                .into_iter()
                .filter(|index| all.contains(index))
                .collect(),
        };
        let (names, moved) = (names(compiler, &moved), moved.len());
        if *to == HealthStatus::Unknown {
            tracing::info!(%check, moved, names, "health check removed");
        } else {
            tracing::info!(%check, %from, %to, %reason, moved, names, "health changed");
        }
    }
}

/// The first of some questions, as people write them.
fn names(compiler: &Compiler, moved: &[GroupIndex]) -> String {
    let told = moved.iter().take(NAMES_TOLD_MAX).map(|&index| {
        let (owner, rtype) = compiler.question(index);
        format!("{owner} {rtype}")
    });
    let mut names = told.collect::<Vec<_>>().join(", ");
    if moved.len() > NAMES_TOLD_MAX {
        names.push_str(", …");
    }
    names
}

#[cfg(test)]
mod tests {
    use pulse53_core::assemble::{Limits, SnapshotBuilder, ZoneBuilder};
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

    #[test]
    fn a_check_reaches_its_groups_and_what_leads_to_them() {
        let mut compiler = compiler(2);
        let reached = compiler.dependents(&["one".into()]);
        assert_eq!(names(&compiler, &reached), "g0.example.com. A, g1.example.com. A, alias.example.com. A");
        assert_eq!(names(&compiler, &compiler.dependents(&["nobody".into()])), "");
        let touched = compiler.flip(&["one".into()], &|check| &*check.0 != "one", Generation(2));
        assert_eq!(touched, reached);
    }

    #[test]
    fn of_many_names_some_are_told() {
        let compiler = compiler(40);
        let told = names(&compiler, &compiler.dependents(&["one".into()]));
        assert!(
            told.starts_with("g0.example.com. A, g1.example.com. A, ") && told.ends_with(", …"),
            "{told}"
        );
        assert_eq!(told.matches(" A").count(), NAMES_TOLD_MAX);
    }
}
