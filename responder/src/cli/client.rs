//! Speaks to a node's control API.

use std::time::Duration;

use pulse53_core::explain::Explanation;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use super::{Failure, NodeArgs};
use crate::api::control::{BASE, CheckSetting, SetCheck, Status};
use crate::config::{Config, Overrides};
use crate::explain::Question;

const TIMEOUT: Duration = Duration::from_secs(10);

/// One node's API.
pub struct Client {
    agent: Agent,
    address: String,
}

impl Client {
    /// By flag, configuration file or environment, else on this machine at the default port.
    pub fn find(node: &NodeArgs) -> Result<Self, Failure> {
        let address = match (&node.config, &node.api) {
            (Some(file), _) => {
                let overrides = Overrides::from_environment(std::env::vars());
                Some(Config::read(file, &overrides)?.api.listen.to_string())
            }
            (None, address) => address.clone(),
        };
        Ok(Self::at(address))
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
        Self { agent, address }
    }

    /// What the node is and does.
    pub fn status(&self) -> Result<Status, Failure> {
        self.read(self.agent.get(self.url("/status")).call())
    }

    /// Every check in brief.
    pub fn checks(&self) -> Result<Value, Failure> {
        self.read(self.agent.get(self.url("/health")).call())
    }

    /// One check in full.
    pub fn check(&self, id: &str) -> Result<Value, Failure> {
        self.read(self.agent.get(self.check_url(id)).call())
    }

    /// Sets a check by hand.
    pub fn set_check(&self, id: &str, set: CheckSetting) -> Result<Value, Failure> {
        self.read(self.agent.put(self.check_url(id)).send_json(SetCheck { set }))
    }

    /// Why a question is answered as it is.
    pub fn explain(&self, question: &Question) -> Result<Explanation, Failure> {
        self.read(self.agent.post(self.url("/explain")).send_json(question))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{BASE}{path}", self.address)
    }

    fn check_url(&self, id: &str) -> String {
        let mut path = String::from("/health/");
        for octet in id.bytes() {
            match octet {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    path.push(octet.into())
                }
                _ => path.push_str(&format!("%{octet:02X}")),
            }
        }
        self.url(&path)
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
