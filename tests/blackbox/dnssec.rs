//! Signed zones on the wire: while a zone is signed userspace answers all of it, with keys that outlive a kill and that nobody else reads.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pulse53_core::model::RecordType;
use pulse53_tests::frame::Query;
use pulse53_tests::programs::has;

use crate::harness::agent::Agent;
use crate::harness::command::{run, succeed, text};
use crate::harness::eventually;
use crate::harness::network::SERVED;
use crate::harness::route53::{carry_out, element, make_zone};
use crate::harness::site::{Site, ZONE};

const ADDRESS: [u8; 4] = [198, 51, 100, 1];
const NAME: &str = "www.signed.example";
const ARN: &str = "arn:aws:kms:us-east-1:123456789012:key/a";

fn record() -> String {
    format!(
        "<Change><Action>CREATE</Action><ResourceRecordSet><Name>{NAME}</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>198.51.100.1</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change>"
    )
}

/// Replies of the kernel to a few queries, which all must come: for a name that exists, one that does not, and a type that does not.
fn by_kernel(site: &Site, agent: &Agent<'_>, zone: &str) -> u64 {
    let before = agent.kernel_replies();
    let mut client = site.client();
    let mut rcode = |name: &str, rtype: RecordType| {
        client.ask(0, &Query::new(&format!("{name}.{zone}"), rtype.to_int())).rcode
    };
    assert_eq!(rcode("www", RecordType::A), 0);
    assert_eq!(rcode("none", RecordType::A), 3);
    assert_eq!(rcode("www", RecordType::MX), 0);
    agent.kernel_replies() - before
}

/// Switches signing, and waits until it is in sync.
fn switch(agent: &Agent<'_>, zone: &str, operation: &str) {
    let (status, response) = agent.api("POST", &format!("hostedzone/{zone}/{operation}"), "", "");
    assert_eq!(status, 200, "{response}");
    let id = element(&response, "Id").trim_start_matches('/').to_owned();
    eventually("INSYNC", || {
        let (_, response) = agent.api("GET", &id, "", "");
        if element(&response, "Status") == "INSYNC" { Ok(()) } else { Err(response) }
    });
}

#[test]
fn a_zone_that_is_signed_is_left_to_userspace_and_stays_signed() {
    if !has("delv", "bind9-dnsutils") {
        return;
    }
    let Some(site) = Site::make() else { return };
    site.serve_zone("", "www IN A 198.51.100.1\n");
    let agent = site.start();
    let zone = make_zone(&agent, "signed.example", "signed");
    carry_out(&agent, &zone, &record());
    assert_eq!(by_kernel(&site, &agent, "signed.example"), 3);

    let body = format!(
        "<R><CallerReference>k</CallerReference><HostedZoneId>{zone}</HostedZoneId><KeyManagementServiceArn>{ARN}</KeyManagementServiceArn><Name>ksk</Name><Status>ACTIVE</Status></R>"
    );
    let (status, response) = agent.api("POST", "keysigningkey", "", &body);
    assert_eq!(status, 201, "{response}");
    assert_eq!(by_kernel(&site, &agent, "signed.example"), 3, "a key alone signs nothing");
    let ds = element(&response, "DSRecord").replacen(" 2 ", " 2 \"", 1);
    let anchor = format!("trust-anchors {{ signed.example. static-ds {ds}\"; }};\n");
    site.place.write("anchor", &anchor);
    switch(&agent, &zone, "enable-dnssec");

    // A change that is in sync is in force in both halves.
    assert_eq!(by_kernel(&site, &agent, "signed.example"), 0);
    assert_eq!(by_kernel(&site, &agent, ZONE), 3, "no other zone is left out");
    let validate = |name: &str, rtype: &str| {
        let mut delv = site.network.client.command(Path::new("delv"));
        delv.arg(format!("@{}", SERVED[0].ip())).arg("-a").arg(site.place.file("anchor"));
        let told = text(&run(delv.args(["+root=signed.example", name, rtype])));
        assert!(told.contains("fully validated"), "{name} {rtype}: {told}\n{anchor}");
        told
    };
    let validate_all = || {
        assert!(validate(NAME, "A").contains("198.51.100.1"));
        validate(NAME, "MX");
        validate("none.signed.example", "A");
        validate("signed.example", "DNSKEY")
    };
    let before = validate_all();
    let told = agent.pulse53(&["explain", NAME, "A"]);
    assert!(told.contains("userspace: the zone is signed"), "{told}");
    let told = agent.pulse53(&["explain", "signed.example", "DNSKEY"]);
    assert!(told.contains("257 3 13") && told.contains("256 3 13"), "{told}");
    assert!(agent.pulse53(&["status"]).contains("record sets, signed"));
    let made = || {
        let text = agent.exposition();
        let line = text.lines().find(|line| line.starts_with("pulse53_signatures_total{how=\"made\"}"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).expect("a count")
    };
    let count = made();
    validate_all();
    assert!((made() - count).abs() < f64::EPSILON, "signatures are kept for further answers");

    let store = site.place.file("data/store.redb");
    let mode = std::fs::metadata(&store).expect("a store").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "private keys lie in it");
    agent.kill();
    let agent = site.start();
    let after = validate_all();
    let keys = |told: &str| -> Vec<String> {
        let mut lines: Vec<String> =
            told.lines().filter(|line| line.contains("DNSKEY\t")).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(keys(&before), keys(&after));
    assert_eq!(keys(&after).len(), 2, "{after}");
    assert_eq!(by_kernel(&site, &agent, "signed.example"), 0);

    // What is exported holds no key.
    let export = site.place.file("export").display().to_string();
    agent.pulse53(&["export", "--output", &export]);
    let exported = succeed(std::process::Command::new("cat").arg(format!("{export}/signed.example.json")));
    assert!(exported.contains(NAME) && !exported.contains("KEY"), "{exported}");

    switch(&agent, &zone, "disable-dnssec");
    assert_eq!(by_kernel(&site, &agent, "signed.example"), 3);
    let mut client = site.client();
    assert_eq!(client.address(1, NAME), Some(ADDRESS));
    assert!(agent.terminate().success());
}
