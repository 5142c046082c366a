//! What operators switch by hand: routing controls and overrides move answers, and both survive that the agent is killed (H-31, H-38).

use serde_json::json;

use crate::harness::agent::Agent;
use crate::harness::client::Client;
use crate::harness::eventually;
use crate::harness::site::{Site, ZONE};

const PRIMARY: [u8; 4] = [198, 51, 100, 1];
const SECONDARY: [u8; 4] = [198, 51, 100, 2];
const ARN: &str = "arn:aws:route53-recovery-control::123456789012:controlpanel/1/routingcontrol/2";

#[test]
fn operators_move_answers_and_a_restart_does_not_h31_h38() {
    let Some(site) = Site::make() else { return };
    declare(&site);
    let agent = site.start();
    let mut client = site.client();
    assert_eq!(controls(&agent), "cell  on   ".to_owned() + ARN + "\n");
    answered(&mut client, PRIMARY);

    agent.pulse53(&["control", "set", "cell", "off"]);
    answered(&mut client, SECONDARY);
    agent.pulse53(&["control", "set", ARN, "on"]);
    answered(&mut client, PRIMARY);
    agent.pulse53(&["control", "set", "cell", "off"]);
    answered(&mut client, SECONDARY);
    let agent = killed_and_started(&site, agent);
    assert_eq!(controls(&agent), "cell  off  ".to_owned() + ARN + "\n");
    answered(&mut client, SECONDARY);

    // An override stands above the switch.
    agent.pulse53(&["health", "set", "cell", "healthy"]);
    answered(&mut client, PRIMARY);
    let agent = killed_and_started(&site, agent);
    answered(&mut client, PRIMARY);
    assert!(agent.pulse53(&["health", "list"]).contains("set to healthy by an operator"));
    agent.pulse53(&["health", "set", "cell", "auto"]);
    answered(&mut client, SECONDARY);
}

fn controls(agent: &Agent<'_>) -> String {
    agent.pulse53(&["control", "list"])
}

fn answered(client: &mut Client<'_>, address: [u8; 4]) {
    eventually("the answer", || match client.address(0, "www.example.com") {
        Some(found) if found == address => Ok(()),
        other => Err(other),
    });
}

/// What a command has answered is stored: nothing is waited for.
fn killed_and_started<'a>(site: &'a Site, agent: Agent<'a>) -> Agent<'a> {
    agent.kill();
    site.start()
}

fn declare(site: &Site) {
    let checks = json!({ "HealthChecks": [{
        "Id": "cell", "CallerReference": "cell",
        "HealthCheckConfig": { "Type": "RECOVERY_CONTROL", "RoutingControlArn": ARN }
    }] });
    site.place.write("checks.json", checks.to_string());
    let record = |id: &str, address: [u8; 4], role: &str, check: Option<&str>| {
        let mut record = json!({
            "Name": format!("www.{ZONE}."), "Type": "A", "SetIdentifier": id, "Failover": role, "TTL": 5,
            "ResourceRecords": [{ "Value": std::net::Ipv4Addr::from(address) }]
        });
        if let Some(check) = check {
            record["HealthCheckId"] = json!(check);
        }
        record
    };
    let records = json!({ "ResourceRecordSets": [
        record("first", PRIMARY, "PRIMARY", Some("cell")), record("second", SECONDARY, "SECONDARY", None)
    ] });
    site.place.write("records.json", records.to_string());
    site.configure(
        "",
        &format!(
            "[[zone]]\nname = {ZONE:?}\nrecord_sets = \"records.json\"\n[health_checks]\nfile = \"checks.json\"\n\
             [[routing_control]]\narn = {ARN:?}\nname = \"cell\"\nstate = \"on\"\n"
        ),
    );
}
