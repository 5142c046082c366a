//! AWS Signature Version 4, both ways: requests are verified, and our own commands sign theirs.
//!
//! The canonical request is what both sides hash: method, path (escaped once more, as for every service but S3), sorted query, the
//! headers that the client chose to sign, and the hash of the body. Only the `Authorization` header is read: a request that is signed
//! in its query (presigned) counts as not signed, and its refusal says so. Signatures there are for links, which nobody makes to this API.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::fmt::strtime;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::ApiError;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// The service of the Route 53 API and of our own.
pub const ROUTE53: &str = "route53";
/// Services of the recovery cluster.
pub const RECOVERY: [&str; 2] = ["route53-recovery-cluster", "route53-recovery-control-config"];

/// All but RFC 3986's unreserved characters.
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Access keys with their secrets, and how strictly they are used.
#[derive(Clone)]
pub struct Credentials {
    secrets: BTreeMap<String, String>,
    clock_skew_max: Duration,
}

impl Credentials {
    /// None yet; a client's clock may be off by so much.
    pub fn new(clock_skew_max: Duration) -> Self {
        Self { secrets: BTreeMap::new(), clock_skew_max }
    }

    /// Adds one.
    pub fn add(&mut self, access_key_id: String, secret: String) {
        self.secrets.insert(access_key_id, secret);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }
}

/// Secrets stay out of logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.secrets.keys()).finish()
    }
}

/// What a signature covers.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'r> {
    /// The verb.
    pub method: &'r str,
    /// As on the wire.
    pub path: &'r str,
    /// As on the wire, without the question mark.
    pub query: &'r str,
    /// All headers.
    pub headers: &'r HeaderMap,
    /// As received.
    pub body: &'r [u8],
}

/// What an `Authorization` header says.
struct Authorization<'h> {
    key_id: &'h str,
    date: &'h str,
    region: &'h str,
    service: &'h str,
    signed_headers: Vec<&'h str>,
    signature: &'h str,
}

/// Lets a request through that one of the credentials signed just now, for one of the services.
pub fn verify(
    request: &Signed<'_>,
    credentials: &Credentials,
    services: &[&str],
    now: Timestamp,
) -> Result<(), ApiError> {
    let refuse = |code, what: &str| Err(ApiError::new(code, what).with_status(StatusCode::FORBIDDEN));
    let Some(header) = value(request.headers, "authorization") else {
        let is_presigned = request.query.split('&').any(|pair| pair.starts_with("X-Amz-Signature="));
        let what = if is_presigned {
            "Presigned requests are not accepted: sign in the Authorization header."
        } else {
            "The request is not signed: pulse53 has credentials configured."
        };
        return refuse("MissingAuthenticationToken", what);
    };
    let Some(given) = read(&header) else {
        let what =
            format!("Authorization header must be {ALGORITHM} with Credential, SignedHeaders and Signature.");
        return Err(ApiError::new("IncompleteSignature", what));
    };
    // A session has a key of its own, and none is configured.
    let is_of_session = request.headers.contains_key("x-amz-security-token");
    let Some(secret) = credentials.secrets.get(given.key_id).filter(|_| !is_of_session) else {
        return refuse("InvalidClientTokenId", "The security token included in the request is invalid.");
    };
    let Some(time) = value(request.headers, "x-amz-date") else {
        return Err(ApiError::new(
            "IncompleteSignature",
            "Authorization header requires existence of 'X-Amz-Date'.",
        ));
    };
    let signed_at = strtime::parse(TIME_FORMAT, &time).and_then(|time| time.to_datetime());
    let signed_at = signed_at.and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC));
    let Ok(signed_at) = signed_at else {
        return Err(ApiError::new("IncompleteSignature", "X-Amz-Date must be in the form YYYYMMDDTHHMMSSZ."));
    };
    if time.get(..8) != Some(given.date) {
        return refuse("SignatureDoesNotMatch", "Date in Credential scope does not match X-Amz-Date.");
    }
    if !services.contains(&given.service) {
        let what = format!("Credential should be scoped to service '{}'.", services.join("' or '"));
        return refuse("SignatureDoesNotMatch", &what);
    }
    let skew_s = (now.as_second() - signed_at.timestamp().as_second()).unsigned_abs();
    let skew_s_max = credentials.clock_skew_max.as_secs();
    if skew_s > skew_s_max {
        let what = format!(
            "Request has expired: X-Amz-Date differs from the server's clock by {skew_s} s; {skew_s_max} s are allowed."
        );
        return refuse("RequestExpired", &what);
    }
    let unsigned = request.headers.keys().find(|name| {
        (name.as_str().starts_with("x-amz-") || name.as_str() == "host")
            && !given.signed_headers.iter().any(|signed| signed.eq_ignore_ascii_case(name.as_str()))
    });
    if let Some(name) = unsigned {
        let what = format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.");
        return refuse("SignatureDoesNotMatch", &what);
    }
    let body_hash = hex::encode(Sha256::digest(request.body));
    let claimed = value(request.headers, "x-amz-content-sha256");
    if claimed.is_some_and(|claimed| !is_same(&claimed, &body_hash)) {
        return refuse(
            "SignatureDoesNotMatch",
            "The provided 'x-amz-content-sha256' does not match what was received.",
        );
    }
    let canonical = canonical_request(request, &given.signed_headers, &body_hash);
    let scope = [given.date, given.region, given.service];
    let expected = canonical.map(|canonical| signature(secret, scope, &time, &canonical));
    if !expected.as_deref().is_some_and(|expected| is_same(expected, given.signature)) {
        tracing::debug!(path = request.path, key = given.key_id, "a signature does not match");
        return refuse(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
        );
    }
    Ok(())
}

/// Signs a request with the headers it has, `host` among them; the headers to add are returned.
pub fn sign(
    request: &Signed<'_>,
    access_key_id: &str,
    secret: &str,
    now: Timestamp,
) -> [(HeaderName, String); 2] {
    let time = now.strftime(TIME_FORMAT).to_string();
    let mut headers = request.headers.clone();
    if let Ok(value) = time.parse() {
        headers.insert("x-amz-date", value);
    }
    let names: Vec<String> = headers.keys().map(ToString::to_string).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    let body_hash = hex::encode(Sha256::digest(request.body));
    let request = Signed { headers: &headers, ..*request };
    let canonical = canonical_request(&request, &names, &body_hash).unwrap_or_default();
    let scope = [&time[..8], "us-east-1", ROUTE53];
    let signature = signature(secret, scope, &time, &canonical);
    let [date, region, service] = scope;
    let authorization = format!(
        "{ALGORITHM} Credential={access_key_id}/{date}/{region}/{service}/aws4_request, SignedHeaders={}, Signature={signature}",
        names.join(";")
    );
    [(HeaderName::from_static("x-amz-date"), time), (axum::http::header::AUTHORIZATION, authorization)]
}

fn read(header: &str) -> Option<Authorization<'_>> {
    let fields = header.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
    let fields: BTreeMap<&str, &str> =
        fields.split(',').map(|field| field.trim().split_once('=')).collect::<Option<_>>()?;
    let (credential, signed) = (fields.get("Credential")?, fields.get("SignedHeaders")?);
    let mut parts = credential.rsplitn(5, '/');
    let (end, service, region, date, key_id) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (end == "aws4_request").then_some(())?;
    let signed_headers = signed.split(';').filter(|name| !name.is_empty()).collect();
    Some(Authorization { key_id, date, region, service, signed_headers, signature: fields.get("Signature")? })
}

/// The values of a header, joined as they are signed; none if it is not there.
fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).iter().map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    });
    let values: Vec<String> = values.collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// None if a header is to be signed that is not there.
fn canonical_request(request: &Signed<'_>, signed_headers: &[&str], body_hash: &str) -> Option<String> {
    let mut headers = String::new();
    for name in signed_headers {
        headers.push_str(&format!(
            "{}:{}\n",
            name.to_ascii_lowercase(),
            value(request.headers, name)?.trim()
        ));
    }
    let (path, query) = (canonical_path(request.path), canonical_query(request.query));
    let (method, signed) = (request.method, signed_headers.join(";").to_ascii_lowercase());
    Some(format!("{method}\n{path}\n{query}\n{headers}\n{signed}\n{body_hash}"))
}

/// Dot segments and empty ones removed, each of the others escaped once more (RFC 3986 section 5.2.4).
fn canonical_path(path: &str) -> String {
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(utf8_percent_encode(segment, RESERVED).to_string()),
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

fn canonical_query(query: &str) -> String {
    let encode = |text: &str| {
        let octets: Vec<u8> = percent_decode_str(text).collect();
        percent_encoding::percent_encode(&octets, RESERVED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(key), encode(value))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&")
}

fn signature(secret: &str, [date, region, service]: [&str; 3], time: &str, canonical: &str) -> String {
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), date);
    for part in [region, service, "aws4_request"] {
        key = hmac(&key, part);
    }
    let hash = hex::encode(Sha256::digest(canonical.as_bytes()));
    hex::encode(hmac(&key, &format!("{ALGORITHM}\n{time}\n{date}/{region}/{service}/aws4_request\n{hash}")))
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes keys of any length (RFC 2104 section 2), so this does not fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// In a time that tells nothing of where they differ.
fn is_same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

#[cfg(test)]
#[path = "sigv4_tests.rs"]
mod tests;
