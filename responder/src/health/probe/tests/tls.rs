//! Probes over TLS: whoever answers will do, and whatever goes wrong has a name (H-15, H-16, H-41).

use std::sync::Mutex;

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::*;

/// Gives every client the same certificate and remembers the names they sent.
#[derive(Debug)]
struct OneCertificate {
    key: Arc<CertifiedKey>,
    names: Mutex<Vec<Option<String>>>,
}

impl ResolvesServerCert for OneCertificate {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.names.lock().unwrap().push(hello.server_name().map(Into::into));
        Some(self.key.clone())
    }
}

/// A TLS server whose certificate covers `name`; returns its port and the names that clients send.
async fn tls_server(
    name: &str,
    versions: &[&'static rustls::SupportedProtocolVersion],
    steps: Vec<Step>,
) -> (u16, Arc<OneCertificate>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let key = CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider).unwrap();
    let certificate = Arc::new(OneCertificate { key: Arc::new(key), names: Mutex::default() });
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(certificate.clone());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, steps) = (acceptor.clone(), steps.clone());
            tokio::spawn(async move {
                if let Ok(mut session) = acceptor.accept(stream).await
                    && let Ok(true) = play(&mut session, &steps).await
                {
                    session.get_ref().0.set_zero_linger().unwrap();
                }
            });
        }
    });
    (port, certificate)
}

#[tokio::test]
async fn certificates_are_not_validated_and_names_are_sent_h15_h16() {
    let prober = prober();
    let versions = rustls::ALL_VERSIONS;
    let both = ["web.example.com", "other.example.com"];
    for (certificate_name, name, sni, expect) in [
        (both[0], Some(both[0]), true, vec![Some(both[0])]),
        ("*.example.com", Some(both[0]), true, vec![Some(both[0])]),
        (both[1], Some(both[0]), true, vec![Some(both[0]), None]),
        (both[1], Some(both[0]), false, vec![None]),
        (both[1], None, true, vec![None]),
    ] {
        for version in versions {
            let (port, certificate) =
                tls_server(certificate_name, &[version], answer("HTTP/1.1 200 OK\r\n\r\n")).await;
            let mut check = check(port, https(sni), PATIENT_MS);
            check.endpoint.name = name.map(Into::into);
            let observation = prober.probe(&check).await.unwrap();
            assert_eq!(observation.to_string(), OK);
            let latency = observation.latency.unwrap();
            assert!(
                latency.connect.is_none() && latency.tls_handshake.is_some() && latency.first_byte.is_some()
            );
            let names = certificate.names.lock().unwrap().clone();
            let expect: Vec<Option<String>> = expect.iter().map(|name| name.map(str::to_owned)).collect();
            assert_eq!(names, expect, "{certificate_name} {name:?} {sni}");
        }
    }
}

#[tokio::test]
async fn tls_failures_h41() {
    let prober = Arc::new(prober());
    let alert = |code| vec![Pause, Send(vec![21, 3, 3, 0, 2, 2, code]), Hang];
    for (steps, timeout_ms, expect) in [
        (alert(40), PATIENT_MS, "Failure: SSL alert handshake_failure"),
        (alert(112), PATIENT_MS, "Failure: SSL alert unrecognized_name"),
        (alert(70), PATIENT_MS, "Failure: SSL alert protocol_version"),
        (vec![text("HTTP/1.1 400 Bad Request\r\n\r\n")], PATIENT_MS, "Failure: TLS handshake failed"),
        (vec![], PATIENT_MS, CLOSED),
        (vec![Pause, Reset], PATIENT_MS, "Failure: Connection reset"),
        (vec![Hang], SHORT_MS, LATE),
    ] {
        let check = check(server(steps).await, https(true), timeout_ms);
        assert_eq!(prober.probe(&check).await.unwrap().to_string(), expect);
    }
}

#[tokio::test]
async fn what_goes_wrong_within_tls_has_the_names_of_http_h41() {
    let prober = prober();
    let head = || text("HTTP/1.1 200 OK\r\n\r\nall is");
    for (sentence, search, steps, timeout_ms, expect) in [
        ("reset after the handshake", None, vec![Pause, Reset], PATIENT_MS, "Failure: Connection reset"),
        ("reset after the request", None, vec![Read, Reset], PATIENT_MS, "Failure: Connection reset"),
        (
            "reset in the body",
            Some("ok"),
            vec![Read, head(), Pause, Reset],
            PATIENT_MS,
            "Failure: Connection reset",
        ),
        ("closed after the request", None, vec![Read], PATIENT_MS, CLOSED),
        ("no answer", None, vec![Read, Hang], SHORT_MS, LATE),
        ("a slow body", Some("ok"), vec![Read, head(), Hang], SHORT_MS, BODY_LATE),
        ("not HTTP", None, vec![Read, text("220 smtp\r\n"), Hang], PATIENT_MS, MALFORMED),
    ] {
        let (port, _) = tls_server("web.example.com", rustls::ALL_VERSIONS, steps).await;
        let protocol =
            Protocol::Http { tls: Some(Sni(true)), path: "/".into(), search: search.map(Into::into) };
        // The handshake of a debug build takes its part of the time limit.
        let timeout_ms = if timeout_ms == SHORT_MS { 4 * SHORT_MS } else { timeout_ms };
        let observation = prober.probe(&check(port, protocol, timeout_ms)).await.unwrap();
        assert_eq!(observation.to_string(), expect, "{sentence}");
    }
}
