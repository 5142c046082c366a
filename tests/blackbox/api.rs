//! The Route 53 API: what is written is answered on the wire, by the kernel too, and outlives the process.

use pulse53_core::model::RecordType;
use pulse53_tests::frame::Query;

use crate::harness::agent::Agent;
use crate::harness::eventually;
use crate::harness::site::Site;

const CREATED: u16 = 201;
const OK: u16 = 200;

/// The text of the first element of a name.
fn element<'x>(xml: &'x str, name: &str) -> &'x str {
    let start = format!("<{name}>");
    let from = xml.find(&start).unwrap_or_else(|| panic!("no {name} in\n{xml}")) + start.len();
    let length = xml[from..].find('<').expect("elements end");
    &xml[from..from + length]
}

/// Makes a zone; its id.
fn make_zone(agent: &Agent<'_>, name: &str) -> String {
    let body = format!(
        "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><CallerReference>{name}</CallerReference><Name>{name}</Name></CreateHostedZoneRequest>"
    );
    let (status, response) = agent.api("POST", "hostedzone", "", &body);
    assert_eq!(status, CREATED, "{response}");
    assert!(response.contains("<PrivateZone>false</PrivateZone>"), "{response}");
    let id = element(&response, "Id").strip_prefix("/hostedzone/").expect("ids say what they are");
    assert!(
        response
            .to_lowercase()
            .contains(&format!("location: http://localhost/2013-04-01/hostedzone/{id}").to_lowercase())
    );
    id.to_owned()
}

/// A change of an A record set of one value.
fn change(action: &str, name: &str, value: &str) -> String {
    // Elements in an order that no SDK uses.
    format!(
        "<Change><ResourceRecordSet><ResourceRecords><ResourceRecord><Value>{value}</Value></ResourceRecord></ResourceRecords><TTL>60</TTL><Type>A</Type><Name>{name}</Name></ResourceRecordSet><Action>{action}</Action></Change>"
    )
}

fn batch(agent: &Agent<'_>, zone: &str, changes: &str) -> (u16, String) {
    let body = format!("<R><ChangeBatch><Changes>{changes}</Changes></ChangeBatch></R>");
    agent.api("POST", &format!("hostedzone/{zone}/rrset/"), "", &body)
}

/// Carries a batch out, and waits until it is in sync.
fn carry_out(agent: &Agent<'_>, zone: &str, changes: &str) {
    let (status, response) = batch(agent, zone, changes);
    assert_eq!(status, OK, "{response}");
    let id = element(&response, "Id").trim_start_matches('/').to_owned();
    eventually("INSYNC", || {
        let (status, response) = agent.api("GET", &id, "", "");
        assert_eq!(status, OK, "{response}");
        if element(&response, "Status") == "INSYNC" { Ok(()) } else { Err(response) }
    });
}

#[test]
fn what_is_written_is_answered_and_outlives_the_process() {
    let Some(site) = Site::make() else { return };
    site.configure("", "");
    let agent = site.start();
    let mut client = site.client();
    let zone = make_zone(&agent, "example.net");
    let two = [
        change("CREATE", "www.example.net", "198.51.100.1"),
        change("UPSERT", "*.w.example.net", "198.51.100.2"),
    ];
    carry_out(&agent, &zone, &two.concat());
    // In sync means that no answer is older, whoever gives it.
    let before = agent.kernel_replies();
    assert_eq!(client.address(0, "www.example.net"), Some([198, 51, 100, 1]));
    assert!(agent.kernel_replies() > before, "the kernel answers what the API wrote");
    assert_eq!(client.address(1, "x.w.example.net"), Some([198, 51, 100, 2]));
    carry_out(&agent, &zone, &change("UPSERT", "www.example.net.", "198.51.100.3"));
    assert_eq!(client.address(0, "www.example.net"), Some([198, 51, 100, 3]));

    agent.kill();
    let agent = site.start();
    assert_eq!(client.address(0, "www.example.net"), Some([198, 51, 100, 3]));
    let (_, listed) =
        agent.api("GET", &format!("hostedzone/{zone}/rrset?maxitems=1&name=www.example.net&type=A"), "", "");
    assert_eq!(element(&listed, "Name"), "www.example.net.");
    assert_eq!((element(&listed, "Value"), element(&listed, "IsTruncated")), ("198.51.100.3", "false"));

    let delete = [
        change("DELETE", "www.example.net", "198.51.100.3"),
        change("DELETE", "\\052.w.example.net", "198.51.100.2"),
    ];
    carry_out(&agent, &zone, &delete.concat());
    let reply = client.ask(0, &Query::new("www.example.net", RecordType::A.to_int()));
    assert_eq!(reply.rcode, 3, "NXDOMAIN");
    let (status, response) = agent.api("DELETE", &format!("hostedzone/{zone}"), "", "");
    assert_eq!(status, OK, "{response}");
    eventually("a zone that is not served", || {
        let reply = client.ask(0, &Query::new("example.net", RecordType::SOA.to_int()));
        if reply.rcode == 5 { Ok(()) } else { Err(reply.rcode) }
    });
}

#[test]
fn what_is_refused_changes_nothing() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("", "www IN A 198.51.100.9\n");
    let agent = site.start();
    let mut client = site.client();
    let zone = make_zone(&agent, "example.net");
    let refused = |(status, response): (u16, String), expected: u16, code: &str| {
        assert_eq!((status, element(&response, "Code")), (expected, code), "{response}");
        response
    };

    let two = [
        change("CREATE", "good.example.net", "198.51.100.1"),
        change("CREATE", "bad.example.net", "198.51.100"),
    ];
    let response = refused(batch(&agent, &zone, &two.concat()), 400, "InvalidChangeBatch");
    assert!(response.contains("ARRDATAIllegalIPv4Address"), "{response}");
    let reply = client.ask(0, &Query::new("good.example.net", RecordType::A.to_int()));
    assert_eq!(reply.rcode, 3, "all of a batch or nothing");

    // One name, one owner: a zone of a file is shown, and not changed.
    let (_, zones) = agent.api("GET", "hostedzonesbyname?dnsname=example.com", "", "");
    let of_file = element(&zones, "Id").trim_start_matches("/hostedzone/").to_owned();
    let response = refused(
        batch(&agent, &of_file, &change("CREATE", "a.example.com", "198.51.100.1")),
        403,
        "AccessDenied",
    );
    assert!(response.contains("Zone example.com. is managed by a file."), "{response}");
    let again = "<R><CallerReference>again</CallerReference><Name>example.com</Name></R>";
    refused(agent.api("POST", "hostedzone", "", again), 400, "ConflictingDomainExists");

    let hostile = "<!DOCTYPE R [<!ENTITY a 'b'>]><R>&a;</R>";
    refused(agent.api("POST", "hostedzone", "", hostile), 400, "InvalidInput");
    refused(agent.api("GET", "nothing", "", ""), 404, "InvalidAction");
    refused(agent.api("DELETE", "hostedzone", "", ""), 405, "InvalidAction");
    refused(agent.api("GET", "hostedzone", "Origin: http://example.org\r\n", ""), 403, "AccessDenied");
    assert_eq!(client.address(0, "www.example.com"), Some([198, 51, 100, 9]));
}
