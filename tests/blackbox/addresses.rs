//! Addresses as they are in the world: several interfaces, one address on all of them, link-local clients, VLANs, long frames.
//!
//! Whatever the way in, the kernel half answers where the query came in, to who sent it there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::Path;

use pulse53_core::model::RecordType;
use pulse53_tests::frame::{Opt, Query};
use pulse53_tests::programs::has;

use crate::harness::agent::Agent;
use crate::harness::client::ask_between;
use crate::harness::command::{run, succeed, text};
use crate::harness::eventually;
use crate::harness::network::{INTERFACE, Namespace, SERVED};
use crate::harness::second::{SECOND, SECOND_CLIENT, SECOND_SERVER, Second, give};
use crate::harness::site::Site;

/// Addresses of the loopback interface, to which routes lead.
const ANYCAST: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 99, 0, 53)), IpAddr::V6(Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 0x53))];

/// Answered by the kernel, and by userspace.
const HOT: &str = "www.example.com";
const RECORDS: &str = "www IN A 198.51.100.1\n";

#[test]
fn one_address_is_answered_on_every_interface_it_is_asked_at() {
    let Some(site) = Site::make() else { return };
    let (client, server) = (&site.network.client, &site.network.server);
    let _second = Second::join(client, server);
    for address in ANYCAST {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        server.ip(&format!("address add {address}/{bits} dev lo"));
    }
    site.serve_zone_on(&[INTERFACE, SECOND], &ANYCAST.map(|address| (address, 53).into()), "", RECORDS);
    let agent = site.start();
    let modes = &agent.status()["interfaces"];
    assert_eq!(modes[1]["name"], SECOND, "{modes:#}");

    let mut asked = 0;
    // Over the one, and over the other; the server's way back to clients stays the first.
    for (through, from) in [(SERVED.map(|served| served.ip()), own(client)), (SECOND_SERVER, SECOND_CLIENT)] {
        for family in [0, 1] {
            client.ip(&format!("route replace {} via {}", ANYCAST[family], through[family]));
            // The second time from an address that the server would reach by the first interface.
            for from in [from[family], own(client)[family]] {
                let reply =
                    ask_between(client, (from, 0).into(), (ANYCAST[family], 53).into(), &question(HOT));
                assert_eq!(
                    (reply.rcode, reply.first.is_some()),
                    (0, true),
                    "{from} through {}",
                    through[family]
                );
                asked += 1;
                assert_eq!(agent.kernel_replies(), asked, "{from} through {}", through[family]);
            }
        }
    }
}

#[test]
fn where_sockets_listen_on_all_addresses_so_does_the_kernel() {
    let Some(site) = Site::make() else { return };
    let (client, server) = (&site.network.client, &site.network.server);
    let everywhere: [SocketAddr; 2] =
        [(Ipv4Addr::UNSPECIFIED, 53).into(), (Ipv6Addr::UNSPECIFIED, 53).into()];
    server.ip(&format!("address add {}/32 dev lo", ANYCAST[0]));
    site.serve_zone_on(&[INTERFACE], &everywhere, "", RECORDS);
    let agent = site.start();
    let own = own(client);
    let ask = |address: IpAddr| {
        let from = own[usize::from(address.is_ipv6())];
        let reply = ask_between(client, (from, 0).into(), (address, 53).into(), &question(HOT));
        assert_eq!((reply.rcode, reply.first.is_some()), (0, true), "{address}");
    };
    for (address, through) in ANYCAST.into_iter().zip(SERVED) {
        client.ip(&format!("route replace {address} via {}", through.ip()));
    }
    for (asked, address) in SERVED.map(|served| served.ip()).into_iter().chain([ANYCAST[0]]).enumerate() {
        ask(address);
        assert_eq!(agent.kernel_replies(), asked as u64 + 1, "{address}");
    }
    // One that comes later: sockets answer at once, the kernel soon.
    server.ip(&format!("address add {}/128 dev lo nodad", ANYCAST[1]));
    eventually("an answer of the kernel", || {
        let before = agent.kernel_replies();
        ask(ANYCAST[1]);
        if agent.kernel_replies() == before + 1 { Ok(()) } else { Err("sockets answer") }
    });
}

#[test]
fn link_local_clients_are_answered_by_kernel_and_sockets() {
    let Some(site) = Site::make() else { return };
    let (client, server) = (&site.network.client, &site.network.server);
    let (from, to) =
        ("fe80::53:1".parse().expect("an address"), Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x53, 0x53));
    for (namespace, address) in [(client, from), (server, to)] {
        namespace.ip(&format!("address add {address}/64 dev {INTERFACE} nodad"));
    }
    // An address of the link is one of an interface: the configuration names it by its number.
    let scoped = |namespace, address, port| SocketAddrV6::new(address, port, 0, index(namespace)).into();
    let listens: SocketAddr = scoped(server, to, 53);
    site.serve_zone_on(&[INTERFACE], &[SERVED[1], listens], "", RECORDS);
    let agent = site.start();
    for (asked, to) in [SERVED[1], scoped(client, to, 53)].into_iter().enumerate() {
        let reply = ask_between(client, scoped(client, from, 0), to, &question(HOT));
        assert_eq!((reply.rcode, reply.first.is_some()), (0, true), "{to}");
        assert_eq!(agent.kernel_replies(), asked as u64 + 1, "{to}");
        // ANY is left to userspace.
        let any = Query::new(HOT, 255);
        assert_eq!(ask_between(client, scoped(client, from, 0), to, &any).rcode, 0, "{to}");
    }
}

#[test]
fn queries_with_a_vlan_tag_are_answered_with_it() {
    if !has("ethtool", "ethtool") {
        return;
    }
    let Some(site) = Site::make() else { return };
    let (client, server) = (&site.network.client, &site.network.server);
    let probe = "link add link lo name vlan-probe type vlan id 1";
    let told = run(std::process::Command::new("ip").args(["-netns", client.name()]).args(probe.split(' ')));
    if text(&told).contains("Unknown device type") {
        return pulse53_tests::skip("a kernel with VLANs (module 8021q)");
    }
    let vlan = format!("{INTERFACE}.7");
    for (namespace, addresses) in [(client, SECOND_CLIENT), (server, SECOND_SERVER)] {
        namespace.ip(&format!("link add link {INTERFACE} name {vlan} type vlan id 7"));
        give(namespace, &vlan, addresses);
    }
    let turn_off = |namespace: &Namespace, feature: &str| {
        succeed(namespace.command(Path::new("ethtool")).args(["-K", INTERFACE, feature, "off"]));
    };
    // The client's tags are to be in its frames, where a veth pair would otherwise tell them beside.
    turn_off(client, "txvlan");
    // A card that takes tags off is told of, as replies would go without.
    site.serve_zone_on(&[INTERFACE], &SECOND_SERVER.map(|address| (address, 53).into()), "", RECORDS);
    let agent = site.start();
    let takes_off = succeed(server.command(Path::new("ethtool")).args(["-k", INTERFACE]));
    if takes_off.contains("rx-vlan-offload: on") {
        eventually("a warning", || {
            let log = std::fs::read_to_string(site.place.file("log")).expect("there is a log");
            if log.contains("takes off VLAN tags") { Ok(()) } else { Err(log) }
        });
        turn_off(server, "rxvlan");
    }
    assert!(agent.terminate().success());
    let agent = site.start();
    for family in [0, 1] {
        let (from, to) = ((SECOND_CLIENT[family], 0).into(), (SECOND_SERVER[family], 53).into());
        let reply = ask_between(client, from, to, &question(HOT));
        assert_eq!((reply.rcode, reply.first.is_some()), (0, true), "{to}");
        assert_eq!(agent.kernel_replies(), family as u64 + 1, "{to}");
    }
}

#[test]
fn long_frames_do_not_keep_native_xdp_away() {
    let Some(site) = Site::make() else { return };
    if !site.network.is_veth() {
        return pulse53_tests::skip("a veth pair: other drivers have bounds of their own");
    }
    let (client, server) = (&site.network.client, &site.network.server);
    for namespace in [client, server] {
        namespace.ip(&format!("link set dev {INTERFACE} mtu 9000"));
    }
    site.serve_zone("mode = \"native\"", RECORDS);
    let agent = site.start();
    let own = own(client);
    for family in [0, 1] {
        let from = (own[family], 0).into();
        let reply = ask_between(client, from, SERVED[family], &question(HOT));
        assert_eq!((reply.rcode, reply.first.is_some()), (0, true));
        assert_eq!(agent.kernel_replies(), family as u64 + 1);
        // Longer than a page, in one frame: no query for the kernel half, and no harm to it.
        let padded = with_option(question(HOT), 12, 3700);
        let reply = ask_between(client, from, SERVED[family], &padded);
        assert_eq!((reply.rcode, reply.first.is_some()), (0, true));
        assert_eq!(agent.kernel_replies(), family as u64 + 1);
    }
}

#[test]
fn automatic_mode_takes_generic_xdp_where_the_driver_refuses() {
    let Some(site) = Site::make() else { return };
    let server = &site.network.server;
    // Loopback has no native XDP.
    let own: SocketAddr = (Ipv4Addr::LOCALHOST, 53).into();
    site.serve_zone_on(&["lo"], &[own], "", RECORDS);
    let agent = Agent::start(server, &site.place);
    assert_eq!(agent.status()["interfaces"][0]["mode"], "generic");
    let reply = ask_between(server, (Ipv4Addr::LOCALHOST, 0).into(), own, &question(HOT));
    assert_eq!((reply.rcode, reply.first.is_some(), agent.kernel_replies()), (0, true, 1));
    assert!(agent.terminate().success());
    site.serve_zone_on(&["lo"], &[own], "mode = \"native\"", RECORDS);
    let agent = Agent::start(server, &site.place);
    let status = agent.status();
    assert!(
        status["kernel_problem"].as_str().is_some_and(|told| told.contains("no native XDP")),
        "{status:#}"
    );
}

fn question(name: &str) -> Query {
    Query::new(name, RecordType::A.to_int())
}

/// With an EDNS option of so many octets.
fn with_option(query: Query, code: u16, length: usize) -> Query {
    Query {
        edns: Some(Opt { size: 1232, options: vec![(code, vec![0; length])], ..Opt::default() }),
        ..query
    }
}

/// The client's addresses on the first pair.
fn own(client: &Namespace) -> [IpAddr; 2] {
    let told = client.ip(&format!("-o address show dev {INTERFACE} scope global"));
    let addresses =
        told.lines().filter_map(|line| line.split_whitespace().nth(3)?.split('/').next()?.parse().ok());
    let addresses: Vec<IpAddr> = addresses.collect();
    let of = |is_v4: bool| addresses.iter().copied().find(|address| address.is_ipv4() == is_v4);
    [of(true).expect("an IPv4 address"), of(false).expect("an IPv6 address")]
}

/// The number of the first pair's interface.
fn index(namespace: &Namespace) -> u32 {
    let told = namespace.ip(&format!("-o link show dev {INTERFACE}"));
    let number = told.split(':').next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no number in {told}"))
}
