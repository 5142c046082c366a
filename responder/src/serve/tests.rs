//! Serving through real sockets on loopback addresses.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, UdpSocket};
use std::time::Instant;

use super::reply::tests::{Query, table};
use super::*;
use crate::query_log::Sinks;

fn settings(listen: &str) -> ServeSettings {
    ServeSettings {
        listen: vec![listen.parse().unwrap()],
        udp_threads: Some(2),
        tcp_idle_timeout: Duration::from_millis(300),
        tcp_connections_max: 4,
        tcp_connections_per_client_max: 3,
    }
}

fn start(listen: &str) -> (tokio::runtime::Runtime, Serving) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let shared = Arc::new(Shared {
        table: Arc::new(ArcSwap::from_pointee(table())),
        settings: ArcSwap::from_pointee(ReplySettings::default()),
        query_log: QueryLog::start(
            Sinks { directory: "/nonexistent".into(), named: BTreeMap::new() },
            "here",
        )
        .unwrap(),
        misses: Arc::default(),
    });
    let serving = runtime.block_on(async { bind(settings(listen)).unwrap().start(shared).unwrap() });
    (runtime, serving)
}

/// Asks from a socket of its own; the reply must come from the address asked.
fn ask_udp(server: SocketAddr) -> Vec<u8> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.send_to(&Query::new("www.example.com", 1).octets(), server).unwrap();
    let mut reply = [0; 1500];
    let (length, from) = socket.recv_from(&mut reply).unwrap();
    assert_eq!(from, server);
    reply[..length].to_vec()
}

fn frame(query: &Query) -> Vec<u8> {
    let octets = query.octets();
    [&(octets.len() as u16).to_be_bytes()[..], &octets].concat()
}

fn read_reply(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut reply = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut reply).unwrap();
    reply
}

/// Whether the server has ended the conversation.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    match stream.read(&mut [0; 1]) {
        Ok(octets) => octets == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn d19_both_families_answer_over_udp() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let (runtime, serving) = start(listen);
        let server = serving.addresses()[0];
        for _ in 0..100 {
            assert_eq!(ask_udp(server)[..3], [0x12, 0x34, 0x84]);
        }
        assert_eq!(serving.counters().udp_totals().by_rcode, [(0, 100)]);
        runtime.block_on(serving.stop());
    }
}

#[test]
fn d19_replies_leave_from_the_address_asked() {
    let (_runtime, serving) = start("0.0.0.0:0");
    let port = serving.addresses()[0].port();
    for address in ["127.0.0.1", "127.0.0.53"] {
        ask_udp(SocketAddr::new(address.parse().unwrap(), port));
    }
    let (_runtime, serving) = start("[::]:0");
    ask_udp(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), serving.addresses()[0].port()));
}

#[test]
fn a_burst_is_answered_in_full() {
    let (_runtime, serving) = start("127.0.0.1:0");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    const QUERIES: u16 = 100;
    for id in 0..QUERIES {
        let [high, low] = id.to_be_bytes();
        let query = Query::new("www.example.com", 1).header(0, high).header(1, low);
        socket.send_to(&query.octets(), serving.addresses()[0]).unwrap();
    }
    let mut ids = std::collections::BTreeSet::new();
    let mut reply = [0; 1500];
    for _ in 0..QUERIES {
        socket.recv(&mut reply).unwrap();
        ids.insert(u16::from_be_bytes([reply[0], reply[1]]));
    }
    assert_eq!(ids.len(), usize::from(QUERIES));
}

#[test]
fn d20_queries_in_a_row_are_answered_in_a_row() {
    let (_runtime, serving) = start("127.0.0.1:0");
    let mut stream = TcpStream::connect(serving.addresses()[0]).unwrap();
    let queries: Vec<u8> =
        (0..50).flat_map(|id| frame(&Query::new("huge.example.com", 16).header(1, id))).collect();
    stream.write_all(&queries).unwrap();
    for id in 0..50 {
        let reply = read_reply(&mut stream);
        assert_eq!(reply[1], id);
        assert!(reply.len() > 4000);
    }
}

#[test]
fn d20_idle_and_half_sent_connections_end() {
    let (_runtime, serving) = start("127.0.0.1:0");
    let begun = Instant::now();
    for octets in [&[][..], &[0], &frame(&Query::new("www.example.com", 1))[..10]] {
        let mut stream = TcpStream::connect(serving.addresses()[0]).unwrap();
        stream.write_all(octets).unwrap();
        assert!(is_closed(&mut stream));
    }
    assert!(begun.elapsed() >= Duration::from_millis(900));
}

#[test]
fn d20_connections_are_limited_and_slow_readers_wait_alone() {
    let (_runtime, serving) = start("127.0.0.1:0");
    let server = serving.addresses()[0];
    let mut slow = TcpStream::connect(server).unwrap();
    slow.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
    // Never reads; writes until the server has stopped reading, too.
    let query = frame(&Query::new("huge.example.com", 16)).repeat(100);
    while slow.write_all(&query).is_ok() {}
    let mut quick = TcpStream::connect(server).unwrap();
    quick.write_all(&frame(&Query::new("www.example.com", 1))).unwrap();
    assert_eq!(read_reply(&mut quick)[..2], [0x12, 0x34]);
    let refused: Vec<TcpStream> = (0..6).map(|_| TcpStream::connect(server).unwrap()).collect();
    assert!(refused.into_iter().all(|mut stream| is_closed(&mut stream)));
    assert!(serving.counters().tcp_totals().refused_connections >= 3);
}

#[test]
fn a_taken_address_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = bind(settings(&taken.local_addr().unwrap().to_string())).unwrap_err().to_string();
    assert!(error.contains("(TCP)") && error.contains("free?"), "{error}");
}
