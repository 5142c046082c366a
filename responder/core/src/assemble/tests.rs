//! Tests of assembly: what the conformance cases, which `pulse53-tests` runs, leave out.

use std::sync::Arc;

use super::*;
use crate::model::{HealthCheck, Name, Problem, RecordData, RecordType, Revision, ZoneId};
use crate::route53::{read_health_checks, read_record_sets};
use crate::zonefile;

/// A zone of record sets written as JSON, then the errors or warnings.
fn messages(records: &str) -> (Vec<String>, Vec<String>) {
    let mut zone = ZoneBuilder::new(Name::from_route53("example.com").unwrap(), Some(ZoneId("Z1".into())));
    zone.add_record_sets(read_record_sets("r.json", records));
    outcome(vec![zone], Vec::new())
}

fn outcome(zones: Vec<ZoneBuilder>, checks: Vec<HealthCheck>) -> (Vec<String>, Vec<String>) {
    let mut builder = SnapshotBuilder::new(Limits::default());
    zones.into_iter().for_each(|zone| builder.add_zone(zone));
    builder.add_checks(checks.into_iter().map(Arc::new));
    let text = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
    match builder.build(Revision(1)) {
        Ok((_, warnings)) => (Vec::new(), text(warnings)),
        Err(findings) => (text(findings.errors), text(findings.warnings)),
    }
}

#[test]
fn all_errors_of_a_batch_are_told_in_order() {
    let (errors, _) = messages(
        "{\"ResourceRecordSets\": [\n\
         {\"Name\": \"a.example.com\", \"Type\": \"A\", \"TTL\": -1, \"Weight\": 300,\n\
          \"ResourceRecords\": [{\"Value\": \"192.0.2.1\"}, {\"Value\": \"192.0.2\"}, {\"Value\": \"192.0.2.1\"}]},\n\
         {\"Name\": \"b.example.net\", \"Type\": \"TXT\", \"TTL\": 1, \"ResourceRecords\": [{\"Value\": \"\\\"x\\\"\"}]},\n\
         {\"Name\": \"c..example.com\", \"Type\": \"HINFO\", \"TTL\": \"1\", \"ResourceRecords\": []},\n\
         {\"Name\": \"d.example.com\", \"Type\": \"A\", \"Tags\": [{\"Key\": \"pulse53:interval\", \"Value\": \"1s\"}],\n\
          \"TTL\": 1, \"ResourceRecords\": [{\"Value\": \"192.0.2.1\"}]},\n\
         {\"Name\": \"e.example.com\", \"Type\": \"A\", \"TTL\": 1, \"Failover\": \"FIRST\", \"Region\": \"x\"}\n]}",
    );
    let starts: Vec<String> = errors.iter().map(|error| error.chars().take(46).collect()).collect();
    assert_eq!(
        starts,
        [
            "r.json:2:47: a.example.com A: TTL: -1 is out o",
            "r.json:2:61: a.example.com A: Weight: 300 is n",
            "r.json:3:55: a.example.com A: ResourceRecords[",
            "r.json:3:77: a.example.com A: ResourceRecords[",
            "r.json:4:1: b.example.net. TXT: Name: lies out",
            "r.json:5:52: c..example.com HINFO: TTL: must b",
            "r.json:6:57: d.example.com A: Tags[0].Key: \"pu",
            "r.json:8:1: e.example.com A: ResourceRecords: ",
            "r.json:8:81: e.example.com A: Region: Failover",
        ],
        "{errors:#?}"
    );
}

#[test]
fn an_apex_is_made_for_record_sets_alone() {
    let mut zone = ZoneBuilder::new(Name::from_route53("example.com").unwrap(), None);
    assert_eq!(zone.id().0.len(), 20);
    zone.add_record_sets(read_record_sets("r.json", "[]"));
    let mut builder = SnapshotBuilder::new(Limits::default());
    builder.add_zone(zone);
    let (snapshot, _) = builder.build(Revision(1)).unwrap();
    let zone = snapshot.zones.values().next().unwrap();
    let text = |record_type| {
        let group = &zone.groups[&(zone.apex.clone(), record_type)];
        match &group.members[0].data {
            RecordData::Values { ttl, rdatas } => {
                format!("{} {}", ttl.0, crate::rdata::to_route53(record_type, &rdatas[0]))
            }
            RecordData::Alias(_) => String::new(),
        }
    };
    assert_eq!(text(RecordType::SOA), "900 ns1.example.com. hostmaster.example.com. 1 7200 900 1209600 300");
    assert_eq!(text(RecordType::NS), "172800 ns1.example.com.");
}

fn from_master_file(text: &str) -> ZoneBuilder {
    let apex = Name::from_route53("example.com").unwrap();
    let file = zonefile::read("z", text.as_bytes(), &apex, &mut |_| Err("none".into()));
    let mut zone = ZoneBuilder::new(apex, Some(ZoneId("Z1".into())));
    zone.add_master_file(file);
    zone
}

const APEX: &str = "$TTL 60\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\n";

#[test]
fn a_master_file_is_a_whole_zone() {
    let (errors, _) = outcome(vec![from_master_file("$TTL 1\nwww A 192.0.2.1\n")], Vec::new());
    assert_eq!(
        errors,
        [
            "z:1:1: zone example.com. has no SOA at its apex; add one (R-13)",
            "z:1:1: zone example.com. has no NS at its apex; add one (R-13)"
        ]
    );
    let zone = from_master_file(&format!(
        "{APEX}@ SOA ns2 host 1 2 3 4 5\nsub SOA ns1 host 1 2 3 4 5\n@ CNAME x\nc CNAME x\nc CNAME y\nc TXT x\n"
    ));
    let (errors, _) = outcome(vec![zone], Vec::new());
    let places: Vec<&str> = errors.iter().filter_map(|error| error.split(": ").next()).collect();
    assert_eq!(places, ["z:4:1", "z:5:1", "z:6:1", "z:8:1", "z:9:1"], "{errors:#?}");
}

#[test]
fn delegations_glue_and_any_type_may_be_in_a_master_file() {
    let zone = from_master_file(&format!(
        "{APEX}ns1 A 192.0.2.1\nsub NS ns.sub\nns.sub A 192.0.2.2\nsub DS 1 13 2 abcd\nx LOC 1 N 1 E 1\n\
         y TYPE65280 \\# 1 00\nd DNAME example.net.\n"
    ));
    assert_eq!(outcome(vec![zone], Vec::new()), (vec![], vec![]));
}

#[test]
fn ttls_of_one_set_are_joined_with_a_warning_and_duplicates_without() {
    let zone =
        from_master_file(&format!("{APEX}a 30 MX 1 mail\na 20 MX 2 mail\na 20 MX 1 MAIL.example.com.\n"));
    let (errors, warnings) = outcome(vec![zone.clone()], Vec::new());
    assert!(errors.is_empty());
    assert_eq!(
        warnings,
        [
            "z:4:1: a.example.com. MX: TTL 30 here but 20 at z:5:1; the lowest is served, give all records of a set one TTL"
        ]
    );
    let owner = Name::from_route53("a.example.com").unwrap();
    let members = &zone.groups[&(owner, RecordType::MX)];
    let RecordData::Values { ttl, rdatas } = &members[0].set.data else { panic!("an alias") };
    assert_eq!((ttl.0, rdatas.len()), (20, 2));
}

#[test]
fn record_sets_join_a_master_file_but_replace_nothing() {
    let mut zone = from_master_file(&format!("{APEX}www A 192.0.2.1\n"));
    let alias =
        "{\"HostedZoneId\": \"Z1\", \"DNSName\": \"www.example.com\", \"EvaluateTargetHealth\": false}";
    let records = format!(
        "[{{\"Name\": \"example.com\", \"Type\": \"A\", \"AliasTarget\": {alias}}},\n\
          {{\"Name\": \"www.example.com\", \"Type\": \"A\", \"TTL\": 1, \"ResourceRecords\": [{{\"Value\": \"192.0.2.1\"}}]}}]"
    );
    zone.add_record_sets(read_record_sets("r.json", &records));
    let (errors, _) = outcome(vec![zone], Vec::new());
    assert_eq!(
        errors,
        [
            "r.json:2:1: www.example.com. A: Name: a simple group has one record set, and there is one at z:4:1; join the values, or add a policy (R-4)"
        ]
    );
}

/// A zone in which `www` is an alias to `target` in another zone.
fn aliasing(apex: &str, id: &str, target_zone: &str, target: &str) -> ZoneBuilder {
    let mut zone = ZoneBuilder::new(Name::from_route53(apex).unwrap(), Some(ZoneId(id.into())));
    let records = format!(
        "[{{\"Name\": \"www.{apex}\", \"Type\": \"A\", \"AliasTarget\": {{\"HostedZoneId\": {target_zone:?}, \
         \"DNSName\": {target:?}, \"EvaluateTargetHealth\": true}}}}]"
    );
    zone.add_record_sets(read_record_sets("r.json", &records));
    zone
}

#[test]
fn aliases_cross_zones_and_their_loops_are_found() {
    let other = from_master_file(&format!("{APEX}www A 192.0.2.1\n"));
    let zone = aliasing("example.net", "Z2", "Z1", "www.example.com");
    assert_eq!(outcome(vec![zone, other], Vec::new()).0, Vec::<String>::new());
    let a = aliasing("example.net", "Z2", "Z3", "www.example.org");
    let b = aliasing("example.org", "Z3", "Z2", "www.example.net");
    let c = aliasing("example.edu", "Z4", "Z2", "www.example.net");
    let (errors, _) = outcome(vec![a, b, c], Vec::new());
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(errors.iter().all(|error| error.ends_with("(R-46)") && !error.contains("example.edu")));
}

#[test]
fn a_long_chain_is_refused_without_overflowing() {
    let mut records = Vec::new();
    for at in 0..9_000 {
        records.push(format!(
            "{{\"Name\": \"h{at}.example.com\", \"Type\": \"A\", \"AliasTarget\": {{\"HostedZoneId\": \"Z1\", \
             \"DNSName\": \"h{}.example.com\", \"EvaluateTargetHealth\": true}}}}",
            at + 1
        ));
    }
    records.push(
        "{\"Name\": \"h9000.example.com\", \"Type\": \"A\", \"TTL\": 1, \"ResourceRecords\": [{\"Value\": \"192.0.2.1\"}]}"
            .into(),
    );
    let (errors, _) = messages(&format!("[{}]", records.join(",\n")));
    assert_eq!(errors.len(), 9_000 - 8);
}

#[test]
fn references_to_checks_h2_h4() {
    let records = "[{\"Name\": \"www.example.com\", \"Type\": \"A\", \"TTL\": 1, \"HealthCheckId\": \"gone\", \
                   \"ResourceRecords\": [{\"Value\": \"192.0.2.1\"}]}]";
    let (errors, warnings) = messages(records);
    assert!(errors.is_empty());
    assert_eq!(
        warnings,
        ["r.json:1:2: www.example.com. A: HealthCheckId: gone does not exist and counts as healthy (R-54)"]
    );
    let checks = read_health_checks(
        "h.json",
        "[{\"Id\": \"c\", \"HealthCheckConfig\": {\"Type\": \"CALCULATED\", \"HealthThreshold\": 1, \"ChildHealthChecks\": [\"x\", \"c\"]}}]",
    );
    let (errors, _) = outcome(Vec::new(), checks.checks);
    assert_eq!(errors.len(), 2, "{errors:#?}");
    let check = || {
        read_health_checks("h.json", "[{\"Id\": \"c\", \"HealthCheckConfig\": {\"Type\": \"TCP\", \"IPAddress\": \"192.0.2.1\", \"Port\": 1}}]").checks
    };
    let (errors, _) = outcome(Vec::new(), [check(), check()].concat());
    assert_eq!(errors, ["h.json:1:2: health check c: Id is given twice; keep one (H-3)"]);
}

#[test]
fn a_check_that_probes_what_it_decides_is_warned_of_h18() {
    let warnings = |fields: &str, name: &str| {
        let checks = format!(
            "[{{\"Id\": \"c\", \"HealthCheckConfig\": {{\"Type\": \"HTTP\", \"FullyQualifiedDomainName\": \"{name}\"{fields}}}}}]"
        );
        let record = "[{\"Name\": \"www.example.com\", \"Type\": \"A\", \"TTL\": 1, \"HealthCheckId\": \"c\", \
                      \"ResourceRecords\": [{\"Value\": \"192.0.2.1\"}]}]";
        let mut zone = ZoneBuilder::new(Name::from_route53("example.com").unwrap(), None);
        zone.add_record_sets(read_record_sets("r.json", record));
        let (errors, warnings) = outcome(vec![zone], read_health_checks("h.json", &checks).checks);
        assert!(errors.is_empty(), "{errors:?}");
        warnings
    };
    let own = "r.json:1:2: www.example.com. A: health check c probes this very name, so it depends on its own effect (H-18)";
    assert_eq!(warnings("", "WWW.example.com."), [own]);
    assert_eq!(warnings("", "origin.example.com"), [""; 0]);
    // With an address the name is not resolved: its records decide nothing.
    assert_eq!(warnings(", \"IPAddress\": \"192.0.2.1\"", "www.example.com"), [""; 0]);
}

#[test]
fn limits_hold() {
    let limits = Limits { record_sets_per_zone: 1, ..Limits::default() };
    let record = |name: &str| {
        format!(
            "{{\"Name\": \"{name}.example.com\", \"Type\": \"A\", \"TTL\": 1, \"ResourceRecords\": [{{\"Value\": \"192.0.2.1\"}}]}}"
        )
    };
    let mut zone = ZoneBuilder::new(Name::from_route53("example.com").unwrap(), None);
    zone.add_record_sets(read_record_sets("r.json", &format!("[{},{}]", record("a"), record("b"))));
    let mut builder = SnapshotBuilder::new(limits);
    builder.add_zone(zone);
    assert_eq!(builder.build(Revision(1)).unwrap_err().errors.len(), 1);
    let members: Vec<String> = (0..101)
        .map(|at| {
            format!(
                "{{\"Name\": \"www.example.com\", \"Type\": \"A\", \"TTL\": 1, \"SetIdentifier\": \"{at}\", \
                 \"MultiValueAnswer\": true, \"ResourceRecords\": [{{\"Value\": \"192.0.2.{at}\"}}]}}"
            )
        })
        .collect();
    let (errors, _) = messages(&format!("[{}]", members.join(",")));
    assert!(errors.len() == 1 && errors[0].ends_with("(R-9)"), "{errors:?}");
}

#[test]
fn a_served_zone_is_changed_by_what_is_new_in_it() {
    let build = |zone: ZoneBuilder| {
        let mut builder = SnapshotBuilder::new(Limits::default());
        builder.add_zone(zone);
        builder.build(Revision(1))
    };
    let mut zone = from_master_file(&format!("{APEX}target A 192.0.2.1\n"));
    let alias = |name: &str| {
        let records = format!(
            "[{{\"Name\": \"{name}.example.com\", \"Type\": \"A\", \"AliasTarget\": {{\"HostedZoneId\": \"Z1\", \
             \"DNSName\": \"target.example.com\", \"EvaluateTargetHealth\": true}}}}]"
        );
        read_record_sets("r.json", &records)
    };
    zone.add_record_sets(alias("old"));
    let (snapshot, _) = build(zone).unwrap();

    let mut changed = ZoneBuilder::of_zone(snapshot.zones.values().next().unwrap());
    let target = Name::from_route53("target.example.com").unwrap();
    assert!(changed.remove(&target, RecordType::A, None).is_some());
    assert!(changed.remove(&target, RecordType::A, None).is_none());
    assert!(build(changed.clone()).is_ok(), "the old alias may lose its target");
    changed.add_record_sets(alias("new"));
    let errors = build(changed).unwrap_err().errors;
    assert!(errors.len() == 1 && errors[0].what.starts_with("new.example.com."), "{errors:?}");
}
