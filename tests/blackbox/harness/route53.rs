//! Zones and record sets through the Route 53 API, in requests that the tests write themselves.

use std::net::Ipv4Addr;

use pulse53::api::actions::record_set_xml;
use pulse53::api::xml::Xml;
use pulse53_core::route53::{ResourceRecord, ResourceRecordSet};

use super::agent::Agent;
use super::eventually;

/// Status of a request that made something.
pub const CREATED: u16 = 201;
/// Status of any other that succeeded.
pub const OK: u16 = 200;

/// The text of the first element of a name.
pub fn element<'x>(xml: &'x str, name: &str) -> &'x str {
    let start = format!("<{name}>");
    let from = xml.find(&start).unwrap_or_else(|| panic!("no {name} in\n{xml}")) + start.len();
    let length = xml[from..].find('<').expect("elements end");
    &xml[from..from + length]
}

/// Makes a zone; its id. `reference` was not used before.
pub fn make_zone(agent: &Agent<'_>, name: &str, reference: &str) -> String {
    let body = format!(
        "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><CallerReference>{reference}</CallerReference><Name>{name}</Name></CreateHostedZoneRequest>"
    );
    let (status, response) = agent.api("POST", "hostedzone", "", &body);
    assert_eq!(status, CREATED, "{response}");
    let id = element(&response, "Id").strip_prefix("/hostedzone/").expect("ids say what they are");
    let location = format!("location: http://localhost/2013-04-01/hostedzone/{id}");
    assert!(response.to_lowercase().contains(&location.to_lowercase()), "{response}");
    id.to_owned()
}

/// An A record set of one address.
pub fn address_record(owner: &str, address: [u8; 4]) -> ResourceRecordSet {
    ResourceRecordSet {
        name: format!("{owner}."),
        record_type: "A".to_owned(),
        ttl: Some(60),
        resource_records: Some(vec![ResourceRecord { value: Ipv4Addr::from(address).to_string() }]),
        ..ResourceRecordSet::default()
    }
}

/// Changes of a batch, all of one action.
pub fn changes<'s>(action: &str, sets: impl IntoIterator<Item = &'s ResourceRecordSet>) -> String {
    let mut xml = Xml::default();
    for set in sets {
        xml.element("Change", |xml| {
            xml.text("Action", action);
            record_set_xml::write(xml, set);
        });
    }
    xml.into_string()
}

/// Asks for a batch; status and response.
pub fn batch(agent: &Agent<'_>, zone: &str, changes: &str) -> (u16, String) {
    let body = format!("<R><ChangeBatch><Changes>{changes}</Changes></ChangeBatch></R>");
    agent.api("POST", &format!("hostedzone/{zone}/rrset/"), "", &body)
}

/// Carries a batch out, and waits until it is in sync.
pub fn carry_out(agent: &Agent<'_>, zone: &str, changes: &str) {
    let (status, response) = batch(agent, zone, changes);
    assert_eq!(status, OK, "{response}");
    let id = element(&response, "Id").trim_start_matches('/').to_owned();
    eventually("INSYNC", || {
        let (status, response) = agent.api("GET", &id, "", "");
        assert_eq!(status, OK, "{response}");
        if element(&response, "Status") == "INSYNC" { Ok(()) } else { Err(response) }
    });
}
