//! One probe of an endpoint: one [`Observation`] (H-5 to H-17).
//!
//! A probe runs through its phases in order — resolve, connect, TLS, request and response head, body — each under its
//! own time limit; the first phase that fails ends it with the outcome users see. Trouble of this machine itself
//! (no free file descriptor, no free port) says nothing about the endpoint and gives no observation at all.

mod body;
mod http;
mod resolve;
mod target;
mod tcp;
mod tls;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pulse53_core::health::{Latency, Observation, Outcome, TimeLimits};
use pulse53_core::model::check::{EndpointCheck, Protocol, Sni};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use http::Response;
pub(super) use http::fetch;
pub(super) use resolve::Resolver;
pub use target::TargetPolicy;
pub(super) use tcp::connect;
pub(super) use tls::{TlsClient, dns_name};

/// This node could not probe; the endpoint is not to blame.
#[derive(Debug, thiserror::Error)]
#[error("opening a connection on this node")]
pub(super) struct NotProbed(#[source] io::Error);

/// Why a probe ended before its last phase.
#[derive(Debug)]
pub(super) enum Abort {
    /// The endpoint failed, in this way.
    Failed(Outcome),
    /// This node did.
    NotProbed(io::Error),
}

impl From<Outcome> for Abort {
    fn from(outcome: Outcome) -> Self {
        Self::Failed(outcome)
    }
}

/// What all probes share.
pub(super) struct Prober {
    resolver: Arc<Resolver>,
    tls: TlsClient,
    targets: TargetPolicy,
}

impl Prober {
    pub(super) fn new(resolver: Arc<Resolver>, targets: TargetPolicy) -> Self {
        Self { resolver, tls: TlsClient::unverified(), targets }
    }

    /// Probes an endpoint once.
    pub(super) async fn probe(&self, check: &EndpointCheck) -> Result<Observation, NotProbed> {
        let start = Instant::now();
        let mut resolved = None;
        let mut latency = Latency::default();
        let outcome = match self.attempt(check, &mut resolved, &mut latency).await {
            Ok(outcome) | Err(Abort::Failed(outcome)) => outcome,
            Err(Abort::NotProbed(error)) => return Err(NotProbed(error)),
        };
        let mut observation = Observation { outcome, resolved, latency: None, duration: start.elapsed() };
        if check.measure_latency && observation.passed() {
            observation.latency = Some(latency);
        }
        Ok(observation)
    }

    /// The phases, in order.
    async fn attempt(
        &self,
        check: &EndpointCheck,
        resolved: &mut Option<IpAddr>,
        latency: &mut Latency,
    ) -> Result<Outcome, Abort> {
        let limits = TimeLimits::of(check);
        let address = match (check.endpoint.address, &check.endpoint.name) {
            (Some(address), _) => address,
            (None, Some(name)) => *resolved.insert(self.resolver.ipv4(name, check.interval).await?.into()),
            (None, None) => return Err(Outcome::ResolutionFailed("the check has no name".into()).into()),
        };
        if !self.targets.permits(address) {
            return Err(Outcome::AddressRefused(address).into());
        }
        let peer = SocketAddr::new(address, check.port);
        let start = Instant::now();
        let mut stream = connect(peer, start + limits.connect).await?;
        let connected = Instant::now();
        let Protocol::Http { tls, path, search } = &check.protocol else {
            latency.connect = Some(connected - start);
            return Ok(Outcome::TcpEstablished);
        };
        let deadline = connected + limits.response.unwrap_or(limits.connect);
        let request = http::probe_request(&host(check, address), path);
        let exchange = Exchange { request: &request, deadline, search: search.as_deref(), limits };
        match tls {
            None => {
                latency.connect = Some(connected - start);
                exchange.run(&mut stream, latency).await
            }
            Some(sni) => {
                let name = check.endpoint.name.as_deref().filter(|_| *sni == Sni(true)).and_then(dns_name);
                let begin = Instant::now();
                let mut session = self.tls.handshake(stream, name.clone(), address, deadline).await?;
                if let Some(ServerName::DnsName(_)) = &name
                    && !tls::covers(&session, name.as_ref())
                {
                    // H-16: once more without the name, the clock of this phase running on.
                    drop(session);
                    let again = connect(peer, deadline).await.map_err(|abort| match abort {
                        Abort::Failed(Outcome::ConnectTimedOut) => Outcome::NoStatusCode.into(),
                        other => other,
                    })?;
                    session = self.tls.handshake(again, None, address, deadline).await?;
                }
                latency.tls_handshake = Some(begin.elapsed());
                exchange.run(&mut session, latency).await
            }
        }
    }
}

/// Request, response head and perhaps body, over any connection.
struct Exchange<'a> {
    request: &'a [u8],
    deadline: Instant,
    search: Option<&'a str>,
    limits: TimeLimits,
}

impl Exchange<'_> {
    async fn run<S>(&self, stream: &mut S, latency: &mut Latency) -> Result<Outcome, Abort>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let sent = Instant::now();
        let mut response = Response::new(stream);
        let head = response
            .request(self.request, self.deadline)
            .await
            .map_err(|outcome| Abort::Failed(outcome.unwrap_or(Outcome::NoStatusCode)))?;
        latency.first_byte = response.first_byte.map(|at| at - sent);
        let outcome = Outcome::HttpStatus { code: head.code, reason: head.reason.as_str().into() };
        let passed = (200..400).contains(&head.code);
        let (Some(search), Some(limit), true) = (self.search, self.limits.body, passed) else {
            return Ok(outcome);
        };
        match tokio::time::timeout(limit, body::find(&mut response, &head, search.as_bytes())).await {
            Ok(Ok(true)) => Ok(outcome),
            Ok(Ok(false)) => Ok(Outcome::StringNotFound),
            Ok(Err(outcome)) => Ok(outcome),
            Err(_elapsed) => Ok(Outcome::BodyTimedOut),
        }
    }
}

/// The value of the Host header (H-14).
fn host(check: &EndpointCheck, address: IpAddr) -> String {
    let name = match (&check.endpoint.name, check.endpoint.address.unwrap_or(address)) {
        (Some(name), _) => name.chars().filter(char::is_ascii_graphic).collect(),
        (None, IpAddr::V4(address)) => address.to_string(),
        (None, IpAddr::V6(address)) => format!("[{address}]"),
    };
    let https = matches!(check.protocol, Protocol::Http { tls: Some(_), .. });
    if check.port == if https { 443 } else { 80 } { name } else { format!("{name}:{}", check.port) }
}
