//! Drawn trees, as people read them.

use std::sync::Arc;

use pulse53_core::assemble::{Limits, SnapshotBuilder, ZoneBuilder};
use pulse53_core::compile::Compiler;
use pulse53_core::geo::GeoDb;
use pulse53_core::health::HealthView;
use pulse53_core::model::{CheckId, Name, Revision, Snapshot, ZoneId};
use pulse53_core::route53::{read_cidr_collections, read_health_checks, read_record_sets};
use pulse53_core::table::Generation;

use super::*;
use crate::explain::{Known, Question, explain};

fn snapshot() -> Snapshot {
    let alias = |target: &str, evaluate: bool| {
        format!(
            r#""AliasTarget": {{"HostedZoneId": "Z1", "DNSName": "{target}.example.com", "EvaluateTargetHealth": {evaluate}}}"#
        )
    };
    let values = |last: u8| format!(r#""TTL": 60, "ResourceRecords": [{{"Value": "192.0.2.{last}"}}]"#);
    let failover = |role: &str| format!(r#""SetIdentifier": "{role}", "Failover": "{role}""#);
    let weight = |weight: u8| format!(r#""SetIdentifier": "w{weight}", "Weight": {weight}"#);
    let location = |name: &str| {
        format!(
            r#""SetIdentifier": "{name}", "CidrRoutingConfig": {{"CollectionId": "c1", "LocationName": "{name}"}}"#
        )
    };
    let sets = [
        ("top", failover("PRIMARY"), alias("by-client", true)),
        ("top", failover("SECONDARY"), values(9)),
        ("by-client", location("home"), alias("pool", true)),
        ("by-client", location("*"), alias("pool", false)),
        ("pool", format!(r#"{}, "HealthCheckId": "a""#, weight(1)), values(1)),
        ("pool", format!(r#"{}, "HealthCheckId": "b""#, weight(2)), values(2)),
    ];
    let sets = sets.map(|(name, policy, data)| {
        format!(r#"{{"Name": "{name}.example.com", "Type": "A", {policy}, {data}}}"#)
    });
    let mut zone = ZoneBuilder::new(Name::from_route53("example.com").unwrap(), Some(ZoneId("Z1".into())));
    zone.add_record_sets(read_record_sets("r.json", &format!("[{}]", sets.join(","))));
    let check = |id: &str| {
        format!(r#"{{"Id": "{id}", "HealthCheckConfig": {{"Type": "HTTP", "IPAddress": "192.0.2.1"}}}}"#)
    };
    let checks = read_health_checks("h.json", &format!("[{}, {}]", check("a"), check("b"))).checks;
    let (collections, _) =
        read_cidr_collections("c.json", r#"[{"Id": "c1", "Locations": {"home": ["198.51.100.0/24"]}}]"#);
    let mut builder = SnapshotBuilder::new(Limits::default());
    builder.add_zone(zone);
    builder.add_checks(checks.into_iter().map(Arc::new));
    builder.add_collections(collections.into_iter().map(Arc::new));
    builder.build(Revision(1)).unwrap_or_else(|findings| panic!("{findings}")).0
}

fn check(question: Question, expected: &str) {
    let (snapshot, geo, view) = (snapshot(), GeoDb::default(), HealthView::new());
    let compiler = Compiler::with_geo(&snapshot, &geo, &|_| true, Generation(1));
    let known = Known {
        snapshot: &snapshot,
        geo: &geo,
        table: compiler.table(),
        view: &view,
        reason: &|_: &CheckId| ("HTTP 200".to_owned(), false),
        kernel_off: None,
        without_room: 0,
    };
    let told = match explain(&question, &known) {
        Ok(explanation) => {
            // What a running node sends is what is drawn.
            let sent = serde_json::to_string(&explanation).unwrap();
            assert_eq!(serde_json::from_str::<Explanation>(&sent).unwrap(), explanation);
            draw(&explanation, Paint::plain())
        }
        Err(refused) => refused.to_string(),
    };
    assert_eq!(told, expected, "{told}");
}

fn question(name: &str) -> Question {
    Question { name: name.to_owned(), rtype: "A".to_owned(), ..Question::default() }
}

#[test]
fn a_tree_three_deep() {
    check(
        Question {
            client: Some("198.51.100.7".parse().unwrap()),
            down: vec!["b".to_owned()],
            ..question("top.example.com")
        },
        "\
question  top.example.com. A
zone      example.com.
client    198.51.100.7 (198.51.100.0/24): nothing known of its place
what if   b unhealthy

top.example.com. A  failover, healthy
├─ PRIMARY  primary  100 %  healthy, its target is healthy
│  alias, evaluates its target
│  └─ by-client.example.com. A  IP-based, healthy
│     ├─ home  location home of c1  100 %  healthy, its target is healthy
│     │  alias, evaluates its target
│     │  └─ pool.example.com. A  weighted, healthy
│     │     ├─ w1  weight 1  100 %  healthy, check a is healthy, HTTP 200
│     │     │  192.0.2.1  TTL 60
│     │     └─ w2  weight 2  0 %  unhealthy, left out: check b is unhealthy, supposed
│     │        192.0.2.2  TTL 60
│     └─ *  default  0 %  healthy, EvaluateTargetHealth is off
│        alias, does not evaluate its target
│        └─ pool.example.com. A  weighted, healthy, as above
└─ SECONDARY  secondary  0 %  healthy, no health check
   192.0.2.9  TTL 60

answers   100 %  A 192.0.2.1  TTL 60
path      kernel
",
    );
}

#[test]
fn last_resort_below_an_alias_that_does_not_look() {
    check(
        Question { down: vec!["a".to_owned(), "b".to_owned()], ..question("by-client.example.com") },
        "\
question  by-client.example.com. A
zone      example.com.
client    unknown; --client ADDRESS says who asks
what if   a unhealthy, b unhealthy

by-client.example.com. A  IP-based, healthy
├─ home  location home of c1  not for this client
│  alias to pool.example.com., evaluates its target
└─ *  default  100 %  healthy, EvaluateTargetHealth is off
   alias, does not evaluate its target
   └─ pool.example.com. A  weighted, last resort: no member is healthy, so all count
      ├─ w1  weight 1  33.33 % (1/3)  unhealthy, but last resort: check a is unhealthy, supposed
      │  192.0.2.1  TTL 60
      └─ w2  weight 2  66.67 % (2/3)  unhealthy, but last resort: check b is unhealthy, supposed
         192.0.2.2  TTL 60

answers   66.67 % (2/3)  A 192.0.2.2  TTL 60
          33.33 % (1/3)  A 192.0.2.1  TTL 60
path      kernel
",
    );
}

#[test]
fn a_name_without_such_a_record() {
    check(
        Question { rtype: "aaaa".to_owned(), ..question("top.example.com") },
        "\
question  top.example.com. AAAA
zone      example.com.
client    unknown; --client ADDRESS says who asks

the name exists, and has no AAAA record

answers   100 %  NODATA: no record
path      kernel
",
    );
}

#[test]
fn mistakes_are_told_with_what_was_perhaps_meant() {
    check(
        question("tpo.example.com"),
        "tpo.example.com. does not exist in zone example.com., nor a wildcard for it, and is answered NXDOMAIN; \
         did you mean top.example.com.?",
    );
    check(
        question("top.example.org"),
        "top.example.org. lies in no zone served here, and is answered REFUSED; did you mean a name in example.com.?",
    );
    check(
        Question { up: vec!["B".to_owned()], ..question("top.example.com") },
        "no health check has the id \"B\"; did you mean \"b\"?",
    );
    check(question("a..b"), "\"a..b\" is no domain name: empty label");
    check(
        Question { rtype: "AX".to_owned(), ..question("top.example.com") },
        "\"AX\" is no record type; write one such as A, AAAA, CNAME, MX, TXT or TYPE65280",
    );
}
