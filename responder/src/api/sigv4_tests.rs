//! Signatures of AWS's published test suite, and each way to be refused.

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SCOPE: [&str; 3] = ["20150830", "us-east-1", "service"];
const TIME: &str = "20150830T123600Z";

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

/// A vector of the suite: the request and the signature it publishes.
fn check(method: &str, path: &str, query: &str, more: &[(&'static str, &str)], body: &str, expected: &str) {
    let lines = [&[("host", "example.amazonaws.com"), ("x-amz-date", TIME)], more].concat();
    let headers = headers(&lines);
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let request = Signed { method, path, query, headers: &headers, body: body.as_bytes() };
    let body_hash = hex::encode(Sha256::digest(body.as_bytes()));
    let canonical = canonical_request(&request, &names, &body_hash).unwrap();
    assert_eq!(signature(SECRET, SCOPE, TIME, &canonical), expected, "{canonical}");
}

#[test]
fn published_vectors() {
    // get-vanilla
    check("GET", "/", "", &[], "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    // get-vanilla-query-order-key-case
    check(
        "GET",
        "/",
        "Param2=value2&Param1=value1",
        &[],
        "",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    );
    // get-vanilla-query-unreserved
    let unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    check(
        "GET",
        "/",
        &format!("{unreserved}={unreserved}"),
        &[],
        "",
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    );
    // post-vanilla
    check("POST", "/", "", &[], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
    // post-x-www-form-urlencoded
    check(
        "POST",
        "/",
        "",
        &[("content-type", "application/x-www-form-urlencoded")],
        "Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    );
    // get-header-value-trim
    check(
        "GET",
        "/",
        "",
        &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
        "",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    );
    // normalize-path: get-slash-dot-slash, get-relative-relative
    let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    check("GET", "/./", "", &[], "", vanilla);
    check("GET", "/example1/example2/../..", "", &[], "", vanilla);
}

#[test]
fn paths_are_escaped_once_more() {
    assert_eq!(
        canonical_path("/2013-04-01/hostedzone/%2Fhostedzone%2FZ1/rrset/"),
        "/2013-04-01/hostedzone/%252Fhostedzone%252FZ1/rrset/"
    );
    assert_eq!(canonical_query("b=2&a=x%20y&a=%2a&c"), "a=%2A&a=x%20y&b=2&c=");
}

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn request<'r>(headers: &'r HeaderMap, body: &'r str) -> Signed<'r> {
    Signed { method: "POST", path: "/2013-04-01/hostedzone", query: "x=1", headers, body: body.as_bytes() }
}

/// What becomes of a request that we sign and somebody then changes.
fn outcome(change: impl FnOnce(&mut HeaderMap, &mut String), later_s: i64) -> Result<(), &'static str> {
    let mut credentials = Credentials::new(Duration::from_secs(300));
    credentials.add("KEY".into(), "secret".into());
    let mut headers = headers(&[("host", "127.0.0.1:5380")]);
    let mut body = "<a/>".to_owned();
    for (name, value) in sign(&request(&headers.clone(), &body), "KEY", "secret", now()) {
        headers.insert(name, value.parse().unwrap());
    }
    change(&mut headers, &mut body);
    let later = Timestamp::from_second(now().as_second() + later_s).unwrap();
    verify(&request(&headers, &body), &credentials, &[ROUTE53], later).map_err(|error| error.code)
}

#[test]
fn only_what_was_signed_passes() {
    let replace = |from: &'static str, to: &'static str| {
        move |headers: &mut HeaderMap, _: &mut String| {
            let text = headers["authorization"].to_str().unwrap().replace(from, to);
            headers.insert("authorization", text.parse().unwrap());
        }
    };
    assert_eq!(outcome(|_, _| {}, 0), Ok(()));
    assert_eq!(outcome(|_, _| {}, 299), Ok(()));
    assert_eq!(outcome(|_, _| {}, 301), Err("RequestExpired"));
    assert_eq!(outcome(|_, _| {}, -301), Err("RequestExpired"));
    assert_eq!(outcome(|_, body| body.push(' '), 0), Err("SignatureDoesNotMatch"));
    assert_eq!(
        outcome(|headers, _| drop(headers.remove("authorization")), 0),
        Err("MissingAuthenticationToken")
    );
    assert_eq!(outcome(|headers, _| drop(headers.remove("x-amz-date")), 0), Err("IncompleteSignature"));
    assert_eq!(outcome(replace("AWS4-HMAC-SHA256", "AWS4"), 0), Err("IncompleteSignature"));
    assert_eq!(outcome(replace("aws4_request", "aws5_request"), 0), Err("IncompleteSignature"));
    assert_eq!(outcome(replace("KEY", "OTHER"), 0), Err("InvalidClientTokenId"));
    assert_eq!(outcome(replace("route53", "s3"), 0), Err("SignatureDoesNotMatch"));
    assert_eq!(outcome(replace("route53", RECOVERY[0]), 0), Err("SignatureDoesNotMatch"));
    assert_eq!(outcome(replace("20260102/", "20260103/"), 0), Err("SignatureDoesNotMatch"));
    assert_eq!(outcome(replace("host;", ""), 0), Err("SignatureDoesNotMatch"));
    assert_eq!(outcome(replace("Signature=", "Signature=0"), 0), Err("SignatureDoesNotMatch"));
    // The region is the client's choice, but part of what is signed.
    assert_eq!(outcome(replace("us-east-1", "eu-west-1"), 0), Err("SignatureDoesNotMatch"));
    // Names of headers have no case.
    assert_eq!(outcome(replace("host;x-amz-date", "Host;X-Amz-Date"), 0), Ok(()));
    let of_session = |headers: &mut HeaderMap, _: &mut String| {
        drop(headers.insert("x-amz-security-token", "token".parse().unwrap()));
    };
    assert_eq!(outcome(of_session, 0), Err("InvalidClientTokenId"));
    let unsigned =
        |headers: &mut HeaderMap, _: &mut String| drop(headers.insert("x-amz-meta", "1".parse().unwrap()));
    assert_eq!(outcome(unsigned, 0), Err("SignatureDoesNotMatch"));
}

#[test]
fn secrets_are_not_told() {
    let mut credentials = Credentials::new(Duration::from_secs(300));
    credentials.add("KEY".into(), "secret".into());
    assert_eq!(format!("{credentials:?}"), "[\"KEY\"]");
}
