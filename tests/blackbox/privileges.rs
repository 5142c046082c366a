//! What the agent gives up once it is set up, as the kernel tells it, and that all it does goes on without.

use std::collections::HashMap;
use std::fmt::Write;

use pulse53_core::model::RecordType;
use pulse53_tests::frame::Query;

use crate::harness::agent::Agent;
use crate::harness::client::FAMILIES;
use crate::harness::eventually;
use crate::harness::site::Site;
use crate::health::{FIRST, NAMES, as_when_both_live, live, until_never};

/// An account that every machine has.
const USER: &str = "nobody";
/// CAP_NET_ADMIN, CAP_PERFMON and CAP_BPF.
const KERNEL_HALF: &str = "000000c000001000";
const NOTHING: &str = "0000000000000000";

/// More names than a small table's unit has room for.
const NAMES_ADDED: usize = 3000;

#[test]
fn privileges_are_given_up_and_nothing_is_missed() {
    let Some(site) = Site::make() else { return };
    site.place.hide_pins();
    let [first, _second] = live(&site);
    site.place.write("more", more(1));
    site.add(&format!("[[zone]]\nname = \"example.net\"\nfile = \"more\"\n[server]\nuser = {USER:?}\n"));
    let agent = site.start();
    assert_given_up(&agent, KERNEL_HALF);

    // Probes, the kernel, sockets.
    eventually("two healthy checks", || {
        let checks = agent.status()["checks"].clone();
        if checks["healthy"] == 2 { Ok(()) } else { Err(checks) }
    });
    let mut client = site.client();
    as_when_both_live(&mut client);
    assert!(agent.kernel_replies() > 0);
    for family in FAMILIES {
        let over_tcp = client.ask_over_tcp(family, &Query::new(NAMES[0], RecordType::A.to_int()));
        assert_eq!((over_tcp.rcode, over_tcp.first.is_some()), (0, true));
    }

    // A reload for which another unit is loaded, attached and pinned.
    site.place.write("more", more(NAMES_ADDED));
    agent.reload_until("the names added, in the kernel", |agent| {
        agent.metric("pulse53_kernel_entries") > NAMES_ADDED as f64
    });
    let before = agent.kernel_replies();
    for family in FAMILIES {
        assert_eq!(client.address(family, "n2999.example.net"), Some([198, 51, 100, 183]));
    }
    assert_eq!(agent.kernel_replies() - before, FAMILIES.len() as u64);
    assert_eq!(agent.status()["interfaces"][0]["mode"], "native");

    // Answers follow health, and what the API writes is kept.
    drop(first);
    for name in NAMES {
        until_never(&mut client, 0, name, FIRST);
    }
    let body = "<R><CallerReference>r</CallerReference><Name>example.org</Name></R>";
    let (status, response) = agent.api("POST", "hostedzone", "", body);
    assert_eq!(status, 201, "{response}");
    assert_given_up(&agent, KERNEL_HALF);
    let log = std::fs::read_to_string(site.place.file("log")).expect("there is a log");
    for refusal in ["ERROR", "Permission denied", "Operation not permitted", "Function not implemented"] {
        assert!(!log.contains(refusal), "{refusal} in {log}");
    }
    agent.kill();
    let agent = site.start();
    let (status, listed) = agent.api("GET", "hostedzonesbyname?dnsname=example.org", "", "");
    assert!(status == 200 && listed.contains("<Name>example.org.</Name>"), "{listed}");
    for name in NAMES {
        until_never(&mut client, 1, name, FIRST);
    }
    assert!(agent.terminate().success());
}

#[test]
fn without_a_kernel_half_no_capability_is_kept() {
    let Some(site) = Site::without_programs() else { return };
    site.serve_zone("", "www IN A 198.51.100.1\n");
    let agent = {
        site.add(&format!("[server]\nuser = {USER:?}\n"));
        let text =
            std::fs::read_to_string(site.place.file(crate::harness::agent::CONFIG)).expect("it is there");
        let sockets = text.replace(
            &format!("interfaces = [\"{}\"]", crate::harness::network::INTERFACE),
            "interfaces = []",
        );
        site.place.write(crate::harness::agent::CONFIG, sockets);
        Agent::start(&site.network.server, &site.place)
    };
    assert_given_up(&agent, NOTHING);
    let mut client = site.client();
    for family in FAMILIES {
        assert_eq!(client.address(family, "www.example.com"), Some([198, 51, 100, 1]));
    }
    site.write_zone("www IN A 198.51.100.2\n");
    agent
        .reload_until("the new address", |_| client.address(0, "www.example.com") == Some([198, 51, 100, 2]));
}

/// A zone of this many names.
fn more(names: usize) -> String {
    let mut zone =
        "$ORIGIN example.net.\n$TTL 60\n@ IN SOA ns1 hostmaster 1 7200 900 1209600 60\n@ IN NS ns1\n"
            .to_owned();
    for name in 0..names {
        writeln!(zone, "n{name} IN A 198.51.100.{}", name % 256).expect("memory");
    }
    zone
}

/// Every thread of the agent is the account's, with these capabilities and no way to others, behind the filter.
fn assert_given_up(agent: &Agent<'_>, capabilities: &str) {
    let [uid, gid] = account();
    let threads = std::fs::read_dir(format!("/proc/{}/task", agent.id())).expect("it runs");
    let mut seen = 0;
    for thread in threads {
        let path = thread.expect("threads can be listed").path().join("status");
        // A thread may have ended meanwhile.
        let Ok(status) = std::fs::read_to_string(path) else { continue };
        let status: HashMap<&str, &str> = status.lines().filter_map(|line| line.split_once(":\t")).collect();
        let of = |key: &str| status[key].trim().to_owned();
        assert_eq!([of("Uid"), of("Gid")], [&uid, &gid].map(|id| [id.as_str(); 4].join("\t")));
        assert_eq!(of("Groups"), gid);
        for (set, held) in [
            ("CapInh", NOTHING),
            ("CapPrm", capabilities),
            ("CapEff", capabilities),
            ("CapBnd", NOTHING),
            ("CapAmb", NOTHING),
            ("NoNewPrivs", "1"),
            ("Seccomp", "2"),
        ] {
            assert_eq!(of(set), held, "{set} of {}", of("Name"));
        }
        seen += 1;
    }
    assert!(seen > 2, "{seen} threads");
}

/// Its numbers: of the user and of the group.
fn account() -> [String; 2] {
    let accounts = std::fs::read_to_string("/etc/passwd").expect("the machine has accounts");
    let line = accounts.lines().find(|line| line.split(':').next() == Some(USER)).expect("this one, too");
    let fields: Vec<&str> = line.split(':').collect();
    [fields[2].to_owned(), fields[3].to_owned()]
}
