//! The Route 53 API: what is written is answered on the wire, by the kernel too, and outlives the process.

use std::process::Command;

use pulse53_core::model::RecordType;
use pulse53_tests::frame::Query;

use crate::harness::agent::{CONFIG, binary};
use crate::harness::command::{run, succeed, text};
use crate::harness::eventually;
use crate::harness::route53::{OK, batch, carry_out, element, make_zone};
use crate::harness::site::Site;

/// A change of an A record set of one value.
fn change(action: &str, name: &str, value: &str) -> String {
    // Elements in an order that no SDK uses.
    format!(
        "<Change><ResourceRecordSet><ResourceRecords><ResourceRecord><Value>{value}</Value></ResourceRecord></ResourceRecords><TTL>60</TTL><Type>A</Type><Name>{name}</Name></ResourceRecordSet><Action>{action}</Action></Change>"
    )
}

#[test]
fn what_is_written_is_answered_and_outlives_the_process() {
    let Some(site) = Site::make() else { return };
    site.configure("", "");
    let agent = site.start();
    let mut client = site.client();
    let zone = make_zone(&agent, "example.net", "first");
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

/// Commands that ask no node read what the API wrote: beside a running node, after one was killed, and where none is left.
#[test]
fn what_is_written_is_known_without_a_node() {
    let Some(site) = Site::of_sockets() else { return };
    site.serve_zone("", "www IN A 198.51.100.9\n");
    let config = site.place.file(CONFIG).display().to_string();
    let ask =
        |arguments: &[&str]| succeed(Command::new(binary()).args(arguments).args(["--config", &config]));
    let agent = site.start();
    let zone = make_zone(&agent, "example.net", "first");
    carry_out(&agent, &zone, &change("CREATE", "www.example.net", "198.51.100.1"));
    let knows_all = || {
        assert!(ask(&["check"]).contains("no errors; zones: 2, record sets: 7,"), "{}", ask(&["check"]));
        let told = ask(&["explain", "www.example.net", "A"]);
        assert!(told.contains("198.51.100.1"), "{told}");
    };
    knows_all();
    carry_out(&agent, &zone, &change("UPSERT", "www.example.net", "198.51.100.1"));
    agent.kill();
    knows_all();
    assert!(site.start().terminate().success());
    knows_all();

    // What the API owns, files may not declare: that is found before any start.
    site.place.write("other", "$ORIGIN example.net.\n@ 60 IN SOA ns1 hostmaster 1 7200 900 1209600 60\n@ 60 IN NS ns1\nns1 60 IN A 192.0.2.53\n");
    site.configure("", "[[zone]]\nname = \"example.net\"\nfile = \"other\"\n");
    let refused = run(Command::new(binary()).args(["check", "--config", &config]));
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("zone example.net. was made through the API as"), "{}", text(&refused));

    // A data directory that is not to be read is no error, and told of.
    std::fs::write(site.place.file("data/store.redb"), "nonsense").expect("a file can be written");
    let told = ask(&["check"]);
    assert!(told.contains("cannot be read") && told.contains("what the API wrote is left out"), "{told}");
}

#[test]
fn what_is_refused_changes_nothing() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("", "www IN A 198.51.100.9\n");
    let agent = site.start();
    let mut client = site.client();
    let zone = make_zone(&agent, "example.net", "first");
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
    // Without name servers in the configuration there are none to make a set of.
    let set = "<R><CallerReference>a</CallerReference></R>";
    refused(agent.api("POST", "delegationset", "", set), 400, "DelegationSetNotAvailable");
    refused(agent.api("DELETE", "hostedzone", "", ""), 405, "InvalidAction");
    refused(agent.api("GET", "hostedzone", "Origin: http://example.org\r\n", ""), 403, "AccessDenied");
    assert_eq!(client.address(0, "www.example.com"), Some([198, 51, 100, 9]));
}
