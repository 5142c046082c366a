//! Hostile load, bounded in time: memory stays within what is stated here, whoever behaves gets every answer, and a counter tells (D-21).

use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pulse53_core::model::RecordType;
use pulse53_tests::frame::Query;
use rustix::net::{AddressFamily, SocketType, bind, connect, send, socket};

use crate::harness::agent::Agent;
use crate::harness::client::FAMILIES;
use crate::harness::network::{Namespace, SERVED};
use crate::harness::site::Site;
use crate::harness::{eventually, may_open};

const NAME: &str = "www.example.com";
const ADDRESS: [u8; 4] = [198, 51, 100, 1];
const ZONE: &str = "www IN A 198.51.100.1\n";

/// TCP connections opened, of which the server keeps so many.
const CONNECTIONS: usize = 10_000;
const KEPT: usize = 2000;
/// Clients they come from; each below the limit for one.
const CLIENTS: usize = 100;

/// What a connection may cost, in KiB: the task, a read buffer, what is left of messages.
const CONNECTION_KIB: u64 = 16;
/// What floods may cost in all, in KiB: buffers of a fixed number, and what the allocator keeps.
const FLOOD_KIB: u64 = 32 << 10;

/// A connection from one of many addresses, with what it says at first and never goes on with.
fn open(client: usize, says: &[u8]) -> io::Result<OwnedFd> {
    let from = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 99, 0, client as u8)), 0);
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&stream, &from)?;
    connect(&stream, &SERVED[0])?;
    if !says.is_empty() {
        // It may have had to leave already.
        let _ = send(&stream, says, rustix::net::SendFlags::NOSIGNAL);
    }
    Ok(stream)
}

/// Lets the client's namespace have all of these addresses.
fn many_addresses(client: &Namespace) {
    client.ip("route add local 10.99.0.0/16 dev lo");
}

#[test]
fn ten_thousand_silent_connections_keep_nobody_from_being_answered() {
    let Some(site) = Site::make() else { return };
    if !may_open(CONNECTIONS as u64 + 1000) {
        return pulse53_tests::skip("more than eleven thousand file descriptors (ulimit -n)");
    }
    site.serve_zone("", ZONE);
    let text =
        std::fs::read_to_string(site.place.file(crate::harness::agent::CONFIG)).expect("it is configured");
    let limits = format!("[dns]\ntcp_connections_max = {KEPT}\ntcp_idle_timeout = \"60s\"\n");
    site.place.write(crate::harness::agent::CONFIG, text.replacen("[dns]\n", &limits, 1));
    many_addresses(&site.network.client);
    let agent = site.start();
    let mut client = site.client();
    let before = agent.memory_peak_kib();

    // Silent ones; those that announce a long message and send its first octet; and those that ask once and stay.
    let query = Query::new(NAME, RecordType::A.to_int()).octets();
    let whole = [&(query.len() as u16).to_be_bytes()[..], &query].concat();
    let says: [&[u8]; 3] = [b"", b"\xff\xff\x00", &whole];
    let (mut held, mut refused) = (Vec::new(), None);
    for round in 0..10 {
        let opened = site.network.client.within(|| {
            let one = |index: usize| open(index % CLIENTS, says[index % says.len()]);
            (0..CONNECTIONS / 10).map(one).collect::<Vec<io::Result<OwnedFd>>>()
        });
        for connection in opened {
            match connection {
                Ok(connection) => held.push(connection),
                Err(error) => refused = Some(error),
            }
        }
        for family in FAMILIES {
            let reply = client.ask_over_tcp(family, &Query::new(NAME, RecordType::A.to_int()));
            assert_eq!((reply.rcode, reply.first.is_some()), (0, true), "round {round}");
            assert_eq!(client.address(family, NAME), Some(ADDRESS));
        }
    }
    assert!(held.len() > CONNECTIONS * 9 / 10, "only {} connections: {refused:?}", held.len());
    let displaced = agent.metric("pulse53_tcp_displaced_connections_total") as usize;
    assert!(displaced >= held.len() - KEPT - CLIENTS, "{displaced} displaced of {}", held.len());
    let grown = agent.memory_peak_kib().saturating_sub(before);
    assert!(grown < KEPT as u64 * CONNECTION_KIB, "{grown} KiB for {KEPT} connections");

    // One client has its share, and no more.
    let refused = agent.metric("pulse53_tcp_refused_connections_total");
    let greedy =
        site.network.client.within(|| (0..200).filter_map(|_| open(200, b"").ok()).collect::<Vec<_>>());
    eventually("refusals", || {
        let now = agent.metric("pulse53_tcp_refused_connections_total");
        if now >= refused + 200.0 - 128.0 { Ok(()) } else { Err(now) }
    });
    drop((held, greedy));
    let reply = client.ask_over_tcp(0, &Query::new(NAME, RecordType::A.to_int()));
    assert_eq!(reply.rcode, 0);
}

#[test]
fn floods_of_refused_and_malformed_queries_cost_no_answer_and_no_memory() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("", ZONE);
    let agent = site.start();
    let mut client = site.client();
    assert_eq!(client.address(0, NAME), Some(ADDRESS));
    let before = agent.memory_peak_kib();
    let (done, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let refused = Query::new("www.example.invalid", RecordType::A.to_int()).octets();
    // A question that ends in its name.
    let malformed = [&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63][..], &[b'x'; 20]].concat();
    let asked = std::thread::scope(|scope| {
        for (family, query) in [(0, &refused), (1, &malformed)] {
            let (done, sent, network) = (&done, &sent, &site.network.client);
            scope.spawn(move || flood(network, SERVED[family], query, done, sent));
        }
        let mut asked = 0;
        while sent.load(Ordering::Relaxed) < 40_000 {
            for family in FAMILIES {
                assert_eq!(client.address(family, NAME), Some(ADDRESS));
                asked += 1;
            }
        }
        let reply = client.ask_over_tcp(0, &Query::new("nx.example.com", RecordType::A.to_int()));
        assert_eq!(reply.rcode, 3, "whoever comes by TCP is answered, too");
        done.store(true, Ordering::Relaxed);
        asked
    });
    assert!(asked > 0);
    let replied = |rcode: &str| {
        let labels = format!("{{path=\"userspace\",transport=\"udp\",rcode=\"{rcode}\"}}");
        agent.metric(&format!("pulse53_replies_total{labels}"))
    };
    for rcode in ["REFUSED", "FORMERR"] {
        assert!(replied(rcode) > 1000.0, "{} {rcode}", replied(rcode));
    }
    // What was not answered was lost on the way or for want of room, which is told.
    let told = replied("REFUSED") + replied("FORMERR") + agent.metric("pulse53_udp_lost_queries_total");
    assert!(told <= sent.load(Ordering::Relaxed) as f64);
    let grown = agent.memory_peak_kib().saturating_sub(before);
    assert!(grown < FLOOD_KIB, "{grown} KiB");
}

/// As fast as a link of two CPUs carries, not faster: what the link drops nobody could answer.
fn flood(network: &Namespace, server: SocketAddr, query: &[u8], done: &AtomicBool, sent: &AtomicU64) {
    network.within(|| {
        let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).expect("a socket can be made");
        socket.connect(server).expect("there is a route");
        while !done.load(Ordering::Relaxed) {
            let burst = (0..32).filter(|_| socket.send(query).is_ok()).count();
            sent.fetch_add(burst as u64, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

#[test]
fn names_beyond_the_capacity_are_answered_and_counted() {
    const NAMES: usize = 3000;
    let Some(site) = Site::make() else { return };
    let mut zone = String::new();
    for name in 0..NAMES {
        writeln!(zone, "n{name} IN A 198.51.100.{}", name % 256).expect("memory");
    }
    site.serve_zone("capacity = 256", &zone);
    let agent = site.start();
    let mut client = site.client();
    for name in (0..NAMES).step_by(10) {
        let expected = Some([198, 51, 100, (name % 256) as u8]);
        for family in FAMILIES {
            assert_eq!(client.address(family, &format!("n{name}.example.com")), expected);
        }
    }
    refused_and_held(&agent, NAMES + 3);
    // And so after a change of all of them.
    let revision = agent.metric("pulse53_revision");
    site.write_zone(&zone.replace("198.51.100.", "192.0.2."));
    // The kernel follows userspace by a moment; a revision is told when it has.
    agent.reload_until("the new answers", |agent| agent.metric("pulse53_revision") > revision);
    for name in (0..NAMES).step_by(10) {
        let expected = Some([192, 0, 2, (name % 256) as u8]);
        assert_eq!(client.address(1, &format!("n{name}.example.com")), expected);
    }
    refused_and_held(&agent, NAMES + 3);
}

/// Both halves of the questions are told, and together they are all.
fn refused_and_held(agent: &Agent<'_>, questions: usize) {
    let held = agent.metric("pulse53_kernel_entries");
    let refused = agent.metric("pulse53_kernel_refused_entries");
    assert!(held >= 256.0 && refused > 0.0, "{held} held, {refused} refused");
    assert_eq!(held + refused, questions as f64);
    assert!(agent.kernel_replies() > 0);
}
