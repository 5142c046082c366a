//! Each topic, with what is not remarked upon next to what is.

use std::sync::Arc;

use super::*;
use crate::assemble::{Limits, SnapshotBuilder, ZoneBuilder};
use crate::compile::Compiler;
use crate::model::{Revision, ZoneId};
use crate::route53::{read_health_checks, read_record_sets};
use crate::table::Generation;

const CHECKS: &str = r#"[
  {"Id": "slow", "HealthCheckConfig": {"Type": "HTTP", "IPAddress": "192.0.2.1"}},
  {"Id": "fast", "HealthCheckConfig": {"Type": "HTTP", "IPAddress": "192.0.2.1", "FailureThreshold": 3},
   "Tags": [{"Key": "pulse53:interval", "Value": "100ms"}]},
  {"Id": "ten", "HealthCheckConfig": {"Type": "HTTPS", "IPAddress": "192.0.2.1", "RequestInterval": 10}},
  {"Id": "tcp", "HealthCheckConfig": {"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 53, "FailureThreshold": 1}},
  {"Id": "both", "HealthCheckConfig": {"Type": "CALCULATED", "HealthThreshold": 2, "ChildHealthChecks": ["fast", "ten"]}},
  {"Id": "off", "HealthCheckConfig": {"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 53, "Disabled": true}}
]"#;

fn snapshot(records: &str) -> Snapshot {
    let mut zone = ZoneBuilder::new(Name::from_route53("example.com").unwrap(), Some(ZoneId("Z1".into())));
    zone.add_record_sets(read_record_sets("r.json", &format!("[{records}]")));
    let mut builder = SnapshotBuilder::new(Limits::default());
    builder.add_zone(zone);
    builder.add_checks(read_health_checks("h.json", CHECKS).checks.into_iter().map(Arc::new));
    builder.build(Revision(1)).unwrap_or_else(|findings| panic!("{findings}")).0
}

fn check(records: &[String], expected: &[&str]) {
    let snapshot = snapshot(&records.join(",\n"));
    let compiler = Compiler::new(&snapshot, &|_| true, Generation(1));
    let told: Vec<String> = remarks(&snapshot, &GeoDb::default(), compiler.table())
        .iter()
        .map(|(topic, problem)| format!("{} {problem}", topic.as_str()))
        .collect();
    assert_eq!(told, expected);
}

/// A record set with an address.
fn record(name: &str, rest: &str) -> String {
    format!(
        r#"{{"Name": "{name}.example.com", "Type": "A", "TTL": 60, "ResourceRecords": [{{"Value": "192.0.2.1"}}]{rest}}}"#
    )
}

fn alias(name: &str, target: &str, evaluate: bool, rest: &str) -> String {
    format!(
        r#"{{"Name": "{name}.example.com", "Type": "A", "AliasTarget": {{"HostedZoneId": "Z1", "DNSName": "{target}.example.com", "EvaluateTargetHealth": {evaluate}}}{rest}}}"#
    )
}

const ONE: &str = r#", "SetIdentifier": "one", "Weight": 1"#;
const TWO: &str = r#", "SetIdentifier": "two", "Weight": 1"#;
const PRIMARY: &str = r#", "SetIdentifier": "one", "Failover": "PRIMARY""#;
const SECONDARY: &str = r#", "SetIdentifier": "two", "Failover": "SECONDARY""#;
const CHECKED: &str = r#", "HealthCheckId": "slow""#;

#[test]
fn groups_without_health_checks() {
    check(
        &[
            record("bare", ONE),
            record("bare", TWO),
            record("half", &format!("{ONE}{CHECKED}")),
            record("half", TWO),
            record("backwards", PRIMARY),
            record("backwards", &format!("{SECONDARY}{CHECKED}")),
            // A group that always has a healthy member gives nothing to evaluate; one that has not, does.
            alias("behind", "half", true, ONE),
            alias("behind", "bare", true, TWO),
            alias("fine", "checked", true, PRIMARY),
            record("fine", SECONDARY),
            record("checked", CHECKED),
            record("simple", ""),
        ],
        &[
            "no-health-check r.json:1:2: bare.example.com. A: no member has a HealthCheckId or an alias that evaluates a target with one (R-49)",
            "no-health-check r.json:5:1: backwards.example.com. A: the PRIMARY has no HealthCheckId, so the SECONDARY never answers (R-49)",
            "no-health-check r.json:7:1: behind.example.com. A: no member has a HealthCheckId or an alias that evaluates a target with one (R-49)",
        ],
    );
}

#[test]
fn aliases_that_do_not_look() {
    check(
        &[alias("off", "www", false, ""), alias("on", "www", true, ""), record("www", CHECKED)],
        &[
            "target-health-off r.json:1:2: off.example.com. A: AliasTarget.EvaluateTargetHealth is false towards www.example.com. (R-52)",
        ],
    );
}

#[test]
fn groups_without_a_default() {
    let place = |name: &str, place: &str| {
        record(
            name,
            &format!(r#", "SetIdentifier": "{place}", "GeoLocation": {{{place}}}{CHECKED}"#).replace(
                &format!(r#""SetIdentifier": "{place}""#),
                &format!(r#""SetIdentifier": "{}""#, place.len()),
            ),
        )
    };
    let snapshot = snapshot(
        &[
            place("some", r#""CountryCode": "DE""#),
            place("all", r#""CountryCode": "DE""#),
            place("all", r#""CountryCode": "*""#),
        ]
        .join(",\n"),
    );
    let compiler = Compiler::new(&snapshot, &|_| true, Generation(1));
    let remarks = remarks(&snapshot, &GeoDb::default(), compiler.table());
    let told: Vec<String> = (remarks.iter().filter(|(topic, _)| *topic == Topic::NoDefault))
        .map(|(_, problem)| problem.to_string())
        .collect();
    assert_eq!(told, ["r.json:1:2: some.example.com. A: no member has GeoLocation.CountryCode * (R-30)"]);
}

#[test]
fn checked_records_that_caches_keep() {
    let long = |text: String| text.replace("\"TTL\": 60", "\"TTL\": 61");
    check(
        &[long(record("long", CHECKED)), record("short", CHECKED), long(record("unchecked", ""))],
        &["long-ttl r.json:1:2: long.example.com. A: TTL is 61"],
    );
}

#[test]
fn questions_the_kernel_cannot_answer() {
    check(
        &[record("\\\\000", ""), record("*", ""), record("www", "")],
        &["userspace r.json:1:2: \\000.example.com. A: the name holds a zero octet"],
    );
}

#[test]
fn regions_that_nobody_has_placed() {
    check(
        &[
            record("www", &format!(r#", "SetIdentifier": "1", "Region": "eu-west-1"{CHECKED}"#)),
            record("www", &format!(r#", "SetIdentifier": "2", "Region": "rack-7"{CHECKED}"#)),
            record(
                "near",
                &format!(
                    r#", "SetIdentifier": "1", "GeoProximityLocation": {{"AWSRegion": "eu-west-9"}}{CHECKED}"#
                ),
            ),
        ],
        &[
            "unknown-place r.json:2:1: www.example.com. A \"2\": Region \"rack-7\" has neither coordinates nor measured latencies (R-38)",
            "unknown-place r.json:3:1: near.example.com. A \"1\": GeoProximityLocation.AWSRegion \"eu-west-9\" has no coordinates (R-38)",
        ],
    );
}

/// The figures of the health-check specification, section 9.
#[test]
fn detection_times_of_section_9() {
    let snapshot = snapshot("");
    let told: Vec<String> =
        detection_times(&snapshot).iter().map(|(id, time)| format!("{id} {} ms", time.as_millis())).collect();
    assert_eq!(told, ["slow 102000 ms", "both 42000 ms", "ten 42000 ms", "tcp 40000 ms", "fast 900 ms"]);
}
