//! Probes against servers on loopback that behave as endpoints do, or should not.
//!
//! Rows that must run into a time limit have a short one; all others have one that no slow machine reaches.

mod bounds;
mod tls;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use pulse53_core::model::check::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What a server does with a connection, step by step; it closes after the last.
#[derive(Clone)]
enum Step {
    /// Reads a request up to its empty line.
    Read,
    /// Sends this at once.
    Send(Vec<u8>),
    /// Sends this again and again until the client is gone.
    Repeat(Vec<u8>),
    /// Does nothing until the client is gone.
    Hang,
    /// Lets the client read before the next step.
    Pause,
    /// Resets the connection.
    Reset,
}

use Step::{Hang, Pause, Read, Repeat, Reset, Send};

fn text(text: &str) -> Step {
    Send(text.as_bytes().to_vec())
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(request).unwrap()
}

async fn play<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, steps: &[Step]) -> std::io::Result<bool> {
    for step in steps {
        match step {
            Read => drop(read_request(stream).await),
            Send(bytes) => stream.write_all(bytes).await?,
            Repeat(bytes) => loop {
                stream.write_all(bytes).await?;
                tokio::time::sleep(Duration::from_micros(100)).await;
            },
            Hang => while stream.read(&mut [0; 64]).await? > 0 {},
            Pause => tokio::time::sleep(Duration::from_millis(20)).await,
            Reset => return Ok(true),
        }
    }
    stream.shutdown().await?;
    // Closing with something unread would be a reset.
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(false)
}

/// A server that plays the steps on every connection; returns its port.
async fn server(steps: Vec<Step>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let steps = steps.clone();
            tokio::spawn(async move {
                if let Ok(true) = play(&mut stream, &steps).await {
                    stream.set_zero_linger().unwrap();
                }
            });
        }
    });
    port
}

fn check(port: u16, protocol: Protocol, timeout_ms: u64) -> EndpointCheck {
    EndpointCheck {
        endpoint: Endpoint { address: Some([127, 0, 0, 1].into()), name: None },
        port,
        protocol,
        interval: Duration::from_secs(10),
        timeout: Some(Duration::from_millis(timeout_ms)),
        failure_threshold: 3,
        measure_latency: true,
        regions: Vec::new(),
    }
}

fn http(search: Option<&str>) -> Protocol {
    Protocol::Http { tls: None, path: "/".into(), search: search.map(Into::into) }
}

fn https(sni: bool) -> Protocol {
    Protocol::Http { tls: Some(Sni(sni)), path: "/".into(), search: None }
}

fn prober() -> Prober {
    Prober::new(Arc::new(Resolver::from_system()), TargetPolicy::default())
}

const PATIENT_MS: u64 = 20_000;
const SHORT_MS: u64 = 250;

const OK: &str = "Success: HTTP Status Code 200, OK";
const NOT_FOUND: &str = "Failure: Search string not found in the first 5120 bytes";
const LATE: &str = "Failure: No HTTP status code within the time limit";
const MALFORMED: &str = "Failure: Malformed response headers";
const TOO_LONG: &str = "Failure: Response headers too long";
const CLOSED: &str = "Failure: Connection closed by the endpoint";
const BODY_LATE: &str = "Failure: Body not received within the time limit";

/// A sentence, a time limit, a search string, a server and what the probe says.
type Row = (&'static str, u64, Option<&'static str>, Vec<Step>, &'static str);

/// Plays all rows at once.
async fn check_rows(rows: Vec<Row>) {
    let prober = Arc::new(prober());
    let mut running = Vec::new();
    for (sentence, timeout_ms, search, steps, expect) in rows {
        let prober = prober.clone();
        running.push(tokio::spawn(async move {
            let check = check(server(steps).await, http(search), timeout_ms);
            let observation = prober.probe(&check).await.unwrap();
            assert_eq!(observation.to_string(), expect, "{sentence}");
            assert_eq!(observation.latency.is_some(), observation.passed(), "{sentence} (H-17)");
        }));
    }
    for row in running {
        row.await.unwrap();
    }
}

fn answer(head: &str) -> Vec<Step> {
    vec![Read, text(head)]
}

#[tokio::test]
async fn heads_h9_h10_h17_h41() {
    let endless = format!("X: {}\r\n", "x".repeat(100));
    check_rows(vec![
        ("a plain 200", PATIENT_MS, None, answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), OK),
        (
            "no reason phrase",
            PATIENT_MS,
            None,
            answer("HTTP/1.1 200\r\n\r\n"),
            "Success: HTTP Status Code 200",
        ),
        (
            "404",
            PATIENT_MS,
            None,
            answer("HTTP/1.1 404 Not Found\r\n\r\n"),
            "Failure: HTTP Status Code 404, Not Found",
        ),
        ("399", PATIENT_MS, None, answer("HTTP/1.1 399 Odd\r\n\r\n"), "Success: HTTP Status Code 399, Odd"),
        ("500", PATIENT_MS, None, answer("HTTP/1.1 500 No\r\n\r\n"), "Failure: HTTP Status Code 500, No"),
        (
            "a redirect passes and is not followed",
            PATIENT_MS,
            None,
            answer("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"),
            "Success: HTTP Status Code 302, Found",
        ),
        (
            "interim responses are skipped",
            PATIENT_MS,
            None,
            vec![
                Read,
                text("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n"),
                Pause,
                text("\r\nHTTP/1.1 200 OK\r\n\r\n"),
            ],
            OK,
        ),
        (
            "interim responses only",
            SHORT_MS,
            None,
            vec![Read, Repeat(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())],
            LATE,
        ),
        (
            "a head in pieces",
            PATIENT_MS,
            None,
            vec![
                Read,
                text("HTT"),
                Pause,
                text("P/1.1 200 OK\r"),
                Pause,
                text("\nA: b\r\n\r"),
                Pause,
                text("\n"),
            ],
            OK,
        ),
        (
            "headers that do not end",
            SHORT_MS,
            None,
            vec![Read, text("HTTP/1.1 200 OK\r\nA: b\r\n"), Hang],
            LATE,
        ),
        ("nothing at all", SHORT_MS, None, vec![Read, Hang], LATE),
        (
            "endless headers",
            PATIENT_MS,
            None,
            vec![Read, text("HTTP/1.1 200 OK\r\n"), Repeat(endless.into_bytes())],
            TOO_LONG,
        ),
        ("a field without colon", PATIENT_MS, None, answer("HTTP/1.1 200 OK\r\nfield\r\n\r\n"), MALFORMED),
        ("a space before the colon", PATIENT_MS, None, answer("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"), MALFORMED),
        (
            "malformed and left open",
            PATIENT_MS,
            None,
            vec![Read, text("HTTP/1.1 200 OK\r\nA : b\r\n"), Hang],
            MALFORMED,
        ),
        ("two lengths", PATIENT_MS, None, answer("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n"), OK),
        ("not HTTP", PATIENT_MS, None, vec![text("SSH-2.0-server\r\n"), Hang], MALFORMED),
        ("reset after the request", PATIENT_MS, None, vec![Read, Reset], "Failure: Connection reset"),
        ("closed after the request", PATIENT_MS, None, vec![Read], CLOSED),
        ("closed in the head", PATIENT_MS, None, answer("HTTP/1.1 200 OK\r\nA: b"), CLOSED),
        ("reset before the request", PATIENT_MS, None, vec![Reset], "Failure: Connection reset"),
        (
            "reset in the head",
            PATIENT_MS,
            None,
            vec![Read, text("HTTP/1.1 200 OK\r\nA: b"), Pause, Reset],
            "Failure: Connection reset",
        ),
        (
            "a head byte by byte, without an end",
            SHORT_MS,
            None,
            vec![Read, text("HTTP/1.1 200 OK\r\nA: "), Repeat(b"b".to_vec())],
            LATE,
        ),
        ("answered without reading", PATIENT_MS, None, vec![text("HTTP/1.1 200 OK\r\n\r\n")], OK),
    ])
    .await;
}

/// A response with this body, its length given.
fn with_body(headers: &str, body: &[u8]) -> Vec<Step> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    vec![Read, Send([head.as_bytes(), body].concat())]
}

/// The string `ok` with its first byte at this position, counted from 1, in a body of 6,000 bytes.
fn ok_at(position: usize) -> Vec<u8> {
    let mut body = vec![b'.'; 6000];
    body[position - 1..position + 1].copy_from_slice(b"ok");
    body
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut framed = Vec::new();
    for chunk in body.chunks(size) {
        framed.extend_from_slice(format!("{:x};name=value\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
    framed
}

fn with_chunks(headers: &str, body: &[u8], size: usize) -> Vec<Step> {
    let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{headers}\r\n");
    vec![Read, Send([head.as_bytes(), &chunked(body, size)].concat())]
}

#[tokio::test]
async fn bodies_h9_h11_and_vector_4() {
    let ok = Some("ok");
    let gzipped = "Content-Encoding: gzip\r\n";
    let deflated = "Content-Encoding: deflate\r\n";
    let bomb = gzip(&vec![0; 16 << 20]);
    let streamed_gzip = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(b"all is ok").unwrap();
        encoder.flush().unwrap();
        [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", encoder.get_ref().as_slice()].concat()
    };
    check_rows(vec![
        ("string at bytes 5119-5120", PATIENT_MS, ok, with_body("", &ok_at(5119)), OK),
        ("string at bytes 5120-5121", PATIENT_MS, ok, with_body("", &ok_at(5120)), NOT_FOUND),
        ("the same in chunks", PATIENT_MS, ok, with_chunks("", &ok_at(5119), 1000), OK),
        ("beyond the limit in chunks", PATIENT_MS, ok, with_chunks("", &ok_at(5120), 1000), NOT_FOUND),
        ("split over chunks of one byte", PATIENT_MS, ok, with_chunks("", b"it is ok", 1), OK),
        ("chunks without the string", PATIENT_MS, ok, with_chunks("", b"it is not", 3), NOT_FOUND),
        ("case matters", PATIENT_MS, ok, with_body("", b"OK"), NOT_FOUND),
        ("an empty body", PATIENT_MS, ok, with_body("", b""), NOT_FOUND),
        ("no body at all", PATIENT_MS, ok, answer("HTTP/1.1 200 OK\r\n\r\n"), NOT_FOUND),
        ("a body until close", PATIENT_MS, ok, answer("HTTP/1.1 200 OK\r\n\r\nall is ok"), OK),
        (
            "found before the body ends",
            PATIENT_MS,
            ok,
            vec![
                Read,
                text("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nall is o"),
                Pause,
                text("k"),
                Hang,
            ],
            OK,
        ),
        (
            "404 with the string in the body",
            PATIENT_MS,
            ok,
            answer("HTTP/1.1 404 Not Found\r\n\r\nok"),
            "Failure: HTTP Status Code 404, Not Found",
        ),
        (
            "302 with the string in the body",
            PATIENT_MS,
            ok,
            answer("HTTP/1.1 302 Found\r\n\r\nok"),
            "Success: HTTP Status Code 302, Found",
        ),
        ("gzip", PATIENT_MS, ok, with_body(gzipped, &gzip(&ok_at(5119))), OK),
        ("gzip beyond the limit", PATIENT_MS, ok, with_body(gzipped, &gzip(&ok_at(5120))), NOT_FOUND),
        ("gzip in chunks", PATIENT_MS, ok, with_chunks(gzipped, &gzip(&ok_at(3000)), 7), OK),
        ("gzip that is not", PATIENT_MS, ok, with_body(gzipped, b"plain ok"), NOT_FOUND),
        ("gzip still streaming", PATIENT_MS, ok, vec![Read, Send(streamed_gzip), Hang], OK),
        ("a gzip bomb", PATIENT_MS, ok, with_body(gzipped, &bomb), NOT_FOUND),
        ("deflate", PATIENT_MS, ok, with_body(deflated, &zlib(&ok_at(5119))), OK),
        ("deflate beyond the limit", PATIENT_MS, ok, with_body(deflated, &zlib(&ok_at(5120))), NOT_FOUND),
        (
            "deflate without its zlib wrapping",
            PATIENT_MS,
            ok,
            with_body(deflated, &raw_deflate(&ok_at(7))),
            OK,
        ),
        (
            "another coding is searched as it is",
            PATIENT_MS,
            ok,
            with_body("Content-Encoding: br\r\n", b"ok"),
            OK,
        ),
        (
            "a slow body",
            SHORT_MS,
            ok,
            vec![Read, text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall is "), Hang],
            BODY_LATE,
        ),
        (
            "closed in the body",
            PATIENT_MS,
            ok,
            answer("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nall is"),
            CLOSED,
        ),
        (
            "a body byte by byte",
            SHORT_MS,
            ok,
            vec![Read, text("HTTP/1.1 200 OK\r\n\r\n"), Repeat(b".".to_vec())],
            BODY_LATE,
        ),
        (
            "reset in the body",
            PATIENT_MS,
            ok,
            vec![Read, text("HTTP/1.1 200 OK\r\n\r\nall is"), Pause, Reset],
            "Failure: Connection reset",
        ),
        (
            "a chunk size without an end",
            PATIENT_MS,
            ok,
            vec![
                Read,
                text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x="),
                Repeat(vec![b'.'; 100]),
            ],
            NOT_FOUND,
        ),
        (
            "a chunk that never comes",
            SHORT_MS,
            ok,
            vec![Read, text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n"), Hang],
            BODY_LATE,
        ),
        (
            "an endless body",
            PATIENT_MS,
            ok,
            vec![Read, text("HTTP/1.1 200 OK\r\n\r\n"), Repeat(vec![b'.'; 100])],
            NOT_FOUND,
        ),
        (
            "a slow body nobody searches",
            PATIENT_MS,
            None,
            vec![Read, text("HTTP/1.1 200 OK\r\n\r\n"), Hang],
            OK,
        ),
    ])
    .await;
}

#[tokio::test]
async fn connections_h12_h41() {
    let prober = prober();
    let observe = async |check: EndpointCheck| prober.probe(&check).await.unwrap().to_string();
    let silent = server(vec![Hang]).await;
    let tcp = prober.probe(&check(silent, Protocol::Tcp, PATIENT_MS)).await.unwrap();
    assert_eq!(tcp.to_string(), "Success: TCP connection established");
    assert!(tcp.latency.unwrap().connect.is_some());

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(observe(check(free, Protocol::Tcp, PATIENT_MS)).await, "Failure: Connection refused");
    assert_eq!(observe(check(free, http(None), PATIENT_MS)).await, "Failure: Connection refused");

    // A full accept queue drops SYNs as a packet filter would.
    let full = tokio::net::TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(SHORT_MS), TcpStream::connect(address)).await
    {
        waiting.push(stream);
    }
    assert_eq!(observe(check(address.port(), http(None), SHORT_MS)).await, "Failure: Connection timed out");
}

#[tokio::test]
async fn names_are_resolved_to_ipv4_h5() {
    let prober = prober();
    let mut check = check(server(vec![Hang]).await, Protocol::Tcp, PATIENT_MS);
    check.endpoint = Endpoint { address: None, name: Some("localhost".into()) };
    let observation = prober.probe(&check).await.unwrap();
    assert_eq!(observation.to_string(), "Success: TCP connection established. Resolved IP: 127.0.0.1");
    check.endpoint.name = Some("nobody.invalid".into());
    let observation = prober.probe(&check).await.unwrap().to_string();
    assert!(observation.starts_with("Failure: DNS resolution failed: "), "{observation}");
    assert!(!observation.contains("Resolved IP"));
}

#[tokio::test]
async fn endpoints_are_reached_over_ipv6_h5() {
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut check = check(port, http(None), PATIENT_MS);
    check.endpoint.address = Some(std::net::Ipv6Addr::LOCALHOST.into());
    let served = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        request
    };
    let prober = prober();
    let (observation, request) = tokio::join!(prober.probe(&check), served);
    assert_eq!(observation.unwrap().to_string(), OK);
    assert!(request.contains(&format!("\r\nHost: [::1]:{port}\r\n")), "{request}");
}

#[tokio::test]
async fn a_forbidden_address_is_not_contacted_h6() {
    let targets = TargetPolicy { deny: vec!["127.0.0.0/8".parse().unwrap()], ..TargetPolicy::default() };
    let prober = Prober::new(Arc::new(Resolver::from_system()), targets);
    let check = check(server(vec![Hang]).await, Protocol::Tcp, PATIENT_MS);
    let observation = prober.probe(&check).await.unwrap().to_string();
    assert_eq!(observation, "Failure: Address 127.0.0.1 not allowed by the configuration");
}

#[test]
fn host_headers_h14_and_vector_5() {
    let host_of = |name: Option<&str>, address: &str, port, protocol: Protocol| {
        let mut check = check(port, protocol, PATIENT_MS);
        let address = address.parse().unwrap();
        check.endpoint = Endpoint { address: Some(address), name: name.map(Into::into) };
        host(&check, address)
    };
    let name = Some("web.example.com");
    assert_eq!(host_of(name, "192.0.2.7", 8443, https(true)), "web.example.com:8443");
    assert_eq!(host_of(name, "192.0.2.7", 443, https(true)), "web.example.com");
    assert_eq!(host_of(name, "192.0.2.7", 80, https(true)), "web.example.com:80");
    assert_eq!(host_of(name, "192.0.2.7", 80, http(None)), "web.example.com");
    assert_eq!(host_of(name, "192.0.2.7", 443, http(None)), "web.example.com:443");
    assert_eq!(host_of(None, "192.0.2.7", 8443, https(true)), "192.0.2.7:8443");
    assert_eq!(host_of(None, "2001:db8::7", 80, http(None)), "[2001:db8::7]");
    assert_eq!(host_of(None, "2001:db8::7", 8080, http(None)), "[2001:db8::7]:8080");
}

#[tokio::test]
async fn every_probe_opens_a_new_connection_and_closes_it_h8() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let check = check(listener.local_addr().unwrap().port(), http(None), PATIENT_MS);
    let prober = prober();
    for _ in 0..3 {
        let served = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read_request(&mut stream).await;
            assert!(request.contains("\r\nConnection: close\r\n"), "{request}");
            // An endpoint that would keep the connection: the prober closes it all the same.
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            let ended = stream.read(&mut [0; 64]).await;
            assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        };
        let (observation, ()) = tokio::join!(prober.probe(&check), served);
        assert_eq!(observation.unwrap().to_string(), OK);
    }
}

#[tokio::test]
async fn the_request_is_what_h10_and_h14_say() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        request
    });
    let protocol = Protocol::Http { tls: None, path: "/health?deep=1".into(), search: None };
    prober().probe(&check(port, protocol, PATIENT_MS)).await.unwrap();
    let request = served.await.unwrap();
    assert!(
        request.starts_with(&format!("GET /health?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n")),
        "{request}"
    );
}
