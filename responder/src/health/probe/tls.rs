//! TLS 1.2 and 1.3 without validation (H-15), with the host name if the endpoint's certificate covers it (H-16).

use std::net::IpAddr;
use std::sync::Arc;

use pulse53_core::health::Outcome;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Abort;
use super::tcp::outcome_of;

/// Opens TLS sessions.
pub(in crate::health) struct TlsClient {
    connector: TlsConnector,
}

impl TlsClient {
    /// Accepts every certificate.
    pub(in crate::health) fn unverified() -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(AcceptAll { provider: provider.clone() });
        let config = Self::builder(provider).dangerous().with_custom_certificate_verifier(verifier);
        Self::with(config.with_no_client_auth())
    }

    /// Trusts what this system trusts; without any root it trusts nobody.
    pub(in crate::health) fn verified() -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::with(Self::builder(provider).with_root_certificates(roots).with_no_client_auth())
    }

    fn builder(provider: Arc<CryptoProvider>) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports TLS 1.2 and 1.3")
    }

    fn with(mut config: ClientConfig) -> Self {
        // A resumed session shows no certificate and tests less of the endpoint.
        config.resumption = Resumption::disabled();
        Self { connector: TlsConnector::from(Arc::new(config)) }
    }

    /// Shakes hands before the deadline; without a name the client hello carries none.
    pub(in crate::health) async fn handshake(
        &self,
        stream: TcpStream,
        name: Option<ServerName<'static>>,
        address: IpAddr,
        deadline: Instant,
    ) -> Result<TlsStream<TcpStream>, Abort> {
        // An address is never sent as a name (RFC 6066 section 3).
        let name = name.unwrap_or_else(|| ServerName::IpAddress(address.into()));
        match timeout_at(deadline, self.connector.connect(name, stream)).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => Err(outcome_of(&error).into()),
            Err(_elapsed) => Err(Outcome::NoStatusCode.into()),
        }
    }
}

/// The name as TLS can send it; none for an address or what is no host name.
pub(in crate::health) fn dns_name(name: &str) -> Option<ServerName<'static>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    ServerName::try_from(name.to_owned()).ok().filter(|name| matches!(name, ServerName::DnsName(_)))
}

/// Whether the endpoint's certificate covers the name; one that cannot be read does not.
pub(super) fn covers(session: &TlsStream<TcpStream>, name: Option<&ServerName<'_>>) -> bool {
    let (Some(certificates), Some(name)) = (session.get_ref().1.peer_certificates(), name) else {
        return true;
    };
    certificates
        .first()
        .and_then(|certificate| ParsedCertificate::try_from(certificate).ok())
        .is_some_and(|certificate| verify_server_name(&certificate, name).is_ok())
}

/// A verifier that does not verify: a health check asks whether the endpoint answers, not who it is.
#[derive(Debug)]
struct AcceptAll {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
