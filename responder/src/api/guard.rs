//! Who may speak to the API.
//!
//! A loopback port without credentials can be reached from any web page that a browser on this machine shows. Such requests are told
//! apart by what browsers add and by the host they were sent to, which also stops names rebound to a loopback address.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::error::ApiError;
use super::sigv4::{self, Credentials, Signed};

/// The most octets of a body.
pub const BODY_MAX: usize = 4 << 20;

/// A body of up to so many octets is read whenever it comes.
const BODY_SMALL: usize = 64 << 10;

/// Larger bodies held at once.
static LARGE_BODIES: Semaphore = Semaphore::const_new(16);

/// Whether requests must prove who sent them.
#[derive(Debug, Clone)]
pub enum Access {
    /// Anyone on this machine but a browser. Beside addresses and `localhost`, requests may call this node by these names.
    Loopback(Arc<[String]>),
    /// Holders of credentials alone.
    Credentials(Arc<Credentials>),
}

/// Who gets in, and how the others are told.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Who gets in.
    pub access: Access,
    /// What a signature must be for.
    pub services: &'static [&'static str],
    /// The reply to everyone else.
    pub refuse: fn(ApiError) -> Response,
}

/// Lets a request through, its body read, or refuses it.
pub async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if let Access::Loopback(hosts) = &guard.access
        && let Some(what) = browser(&parts.headers, hosts)
    {
        return (guard.refuse)(ApiError::access_denied(what));
    }
    // A body that says that it is small is bounded by what it says; of others, only so many are held at once.
    let length =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let _held = match length {
        Some(..=BODY_SMALL) => None,
        None if !parts.headers.contains_key(header::TRANSFER_ENCODING) => None,
        _ => LARGE_BODIES.acquire().await.ok(),
    };
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        let what = format!("The request body must be complete, and at most {BODY_MAX} octets");
        return (guard.refuse)(ApiError::invalid_input(what));
    };
    if let Access::Credentials(credentials) = &guard.access {
        let signed = Signed {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
            body: &body,
        };
        if let Err(error) = sigv4::verify(&signed, credentials, guard.services, Timestamp::now()) {
            return (guard.refuse)(error);
        }
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// Why a request looks like a web page's.
fn browser(headers: &HeaderMap, hosts: &[String]) -> Option<&'static str> {
    if headers.contains_key(header::ORIGIN) {
        return Some("requests with an Origin header are refused while no credentials are configured");
    }
    let from_page = |site: &header::HeaderValue| !matches!(site.as_bytes(), b"none" | b"same-origin");
    if headers.get("sec-fetch-site").is_some_and(from_page) {
        return Some("requests of web pages are refused while no credentials are configured");
    }
    let named =
        headers.get(header::HOST).is_some_and(|host| !host.to_str().is_ok_and(|host| is_local(host, hosts)));
    named.then_some(
        "the Host header must be an address, localhost or one of api.hosts while no credentials are configured",
    )
}

fn is_local(host: &str, hosts: &[String]) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    };
    let address = without_port.trim_start_matches('[').trim_end_matches(']');
    without_port.eq_ignore_ascii_case("localhost")
        || without_port.to_ascii_lowercase().ends_with(".localhost")
        || address.parse::<IpAddr>().is_ok()
        || hosts.iter().any(|own| own.eq_ignore_ascii_case(without_port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &'static str, value: &'static str, allowed: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        assert_eq!(browser(&headers, &["pulse53.internal".to_owned()]).is_none(), allowed, "{name}: {value}");
    }

    #[test]
    fn browsers_are_told_apart() {
        check("origin", "http://example.com", false);
        check("origin", "null", false);
        check("sec-fetch-site", "cross-site", false);
        check("sec-fetch-site", "none", true);
        for host in [
            "127.0.0.1:5380",
            "localhost",
            "LOCALHOST:5380",
            "[::1]:5380",
            "::1",
            "x.localhost:1",
            "Pulse53.internal:1",
        ] {
            check("host", host, true);
        }
        for host in ["example.com", "example.com:5380", "127.0.0.1.example.com", "localhost.example.com"] {
            check("host", host, false);
        }
    }
}
