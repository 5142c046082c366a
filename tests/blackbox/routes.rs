//! Replies that go where the kernel's routes lead (`[xdp] reply_route = "kernel"`): by another interface or to another neighbor than the query came
//! from; and those that only sockets can send there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use pulse53_core::model::RecordType;
use pulse53_tests::frame::{Query, QueryFrame};

use crate::harness::agent::{Agent, CONFIG, binary};
use crate::harness::client::{FAMILIES, ask_between};
use crate::harness::command::{run, text};
use crate::harness::eventually;
use crate::harness::network::{CLIENTS, INTERFACE, Namespace, SERVED};
use crate::harness::second::{SECOND, SECOND_CLIENT, Second};
use crate::harness::site::Site;
use crate::tap::Tap;

const RECORDS: &str = "www IN A 198.51.100.1\n";

/// A client behind the neighbors: its addresses, which routes lead to.
const FAR: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1)), IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1))];
/// A neighbor on the first wire, and its address on the link.
const NEIGHBOR: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 53, 0, 99)), IpAddr::V6(Ipv6Addr::new(0xfd53, 0, 0, 0, 0, 0, 0, 0x99))];
const NEIGHBOR_LINK: [u8; 6] = [2, 0, 0, 0, 0, 0x99];

/// Two wires, and a far client whose queries come by the first.
struct Asymmetric {
    // Dropped before the namespaces it is in.
    _second: Second,
    site: Site,
}

impl Asymmetric {
    fn make() -> Option<Self> {
        let site = Site::make()?;
        let (client, server) = (&site.network.client, &site.network.server);
        let second = Second::join(client, server);
        for far in FAR {
            client.ip(&format!("address add {far}/{} dev lo", if far.is_ipv4() { 32 } else { 128 }));
        }
        for namespace in [client, server] {
            for of in ["all", INTERFACE, SECOND] {
                set(namespace, &format!("ipv4/conf/{of}/rp_filter"), "0");
            }
        }
        let asymmetric = Self { _second: second, site };
        asymmetric.forward("1");
        Some(asymmetric)
    }

    /// Whether the server's loopback interface forwards.
    fn forward(&self, value: &str) {
        for family in ["ipv4", "ipv6"] {
            set(&self.site.network.server, &format!("{family}/conf/lo/forwarding"), value);
        }
    }

    /// Has the server reach the far client through others.
    fn route(&self, through: [IpAddr; 2], more: &str) {
        for (far, through) in FAR.into_iter().zip(through) {
            self.site.network.server.ip(&format!("route replace {far} via {through}{more}"));
        }
    }

    fn serve(&self, interfaces: &[&str], xdp: &str) -> Agent<'_> {
        self.site.serve_zone_on(interfaces, &SERVED, xdp, RECORDS);
        Agent::start(&self.site.network.server, &self.site.place)
    }

    fn client(&self) -> &Namespace {
        &self.site.network.client
    }

    /// The far client asks; the reply comes, whoever sends it.
    fn ask(&self, family: usize) {
        let reply = ask_between(self.client(), (FAR[family], 0).into(), SERVED[family], &question());
        assert_eq!((reply.rcode, reply.first.is_some()), (0, true));
    }

    /// Asks once more, and gives the reply's frame as it came by an interface.
    fn ask_and_see(&self, family: usize, interface: &str) -> Vec<u8> {
        let tap = Tap::open(self.client(), interface);
        let from = SocketAddr::new(FAR[family], 4242);
        let query = QueryFrame {
            macs: [
                Tap::open(&self.site.network.server, INTERFACE).address(),
                Tap::open(self.client(), INTERFACE).address(),
            ],
            ..QueryFrame::new(from, SERVED[family], question().octets())
        };
        Tap::open(self.client(), INTERFACE).send(&query.octets());
        tap.receive(|frame| {
            QueryFrame::read(frame)
                .is_some_and(|frame| frame.client == SERVED[family] && frame.server == from)
        })
    }
}

/// How many queries the kernel half has passed because of their routes.
fn unrouted(agent: &Agent<'_>) -> u64 {
    agent.metric("pulse53_kernel_packets_total{verdict=\"no_route\"}") as u64
}

fn question() -> Query {
    Query::new("www.example.com", RecordType::A.to_int())
}

fn set(namespace: &Namespace, name: &str, value: &str) {
    let path = format!("/proc/sys/net/{name}");
    namespace.within(|| std::fs::write(&path, value)).unwrap_or_else(|error| panic!("{path}: {error}"));
}

#[test]
fn replies_leave_by_the_interface_that_the_route_names() {
    let Some(wires) = Asymmetric::make() else { return };
    wires.route(SECOND_CLIENT, "");
    let mut straight = Vec::new();
    {
        // To the sender: that is the default.
        let agent = wires.serve(&[INTERFACE, SECOND], "");
        for family in FAMILIES {
            straight.push(wires.ask_and_see(family, INTERFACE));
        }
        assert_eq!((agent.kernel_replies(), agent.status()["reply_route"].as_str()), (2, Some("sender")));
        assert!(agent.terminate().success());
    }
    let agent = wires.serve(&[INTERFACE, SECOND], "reply_route = \"kernel\"\nsample = 1");
    assert_eq!(agent.status()["reply_route"], "kernel");
    let links = [wires.client(), &wires.site.network.server].map(|end| Tap::open(end, SECOND).address());
    for (family, straight) in straight.into_iter().enumerate() {
        // Nobody has spoken to the next hop yet: a socket does, and so finds out where it is.
        let before = [agent.kernel_replies(), unrouted(&agent)];
        wires.ask(family);
        assert_eq!([agent.kernel_replies(), unrouted(&agent)], [before[0], before[1] + 1]);
        let reply = wires.ask_and_see(family, SECOND);
        assert_eq!(agent.kernel_replies(), before[0] + 1);
        assert_eq!(reply[..12], links.concat(), "from the server's end of the second wire to the client's");
        // All but the link addresses is as it would be otherwise.
        assert_eq!(reply[12..], straight[12..]);
        // And the client's network stack takes it.
        wires.ask(family);
        assert_eq!(agent.kernel_replies(), before[0] + 2);
    }
    eventually("samples that are right", || {
        let judged =
            |outcome: &str| agent.metric(&format!("pulse53_kernel_samples_total{{outcome={outcome:?}}}"));
        let counts = [judged("same"), judged("different")];
        if counts == [4.0, 0.0] { Ok(()) } else { Err(counts) }
    });
}

#[test]
fn replies_go_to_the_neighbor_that_the_route_names() {
    let Some(wires) = Asymmetric::make() else { return };
    let server = &wires.site.network.server;
    for neighbor in NEIGHBOR {
        let link = NEIGHBOR_LINK.map(|octet| format!("{octet:02x}")).join(":");
        server.ip(&format!("neighbor replace {neighbor} lladdr {link} dev {INTERFACE} nud permanent"));
    }
    // Only packets from the served addresses go there; all others would take the second wire.
    wires.route(SECOND_CLIENT, "");
    for (served, (neighbor, family)) in SERVED.iter().zip(NEIGHBOR.iter().zip(["-4", "-6"])) {
        server.ip(&format!("{family} rule add from {} lookup 53", served.ip()));
        server.ip(&format!("{family} route add default via {neighbor} dev {INTERFACE} table 53"));
    }
    for mode in ["native", "generic"] {
        let agent = wires.serve(&[INTERFACE], &format!("reply_route = \"kernel\"\nmode = {mode:?}"));
        for family in FAMILIES {
            let reply = wires.ask_and_see(family, INTERFACE);
            assert_eq!(agent.kernel_replies(), family as u64 + 1, "{mode}");
            let own = Tap::open(server, INTERFACE).address();
            assert_eq!(reply[..12], [NEIGHBOR_LINK, own].concat(), "{mode}");
        }
        assert!(agent.terminate().success());
    }
}

#[test]
fn generic_programs_hand_replies_over_too() {
    let Some(wires) = Asymmetric::make() else { return };
    wires.route(SECOND_CLIENT, "");
    let agent = wires.serve(&[INTERFACE, SECOND], "reply_route = \"kernel\"\nmode = \"generic\"");
    for family in FAMILIES {
        wires.ask(family);
        wires.ask(family);
        assert_eq!(agent.kernel_replies(), family as u64 + 1);
    }
}

#[test]
fn sockets_reply_where_no_program_can() {
    let Some(wires) = Asymmetric::make() else { return };
    wires.route(SECOND_CLIENT, "");
    // An interface without our program takes nothing from us.
    let agent = wires.serve(&[INTERFACE], "reply_route = \"kernel\"");
    for family in FAMILIES {
        wires.ask(family);
        wires.ask(family);
        assert_eq!((agent.kernel_replies(), unrouted(&agent)), (0, 2 * family as u64 + 2));
    }
    // Longer than the route takes in one piece.
    for (mtu, by_kernel) in [(1500, 1), (68, 0)] {
        wires.route(CLIENTS, &format!(" mtu lock {}", mtu.max(1280)));
        wires.site.network.server.ip(&format!("route replace {} via {} mtu lock {mtu}", FAR[0], CLIENTS[0]));
        wires.ask(0);
        let before = agent.kernel_replies();
        wires.ask(0);
        assert_eq!(agent.kernel_replies(), before + by_kernel, "{mtu}");
    }
    wires.route(CLIENTS, "");
    wires.ask(0);
    wires.ask(1);
    // Without look-ups in the kernel sockets reply to all, and the operator is told.
    for (forwards, by_kernel, exit_code) in [("1", 1, 0), ("0", 0, 1)] {
        wires.forward(forwards);
        let before = agent.kernel_replies();
        for family in FAMILIES {
            wires.ask(family);
        }
        assert_eq!(agent.kernel_replies(), before + 2 * by_kernel);
        let server = &wires.site.network.server;
        let config = wires.site.place.file(CONFIG);
        let output = run(server.command(&binary()).args(["doctor", "--config"]).arg(config));
        let told = text(&output);
        assert_eq!(output.status.code(), Some(exit_code), "{told}");
        assert_eq!(told.contains("sysctl -w net.ipv6.conf.lo.forwarding=1"), by_kernel == 0, "{told}");
    }
}
