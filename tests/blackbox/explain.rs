//! `pulse53 explain` against a running node: what it tells is what clients are answered, and what would be.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::harness::agent::binary;
use crate::harness::client::FAMILIES;
use crate::harness::command::{run, succeed, text};
use crate::harness::endpoint::Endpoint;
use crate::harness::eventually;
use crate::harness::site::Site;
use crate::health::{FIRST, SECOND, declare};

const ALIAS: &str = "alias.example.com";

#[test]
fn explanations_are_what_is_answered() {
    let Some(site) = Site::make() else { return };
    let server = &site.network.server;
    for endpoint in [FIRST, SECOND] {
        server.ip(&format!("address add {}/32 dev lo", Ipv4Addr::from(endpoint)));
    }
    let _first = Endpoint::start(server, FIRST.into());
    declare(&site);
    let _agent = site.start();
    let mut client = site.client();
    let explain = |args: &[&str]| -> Value {
        let said = succeed(server.command(&binary()).args(["explain", ALIAS, "A", "--json"]).args(args));
        serde_json::from_str(&said).expect("an explanation is JSON")
    };
    let certain = |address: [u8; 4]| {
        let values = [Ipv4Addr::from(address)];
        json!([{ "share": { "fraction": "1", "percent": 100.0 },
                 "answer": { "records": { "type": "A", "ttl": 5, "values": values } } }])
    };

    // The second endpoint does not run.
    eventually("an unhealthy secondary", || {
        let told = explain(&[]);
        let pair = &told["groups"][1]["members"];
        if pair[1]["healthy"] == false && pair[0]["check"]["reason"] != "not probed yet" {
            Ok(())
        } else {
            Err(told)
        }
    });
    let told = explain(&[]);
    assert_eq!(told["groups"][0]["policy"], "simple");
    assert_eq!(told["groups"][1]["members"][1]["in_pool"], false, "{told:#}");
    let why = told["groups"][1]["members"][1]["why"].as_str().expect("a reason");
    assert!(why.starts_with("check second is unhealthy, Failure: "), "{why}");
    assert_eq!(told["answers"], certain(FIRST));
    assert_eq!(told["path"], json!({ "kernel": true, "why": null }));
    for family in FAMILIES {
        assert_eq!(client.address(family, ALIAS), Some(FIRST));
    }

    let told = explain(&["--down", "first"]);
    assert_eq!(told["groups"][1]["last_resort"], true, "{told:#}");
    assert_eq!(told["answers"], certain(FIRST));
    let told = explain(&["--down", "first", "--up", "second"]);
    assert_eq!(told["answers"], certain(SECOND), "{told:#}");
    assert_eq!(told["path"]["kernel"], true);

    // What was supposed comes true.
    for (id, status) in [("second", "healthy"), ("first", "unhealthy")] {
        succeed(server.command(&binary()).args(["health", "set", id, status]));
    }
    eventually("the secondary", || match client.address(FAMILIES[0], ALIAS) {
        Some(SECOND) => Ok(()),
        other => Err(other),
    });
    let told = explain(&[]);
    assert_eq!(told["answers"], certain(SECOND));
    assert_eq!(told["groups"][1]["members"][0]["check"]["reason"], "set by an operator");

    let drawn = succeed(server.command(&binary()).args(["explain", ALIAS]));
    assert!(
        drawn.contains("   └─ failover.example.com. A  failover, healthy\n") && !drawn.contains('\x1b'),
        "{drawn}"
    );
    for (args, expected) in [
        (vec!["explain", "alais.example.com"], "did you mean alias.example.com."),
        (vec!["explain", "www.example.org"], "lies in no zone served here"),
        (vec!["explain", ALIAS, "--down", "frist"], "did you mean \"first\"?"),
    ] {
        let refused = run(server.command(&binary()).args(&args));
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0), "{}", text(&refused));
        assert!(text(&refused).contains(expected), "{}", text(&refused));
    }
}
