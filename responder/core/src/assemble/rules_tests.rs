//! Every rule of the routing specification's section 2, and the "fields" rules of sections 4 and 5: what breaks it is refused, with file,
//! line, record set and field.

use std::sync::Arc;

use super::*;
use crate::model::{Name, Revision, ZoneId};
use crate::route53::{read_cidr_collections, read_record_sets};

/// Record sets, each on a line of its own from line 2 on, of which the one at `line` breaks `rule` in `field`.
#[track_caller]
fn refused(rule: &str, field: &str, line: usize, sets: &[String]) {
    let mut zone = ZoneBuilder::new(Name::from_route53("example.com").unwrap(), Some(ZoneId("Z1".into())));
    zone.add_record_sets(read_record_sets("r.json", &format!("[\n{}\n]", sets.join(",\n"))));
    let mut builder = SnapshotBuilder::new(Limits::default());
    builder.add_zone(zone);
    let collections =
        r#"[{"Id": "c1", "Locations": {"a": ["10.0.0.0/8"]}}, {"Id": "c2", "Locations": {"a": []}}]"#;
    builder.add_collections(read_cidr_collections("c.json", collections).0.into_iter().map(Arc::new));
    let errors = match builder.build(Revision(1)) {
        Ok(_) => panic!("{rule}: nothing is refused in {sets:#?}"),
        Err(findings) => findings.errors,
    };
    let found = errors.iter().find(|error| {
        let at = error.source.as_ref().map(|source| (&*source.file, source.line as usize));
        error.rule == Some(rule) && at == Some(("r.json", line)) && error.what.contains(field)
    });
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(found.is_some(), "{rule} {field} at line {line}: {told:#?}");
    // A label is the name, the type and, where there is one, the set identifier; then the field.
    let what = &found.unwrap().what;
    let name = sets[line - 2].split('"').nth(3).unwrap().replace(r"\\", r"\");
    let listed = name.replace('*', r"\052");
    assert!(what.starts_with(&name) || what.starts_with(&listed), "{what}");
    assert!(what.split(": ").nth(1).unwrap().contains(field), "{what}");
}

const VALUES: &str = r#""TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]"#;

fn of_type(name: &str, rtype: &str, fields: &str) -> String {
    format!(r#"{{"Name": "{name}", "Type": "{rtype}", {fields}}}"#)
}

/// `www`, type A, one value.
fn a(fields: &str) -> String {
    let comma = if fields.is_empty() { "" } else { ", " };
    of_type("www.example.com", "A", &format!("{VALUES}{comma}{fields}"))
}

fn with_id(id: &str, field: &str) -> String {
    a(&format!(r#""SetIdentifier": "{id}", {field}"#))
}

fn alias(fields: &str) -> String {
    format!(
        r#""AliasTarget": {{"HostedZoneId": "Z1", "DNSName": "www.example.com", "EvaluateTargetHealth": true{fields}}}"#
    )
}

#[test]
fn r2_values_or_an_alias() {
    refused(
        "R-2",
        "ResourceRecords",
        2,
        &[of_type("www.example.com", "A", r#""Weight": 1, "SetIdentifier": "a""#)],
    );
    let both = of_type("a.example.com", "A", &format!("{VALUES}, {}", alias("")));
    refused("R-41", "TTL", 3, &[a(""), both.clone()]);
    refused("R-41", "ResourceRecords", 3, &[a(""), both]);
}

#[test]
fn r3_one_policy_field() {
    let fields = [
        r#""Weight": 1"#,
        r#""Failover": "PRIMARY""#,
        r#""GeoLocation": {"CountryCode": "*"}"#,
        r#""Region": "x""#,
        r#""CidrRoutingConfig": {"CollectionId": "c1", "LocationName": "a"}"#,
        r#""GeoProximityLocation": {"AWSRegion": "x"}"#,
        r#""MultiValueAnswer": true"#,
    ];
    for pair in fields.windows(2) {
        let field = pair[1].split('"').nth(1).unwrap();
        refused("R-3", field, 2, &[with_id("a", &pair.join(", "))]);
    }
}

#[test]
fn r4_one_policy_a_group() {
    refused("R-4", "Weight", 3, &[with_id("a", r#""Region": "x""#), with_id("b", r#""Weight": 1"#)]);
    refused("R-4", "Name", 3, &[a(""), a("")]);
    refused("R-4", "Weight", 3, &[with_id("a", r#""Weight": 1"#), a("")]);
    refused("R-4", "Region", 3, &[a(""), with_id("a", r#""Region": "x""#)]);
}

#[test]
fn r5_set_identifiers() {
    refused("R-5", "SetIdentifier", 2, &[a(r#""Weight": 1"#)]);
    refused("R-5", "SetIdentifier", 2, &[a(r#""SetIdentifier": "a""#)]);
    refused("R-5", "SetIdentifier", 2, &[with_id(&"x".repeat(129), r#""Weight": 1"#)]);
    refused("R-5", "SetIdentifier", 2, &[with_id("", r#""Weight": 1"#)]);
    refused("R-5", "SetIdentifier", 3, &[with_id("a", r#""Weight": 1"#), with_id("a", r#""Weight": 1"#)]);
}

#[test]
fn r6_a_ttl_and_a_value() {
    let with = |fields: &str| of_type("www.example.com", "A", fields);
    refused("R-6", "TTL", 2, &[with(r#""ResourceRecords": [{"Value": "192.0.2.1"}]"#)]);
    refused("R-6", "ResourceRecords", 2, &[with(r#""TTL": 1"#)]);
    refused("R-6", "ResourceRecords", 2, &[with(r#""TTL": 1, "ResourceRecords": []"#)]);
    for ttl in ["-1", "2147483648"] {
        let fields = format!(r#""TTL": {ttl}, "ResourceRecords": [{{"Value": "192.0.2.1"}}]"#);
        refused("R-6", "TTL", 2, &[with(&fields)]);
    }
}

#[test]
fn r7_values() {
    let of = |rtype: &str, values: &[String]| {
        let values: Vec<String> = values.iter().map(|value| format!(r#"{{"Value": {value:?}}}"#)).collect();
        let fields = format!(r#""TTL": 1, "ResourceRecords": [{}]"#, values.join(", "));
        of_type("www.example.com", rtype, &fields)
    };
    let many: Vec<String> = (0..401).map(|at| format!("10.0.{}.{}", at / 256, at % 256)).collect();
    refused("R-7", "ResourceRecords", 2, &[of("A", &many)]);
    let two = ["a.example.com".to_owned(), "b.example.com".to_owned()];
    refused("R-7", "ResourceRecords", 2, &[of("CNAME", &two)]);
    refused("R-7", "ResourceRecords[1].Value", 2, &[of("A", &["192.0.2.1".into(), "192.0.2.1".into()])]);
    refused("R-7", "ResourceRecords[0].Value", 2, &[of("A", &["192.0.2".into()])]);
    let long = |length: usize| format!("\"{}\"", "x".repeat(length));
    refused("R-7", "ResourceRecords[0].Value", 2, &[of("TXT", &[long(256)])]);
    refused("R-7", "ResourceRecords[0].Value", 2, &[of("SPF", &[long(256)])]);
    refused("R-7", "ResourceRecords[0].Value", 2, &[of("TXT", &[[long(250).as_str(); 16].join(" ")])]);
}

#[test]
fn r8_one_ttl_in_a_weighted_group() {
    let other = with_id("b", r#""Weight": 1"#).replace("60", "61");
    refused("R-8", "TTL", 3, &[with_id("a", r#""Weight": 1"#), other]);
}

#[test]
fn r9_group_sizes() {
    let group = |count: usize, field: &dyn Fn(usize) -> String| -> Vec<String> {
        (0..count).map(|at| with_id(&at.to_string(), &field(at))).collect()
    };
    refused("R-9", "Weight", 2, &group(101, &|_| r#""Weight": 1"#.to_owned()));
    refused("R-9", "MultiValueAnswer", 2, &group(101, &|_| r#""MultiValueAnswer": true"#.to_owned()));
    refused("R-9", "Region", 2, &group(101, &|at| format!(r#""Region": "r{at}""#)));
    refused(
        "R-9",
        "GeoProximityLocation",
        2,
        &group(31, &|_| r#""GeoProximityLocation": {"AWSRegion": "x"}"#.to_owned()),
    );
    refused("R-9", "Failover", 2, &group(3, &|_| r#""Failover": "PRIMARY""#.to_owned()));
}

#[test]
fn r10_r11_types() {
    refused("R-10", "Type", 2, &[of_type("www.example.com", "HINFO", VALUES)]);
    for rtype in ["NS", "DS"] {
        let fields = format!(r#"{VALUES}, "SetIdentifier": "a", "Weight": 1"#);
        refused("R-11", "Type", 2, &[of_type("www.example.com", rtype, &fields)]);
    }
    let multivalue = format!(r#"{VALUES}, "SetIdentifier": "a", "MultiValueAnswer": true"#);
    refused("R-11", "MultiValueAnswer", 2, &[of_type("www.example.com", "CNAME", &multivalue)]);
    let server = r#""TTL": 1, "ResourceRecords": [{"Value": "ns.example.net"}]"#;
    refused("R-11", "Name", 2, &[of_type("*.example.com", "NS", server)]);
}

#[test]
fn r12_cnames() {
    let target = r#""TTL": 1, "ResourceRecords": [{"Value": "a.example.net"}]"#;
    refused("R-12", "Type", 2, &[of_type("example.com", "CNAME", target)]);
    refused("R-12", "Type", 3, &[of_type("www.example.com", "CNAME", target), a("")]);
    let apex = of_type("example.com", "CNAME", &alias(""));
    refused("R-12", "Type", 3, &[of_type("www.example.com", "CNAME", target), apex]);
}

#[test]
fn r13_to_r15_names() {
    refused("R-13", "Name", 2, &[of_type("www.example.net", "A", VALUES)]);
    refused("R-14", "Name", 2, &[of_type(&format!("{}.example.com", "x".repeat(64)), "A", VALUES)]);
    refused("R-14", "Name", 2, &[of_type(&format!("{}example.com", "xxx.".repeat(62)), "A", VALUES)]);
    refused("R-14", "Name", 2, &[of_type("www..example.com", "A", VALUES)]);
    refused("R-15", "Name", 2, &[of_type(r"w\\05w.example.com", "A", VALUES)]);
    refused("R-15", "Name", 2, &[of_type("w w.example.com", "A", VALUES)]);
    let target = r#""AliasTarget": {"HostedZoneId": "Z1", "DNSName": "w w.example.com", "EvaluateTargetHealth": true}"#;
    refused("R-15", "AliasTarget.DNSName", 2, &[of_type("www.example.com", "A", target)]);
}

#[test]
fn r22_to_r32_fields_of_policies() {
    for weight in ["-1", "256"] {
        refused("R-22", "Weight", 2, &[with_id("a", &format!(r#""Weight": {weight}"#))]);
    }
    refused("R-26", "Failover", 2, &[with_id("a", r#""Failover": "primary""#)]);
    let primary = r#""Failover": "PRIMARY""#;
    refused("R-26", "Failover", 3, &[with_id("a", primary), with_id("b", primary)]);
    for place in [
        "{}",
        r#"{"ContinentCode": "XX"}"#,
        r#"{"ContinentCode": "EU", "CountryCode": "DE"}"#,
        r#"{"CountryCode": "EH"}"#,
        r#"{"CountryCode": "de"}"#,
        r#"{"CountryCode": "DE", "SubdivisionCode": "BY"}"#,
        r#"{"CountryCode": "US", "SubdivisionCode": "XX"}"#,
        r#"{"CountryCode": "*", "SubdivisionCode": "CA"}"#,
        r#"{"SubdivisionCode": "CA"}"#,
    ] {
        refused("R-28", "GeoLocation", 2, &[with_id("a", &format!(r#""GeoLocation": {place}"#))]);
    }
    let place = r#""GeoLocation": {"CountryCode": "DE"}"#;
    refused("R-28", "GeoLocation", 3, &[with_id("a", place), with_id("b", place)]);
    refused("R-32", "Region", 2, &[with_id("a", r#""Region": """#)]);
    refused("R-32", "Region", 2, &[with_id("a", &format!(r#""Region": "{}""#, "x".repeat(65)))]);
    refused("R-32", "Region", 3, &[with_id("a", r#""Region": "x""#), with_id("b", r#""Region": "x""#)]);
}

#[test]
fn r35_ip_based() {
    let at = |collection: &str, location: &str| {
        format!(r#""CidrRoutingConfig": {{"CollectionId": "{collection}", "LocationName": "{location}"}}"#)
    };
    refused("R-35", "CidrRoutingConfig.CollectionId", 2, &[with_id("a", &at("c3", "a"))]);
    refused("R-35", "CidrRoutingConfig.LocationName", 2, &[with_id("a", &at("c1", "b"))]);
    refused("R-35", "CidrRoutingConfig.LocationName", 2, &[with_id("a", &at("c1", "a b"))]);
    let missing = r#""CidrRoutingConfig": {"CollectionId": "c1"}"#;
    refused("R-35", "CidrRoutingConfig.LocationName", 2, &[with_id("a", missing)]);
    let missing = r#""CidrRoutingConfig": {"LocationName": "a"}"#;
    refused("R-35", "CidrRoutingConfig.CollectionId", 2, &[with_id("a", missing)]);
    let pair = |second: &str| [with_id("a", &at("c1", "a")), with_id("b", second)];
    refused("R-35", "CidrRoutingConfig.LocationName", 3, &pair(&at("c1", "a")));
    refused("R-35", "CidrRoutingConfig.CollectionId", 3, &pair(&at("c2", "*")));
}

#[test]
fn r38_geoproximity() {
    let at = |fields: &str| with_id("a", &format!(r#""GeoProximityLocation": {{{fields}}}"#));
    let place = |latitude: &str, longitude: &str| {
        at(&format!(r#""Coordinates": {{"Latitude": "{latitude}", "Longitude": "{longitude}"}}"#))
    };
    refused("R-38", "GeoProximityLocation", 2, &[at("")]);
    refused("R-38", "GeoProximityLocation", 2, &[at(r#""AWSRegion": "x", "LocalZoneGroup": "y""#)]);
    refused("R-38", "GeoProximityLocation.AWSRegion", 2, &[at(r#""AWSRegion": """#)]);
    refused("R-38", "GeoProximityLocation.Coordinates.Latitude", 2, &[place("90.01", "0")]);
    refused("R-38", "GeoProximityLocation.Coordinates.Longitude", 2, &[place("0", "-180.5")]);
    refused(
        "R-38",
        "GeoProximityLocation.Coordinates.Longitude",
        2,
        &[at(r#""Coordinates": {"Latitude": "1"}"#)],
    );
    for bias in ["-100", "100"] {
        refused(
            "R-38",
            "GeoProximityLocation.Bias",
            2,
            &[at(&format!(r#""AWSRegion": "x", "Bias": {bias}"#))],
        );
    }
}

#[test]
fn r41_to_r46_aliases() {
    let to = |name: &str, fields: &str| of_type(name, "A", &format!(r#""AliasTarget": {{{fields}}}"#));
    refused(
        "R-41",
        "AliasTarget.HostedZoneId",
        2,
        &[to("a.example.com", r#""DNSName": "www.example.com", "EvaluateTargetHealth": true"#)],
    );
    refused(
        "R-41",
        "AliasTarget.DNSName",
        2,
        &[to("a.example.com", r#""HostedZoneId": "Z1", "EvaluateTargetHealth": true"#)],
    );
    refused(
        "R-41",
        "AliasTarget.EvaluateTargetHealth",
        2,
        &[to("a.example.com", r#""HostedZoneId": "Z1", "DNSName": "www.example.com""#)],
    );
    let target = |zone: &str, name: &str| {
        format!(r#""HostedZoneId": "{zone}", "DNSName": "{name}", "EvaluateTargetHealth": false"#)
    };
    refused(
        "R-42",
        "AliasTarget.HostedZoneId",
        3,
        &[a(""), to("a.example.com", &target("Z9", "www.example.com"))],
    );
    for rtype in ["NS", "SOA"] {
        refused("R-43", "AliasTarget", 3, &[a(""), of_type("example.com", rtype, &alias(""))]);
    }
    let multivalue = format!(r#"{}, "SetIdentifier": "a", "MultiValueAnswer": true"#, alias(""));
    refused("R-43", "AliasTarget", 3, &[a(""), of_type("a.example.com", "A", &multivalue)]);
    refused("R-44", "AliasTarget.DNSName", 3, &[a(""), to("a.example.com", &target("Z1", "b.example.com"))]);
    refused("R-44", "AliasTarget.DNSName", 3, &[a(""), of_type("a.example.com", "AAAA", &alias(""))]);
    let wildcard = of_type("*.example.com", "A", VALUES);
    refused(
        "R-44",
        "AliasTarget.DNSName",
        3,
        &[wildcard, to("a.example.com", &target("Z1", "b.example.com"))],
    );
    refused("R-46", "AliasTarget", 2, &[to("a.example.com", &target("Z1", "a.example.com"))]);
    let mut chain = vec![of_type("h0.example.com", "A", VALUES)];
    for at in 1..=9 {
        chain.push(to(&format!("h{at}.example.com"), &target("Z1", &format!("h{}.example.com", at - 1))));
    }
    refused("R-46", "AliasTarget", 11, &chain);
}
