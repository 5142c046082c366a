//! Who may speak to the API.
//!
//! A loopback port without credentials can be reached from any web page that a browser on this machine shows. Such requests are told
//! apart by what browsers add and by the host they were sent to, which also stops names rebound to a loopback address.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Whether requests must prove who sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone on this machine but a browser.
    Loopback,
    /// Holders of credentials alone.
    Credentials,
}

/// Lets a request through or answers 403.
pub async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    let refusal = match access {
        Access::Loopback => browser(request.headers()),
        Access::Credentials => unsigned(request.headers()),
    };
    match refusal {
        None => next.run(request).await,
        Some(what) => {
            (StatusCode::FORBIDDEN, axum::Json(serde_json::json!({ "error": what }))).into_response()
        }
    }
}

/// Why a request looks like a web page's.
fn browser(headers: &HeaderMap) -> Option<&'static str> {
    if headers.contains_key(header::ORIGIN) {
        return Some("requests with an Origin header are refused while no credentials are configured");
    }
    let from_page = |site: &header::HeaderValue| !matches!(site.as_bytes(), b"none" | b"same-origin");
    if headers.get("sec-fetch-site").is_some_and(from_page) {
        return Some("requests of web pages are refused while no credentials are configured");
    }
    let named = headers.get(header::HOST).is_some_and(|host| !host.to_str().is_ok_and(is_local));
    named.then_some("the Host header must be an address or localhost while no credentials are configured")
}

fn is_local(host: &str) -> bool {
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
}

/// Requests are not verified yet, so none is let through where they must be.
fn unsigned(_headers: &HeaderMap) -> Option<&'static str> {
    Some("credentials are configured, and signed control requests are not supported yet")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &'static str, value: &'static str, allowed: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        assert_eq!(browser(&headers).is_none(), allowed, "{name}: {value}");
    }

    #[test]
    fn browsers_are_told_apart() {
        check("origin", "http://example.com", false);
        check("origin", "null", false);
        check("sec-fetch-site", "cross-site", false);
        check("sec-fetch-site", "none", true);
        for host in ["127.0.0.1:5380", "localhost", "LOCALHOST:5380", "[::1]:5380", "::1", "x.localhost:1"] {
            check("host", host, true);
        }
        for host in ["example.com", "example.com:5380", "127.0.0.1.example.com", "localhost.example.com"] {
            check("host", host, false);
        }
    }
}
