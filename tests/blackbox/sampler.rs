//! Answers of the kernel that userspace gives again: the same as long as nothing is wrong, and what is wrong is found, told and taken out.

use aya::maps::{Array, Map, MapData};
use pulse53_core::model::RecordType;
use pulse53_tests::frame::{Opt, Query, subnet_data};

use crate::harness::agent::Agent;
use crate::harness::client::FAMILIES;
use crate::harness::eventually;
use crate::harness::site::Site;
use crate::health::{NAMES, live};

/// Every answer.
const ALL: &str = "sample = 1";
const CLIENT_SUBNET: u16 = 8;
const COOKIE: u16 = 10;

fn sampled(agent: &Agent<'_>, outcome: &str) -> u64 {
    agent.metric(&format!("pulse53_kernel_samples_total{{outcome=\"{outcome}\"}}")) as u64
}

#[test]
fn every_sampled_answer_is_given_again_alike() {
    let Some(site) = Site::make() else { return };
    // Answers by lot, turned ones, some out of slots and some out of bodies.
    let _endpoints = live(&site);
    let long = "x".repeat(120);
    site.place.write(
        "more",
        format!(
            "$ORIGIN example.net.\n$TTL 60\n@ IN SOA ns1 hostmaster 1 7200 900 1209600 60\n@ IN NS ns1\n\
             many IN A 198.51.100.1\nmany IN A 198.51.100.2\nmany IN A 198.51.100.3\n\
             text IN TXT \"{long}\"\ntext IN TXT \"{long}2\"\ntext IN TXT \"{long}3\"\n"
        ),
    );
    let text =
        std::fs::read_to_string(site.place.file(crate::harness::agent::CONFIG)).expect("it is configured");
    site.place.write(crate::harness::agent::CONFIG, text.replacen("[xdp]\n", &format!("[xdp]\n{ALL}\n"), 1));
    site.add("[[zone]]\nname = \"example.net\"\nfile = \"more\"\n");
    let agent = site.start();
    eventually("two healthy checks", || {
        let checks = agent.status()["checks"].clone();
        if checks["healthy"] == 2 { Ok(()) } else { Err(checks) }
    });
    let mut client = site.client();
    let subnet = subnet_data("203.0.113.0".parse().expect("an address"), 24);
    for family in FAMILIES {
        for name in NAMES.iter().chain(&["many.Example.NET", "text.example.net"]) {
            let qtype = if name.starts_with("text") { RecordType::TXT } else { RecordType::A };
            let plain = Query::new(name, qtype.to_int());
            for edns in [
                None,
                Some(Opt { size: 1232, dnssec_ok: true, options: vec![] }),
                Some(Opt { size: 4096, dnssec_ok: false, options: vec![(CLIENT_SUBNET, subnet.clone())] }),
                // Answered with one that tells the second it was made in.
                Some(Opt { size: 1232, dnssec_ok: false, options: vec![(COOKIE, vec![7; 8])] }),
            ] {
                let query = Query { edns, ..plain.clone() };
                for _ in 0..10 {
                    assert_eq!(client.ask(family, &query).rcode, 0, "{query:?}");
                }
            }
        }
    }
    let asked = agent.kernel_replies();
    assert!(asked > 200, "{asked} kernel replies");
    let judged = eventually("every sample, judged", || {
        // What the ring had no room for is told by the next sample that it has room for.
        for family in FAMILIES {
            client.address(family, NAMES[0]);
        }
        let all = ["same", "different", "unsure", "lost"].map(|outcome| sampled(&agent, outcome));
        if all.iter().sum::<u64>() >= asked { Ok(all) } else { Err(all) }
    });
    let [same, different, unsure, lost] = judged;
    assert_eq!(different, 0);
    // Nothing changed while they were asked for; on a busy machine the ring may run full.
    assert!(unsure < same && lost < same, "{judged:?}");
}

#[test]
fn a_corrupted_answer_is_found_told_and_taken_out() {
    let Some(site) = Site::make() else { return };
    const GOOD: [u8; 4] = [198, 51, 100, 1];
    const BAD: [u8; 4] = [198, 51, 100, 2];
    site.serve_zone(ALL, "good IN A 198.51.100.1\nbad IN A 198.51.100.2\n");
    let agent = site.start();
    let mut client = site.client();
    assert_eq!(client.address(0, "bad.example.com"), Some(BAD));
    eventually("a first comparison", || if sampled(&agent, "same") > 0 { Ok(()) } else { Err(()) });
    let held = agent.metric("pulse53_kernel_entries");

    // The halves of the address change places, which the checksum does not notice.
    corrupt(&site, BAD);
    assert_eq!(client.address(0, "bad.example.com"), Some([100, 2, 198, 51]));
    eventually("the right answer", || match client.address(0, "bad.example.com") {
        Some(BAD) => Ok(()),
        other => Err(other),
    });
    assert!(sampled(&agent, "different") >= 1);
    assert_eq!(agent.metric("pulse53_kernel_distrusted_entries"), 1.0);
    assert_eq!(agent.metric("pulse53_kernel_entries"), held - 1.0);
    let log = std::fs::read_to_string(site.place.file("log")).expect("there is a log");
    let told = log.lines().find(|line| line.contains("the kernel's answer differs"));
    let told = told.unwrap_or_else(|| panic!("no word of it in\n{log}"));
    // Query, reply and what userspace says, in hexadecimal digits.
    for part in ["ERROR", "bad.example.com. A", "query=\"", "64 02 c6 33", "c6 33 64 02", "03 62 61 64"] {
        assert!(told.contains(&part.replace(' ', "")) || told.contains(part), "{part} is not in {told}");
    }

    // The neighbor stays, the question does not come back, and its changes are answered.
    let before = agent.kernel_replies();
    assert_eq!(client.address(1, "good.example.com"), Some(GOOD));
    assert_eq!(agent.kernel_replies(), before + 1);
    site.write_zone("good IN A 198.51.100.1\nbad IN A 198.51.100.3\n");
    agent.reload_until("the new answer", |_| client.address(0, "bad.example.com") == Some([198, 51, 100, 3]));
    let before = agent.kernel_replies();
    assert_eq!(client.address(1, "bad.example.com"), Some([198, 51, 100, 3]));
    assert_eq!(agent.kernel_replies(), before);
}

/// Writes into the kernel's table, through its pin: where an address ends a record in a slot, its halves change places.
fn corrupt(site: &Site, address: [u8; 4]) {
    const WORDS: usize = 16;
    const RECORDS: usize = 8;
    let map = MapData::from_pin(site.place.pins().join("slots")).expect("the table is pinned");
    let mut slots: Array<_, [u64; WORDS]> = Map::Array(map).try_into().expect("it is an array");
    let mut changed = 0;
    for index in 0..slots.len() {
        let mut slot = slots.get(&index, 0).expect("it can be read");
        let mut octets = slot[RECORDS + 1].to_ne_bytes();
        if octets[4..] == address {
            octets[4..].rotate_left(2);
            slot[RECORDS + 1] = u64::from_ne_bytes(octets);
            slots.set(index, slot, 0).expect("it can be written");
            changed += 1;
        }
    }
    assert_eq!(changed, 1, "one question has this address");
}
