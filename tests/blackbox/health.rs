//! An endpoint dies and returns: failover, weighted and alias answers follow, in both families.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::agent::Agent;
use crate::harness::client::{Client, FAMILIES};
use crate::harness::endpoint::{Endpoint, Silent};
use crate::harness::eventually;
use crate::harness::site::{Site, ZONE};

/// An endpoint, checked by `first`.
pub const FIRST: [u8; 4] = [198, 51, 100, 11];
/// Another, checked by `second`.
pub const SECOND: [u8; 4] = [198, 51, 100, 12];
/// What is asked.
pub const NAMES: [&str; 3] = ["failover.example.com", "weighted.example.com", "alias.example.com"];

/// Queries of each name in each family, once its answers have changed.
const DRAWS: usize = 100;

/// Both endpoints, live, and the zone that names them.
pub fn live(site: &Site) -> [Endpoint; 2] {
    for endpoint in [FIRST, SECOND] {
        site.network.server.ip(&format!("address add {}/32 dev lo", Ipv4Addr::from(endpoint)));
    }
    declare(site);
    [FIRST, SECOND].map(|endpoint| Endpoint::start(&site.network.server, endpoint.into()))
}

#[test]
fn answers_follow_an_endpoint() {
    let Some(site) = Site::make() else { return };
    let [first, _second] = live(&site);
    let agent = site.start();
    let mut client = site.client();

    eventually("two healthy checks", || {
        let checks = agent.status()["checks"].clone();
        if checks["healthy"] == 2 { Ok(()) } else { Err(checks) }
    });
    as_when_both_live(&mut client);

    drop(first);
    for name in NAMES {
        for family in FAMILIES {
            until_never(&mut client, family, name, FIRST);
        }
    }
    assert_eq!(agent.status()["checks"]["unhealthy"], 1);
    people_are_told(&site, &agent);

    let _first = Endpoint::start(&site.network.server, FIRST.into());
    for name in NAMES {
        for family in FAMILIES {
            // Half of the weighted answers, and all of the others, are the first endpoint again.
            eventually(name, || match client.address(family, name) {
                Some(FIRST) => Ok(()),
                other => Err(other),
            });
        }
    }
    as_when_both_live(&mut client);
    assert!(agent.kernel_replies() > 0);
}

/// The log line of the change, the report and the metrics of the dead endpoint's check (H-37, H-39 to H-42).
fn people_are_told(site: &Site, agent: &Agent<'_>) {
    let log = std::fs::read_to_string(site.place.file("log")).expect("there is a log");
    let changed = log.lines().find(|line| line.contains("health changed") && line.contains("check=first"));
    let changed = changed.unwrap_or_else(|| panic!("no line of the change in\n{log}"));
    for part in [
        "from=healthy",
        "to=unhealthy",
        "Connection refused",
        "moved=3",
        "failover.example.com. A",
        "alias.example.com. A",
    ] {
        assert!(changed.contains(part), "{part} is not in {changed}");
    }
    let shown = agent.pulse53(&["health", "show", "first"]);
    for part in ["first  unhealthy  HTTP", "Failure: Connection refused", "recent", "×"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(agent.pulse53(&["health", "list"]).contains("second  healthy"));
    assert_eq!(agent.metric("pulse53_health_check_healthy{check=\"first\"}"), 0.0);
    assert_eq!(agent.metric("pulse53_health_check_healthy_percent{check=\"second\"}"), 100.0);
    assert!(agent.metric("pulse53_health_detection_seconds_count") >= 1.0);
    assert!(agent.metric("pulse53_flip_span_seconds_count{span=\"maps\"}") >= 1.0);
    assert!(agent.metric("pulse53_probe_lateness_seconds_count") >= 1.0);
}

/// H-20: what the agent had found before it was killed holds until it has found something else.
#[test]
fn an_agent_killed_in_mid_probe_and_started_again_changes_no_answer() {
    let Some(site) = Site::make() else { return };
    let [first, _second] = live(&site);
    let agent = site.start();
    let mut client = site.client();
    as_when_both_live(&mut client);
    drop(first);
    for name in NAMES {
        until_never(&mut client, 0, name, FIRST);
    }
    let stored = || std::fs::read_to_string(site.place.file("data/health.json")).unwrap_or_default();
    eventually("a stored verdict", || {
        let stored = stored();
        if stored.contains("\"unhealthy\"") { Ok(()) } else { Err(stored) }
    });

    // From now on the dead endpoint accepts and says nothing: every probe of it is under way for its 20 seconds.
    let silent = Silent::start(&site.network.server, FIRST.into());
    let in_mid_probe = |held: usize| {
        eventually("a probe under way", || if silent.held() > held { Ok(()) } else { Err(silent.held()) });
    };
    in_mid_probe(0);
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let agent = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut client = site.client();
            while !done.load(Ordering::SeqCst) {
                for name in NAMES {
                    for family in FAMILIES {
                        assert_eq!(client.address(family, name), Some(SECOND), "{name}");
                        asked.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        });
        let ask = |count: usize| {
            let until = asked.load(Ordering::SeqCst) + count;
            eventually("questions", || {
                let so_far = asked.load(Ordering::SeqCst);
                if so_far >= until || asking.is_finished() { Ok(()) } else { Err(so_far) }
            });
        };
        ask(DRAWS);
        let held = silent.held();
        agent.kill();
        ask(DRAWS);
        let agent = site.start();
        in_mid_probe(held);
        ask(DRAWS);
        done.store(true, Ordering::SeqCst);
        asking.join().expect("no answer has changed, and none is missing");
        agent
    });
    assert_eq!(agent.status()["checks"]["unhealthy"], 1);

    // And it goes on probing: the endpoint returns.
    drop(silent);
    let _first = Endpoint::start(&site.network.server, FIRST.into());
    eventually("the first endpoint", || match client.address(0, NAMES[0]) {
        Some(FIRST) => Ok(()),
        other => Err(other),
    });
}

/// The primary alone, and of the weighted records both.
pub fn as_when_both_live(client: &mut Client<'_>) {
    for family in FAMILIES {
        for name in NAMES {
            let mut seen: Vec<_> = (0..DRAWS).map(|_| client.address(family, name)).collect();
            seen.sort_unstable();
            seen.dedup();
            let expected: &[_] =
                if name.starts_with("weighted") { &[Some(FIRST), Some(SECOND)] } else { &[Some(FIRST)] };
            assert_eq!(seen, expected, "{name}");
        }
    }
}

/// Waits until an address is not answered, and from then on expects the other one alone.
pub fn until_never(client: &mut Client<'_>, family: usize, name: &str, dead: [u8; 4]) {
    // Of two equal weights the dead one stays away twenty times by chance once in a million.
    eventually(name, || {
        let named = (0..20).any(|_| client.address(family, name) == Some(dead));
        if named { Err("the dead endpoint") } else { Ok(()) }
    });
    for _ in 0..DRAWS {
        assert_eq!(client.address(family, name), Some(SECOND), "{name}");
    }
}

/// A failover pair, a weighted pair, and an alias to the first.
pub fn declare(site: &Site) {
    let check = |id: &str, address: [u8; 4]| {
        json!({
            "Id": id, "CallerReference": id,
            "HealthCheckConfig": {
                "Type": "HTTP", "IPAddress": Ipv4Addr::from(address), "Port": 80, "ResourcePath": "/",
                "RequestInterval": 10, "FailureThreshold": 2
            },
            "Tags": [{ "Key": "pulse53:interval", "Value": "100ms" }, { "Key": "pulse53:timeout", "Value": "20s" }]
        })
    };
    let checks = json!({ "HealthChecks": [check("first", FIRST), check("second", SECOND)] });
    site.place.write("checks.json", checks.to_string());

    let record = |name: &str, id: &str, address: [u8; 4], (key, value): (&str, Value)| {
        json!({
            "Name": format!("{name}.{ZONE}."), "Type": "A", "SetIdentifier": id, key: value, "TTL": 5,
            "ResourceRecords": [{ "Value": Ipv4Addr::from(address) }], "HealthCheckId": id
        })
    };
    let records = json!({ "ResourceRecordSets": [
        record("failover", "first", FIRST, ("Failover", json!("PRIMARY"))),
        record("failover", "second", SECOND, ("Failover", json!("SECONDARY"))),
        record("weighted", "first", FIRST, ("Weight", json!(10))),
        record("weighted", "second", SECOND, ("Weight", json!(10))),
        { "Name": format!("alias.{ZONE}."), "Type": "A", "AliasTarget": {
            "HostedZoneId": "ZTEST", "DNSName": format!("failover.{ZONE}."), "EvaluateTargetHealth": true
        }}
    ]});
    site.place.write("records.json", records.to_string());
    site.configure(
        "",
        &format!(
            "[[zone]]\nname = {ZONE:?}\nid = \"ZTEST\"\nrecord_sets = \"records.json\"\n\
             [health_checks]\nfile = \"checks.json\"\n"
        ),
    );
}
