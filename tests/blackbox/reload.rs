//! Reloading: a broken file changes nothing but what is told, a mended one takes effect.

use crate::harness::client::{Client, FAMILIES};
use crate::harness::eventually;
use crate::harness::site::Site;

const NAME: &str = "www.example.com";

#[test]
fn a_broken_file_keeps_the_running_configuration() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("", "www IN A 198.51.100.1\n");
    let agent = site.start();
    let mut client = site.client();
    answers(&mut client, 1);
    assert_eq!(agent.metric(OK), 1.0);

    site.write_zone("www IN A 198.51.100.2\nother IN A not-an-address\n");
    agent.reload_until("a refusal", |agent| agent.metric(OK) == 0.0);
    answers(&mut client, 1);
    let status = agent.status();
    let problem = status["configuration"]["problems"][0].as_str().expect("status tells the problem");
    // The third line after two directives and three records of the apex.
    assert!(problem.contains("zone:7:") && problem.contains("not-an-address"), "{status:#}");
    assert!(status["configuration"]["failed_at"].is_u64(), "{status:#}");

    // The configuration itself may be broken as well.
    site.configure("no_such_key = 1", "");
    agent.reload_until("another refusal", |agent| {
        agent.status()["configuration"]["problems"][0]
            .as_str()
            .is_some_and(|told| told.contains("no_such_key"))
    });
    answers(&mut client, 1);

    site.serve_zone("", "www IN A 198.51.100.3\n");
    agent.reload_until("success", |agent| agent.metric(OK) == 1.0);
    eventually("the new answer", || match client.address(0, NAME) {
        Some([.., 3]) => Ok(()),
        other => Err(other),
    });
    answers(&mut client, 3);
    let configuration = agent.status()["configuration"].clone();
    assert_eq!(configuration["problems"].as_array().map(Vec::len), Some(0), "{configuration:#}");
}

const OK: &str = "pulse53_configuration_ok";

/// Always the address that ends so.
fn answers(client: &mut Client<'_>, last: u8) {
    for family in FAMILIES {
        for _ in 0..50 {
            assert_eq!(client.address(family, NAME), Some([198, 51, 100, last]));
        }
    }
}
