//! One evaluation of an alarm: an instant query to a Prometheus-compatible server (H-27).

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Uri;
use pulse53_core::health::{Evaluation, Outcome, evaluate};
use pulse53_core::model::check::AlarmCheck;
use serde::Deserialize;
use tokio::time::Instant;

use super::probe::{Abort, Resolver, TlsClient, connect, dns_name, fetch};

/// An evaluation takes no longer, however long the period.
const LIMIT_MAX: Duration = Duration::from_secs(10);

/// Answers longer than this are cut, and then not understood.
const ANSWER_MAX: usize = 4 << 20;

/// Why an evaluation is missing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Missing {
    #[error("the check has no tag pulse53:query")]
    NoQuery,
    #[error("not the URL of an HTTP server: {0}")]
    Url(String),
    #[error("{0}")]
    Unreachable(String),
    #[error("no answer within the time limit")]
    Late,
    #[error("query refused with HTTP status {code}: {error}")]
    Refused { code: u16, error: String },
    #[error("the answer is no instant query result")]
    Answer,
    #[error("the query returned no number")]
    NoSample,
}

/// Asks for the samples of alarms.
pub(super) struct AlarmClient {
    resolver: Arc<Resolver>,
    /// Made when the first query goes over TLS. Unlike endpoints, the server must be who it says.
    tls: OnceLock<TlsClient>,
}

impl AlarmClient {
    pub(super) fn new(resolver: Arc<Resolver>) -> Self {
        Self { resolver, tls: OnceLock::new() }
    }

    /// Evaluates an alarm once; a missing evaluation says why.
    pub(super) async fn evaluate(&self, alarm: &AlarmCheck) -> (Evaluation, Option<String>) {
        let deadline = Instant::now() + alarm.period.min(LIMIT_MAX);
        let samples = match tokio::time::timeout_at(deadline, self.query(alarm, deadline)).await {
            Ok(samples) => samples,
            Err(_elapsed) => Err(Missing::Late),
        };
        match samples.map(|samples| evaluate(&samples, alarm.threshold)) {
            Ok(Evaluation::Missing) => (Evaluation::Missing, Some(Missing::NoSample.to_string())),
            Ok(evaluation) => (evaluation, None),
            Err(missing) => (Evaluation::Missing, Some(missing.to_string())),
        }
    }

    async fn query(&self, alarm: &AlarmCheck, deadline: Instant) -> Result<Vec<f64>, Missing> {
        let (url, expression) = alarm.query.as_ref().ok_or(Missing::NoQuery)?;
        let server = Server::parse(url).ok_or_else(|| Missing::Url(url.clone()))?;
        let path = format!("{}/api/v1/query?query={}", server.path, percent_encoded(expression));
        let address = match server.host.parse() {
            Ok(address) => address,
            Err(_name) => self.resolver.any(&server.host).await.map_err(unreachable)?,
        };
        let stream = connect(SocketAddr::new(address, server.port), deadline).await.map_err(aborted)?;
        let fetched = if server.tls {
            let tls = self.tls.get_or_init(TlsClient::verified);
            let name = dns_name(&server.host);
            let mut session = tls.handshake(stream, name, address, deadline).await.map_err(aborted)?;
            fetch(&mut session, &server.authority, &path, ANSWER_MAX, deadline).await
        } else {
            let mut stream = stream;
            fetch(&mut stream, &server.authority, &path, ANSWER_MAX, deadline).await
        };
        let (head, body) = fetched.map_err(unreachable)?;
        samples(head.code, &head.reason, &body)
    }
}

fn aborted(abort: Abort) -> Missing {
    match abort {
        Abort::Failed(outcome) => unreachable(outcome),
        Abort::NotProbed(error) => Missing::Unreachable(error.to_string()),
    }
}

fn unreachable(outcome: Outcome) -> Missing {
    match outcome {
        Outcome::ConnectTimedOut | Outcome::NoStatusCode | Outcome::BodyTimedOut => Missing::Late,
        outcome => {
            let text = outcome.to_string();
            Missing::Unreachable(text.strip_prefix("Failure: ").unwrap_or(&text).to_owned())
        }
    }
}

/// The base URL in parts.
#[derive(Debug, PartialEq, Eq)]
struct Server {
    tls: bool,
    /// Without brackets.
    host: String,
    port: u16,
    /// As the Host header has it.
    authority: String,
    /// Without a slash at the end.
    path: String,
}

impl Server {
    fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return None;
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self {
            tls,
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: uri.path().trim_end_matches('/').to_owned(),
            host,
        })
        .filter(|server| !server.host.is_empty())
    }
}

/// An expression as the value of a query parameter (RFC 3986 section 2.3).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// What a Prometheus-compatible server answers.
#[derive(Deserialize)]
struct Answer {
    status: String,
    data: Option<Data>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Element>),
    Scalar(Sample),
}

#[derive(Deserialize)]
struct Element {
    /// Absent for a native histogram, which is a sample but no number.
    value: Option<Sample>,
}

/// Time and value.
#[derive(Deserialize)]
struct Sample(#[expect(dead_code, reason = "an instant query has one time")] f64, String);

fn samples(code: u16, reason: &str, body: &[u8]) -> Result<Vec<f64>, Missing> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    if code != 200 {
        let error = answer.and_then(|answer| answer.error).unwrap_or_else(|| reason.to_owned());
        return Err(Missing::Refused { code, error: error.chars().take(200).collect() });
    }
    let number = |sample: &Sample| sample.1.parse::<f64>().map_err(|_| Missing::Answer);
    match answer {
        Some(Answer { status, data: Some(data), .. }) if status == "success" => match data {
            Data::Scalar(sample) => Ok(vec![number(&sample)?]),
            Data::Vector(elements) => {
                elements.iter().map(|element| element.value.as_ref().map_or(Ok(f64::NAN), number)).collect()
            }
        },
        _ => Err(Missing::Answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_taken_apart_h2() {
        let server = Server::parse("http://[2001:db8::1]:9090/prefix/").unwrap();
        assert_eq!((server.port, server.path.as_str(), server.tls), (9090, "/prefix", false));
        assert_eq!(server.host, "2001:db8::1");
        let server = Server::parse("https://metrics.example.com").unwrap();
        assert_eq!((server.port, server.path.as_str(), server.tls), (443, "", true));
        for bad in ["metrics.example.com", "ftp://a", "http://user@a", "http://", "http://a/?b"] {
            assert_eq!(Server::parse(bad), None, "{bad}");
        }
        assert_eq!(percent_encoded(r#"up{a="b"} > 1"#), "up%7Ba%3D%22b%22%7D%20%3E%201");
    }

    #[test]
    fn answers_become_samples_or_a_cause_h27() {
        let check = |code: u16, body: &str, expect: &str| {
            let got = match samples(code, "Bad Request", body.as_bytes()) {
                Ok(samples) => format!("{samples:?}"),
                Err(missing) => missing.to_string(),
            };
            assert_eq!(got, expect);
        };
        let vector = |elements: &str| {
            format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{elements}]}}}}"#)
        };
        check(
            200,
            &vector(r#"{"metric":{},"value":[1.5,"11"]},{"metric":{},"value":[1,"NaN"]}"#),
            "[11.0, NaN]",
        );
        check(200, &vector(r#"{"metric":{},"value":[1,"+Inf"]}"#), "[inf]");
        check(200, &vector(r#"{"metric":{},"histogram":[1,{}]}"#), "[NaN]");
        check(200, &vector(""), "[]");
        check(200, r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#, "[2.0]");
        let no_result = "the answer is no instant query result";
        check(200, r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, no_result);
        check(200, "<html>", no_result);
        check(
            400,
            r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
            "query refused with HTTP status 400: parse error",
        );
        check(503, "", "query refused with HTTP status 503: Bad Request");
    }
}
