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
use crate::api::sigv4::{self, RESERVED, Signed};
use crate::config::{Config, Overrides};
use crate::explain::Question;

const TIMEOUT: Duration = Duration::from_secs(10);

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

    /// Sends a request, signed if there is a credential.
    fn ask<T: DeserializeOwned>(&self, method: &str, path: &str, body: &[u8]) -> Result<T, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure(format!("cannot ask {}: {error}", self.address));
        let path = format!("{BASE}{path}");
        let host = self.address.parse::<HeaderValue>().map_err(|error| failed(&error))?;
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header(header::HOST, host.clone())
            .header(header::CONTENT_TYPE, "application/json");
        if let Some((access_key_id, secret)) = &self.credential {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host);
            let signed = Signed { method, path: &path, query: "", headers: &headers, body };
            for (name, value) in sigv4::sign(&signed, access_key_id, secret, Timestamp::now()) {
                request = request.header(name, value);
            }
        }
        let request = request.body(body.to_vec()).map_err(|error| failed(&error))?;
        self.read(self.agent.run(request))
    }

    fn read<T: DeserializeOwned>(&self, response: Result<Response<Body>, ureq::Error>) -> Result<T, Failure> {
        let address = &self.address;
        let mut response = response.map_err(|error| {
            Failure(format!(
                "no answer from {address}: {error}; is pulse53 running there? --api says where to ask"
            ))
        })?;
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
