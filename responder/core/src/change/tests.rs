//! A test for each way a batch can fail, and for what it does when it does not.

use std::sync::Arc;

use super::*;
use crate::model::{Revision, ZoneId};

const ZONE: &str = "Z1EXAMPLE";

fn name(text: &str) -> Name {
    Name::from_route53(text).unwrap()
}

/// A snapshot of the zone `example.com` as it is made, and `example.net` beside it.
fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot { revision: Revision(1), ..Snapshot::default() };
    for (id, apex) in [(ZONE, "example.com"), ("Z2EXAMPLE", "example.net")] {
        let (servers, mailbox) = ([name("ns1.example.org")], name("hostmaster.example.org"));
        let new =
            NewZone { id: ZoneId(id.into()), apex: name(apex), name_servers: &servers, mailbox: &mailbox };
        let (zone, edits) = create_zone(new).unwrap();
        assert_eq!(edits.len(), 2);
        snapshot.zones.insert(zone.id.clone(), Arc::new(zone));
    }
    snapshot
}

/// Changes written as `CREATE {"Name": …}`, one a line.
fn changes(text: &str) -> Vec<Change> {
    let read = |line: &str| {
        let (action, set) = line.trim().split_once(' ').unwrap();
        let action = Action::from_route53(action).unwrap();
        Change { action, set: serde_json::from_str(set).unwrap() }
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(read).collect()
}

fn carry_out(snapshot: &mut Snapshot, text: &str) -> Result<Vec<Edit>, ChangeError> {
    let zone = snapshot.zones[&ZoneId(ZONE.into())].clone();
    let applied = apply(snapshot, &zone, &changes(text), &Limits::default())?;
    snapshot.zones.insert(zone.id.clone(), applied.zone);
    Ok(applied.edits)
}

/// What a batch is refused with on a zone where another has been carried out.
fn refused(before: &str, batch: &str) -> ChangeError {
    let mut snapshot = snapshot();
    if !before.is_empty() {
        carry_out(&mut snapshot, before).unwrap();
    }
    carry_out(&mut snapshot, batch).unwrap_err()
}

fn check(before: &str, batch: &str, messages: &[&str]) {
    let expected = messages.iter().map(|message| (*message).to_owned()).collect();
    assert_eq!(refused(before, batch), ChangeError::InvalidChangeBatch(expected));
}

/// A simple A record set as JSON.
fn a(name: &str, values: &str) -> String {
    let records: Vec<String> = values.split(' ').map(|value| format!(r#"{{"Value":"{value}"}}"#)).collect();
    format!(r#"{{"Name":"{name}","Type":"A","TTL":60,"ResourceRecords":[{}]}}"#, records.join(","))
}

/// A record set with a policy.
fn routed(name: &str, set_id: &str, policy: &str, ttl: u32) -> String {
    format!(
        r#"{{"Name":"{name}","Type":"A","TTL":{ttl},"SetIdentifier":"{set_id}",{policy},"ResourceRecords":[{{"Value":"192.0.2.1"}}]}}"#
    )
}

fn alias(name: &str, zone: &str, target: &str) -> String {
    format!(
        r#"{{"Name":"{name}","Type":"A","AliasTarget":{{"HostedZoneId":"{zone}","DNSName":"{target}","EvaluateTargetHealth":false}}}}"#
    )
}

const WWW: &str = "[name='www.example.com.', type='A']";

#[test]
fn a_batch_is_carried_out_and_told_as_it_was_submitted() {
    let mut snapshot = snapshot();
    let batch = format!(
        "CREATE {}\nUPSERT {}",
        a("*.EXAMPLE.com", "192.0.2.2 192.0.2.1"),
        a("www.example.com", "192.0.2.3")
    );
    let edits = carry_out(&mut snapshot, &batch).unwrap();
    let zone = &snapshot.zones[&ZoneId(ZONE.into())];
    assert_eq!(zone.groups.len(), 4);
    let wildcard =
        edits.iter().find(|edit| edit.key.owner == name("*.example.com")).unwrap().set.clone().unwrap();
    assert_eq!(wildcard.name, "\\052.example.com.");
    assert_eq!(wildcard.resource_records.unwrap()[0].value, "192.0.2.2");
    // The same again changes nothing; its values may come in any order when it is deleted.
    let batch = format!(
        "UPSERT {}\nDELETE {}",
        a("www.example.com", "192.0.2.3"),
        a("\\\\052.example.com.", "192.0.2.1 192.0.2.2")
    );
    let edits = carry_out(&mut snapshot, &batch).unwrap();
    assert_eq!(edits.iter().filter(|edit| edit.set.is_none()).count(), 1);
    assert_eq!(snapshot.zones[&ZoneId(ZONE.into())].groups.len(), 3);
}

#[test]
fn deletes_come_first_and_one_key_may_be_replaced() {
    let mut snapshot = snapshot();
    let (old, new) = (a("www.example.com", "192.0.2.1"), a("www.example.com", "192.0.2.2"));
    carry_out(&mut snapshot, &format!("CREATE {old}")).unwrap();
    let edits = carry_out(&mut snapshot, &format!("DELETE {old}\nCREATE {new}")).unwrap();
    assert_eq!(edits.len(), 1);
    assert!(edits[0].set.is_some());
    let cname =
        r#"{"Name":"www.example.com","Type":"CNAME","TTL":1,"ResourceRecords":[{"Value":"x.example.org"}]}"#;
    carry_out(&mut snapshot, &format!("CREATE {cname}\nDELETE {new}")).unwrap();
}

#[test]
fn existence() {
    let (one, two) = (a("www.example.com", "192.0.2.1"), a("www.example.com", "192.0.2.2"));
    let create = format!("CREATE {one}");
    check(&create, &create, &[&format!("Tried to create resource record set {WWW} but it already exists")]);
    check(
        "",
        &format!("DELETE {one}"),
        &[&format!("Tried to delete resource record set {WWW} but it was not found")],
    );
    let differs = format!(
        "Tried to delete resource record set {WWW} but the values provided do not match the current values"
    );
    check(&create, &format!("DELETE {two}"), &[&differs]);
    check(&create, &format!("DELETE {}", one.replace("60", "61")), &[&differs]);
    let twice =
        "The request contains an invalid set of changes for a resource record set 'A www.example.com.'";
    check("", &format!("{create}\nUPSERT {two}"), &[twice]);
    check(
        &create,
        &format!("CREATE {two}\nDELETE {one}"),
        &[&format!("Tried to create resource record set {WWW} but it already exists"), twice],
    );
    let weighted = routed("w.example.com", "blue", r#""Weight":1"#, 60);
    check(
        &format!("CREATE {weighted}"),
        &format!("CREATE {weighted}"),
        &[
            "Tried to create resource record set [name='w.example.com.', type='A', set-identifier='blue'] but it already exists",
        ],
    );
}

#[test]
fn all_messages_come_in_change_order_and_nothing_is_done() {
    let batch = format!(
        "CREATE {}\nCREATE {}\nDELETE {}",
        a("www.example.net", "192.0.2.1"),
        a("x.example.com", "192.0.2 192.0.2.1 192.0.2.1"),
        a("y.example.com", "192.0.2.1")
    );
    check(
        "",
        &batch,
        &[
            "RRSet with DNS name www.example.net. is not permitted in zone example.com.",
            "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with '192.0.2''",
            "Duplicate Resource Record: '192.0.2.1'",
            "Tried to delete resource record set [name='y.example.com.', type='A'] but it was not found",
        ],
    );
}

#[test]
fn values_and_names() {
    let one = |record_type: &str, value: &str| {
        let value = serde_json::to_string(value).unwrap();
        format!(
            r#"CREATE {{"Name":"x.example.com","Type":"{record_type}","TTL":1,"ResourceRecords":[{{"Value":{value}}}]}}"#
        )
    };
    let invalid = |what: &str| format!("Invalid Resource Record: 'FATAL problem: {what}'");
    check(
        "",
        &one("AAAA", "::x"),
        &[&invalid(
            "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address) encountered with '::x'",
        )],
    );
    check(
        "",
        &one("TXT", "bare"),
        &[&invalid(
            "InvalidCharacterString (Value should be enclosed in quotation marks) encountered with 'bare'",
        )],
    );
    let long = format!("\"{}\"", "x".repeat(256));
    let too_long = invalid(&format!("CharacterStringTooLong (Value is too long) encountered with '{long}'"));
    check("", &one("TXT", &long), &[&too_long]);
    check(
        "",
        &one("CNAME", "a..b"),
        &[&invalid("DomainLabelEmpty (Domain label is empty) encountered with 'a..b'")],
    );
    check(
        "",
        &format!("CREATE {}", a("a b.example.com", "192.0.2.1")),
        &[
            "FATAL problem: UnsupportedCharacter (Value contains unsupported characters) encountered with 'a b.example.com'",
        ],
    );
}

#[test]
fn cnames_and_the_apex() {
    let cname = |name: &str| {
        format!(
            r#"{{"Name":"{name}","Type":"CNAME","TTL":1,"ResourceRecords":[{{"Value":"x.example.org"}}]}}"#
        )
    };
    let (www, www_cname) = (a("www.example.com", "192.0.2.1"), cname("www.example.com"));
    check(
        "",
        &format!("CREATE {}", cname("example.com")),
        &["RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com."],
    );
    check(
        &format!("CREATE {www}"),
        &format!("CREATE {www_cname}"),
        &[
            "RRSet of type CNAME with DNS name www.example.com. is not permitted as it conflicts with other records with the same DNS name in zone example.com.",
        ],
    );
    check(
        &format!("CREATE {www_cname}"),
        &format!("CREATE {www}"),
        &[
            "RRSet of type A with DNS name www.example.com. is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone example.com.",
        ],
    );
    let ns =
        r#"{"Name":"example.com","Type":"NS","TTL":172800,"ResourceRecords":[{"Value":"ns1.example.org."}]}"#;
    check(
        "",
        &format!("DELETE {ns}"),
        &["A HostedZone must contain at least one NS record for the zone itself."],
    );
    let soa = r#"{"Name":"example.com","Type":"SOA","TTL":900,"ResourceRecords":[{"Value":"ns1.example.org. hostmaster.example.org. 1 7200 900 1209600 86400"}]}"#;
    check("", &format!("DELETE {soa}"), &["A HostedZone must contain exactly one SOA record."]);
    let ds = r#"{"Name":"sub.example.com","Type":"DS","TTL":60,"ResourceRecords":[{"Value":"1 13 2 00"}]}"#;
    check(
        "",
        &format!("CREATE {ds}"),
        &[
            "RRSet of type DS with DNS name sub.example.com. is not permitted as there is no delegation with the same DNS name in zone example.com.",
        ],
    );
    let delegation = ns.replace("example.com", "sub.example.com");
    carry_out(&mut snapshot(), &format!("CREATE {ds}\nCREATE {delegation}")).unwrap();
}

#[test]
fn groups() {
    let subject = "RRSet with DNS name w.example.com., type A, SetIdentifier b";
    let blue = format!("CREATE {}", routed("w.example.com", "a", r#""Weight":1"#, 60));
    let add = |policy: &str, ttl| format!("CREATE {}", routed("w.example.com", "b", policy, ttl));
    check(
        &blue,
        &add(r#""Weight":1"#, 61),
        &[&format!("{subject} cannot be created as weighted sets must contain the same TTL.")],
    );
    check(
        &blue,
        &add(r#""Region":"eu-west-1""#, 60),
        &[&format!("{subject} cannot be created as a non-latency set exists with the same name and type.")],
    );
    check(
        &blue,
        &format!("CREATE {}", a("w.example.com", "192.0.2.1")),
        &[
            "RRSet with DNS name w.example.com., type A cannot be created as other RRSets exist with the same name and type.",
        ],
    );
    let twice = [
        (r#""Region":"eu-west-1""#, "Region Name=eu-west-1", "latency", "region"),
        (r#""Failover":"PRIMARY""#, "Failover=PRIMARY", "failover", "failover role"),
        (r#""GeoLocation":{"CountryCode":"*"}"#, "GeoLocation CountryCode=*", "geolocation", "geolocation"),
    ];
    for (policy, role, kind, word) in twice {
        let first = format!("CREATE {}", routed("w.example.com", "a", policy, 60));
        check(
            &first,
            &add(policy, 60),
            &[&format!(
                "{subject}, and {role} cannot be created because a {kind} RRSet with the same name, type and {word} already exists."
            )],
        );
    }
    // A batch that changes every member may change the common TTL.
    let mut snapshot = snapshot();
    carry_out(&mut snapshot, &format!("{blue}\n{}", add(r#""Weight":1"#, 60))).unwrap();
    let again = |set_id| routed("w.example.com", set_id, r#""Weight":2"#, 30);
    carry_out(&mut snapshot, &format!("UPSERT {}\nUPSERT {}", again("b"), again("a"))).unwrap();
}

#[test]
fn aliases() {
    let www = a("www.example.com", "192.0.2.1");
    let of_www = alias("x.example.com", ZONE, "www.example.com");
    let tried = "Tried to create an alias that targets";
    check(
        "",
        &format!("CREATE {of_www}"),
        &[&format!("{tried} www.example.com., type A in zone {ZONE}, but that target was not found")],
    );
    check(
        "",
        &format!("CREATE {}", alias("x.example.com", "ZELSEWHERE", "www.example.com")),
        &[&format!(
            "{tried} www.example.com., type A in zone ZELSEWHERE, but the alias target name does not lie within the target zone"
        )],
    );
    let (x, y) =
        (alias("x.example.com", ZONE, "y.example.com"), alias("y.example.com", ZONE, "x.example.com"));
    let ChangeError::InvalidChangeBatch(loops) = refused("", &format!("CREATE {x}\nCREATE {y}")) else {
        panic!("a loop is a matter of the batch");
    };
    assert!(loops.len() == 2 && loops[0].contains("in a loop"), "{loops:?}");
    // In one batch and in any order; the target may go before its alias, which may be written again only with a target.
    let mut snapshot = snapshot();
    let edits = carry_out(&mut snapshot, &format!("CREATE {of_www}\nCREATE {www}")).unwrap();
    let target = edits.iter().find_map(|edit| edit.set.as_ref()?.alias_target.clone());
    assert_eq!(target.unwrap().dns_name.unwrap(), "www.example.com.");
    carry_out(&mut snapshot, &format!("DELETE {www}")).unwrap();
    carry_out(&mut snapshot, &format!("UPSERT {of_www}")).unwrap_err();
    carry_out(&mut snapshot, &format!("DELETE {of_www}")).unwrap();
}

#[test]
fn malformed_requests() {
    let check = |batch: &str, start: &str| match refused("", batch) {
        ChangeError::InvalidInput(message) => assert!(message.starts_with(start), "{message}"),
        other => panic!("{other:?}"),
    };
    let data = "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found";
    check(
        r#"CREATE {"Name":"x.example.com","Type":"A"}"#,
        &format!(
            "{data} none in Change with [Action=CREATE, Name=x.example.com, Type=A, SetIdentifier=null]"
        ),
    );
    check(r#"CREATE {"Name":"x.example.com","Type":"A","TTL":1}"#, &format!("{data} none"));
    let both = alias("x.example.com", ZONE, "y").replace(r#""Type":"A","#, r#""Type":"A","TTL":1,"#);
    check(&format!("CREATE {both}"), &format!("{data} more than one"));
    let policy = "Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig], but found";
    let set = |policy: &str| format!("CREATE {}", routed("x.example.com", "s", policy, 1));
    check(&set(r#""MultiValueAnswer":false"#), &format!("{policy} none"));
    check(&set(r#""Weight":1,"Region":"x""#), &format!("{policy} more than one"));
    check(
        &set(r#""Weight":1"#).replace(r#""SetIdentifier":"s","#, ""),
        "Invalid request: Missing field 'SetIdentifier' in Change with",
    );
    check(&set(r#""Weight":256"#), "Invalid request: Weight: 256");
    check(&set(r#""GeoLocation":{"CountryCode":"XX"}"#), "Invalid request: GeoLocation.CountryCode");
    check(
        r#"CREATE {"Name":"x.example.com","Type":"HINFO","TTL":1,"ResourceRecords":[{"Value":"x"}]}"#,
        "Invalid request: Type",
    );
    check(
        &set(r#""CidrRoutingConfig":{"CollectionId":"c","LocationName":"l"}"#),
        "Invalid request: CIDR collection c does not exist",
    );
    check("", "Invalid request: Expected at least one Change");
}

#[test]
fn health_checks_exist_when_written_but_not_when_deleted() {
    let mut snapshot = snapshot();
    let checked = routed("w.example.com", "a", r#""Weight":1,"HealthCheckId":"c""#, 60);
    let batch = format!("CREATE {checked}");
    let missing = ChangeError::NoSuchHealthCheck("c".into());
    assert_eq!(carry_out(&mut snapshot, &batch).unwrap_err(), missing);
    let read = crate::route53::read_health_checks(
        "c",
        r#"[{"Id":"c","CallerReference":"r","HealthCheckVersion":1,"HealthCheckConfig":{"Type":"TCP","IPAddress":"192.0.2.1","Port":80}}]"#,
    )
    .checks;
    for check in read {
        snapshot.checks.insert(check.id.clone(), Arc::new(check));
    }
    carry_out(&mut snapshot, &batch).unwrap();
    snapshot.checks.clear();
    carry_out(&mut snapshot, &format!("DELETE {checked}")).unwrap();
}

#[test]
fn request_and_zone_limits() {
    let many =
        |count: usize| (0..count).map(|at| format!("192.0.{}.{}", at / 250, at % 250)).collect::<Vec<_>>();
    let records = |action: &str| {
        let sets =
            (0..3).map(|at| format!("{action} {}", a(&format!("n{at}.example.com"), &many(200).join(" "))));
        sets.collect::<Vec<_>>().join("\n")
    };
    carry_out(&mut snapshot(), &records("CREATE")).unwrap();
    check("", &records("UPSERT"), &["Number of records limit of 1000 exceeded."]);
    let text = format!(r#"\"{}\""#, "x".repeat(200)).repeat(15);
    let long = |at: usize| {
        format!(
            r#"CREATE {{"Name":"t{at}.example.com","Type":"TXT","TTL":1,"ResourceRecords":[{{"Value":"{text}"}}]}}"#
        )
    };
    let batch = (0..11).map(long).collect::<Vec<_>>().join("\n");
    check("", &batch, &["Number of characters limit of 32000 exceeded."]);

    let snapshot = snapshot();
    let zone = &snapshot.zones[&ZoneId(ZONE.into())];
    let bounds = Limits { record_sets_per_zone: 2, ..Limits::default() };
    let batch = changes(&format!("CREATE {}", a("www.example.com", "192.0.2.1")));
    assert_eq!(
        apply(&snapshot, zone, &batch, &bounds).unwrap_err(),
        ChangeError::InvalidChangeBatch(vec!["Number of record sets limit of 2 per zone exceeded.".into()])
    );
}
