//! Hostile requests to the API: an error for each, and a node that goes on.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Duration;

use crate::harness::agent::{Agent, CONFIG};
use crate::harness::may_open;
use crate::harness::network::{Namespace, SERVED};
use crate::harness::site::Site;

/// Connections opened at once.
const CONNECTIONS: usize = 10_000;

/// Memory that all of this may cost, in KiB.
const MEMORY_KIB_MAX: u64 = 400 << 10;

fn connect(server: &Namespace) -> TcpStream {
    let stream = server.within(|| TcpStream::connect((Ipv4Addr::LOCALHOST, 5380))).expect("a listener");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
    stream
}

/// Sends a request; what comes back. A node may hang up before it has read everything.
fn exchange(server: &Namespace, request: &[u8]) -> String {
    let mut stream = connect(server);
    let _ = stream.write_all(request);
    read_all(stream)
}

/// Sends a part of a request and goes, as far as sending is concerned.
fn break_off(server: &Namespace, request: &[u8]) -> String {
    let mut stream = connect(server);
    let _ = stream.write_all(request);
    let _ = stream.shutdown(Shutdown::Write);
    read_all(stream)
}

fn read_all(mut stream: TcpStream) -> String {
    let mut octets = Vec::new();
    let _ = stream.read_to_end(&mut octets);
    String::from_utf8_lossy(&octets).into_owned()
}

fn post(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /2013-04-01/hostedzone HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").into_bytes()
}

fn start(site: &Site, sections: &str) {
    let (data, address) = (site.place.file("data"), SERVED[0]);
    site.place.write(CONFIG, format!("data_dir = {data:?}\n[dns]\nlisten = [\"{address}\"]\n{sections}"));
}

#[test]
fn every_hostile_request_is_refused_and_the_node_goes_on() {
    let Some(site) = Site::make() else { return };
    start(&site, "");
    let server = &site.network.server;
    let agent = Agent::start(server, &site.place);

    let bomb = {
        let level = |at: usize| format!("<!ENTITY e{at} \"{}\">", format!("&e{};", at - 1).repeat(10));
        let levels: String = (1..20).map(level).collect();
        format!("<?xml version=\"1.0\"?><!DOCTYPE R [<!ENTITY e0 \"ha\">{levels}]><R><Name>&e19;</Name></R>")
    };
    let deep = "<a>".repeat(100_000);
    let wide = format!("<R>{}</R>", "<a/>".repeat(900_000));
    let bodies: [(&str, &[u8]); 11] = [
        ("an entity bomb", bomb.as_bytes()),
        ("depth", deep.as_bytes()),
        ("a million elements", wide.as_bytes()),
        ("no end", b"<R><Name>example.net"),
        ("not UTF-8", b"<R><Name>\xff\xfe</Name></R>"),
        ("a control character", b"<R><Name>&#1;</Name></R>"),
        ("an unknown entity", b"<R><Name>&x;</Name></R>"),
        ("two roots", b"<R/><R/>"),
        (
            "an external entity",
            b"<!DOCTYPE R [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><R><Name>&x;</Name></R>",
        ),
        ("no XML", b"{\"Name\": \"example.net\"}"),
        ("a zero octet", b"<R>\0</R>"),
    ];
    for (what, body) in bodies {
        let response = exchange(server, &post(body));
        assert!(response.starts_with("HTTP/1.1 400"), "{what}: {response}");
        assert!(response.contains("<Code>InvalidInput</Code>"), "{what}: {response}");
        assert!(!response.contains("root:"), "{what}: {response}");
    }
    let huge = exchange(server, &post(&vec![b'x'; 5 << 20]));
    assert!(huge.is_empty() || huge.starts_with("HTTP/1.1 400"), "{huge}");

    let short = "POST /2013-04-01/hostedzone HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n<R/>";
    for request in [
        short,
        "POST /2013-04-01/hostedzone HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "POST /2013-04-01/hostedzone HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n<R/>x",
        "POST /2013-04-01/hostedzone HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "\0\0\0\0",
        "GET",
    ] {
        let response = break_off(server, request.as_bytes());
        assert!(response.is_empty() || response.starts_with("HTTP/1.1 400"), "{request}: {response}");
    }
    let header = format!(
        "GET /2013-04-01/hostedzone HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let response = break_off(server, header.as_bytes());
    assert!(response.is_empty() || response.starts_with("HTTP/1.1 4"), "{response}");

    for path in [
        "/2013-04-01/hostedzone/../../../etc/passwd",
        "/2013-04-01/hostedzone/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/2013-04-01/hostedzone/%00",
        "/2013-04-01/hostedzone/%ff",
        "/2013-04-01/tags/hostedzone/a%00b",
        "/2013-04-01/..%2fpulse53/v1/status",
        "/2013-04-01/////",
        "/2013-04-01/hostedzone?maxitems=99999999999999999999999999",
        "/2013-04-01/hostedzone?maxitems=-1",
        "/2013-04-01/cidrcollection?nexttoken=zz",
    ] {
        let response = exchange(server, &get(path));
        assert!(response.starts_with("HTTP/1.1 4"), "{path}: {response}");
    }
    let fine = exchange(server, &get("/2013-04-01/hostedzone"));
    assert!(fine.starts_with("HTTP/1.1 200") && fine.contains("<HostedZones></HostedZones>"), "{fine}");
    let memory = agent.memory_peak_kib();
    assert!(memory < MEMORY_KIB_MAX, "{memory} KiB");
}

#[test]
fn ten_thousand_connections_take_nothing_from_the_next_client() {
    let Some(site) = Site::make() else { return };
    if !may_open(CONNECTIONS as u64 + 1000) {
        return pulse53_tests::skip("more than eleven thousand file descriptors (ulimit -n)");
    }
    start(&site, "");
    let server = &site.network.server;
    let agent = Agent::start(server, &site.place);
    let held: Vec<TcpStream> = server.within(|| {
        let connect = |_| TcpStream::connect((Ipv4Addr::LOCALHOST, 5380)).ok();
        (0..CONNECTIONS).filter_map(connect).collect()
    });
    assert!(held.len() > CONNECTIONS / 2, "only {} connections", held.len());
    let full = exchange(server, &get("/2013-04-01/hostedzone"));
    assert!(full.is_empty() || full.starts_with("HTTP/1.1 503"), "{full}");
    let memory = agent.memory_peak_kib();
    assert!(memory < MEMORY_KIB_MAX, "{memory} KiB");
    drop(held);
    crate::harness::eventually("an answer", || {
        let answer = exchange(server, &get("/2013-04-01/hostedzone"));
        if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(answer) }
    });
}

#[test]
fn bad_signatures_are_told_apart() {
    let Some(site) = Site::make() else { return };
    site.place.write("secret", "wJalrXUtnFEMI");
    start(&site, "[[api.credential]]\naccess_key_id = \"AKIA\"\nsecret_access_key_file = \"secret\"\n");
    let server = &site.network.server;
    let _agent = Agent::start(server, &site.place);
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let (day, signature) = (&now[..8], "0".repeat(64));
    let authorization = |key: &str, day: &str, service: &str| {
        format!(
            "Authorization: AWS4-HMAC-SHA256 Credential={key}/{day}/us-east-1/{service}/aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}\r\n"
        )
    };
    for (headers, code) in [
        (String::new(), "MissingAuthenticationToken"),
        ("Authorization: Basic eA==\r\n".to_owned(), "IncompleteSignature"),
        (authorization("NONE", day, "route53"), "InvalidClientTokenId"),
        (authorization("AKIA", day, "route53"), "SignatureDoesNotMatch"),
        (format!("Authorization: AWS4-HMAC-SHA256 {}\r\n", "x".repeat(4000)), "IncompleteSignature"),
    ] {
        let request = format!(
            "GET /2013-04-01/hostedzone HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Amz-Date: {now}\r\n{headers}\r\n"
        );
        let response = exchange(server, request.as_bytes());
        assert!(response.starts_with("HTTP/1.1 4"), "{headers}: {response}");
        assert!(response.contains(&format!("<Code>{code}</Code>")), "{headers}: {response}");
    }
}
