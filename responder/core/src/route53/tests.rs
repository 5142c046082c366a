//! Tests of the JSON readers.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::check::{CheckKind, ComparisonOperator, InsufficientData, Protocol, Sni};
use crate::model::policy::{GeoLocation, GeoProximityPlace, RoutingPolicy};
use crate::model::{HealthCheck, RecordSet};

fn one_set(fields: &str) -> RecordSet {
    let text = format!(
        "[{{\"Name\": \"a.b\", \"Type\": \"A\", \"SetIdentifier\": \"s\", \"TTL\": 1, \"ResourceRecords\": [{{\"Value\": \"192.0.2.1\"}}], {fields}}}]"
    );
    let mut read = read_record_sets("r.json", &text);
    assert!(read.findings.errors.is_empty(), "{}", read.findings);
    read.sets.remove(0).set
}

fn rules(fields: &str) -> Vec<&'static str> {
    let text = format!("[{{\"Name\": \"a.b\", \"Type\": \"A\", {fields}}}]");
    read_record_sets("r.json", &text).findings.errors.iter().filter_map(|error| error.rule).collect()
}

#[test]
fn every_policy_is_read() {
    let policy = |fields: &str| one_set(fields).policy;
    assert_eq!(policy("\"Weight\": 0"), RoutingPolicy::Weighted(0));
    assert_eq!(policy("\"MultiValueAnswer\": true"), RoutingPolicy::Multivalue);
    assert_eq!(policy("\"Region\": \"lab\""), RoutingPolicy::Latency("lab".into()));
    let geo = |place: &str| policy(&format!("\"GeoLocation\": {place}"));
    assert_eq!(geo("{\"CountryCode\": \"*\"}"), RoutingPolicy::Geolocation(GeoLocation::Default));
    assert_eq!(
        geo("{\"ContinentCode\": \"EU\"}"),
        RoutingPolicy::Geolocation(GeoLocation::Continent(*b"EU"))
    );
    assert_eq!(
        geo("{\"CountryCode\": \"US\", \"SubdivisionCode\": \"CA\"}"),
        RoutingPolicy::Geolocation(GeoLocation::Subdivision("CA".into()))
    );
    assert_eq!(
        policy(
            "\"GeoProximityLocation\": {\"Coordinates\": {\"Latitude\": \"-0.909\", \"Longitude\": \"180\"}, \"Bias\": -99}"
        ),
        RoutingPolicy::Geoproximity {
            place: GeoProximityPlace::Coordinates { latitude_centi: -90, longitude_centi: 18000 },
            bias: -99
        }
    );
}

#[test]
fn each_rule_of_one_record_set() {
    let values = "\"TTL\": 1, \"ResourceRecords\": [{\"Value\": \"192.0.2.1\"}]";
    let check = |fields: &str, rule: &str| {
        assert_eq!(rules(&format!("{values}, {fields}")), [rule], "{fields}");
    };
    check("\"Weight\": 1", "R-5");
    check("\"SetIdentifier\": \"s\"", "R-5");
    check("\"SetIdentifier\": \"\", \"Weight\": 1", "R-5");
    check("\"SetIdentifier\": \"s\", \"Weight\": 1, \"Region\": \"x\"", "R-3");
    check("\"SetIdentifier\": \"s\", \"Weight\": -1", "R-22");
    check("\"SetIdentifier\": \"s\", \"Failover\": \"primary\"", "R-26");
    check("\"SetIdentifier\": \"s\", \"GeoLocation\": {}", "R-28");
    check("\"SetIdentifier\": \"s\", \"GeoLocation\": {\"CountryCode\": \"EH\"}", "R-28");
    check("\"SetIdentifier\": \"s\", \"Region\": \"\"", "R-32");
    check("\"SetIdentifier\": \"s\", \"CidrRoutingConfig\": {\"CollectionId\": \"c\"}", "R-35");
    check("\"SetIdentifier\": \"s\", \"GeoProximityLocation\": {\"Bias\": 1}", "R-38");
    check("\"HealthCheckId\": \"\"", "H-3");
    assert_eq!(rules("\"TTL\": 1, \"ResourceRecords\": []"), ["R-6"]);
    assert_eq!(rules("\"TTL\": 2147483648, \"ResourceRecords\": [{\"Value\": \"192.0.2.1\"}]"), ["R-6"]);
    assert_eq!(rules("\"HealthCheckId\": \"x\""), ["R-2"]);
    assert_eq!(rules("\"AliasTarget\": {}"), ["R-41", "R-41", "R-41"]);
}

#[test]
fn null_is_absent_and_unknown_fields_are_ignored() {
    assert_eq!(
        one_set("\"Weight\": null, \"Region\": \"x\", \"New\": {}").policy,
        RoutingPolicy::Latency("x".into())
    );
}

#[test]
fn text_that_is_no_listing() {
    let error = |text: &str| read_record_sets("r.json", text).findings.errors.remove(0).to_string();
    assert!(error("{\n \"x\"").starts_with("r.json:2:"), "{}", error("{\n \"x\""));
    assert_eq!(error("{}"), "r.json:1:1: ResourceRecordSets: missing; add it");
    assert_eq!(
        error("{\"ResourceRecordSets\": 1}"),
        "r.json:1:24: ResourceRecordSets: must be a list, not 1"
    );
    assert!(error("[1]").starts_with("r.json:1:2: each record set must be an object"));
    assert!(error("[{\"Name\": \"a\", \"Name\": \"b\", \"Type\": \"A\"}]").contains("given twice"));
}

fn checks(config: &str, rest: &str) -> HealthChecks {
    let text = format!(
        "{{\"HealthChecks\": [{{\"Id\": \"c\", \"CallerReference\": \"r\", \"HealthCheckVersion\": 2,\n\"HealthCheckConfig\": {{{config}}}{rest}}}]}}"
    );
    read_health_checks("h.json", &text)
}

fn check(config: &str, rest: &str) -> HealthCheck {
    let mut read = checks(config, rest);
    assert!(read.findings.errors.is_empty(), "{}", read.findings);
    read.checks.remove(0)
}

#[test]
fn endpoint_checks_and_their_defaults_h1_h2_h3() {
    let read =
        check("\"Type\": \"HTTPS\", \"FullyQualifiedDomainName\": \"a.b\", \"ResourcePath\": \"x?y\"", "");
    assert_eq!(read.version, 2);
    let CheckKind::Endpoint(endpoint) = read.kind else { panic!() };
    assert_eq!((endpoint.port, endpoint.failure_threshold), (443, 3));
    assert_eq!(endpoint.interval, Duration::from_secs(30));
    let path = "/x?y".to_owned();
    assert_eq!(endpoint.protocol, Protocol::Http { tls: Some(Sni(true)), path, search: None });

    let tags = ", \"Tags\": [{\"Key\": \"pulse53:interval\", \"Value\": \"100ms\"}, {\"Key\": \"pulse53:timeout\", \"Value\": \"1s\"}, {\"Key\": \"Name\", \"Value\": \"x\"}]";
    let read =
        check("\"Type\": \"TCP\", \"IPAddress\": \"2001:db8::1\", \"Port\": 53, \"EnableSNI\": false", tags);
    let CheckKind::Endpoint(endpoint) = read.kind else { panic!() };
    assert_eq!(endpoint.interval, Duration::from_millis(100));
    assert_eq!(endpoint.timeout, Some(Duration::from_secs(1)));
    assert_eq!(endpoint.protocol, Protocol::Tcp);
    assert_eq!(read.tags["Name"], "x");
}

#[test]
fn the_other_types_h1_h2_h27() {
    let read = check(
        "\"Type\": \"CALCULATED\", \"HealthThreshold\": 1, \"ChildHealthChecks\": [\"a\", \"b\"], \"Inverted\": true",
        "",
    );
    assert!(read.inverted && !read.disabled);
    assert!(matches!(read.kind, CheckKind::Calculated { threshold: 1, ref children } if children.len() == 2));
    let read = check("\"Type\": \"RECOVERY_CONTROL\", \"RoutingControlArn\": \"arn:x\"", "");
    assert_eq!(read.kind, CheckKind::RecoveryControl { arn: "arn:x".into() });
    let read = check(
        "\"Type\": \"CLOUDWATCH_METRIC\", \"AlarmIdentifier\": {\"Region\": \"r\", \"Name\": \"n\"}, \"InsufficientDataHealthStatus\": \"Healthy\"",
        ", \"CloudWatchAlarmConfiguration\": {\"EvaluationPeriods\": 2, \"Threshold\": 0.5, \"ComparisonOperator\": \"LessThanThreshold\", \"Period\": 10, \"MetricName\": \"m\"},\
         \"Tags\": [{\"Key\": \"pulse53:query\", \"Value\": \"http://p:9090 sum(up) > 1\"}]",
    );
    let CheckKind::Alarm(alarm) = read.kind else { panic!() };
    assert_eq!(alarm.query, Some(("http://p:9090".into(), "sum(up) > 1".into())));
    assert_eq!(alarm.threshold, Some((ComparisonOperator::LessThanThreshold, 0.5)));
    assert_eq!((alarm.period, alarm.evaluation_periods), (Duration::from_secs(10), 2));
    assert_eq!(alarm.insufficient_data, InsufficientData::Healthy);
}

#[test]
fn wrong_checks_name_the_field_h1_h2() {
    let check = |config: &str, rest: &str, field: &str| {
        let read = checks(config, rest);
        assert_eq!(read.findings.errors.len(), 1, "{}", read.findings);
        let error = read.findings.errors[0].to_string();
        assert!(error.starts_with("h.json:") && error.contains(field), "{error}");
        assert!(read.checks.is_empty());
    };
    let http = "\"Type\": \"HTTP\", \"IPAddress\": \"192.0.2.1\"";
    let with = |fields: &str| format!("{http}, {fields}");
    check("\"Type\": \"PING\"", "", "health check c: HealthCheckConfig.Type");
    check("\"Type\": \"HTTP\"", "", "HealthCheckConfig.IPAddress");
    check("\"Type\": \"HTTP\", \"IPAddress\": \"a\"", "", "HealthCheckConfig.IPAddress");
    check("\"Type\": \"TCP\", \"IPAddress\": \"192.0.2.1\"", "", "HealthCheckConfig.Port");
    check(
        "\"Type\": \"TCP\", \"IPAddress\": \"192.0.2.1\", \"Port\": 1, \"FullyQualifiedDomainName\": \"a\"",
        "",
        "FullyQualified",
    );
    check(
        "\"Type\": \"TCP\", \"IPAddress\": \"192.0.2.1\", \"Port\": 1, \"ResourcePath\": \"/\"",
        "",
        "ResourcePath",
    );
    check("\"Type\": \"HTTP_STR_MATCH\", \"IPAddress\": \"192.0.2.1\"", "", "SearchString");
    check(&with("\"SearchString\": \"x\""), "", "SearchString");
    check(&with("\"Port\": 65536"), "", "Port");
    check(&with("\"Port\": \"80\""), "", "Port: must be a whole number, not \"80\"");
    check(&with("\"RequestInterval\": 20"), "", "RequestInterval");
    check(&with("\"FailureThreshold\": 11"), "", "FailureThreshold");
    check(&with("\"FailureThreshold\": 0"), "", "FailureThreshold");
    check(&with(&format!("\"ResourcePath\": \"/{}\"", "p".repeat(255))), "", "ResourcePath");
    let regions = vec!["\"eu-west-1\""; 65].join(",");
    check(&with(&format!("\"Regions\": [{regions}]")), "", "Regions");
    check(&with("\"ResourcePath\": \"/ x\""), "", "ResourcePath");
    check(&with("\"HealthThreshold\": 1"), "", "HealthThreshold");
    check(
        http,
        ", \"Tags\": [{\"Key\": \"pulse53:intervall\", \"Value\": \"1s\"}]",
        "did you mean \"pulse53:interval\"?",
    );
    check(
        http,
        ", \"Tags\": [{\"Key\": \"pulse53:interval\", \"Value\": \"2h\"}]",
        "\"2h\" must be 100ms to 3600s",
    );
    check(
        http,
        ", \"Tags\": [{\"Key\": \"pulse53:query\", \"Value\": \"x\"}]",
        "does not apply to type HTTP",
    );
    check("\"Type\": \"CALCULATED\"", "", "HealthThreshold");
    check("\"Type\": \"CALCULATED\", \"HealthThreshold\": 257", "", "HealthThreshold");
    let children: Vec<String> = (0..256).map(|child| format!("\"{child}\"")).collect();
    let many = format!(
        "\"Type\": \"CALCULATED\", \"HealthThreshold\": 1, \"ChildHealthChecks\": [{}]",
        children.join(",")
    );
    check(&many, "", "ChildHealthChecks");
    check(
        "\"Type\": \"RECOVERY_CONTROL\", \"RoutingControlArn\": \"a\", \"RequestInterval\": 10",
        "",
        "RequestInterval",
    );
    check(
        "\"Type\": \"CALCULATED\", \"HealthThreshold\": 1, \"ChildHealthChecks\": [\"a\", \"a\"]",
        "",
        "ChildHealthChecks[1]",
    );
    check("\"Type\": \"CLOUDWATCH_METRIC\"", "", "AlarmIdentifier");
    check("\"Type\": \"RECOVERY_CONTROL\"", "", "RoutingControlArn");
}

#[test]
fn a_record_set_survives_its_json() {
    let text = "{\"Name\":\"a.\",\"Type\":\"A\",\"SetIdentifier\":\"s\",\"GeoLocation\":{\"CountryCode\":\"DE\"},\"TTL\":60,\"ResourceRecords\":[{\"Value\":\"192.0.2.1\"}]}";
    let set: ResourceRecordSet = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&set).unwrap(), text);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        read_record_sets("x", &text);
        read_health_checks("x", &text);
        read_cidr_collections("x", &text);
    }

    #[test]
    fn any_listing_is_read_or_refused(
        fields in prop::collection::vec((
            "Name|Type|TTL|Weight|Region|GeoLocation|AliasTarget|ResourceRecords|Tags|Bias|Id|HealthCheckConfig|Locations|Coordinates|GeoProximityLocation|HealthCheckVersion",
            "1|-1|1e99|\"A\"|\"a\\.b\"|\"HTTP\"|null|true|\\[\\]|\\{\\}|\\[\\{\"Value\": \"x\"\\}\\]|\\{\"CountryCode\": 1\\}|\\{\"Type\": \"TCP\", \"Port\": 0\\}|\\{\"a\": \\[\"1.2.3.4/33\"\\]\\}",
        ), 0..8)
    ) {
        let fields: Vec<String> = fields.iter().map(|(field, value)| format!("\"{field}\":\n{value}")).collect();
        let text = format!("[{{{}}}]", fields.join(","));
        for problem in read_record_sets("x", &text).findings.errors {
            prop_assert!(problem.source.is_some());
        }
        read_health_checks("x", &text);
        read_cidr_collections("x", &text);
    }
}
