//! Probes of OpenSSL's server: TLS 1.2 and 1.3, certificates of any kind, SNI, and the names of its alerts (H-15, H-16, H-41).

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use pulse53_tests::programs::has;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};

use crate::node::Node;
use crate::program::Program;

const WEB: &str = "web.example.com";
const OTHER: &str = "other.example.com";
/// OpenSSL writes the reason phrase in lower case.
const OK: &str = "Success: HTTP Status Code 200, ok";

/// One server and what a probe of it says.
struct Row {
    sentence: &'static str,
    /// Added to those that every server has.
    options: &'static str,
    certificate: &'static str,
    name: Option<&'static str>,
    sni: bool,
    expect: &'static str,
    /// For each client hello of one probe, whether it has the name.
    hellos: &'static [bool],
}

const PLAIN: Row = Row {
    sentence: "",
    options: "",
    certificate: "web",
    name: Some(WEB),
    sni: true,
    expect: OK,
    hellos: &[true],
};

const ROWS: &[Row] = &[
    Row { sentence: "TLS 1.2", options: "-tls1_2", ..PLAIN },
    Row { sentence: "TLS 1.3", options: "-tls1_3", ..PLAIN },
    Row {
        sentence: "TLS 1.1 alone is too old",
        options: "-tls1_1 -cipher ALL:@SECLEVEL=0",
        expect: "Failure: SSL alert protocol_version",
        ..PLAIN
    },
    Row {
        sentence: "no cipher in common",
        options: "-tls1_2 -cipher AES128-SHA",
        expect: "Failure: SSL alert handshake_failure",
        ..PLAIN
    },
    Row { sentence: "an expired certificate", certificate: "expired", ..PLAIN },
    Row { sentence: "no name at all", name: None, hellos: &[false], ..PLAIN },
    Row { sentence: "EnableSNI false", sni: false, hellos: &[false], ..PLAIN },
    Row {
        sentence: "a certificate for another name: once more without the name",
        certificate: "other",
        hellos: &[true, false],
        ..PLAIN
    },
    Row {
        sentence: "the same over TLS 1.2",
        options: "-tls1_2",
        certificate: "other",
        hellos: &[true, false],
        ..PLAIN
    },
    Row {
        sentence: "one of two certificates, chosen by name",
        options: "-servername web.example.com -cert2 web.der -key2 web.key",
        certificate: "other",
        ..PLAIN
    },
    Row {
        sentence: "a server that refuses unknown names",
        options: "-servername other.example.com -servername_fatal -cert2 other.der -key2 other.key",
        expect: "Failure: SSL alert unrecognized_name",
        ..PLAIN
    },
    Row {
        sentence: "a server that wants a certificate, over TLS 1.3",
        options: "-tls1_3 -Verify 1",
        expect: "Failure: SSL alert certificate_required",
        ..PLAIN
    },
    Row {
        sentence: "a server that wants a certificate, over TLS 1.2",
        options: "-tls1_2 -Verify 1",
        expect: "Failure: SSL alert handshake_failure",
        ..PLAIN
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn openssl_is_probed_as_any_endpoint_h15_h16_h17_h41() {
    if !has("openssl", "openssl") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory can be made");
    for (file, name, year) in [("web", WEB, 2100), ("other", OTHER, 2100), ("expired", WEB, 2001)] {
        make_certificate(directory.path(), file, name, year);
    }
    let mut servers = Vec::new();
    for (at, row) in ROWS.iter().enumerate() {
        servers.push(Server::start(row, directory.path(), at).await);
    }
    let checks: Vec<Value> = servers
        .iter()
        .enumerate()
        .map(|(at, server)| check(&at.to_string(), &ROWS[at], server.port))
        .collect();
    let node = Node::start(&checks);
    for (at, row) in ROWS.iter().enumerate() {
        let report =
            node.eventually(&at.to_string(), |report| report.checker_reports[0].last.is_some()).await;
        let checker = &report.checker_reports[0];
        assert_eq!(checker.last.as_ref().expect("it was probed").status, row.expect, "{}", row.sentence);
        let handshake = checker.latency.and_then(|latency| latency.tls_handshake_ms);
        assert_eq!(handshake.is_some(), row.expect == OK, "{} (H-17)", row.sentence);
    }
    for (server, row) in servers.iter().zip(ROWS) {
        // Those of every probe so far, of which the last may be under way.
        let hellos = server.hellos();
        assert!(hellos.len() >= row.hellos.len(), "{}: {hellos:?}", row.sentence);
        let expected: Vec<bool> = row.hellos.iter().copied().cycle().take(hellos.len()).collect();
        assert_eq!(hellos, expected, "{}", row.sentence);
    }
}

/// One probe in a hurry, the others too late to be seen.
fn check(id: &str, row: &Row, port: u16) -> Value {
    let mut config = json!({
        "Type": "HTTPS", "IPAddress": "127.0.0.1", "Port": port, "FailureThreshold": 1, "MeasureLatency": true,
        "EnableSNI": row.sni
    });
    if let Some(name) = row.name {
        config["FullyQualifiedDomainName"] = json!(name);
    }
    json!({
        "Id": id, "CallerReference": id, "HealthCheckConfig": config,
        "Tags": [{ "Key": "pulse53:interval", "Value": "2s" }, { "Key": "pulse53:timeout", "Value": "20s" }]
    })
}

fn make_certificate(directory: &Path, file: &str, name: &str, last_year: i32) {
    let mut params = CertificateParams::new([name.to_owned()]).expect("it is a host name");
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(last_year, 1, 1);
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = params.self_signed(&key).expect("it can be signed");
    std::fs::write(directory.join(format!("{file}.der")), certificate.der()).expect("a file can be written");
    std::fs::write(directory.join(format!("{file}.key")), key.serialize_der())
        .expect("a file can be written");
}

/// `openssl s_server` on a port of its own.
struct Server {
    port: u16,
    log: std::path::PathBuf,
    _program: Program,
}

impl Server {
    async fn start(row: &Row, directory: &Path, at: usize) -> Self {
        let log = directory.join(format!("{at}.log"));
        let mut command = Command::new("openssl");
        command.current_dir(directory).args(["s_server", "-accept", "127.0.0.1:0", "-www", "-tlsextdebug"]);
        command.args(["-certform", "DER", "-cert", &format!("{}.der", row.certificate)]);
        command.args(["-keyform", "DER", "-key", &format!("{}.key", row.certificate)]);
        command.args(row.options.split_whitespace());
        let mut program = Program::start(&mut command, &log);
        loop {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let port =
                said.lines().find_map(|line| line.strip_prefix("ACCEPT ")?.rsplit_once(':')?.1.parse().ok());
            if let Some(port) = port {
                return Self { port, log, _program: program };
            }
            assert!(program.runs(), "{}: {command:?} has ended: {said}", row.sentence);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// For each client hello that it has read, whether there was a name in it.
    fn hellos(&self) -> Vec<bool> {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let extensions = log.lines().filter(|line| line.starts_with("TLS client extension"));
        let mut hellos: Vec<HashSet<&str>> = Vec::new();
        for extension in extensions.filter_map(|line| line.split('"').nth(1)) {
            // Clients shuffle extensions, but send none twice: a second one belongs to the next hello.
            match hellos.last_mut() {
                Some(hello) if !hello.contains(extension) => _ = hello.insert(extension),
                _ => hellos.push(HashSet::from([extension])),
            }
        }
        hellos.iter().map(|hello| hello.contains("server name")).collect()
    }
}
