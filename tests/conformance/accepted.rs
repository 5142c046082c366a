//! Loading: every case is accepted without a warning, or refused for the rule it names.

use pulse53_core::assemble::{Limits, SnapshotBuilder};
use pulse53_core::model::{CheckId, Problem, Revision, Snapshot, ZoneId};
use pulse53_tests::cases::{self, Case, ZONE_ID};

#[test]
fn cases_are_accepted_or_refused() {
    let cases = cases::all();
    assert!(cases.len() > 100);
    for case in cases {
        match (case.build(), &case.invalid) {
            (Ok((snapshot, warnings)), None) => {
                assert!(warnings.is_empty(), "{}: {warnings:?}", case.name);
                let ids: Vec<&str> = snapshot.checks.keys().map(|CheckId(id)| &**id).collect();
                assert!(ids.iter().copied().eq(case.health.keys().map(String::as_str)), "{}", case.name);
                deleted(&case, snapshot);
            }
            (Err(findings), Some(rule)) => {
                let cites = |problem: &Problem| problem.rule == Some(rule.as_str());
                assert!(findings.errors.iter().all(cites), "{}: {findings}", case.name);
                let placed = |problem: &Problem| {
                    problem.source.is_some() && problem.what.contains(&*case.zone_name().to_string())
                };
                assert!(findings.errors.iter().all(placed), "{}: {findings}", case.name);
            }
            (Ok(_), Some(rule)) => panic!("{}: accepted against {rule}", case.name),
            (Err(findings), None) => panic!("{}: refused: {findings}", case.name),
        }
    }
}

/// What is deleted after loading is gone, and nothing else minds.
fn deleted(case: &Case, mut snapshot: Snapshot) {
    case.delete(&mut snapshot);
    // Served again as it is, it is still accepted.
    let mut again = SnapshotBuilder::new(Limits::default());
    again.add_served_zone(snapshot.zones[&ZoneId(ZONE_ID.into())].clone());
    again.add_checks(snapshot.checks.values().cloned());
    again.add_collections(snapshot.collections.values().cloned());
    again.build(Revision(2)).unwrap_or_else(|findings| panic!("{}: {findings}", case.name));
}
