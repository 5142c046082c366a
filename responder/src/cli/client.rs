//! Speaks to a node's control API.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, header};
use jiff::Timestamp;
use pulse53_core::explain::Explanation;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::{Agent, Body};

use super::{Failure, NodeArgs};
use crate::api::control::{
    BASE, CheckSetting, RoutingControl, SetCheck, SetRoutingControl, Status, SwitchState,
};
use crate::api::http::VERSION;
use crate::api::sigv4::{self, RESERVED, Signed};
use crate::api::xml::Element;
use crate::config::{Config, Overrides};
use crate::explain::Question;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest reply that is read, in octets: a page of 300 record sets with 400 values of 4000 characters is longer, and unheard of.
const RESPONSE_MAX: u64 = 64 << 20;

/// One node's API.
pub struct Client {
    agent: Agent,
    address: String,
    /// Access key and secret, if there is one to sign with.
    credential: Option<(String, String)>,
}

impl Client {
    /// By flag, configuration file or environment, else on this machine at the default port.
    pub fn find(node: &NodeArgs) -> Result<Self, Failure> {
        let mut credential = None;
        let address = match (&node.config, &node.api) {
            (Some(file), _) => {
                let overrides = Overrides::from_environment(std::env::vars());
                let api = Config::read(file, &overrides)?.api;
                if let Some(first) = api.credentials.first() {
                    let secret = first.read_secret().map_err(|problem| Failure(problem.to_string()))?;
                    credential = Some((first.access_key_id.clone(), secret));
                }
                Some(api.listen.to_string())
            }
            (None, address) => address.clone(),
        };
        let found = Self::at(address);
        // The one that the node itself is configured with, before any of the environment.
        let credential = credential.or(found.credential);
        Ok(Self { credential, ..found })
    }

    /// At an address, or on this machine at the default port.
    pub fn at(address: Option<String>) -> Self {
        let address = address.map_or_else(
            || "127.0.0.1:5380".to_owned(),
            |address| address.trim_start_matches("http://").trim_end_matches('/').to_owned(),
        );
        let agent = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            // A proxy is for the way out; this is the way to ourselves.
            .proxy(None)
            .build()
            .new_agent();
        Self { agent, address, credential: from_environment() }
    }

    /// What the node is and does.
    pub fn status(&self) -> Result<Status, Failure> {
        self.ask("GET", "/status", &[])
    }

    /// Every check in brief.
    pub fn checks(&self) -> Result<Value, Failure> {
        self.ask("GET", "/health", &[])
    }

    /// One check in full.
    pub fn check(&self, id: &str) -> Result<Value, Failure> {
        self.ask("GET", &path("/health", id), &[])
    }

    /// Sets a check by hand.
    pub fn set_check(&self, id: &str, set: CheckSetting) -> Result<Value, Failure> {
        let body = serde_json::to_vec(&SetCheck { set }).map_err(|error| Failure(error.to_string()))?;
        self.ask("PUT", &path("/health", id), &body)
    }

    /// Why a question is answered as it is.
    pub fn explain(&self, question: &Question) -> Result<Explanation, Failure> {
        let body = serde_json::to_vec(question).map_err(|error| Failure(error.to_string()))?;
        self.ask("POST", "/explain", &body)
    }

    /// An operation of the Route 53 API: what its reply holds.
    pub fn route53(&self, method: &str, path: &str, query: &str, body: &str) -> Result<Element, Failure> {
        let address = &self.address;
        let mut response = self.send(method, &format!("{VERSION}/{path}"), query, body.as_bytes())?;
        let reading = response.body_mut().with_config().limit(RESPONSE_MAX).read_to_vec();
        let octets = reading.map_err(|error| Failure(format!("{address} broke off: {error}")))?;
        let not_understood =
            |what: String| Failure(format!("{address} answered what is not understood: {what}"));
        let parsed = Element::parse(&octets).map_err(|error| not_understood(error.message))?;
        let parsed = parsed.ok_or_else(|| not_understood("nothing".to_owned()))?;
        if response.status().is_success() {
            return Ok(parsed);
        }
        let said = |name| parsed.child("Error").and_then(|error| error.value(name)).unwrap_or_default();
        Err(Failure(format!("{address}: {}: {}", said("Code"), said("Message"))))
    }

    /// Every declared routing control.
    pub fn routing_controls(&self) -> Result<Vec<RoutingControl>, Failure> {
        #[derive(Deserialize)]
        struct Answer {
            routing_controls: Vec<RoutingControl>,
        }
        let answer: Answer = self.ask("GET", "/routing-controls", &[])?;
        Ok(answer.routing_controls)
    }

    /// Switches a routing control, found by name or ARN.
    pub fn set_routing_control(&self, control: &str, set: SwitchState) -> Result<RoutingControl, Failure> {
        let body =
            serde_json::to_vec(&SetRoutingControl { set }).map_err(|error| Failure(error.to_string()))?;
        self.ask("PUT", &path("/routing-controls", control), &body)
    }

    fn ask<T: DeserializeOwned>(&self, method: &str, path: &str, body: &[u8]) -> Result<T, Failure> {
        self.read(self.send(method, &format!("{BASE}{path}"), "", body)?)
    }

    /// Sends a request, signed if there is a credential.
    fn send(&self, method: &str, path: &str, query: &str, body: &[u8]) -> Result<Response<Body>, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure(format!("cannot ask {}: {error}", self.address));
        let uri = match query {
            "" => format!("http://{}{path}", self.address),
            query => format!("http://{}{path}?{query}", self.address),
        };
        let host = self.address.parse::<HeaderValue>().map_err(|error| failed(&error))?;
        let mut request = http::Request::builder()
            .method(method)
            .uri(uri)
            .header(header::HOST, host.clone())
            .header(header::CONTENT_TYPE, "application/json");
        if let Some((access_key_id, secret)) = &self.credential {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host);
            let signed = Signed { method, path, query, headers: &headers, body };
            for (name, value) in sigv4::sign(&signed, access_key_id, secret, Timestamp::now()) {
                request = request.header(name, value);
            }
        }
        let request = request.body(body.to_vec()).map_err(|error| failed(&error))?;
        self.agent.run(request).map_err(|error| {
            Failure(format!(
                "no answer from {}: {error}; is pulse53 running there? --api says where to ask",
                self.address
            ))
        })
    }

    fn read<T: DeserializeOwned>(&self, mut response: Response<Body>) -> Result<T, Failure> {
        let address = &self.address;
        if response.status().is_success() {
            let read = response.body_mut().read_json();
            return read
                .map_err(|error| Failure(format!("{address} answered what is not understood: {error}")));
        }
        let status = response.status();
        let body: Value = response.body_mut().read_json().unwrap_or_default();
        let what = body["error"].as_str().map_or_else(|| status.to_string(), str::to_owned);
        Err(Failure(format!("{address}: {what}")))
    }
}

/// A path with one more segment, whatever characters that has.
fn path(parent: &str, segment: &str) -> String {
    format!("{parent}/{}", percent_encoding::utf8_percent_encode(segment, RESERVED))
}

/// The credential that AWS's own tools use.
fn from_environment() -> Option<(String, String)> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    Some((variable("AWS_ACCESS_KEY_ID")?, variable("AWS_SECRET_ACCESS_KEY")?))
}
