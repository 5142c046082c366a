//! The recovery-cluster API: routing controls read and switched, in JSON at `POST /`, told apart by `X-Amz-Target`.
//!
//! | operation | what it does |
//! | --- | --- |
//! | `GetRoutingControlState` | `On` or `Off` of one control |
//! | `ListRoutingControls` | all, or those of one panel, in pages |
//! | `UpdateRoutingControlState` | switches one |
//! | `UpdateRoutingControlStates` | switches several, or none |
//!
//! Errors are `{"__type": code, "message": …}` with status 400; 5xx would make clients turn to another endpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use pulse53_core::health::RoutingControl;
use serde_json::{Value, json};

use super::error::ApiError;
use super::guard::{Access, Guard, guard};
use super::http::wrong_verb;
use super::sigv4::RECOVERY;

/// What `X-Amz-Target` begins with.
const TARGET: &str = "ToggleCustomerAPI.";

/// Most controls on a page.
const PAGE_MAX: usize = 100;

/// Gives all controls by ARN.
pub type List = dyn Fn() -> Option<BTreeMap<Arc<str>, RoutingControl>> + Send + Sync;
/// Switches some on or off, all at once.
pub type Switch = dyn Fn(Vec<(String, bool)>) -> bool + Send + Sync;

/// The routing controls that are declared, and the switch.
pub struct Controls {
    /// All by ARN; none while the node stops.
    pub list: Box<List>,
    /// Switches some, which is stored when this returns; false while the node stops.
    pub switch: Box<Switch>,
    /// What people call controls and panels, by ARN; the last part of it where they do not say.
    pub names: BTreeMap<String, String>,
}

impl fmt::Debug for Controls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controls").finish_non_exhaustive()
    }
}

/// Why a request was refused.
#[derive(Debug, PartialEq)]
struct Refused {
    status: StatusCode,
    body: Value,
}

fn refused(code: &str, message: impl Into<String>) -> Refused {
    let body = json!({ "__type": code, "message": message.into() });
    Refused { status: StatusCode::BAD_REQUEST, body }
}

fn invalid(field: &str, message: &str) -> Refused {
    let fields = json!([{ "name": field, "message": message }]);
    let body = json!({
        "__type": "ValidationException", "message": format!("{field}: {message}"),
        "reason": "fieldValidationFailed", "fields": fields,
    });
    Refused { status: StatusCode::BAD_REQUEST, body }
}

fn stopping() -> Refused {
    let body =
        json!({ "__type": "EndpointTemporarilyUnavailableException", "message": "this node is stopping" });
    Refused { status: StatusCode::SERVICE_UNAVAILABLE, body }
}

/// The recovery-cluster requests, guarded.
pub fn router(controls: Arc<Controls>, access: Access) -> Router {
    let refuse = |error: ApiError| {
        let body = json!({ "__type": error.code, "message": error.message });
        respond(error.status, &body)
    };
    Router::new()
        .route("/", post(answer).fallback(wrong_verb))
        .with_state(controls)
        .layer(from_fn_with_state(Guard { access, services: &RECOVERY, refuse }, guard))
}

fn respond(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], Json(body).0.to_string()).into_response()
}

async fn answer(State(controls): State<Arc<Controls>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix(TARGET).unwrap_or_default().to_owned();
    let result = tokio::task::spawn_blocking(move || carry_out(&controls, &operation, &body)).await;
    match result {
        Ok(Ok(value)) => respond(StatusCode::OK, &value),
        Ok(Err(refused)) => respond(refused.status, &refused.body),
        Err(panic) => {
            tracing::error!(%panic, "a routing control request failed");
            let body = json!({ "__type": "InternalServerException", "message": "pulse53 failed; its log says why." });
            respond(StatusCode::INTERNAL_SERVER_ERROR, &body)
        }
    }
}

fn carry_out(controls: &Controls, operation: &str, body: &[u8]) -> Result<Value, Refused> {
    let no_json = |error| refused("SerializationException", format!("the body is not JSON: {error}"));
    let request: Value =
        if body.is_empty() { json!({}) } else { serde_json::from_slice(body).map_err(no_json)? };
    let known = (controls.list)().ok_or_else(stopping)?;
    match operation {
        "GetRoutingControlState" => get(controls, &known, &request),
        "ListRoutingControls" => list(controls, &known, &request),
        "UpdateRoutingControlState" => switch(controls, vec![entry(&known, &request)?]),
        "UpdateRoutingControlStates" => {
            let field = "UpdateRoutingControlStateEntries";
            let entries = request[field].as_array().ok_or_else(|| invalid(field, "a list is missing"))?;
            // All of them are looked at before the first is switched.
            let wanted: Vec<_> = entries.iter().map(|each| entry(&known, each)).collect::<Result<_, _>>()?;
            let distinct: BTreeSet<&str> = wanted.iter().map(|(arn, _)| arn.as_str()).collect();
            if distinct.len() < wanted.len() {
                return Err(refused("ConflictException", "a routing control is there twice; name each once"));
            }
            switch(controls, wanted)
        }
        _ => {
            let what = "X-Amz-Target must be ToggleCustomerAPI. and an operation of the recovery cluster";
            Err(refused("UnknownOperationException", what))
        }
    }
}

type Known = BTreeMap<Arc<str>, RoutingControl>;

fn state(control: &RoutingControl) -> &'static str {
    if control.on { "On" } else { "Off" }
}

/// The control that a request names.
fn control<'k>(known: &'k Known, request: &Value) -> Result<(&'k Arc<str>, &'k RoutingControl), Refused> {
    let field = "RoutingControlArn";
    let arn = request[field].as_str().ok_or_else(|| invalid(field, "text is missing"))?;
    known.get_key_value(arn).ok_or_else(|| {
        refused("ResourceNotFoundException", format!("no routing control is declared as {arn}"))
    })
}

/// The name of a control or of a panel.
fn name<'a>(controls: &'a Controls, arn: &'a str) -> &'a str {
    let last = || arn.rsplit('/').next().unwrap_or(arn);
    controls.names.get(arn).map_or_else(last, String::as_str)
}

/// The panel that an ARN of a control begins with, as an ARN.
pub fn panel(arn: &str) -> &str {
    arn.split_once("/routingcontrol/").map_or(arn, |(panel, _)| panel)
}

fn get(controls: &Controls, known: &Known, request: &Value) -> Result<Value, Refused> {
    let (arn, control) = control(known, request)?;
    Ok(json!({
        "RoutingControlArn": arn, "RoutingControlName": name(controls, arn),
        "RoutingControlState": state(control),
    }))
}

fn list(controls: &Controls, known: &Known, request: &Value) -> Result<Value, Refused> {
    let wanted = request["ControlPanelArn"].as_str();
    let max = match &request["MaxResults"] {
        Value::Null => PAGE_MAX,
        number => match number.as_u64().and_then(|number| usize::try_from(number).ok()) {
            Some(max @ 1..) => max.min(PAGE_MAX),
            _ => return Err(invalid("MaxResults", "must be a positive whole number")),
        },
    };
    let from = match request["NextToken"].as_str() {
        None => String::new(),
        Some(token) => {
            let key = hex::decode(token).ok().and_then(|octets| String::from_utf8(octets).ok());
            key.ok_or_else(|| invalid("NextToken", "is not one of this node's"))?
        }
    };
    let chosen = known.iter().filter(|(arn, _)| wanted.is_none_or(|wanted| panel(arn) == wanted));
    let mut page: Vec<_> = chosen.filter(|(arn, _)| ***arn >= *from).take(max + 1).collect();
    let next = if page.len() > max { page.pop() } else { None };
    let told = |(arn, control): (&Arc<str>, &RoutingControl)| {
        json!({
            "ControlPanelArn": panel(arn), "ControlPanelName": name(controls, panel(arn)),
            "RoutingControlArn": arn, "RoutingControlName": name(controls, arn),
            "RoutingControlState": state(control),
        })
    };
    let mut reply = json!({ "RoutingControls": page.into_iter().map(told).collect::<Vec<_>>() });
    if let Some((arn, _)) = next {
        reply["NextToken"] = hex::encode(arn.as_bytes()).into();
    }
    Ok(reply)
}

/// A control and the state it is to have.
fn entry(known: &Known, request: &Value) -> Result<(String, bool), Refused> {
    let (arn, _) = control(known, request)?;
    match request["RoutingControlState"].as_str() {
        Some("On") => Ok((arn.to_string(), true)),
        Some("Off") => Ok((arn.to_string(), false)),
        _ => Err(invalid("RoutingControlState", "must be On or Off")),
    }
}

fn switch(controls: &Controls, wanted: Vec<(String, bool)>) -> Result<Value, Refused> {
    if (controls.switch)(wanted) { Ok(json!({})) } else { Err(stopping()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const PANEL: &str = "arn:aws:route53-recovery-control::1:controlpanel/aa";

    fn controls() -> Controls {
        let arn = |name: &str| Arc::from(format!("{PANEL}/routingcontrol/{name}"));
        let off = RoutingControl { on: false, version: 1 };
        let known: Arc<Mutex<Known>> = Arc::new(Mutex::new([(arn("a"), off), (arn("b"), off)].into()));
        let listed = known.clone();
        Controls {
            list: Box::new(move || Some(listed.lock().unwrap().clone())),
            switch: Box::new(move |wanted| {
                let switched =
                    wanted.into_iter().map(|(arn, on)| (arn.into(), RoutingControl { on, version: 2 }));
                known.lock().unwrap().extend(switched);
                true
            }),
            names: [(PANEL.to_owned(), "cells".to_owned())].into(),
        }
    }

    fn ask(controls: &Controls, operation: &str, request: &Value) -> Result<Value, String> {
        let answer = carry_out(controls, operation, request.to_string().as_bytes());
        answer.map_err(|refused| refused.body["__type"].as_str().unwrap().to_owned())
    }

    fn states(controls: &Controls) -> Vec<String> {
        let listed = ask(controls, "ListRoutingControls", &json!({})).unwrap();
        let state = |control: &Value| control["RoutingControlState"].as_str().unwrap().to_owned();
        listed["RoutingControls"].as_array().unwrap().iter().map(state).collect()
    }

    #[test]
    fn several_are_switched_or_none() {
        let controls = controls();
        let entry = |name: &str, state: &str| {
            let arn = format!("{PANEL}/routingcontrol/{name}");
            json!({ "RoutingControlArn": arn, "RoutingControlState": state })
        };
        let update = |entries: &[Value]| {
            let request = json!({ "UpdateRoutingControlStateEntries": entries });
            ask(&controls, "UpdateRoutingControlStates", &request)
        };
        let not_found = Err("ResourceNotFoundException".to_owned());
        assert_eq!(update(&[entry("a", "On"), entry("none", "On")]), not_found);
        assert_eq!(update(&[entry("a", "On"), entry("b", "on")]), Err("ValidationException".to_owned()));
        assert_eq!(update(&[entry("a", "On"), entry("a", "Off")]), Err("ConflictException".to_owned()));
        assert_eq!(states(&controls), ["Off", "Off"]);
        assert_eq!(update(&[entry("a", "On"), entry("b", "On")]), Ok(json!({})));
        assert_eq!(states(&controls), ["On", "On"]);
        assert_eq!(ask(&controls, "UpdateRoutingControlState", &entry("b", "Off")), Ok(json!({})));
        let got = ask(&controls, "GetRoutingControlState", &entry("b", "")).unwrap();
        assert_eq!((&got["RoutingControlState"], &got["RoutingControlName"]), (&json!("Off"), &json!("b")));
        assert_eq!(ask(&controls, "Nonsense", &json!({})), Err("UnknownOperationException".to_owned()));
    }

    #[test]
    fn pages_of_one_panel() {
        let controls = controls();
        let page =
            ask(&controls, "ListRoutingControls", &json!({ "MaxResults": 1, "ControlPanelArn": PANEL }));
        let page = page.unwrap();
        assert_eq!(page["RoutingControls"][0]["RoutingControlName"], "a");
        assert_eq!(page["RoutingControls"][0]["ControlPanelName"], "cells");
        let next = ask(&controls, "ListRoutingControls", &json!({ "NextToken": page["NextToken"] })).unwrap();
        assert_eq!(next["RoutingControls"][0]["RoutingControlName"], "b");
        assert!(next["NextToken"].is_null());
        let other = ask(&controls, "ListRoutingControls", &json!({ "ControlPanelArn": "other" })).unwrap();
        assert_eq!(other["RoutingControls"], json!([]));
    }
}
