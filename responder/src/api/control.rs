//! Control of this node over HTTP: what the commands `status`, `health` and `explain` speak to.
//!
//! | request | answers |
//! | --- | --- |
//! | `GET /pulse53/v1/status` | [`Status`] |
//! | `GET /pulse53/v1/health` | `{"checks": [summary, …]}` |
//! | `GET /pulse53/v1/health/{id}` | one check in full |
//! | `PUT /pulse53/v1/health/{id}` | takes [`SetCheck`], answers as GET |
//! | `POST /pulse53/v1/explain` | takes a [`Question`], answers an [`Explanation`]; changes nothing |
//! | `GET /pulse53/v1/routing-controls` | `{"routing_controls": [`[`RoutingControl`]`, …]}` |
//! | `PUT /pulse53/v1/routing-controls/{name or ARN}` | takes [`SetRoutingControl`], answers the [`RoutingControl`] |
//!
//! An error is `{"error": "what, and what to do"}`. Nothing is decided here: each request becomes a [`Command`] with a way back.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use axum::{Json, Router};
use pulse53_core::explain::{Explanation, Unexplained};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::guard::{Access, Guard, guard};
use super::sigv4::ROUTE53;
use crate::explain::{Question, Refused};

/// Where all of this is found.
pub const BASE: &str = "/pulse53/v1";

/// What a node is and does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// This node's name as a checker location.
    pub node: String,
    /// Version of the program.
    pub version: String,
    /// Seconds since it began to answer.
    pub uptime_s: u64,
    /// Version of what is declared.
    pub revision: u64,
    /// The answer table in force.
    pub generation: u64,
    /// The configuration in force, and why a later one is not.
    pub configuration: ConfigurationStatus,
    /// Addresses answered.
    pub listen: Vec<String>,
    /// Where the kernel answers.
    pub interfaces: Vec<InterfaceStatus>,
    /// Where the kernel sends replies, as configured: to the `sender`, or where the `kernel`'s routes lead.
    #[serde(default)]
    pub reply_route: String,
    /// Why the kernel does not answer, if it should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_problem: Option<String>,
    /// What the kernel can answer, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_table: Option<KernelTable>,
    /// Replies so far.
    pub replies: ReplyShare,
    /// Responses beyond the rate limit so far.
    #[serde(default)]
    pub limited: Limited,
    /// Zones served.
    pub zones: Vec<ZoneStatus>,
    /// Record set groups that could not be compiled.
    pub findings: Vec<String>,
    /// Health checks by final status.
    pub checks: CheckCounts,
}

/// The files, and how reading them went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationStatus {
    /// The file given with `--config`.
    pub file: String,
    /// When the configuration in force was read, as Unix time.
    pub loaded_at: u64,
    /// When a reading last failed after that, as Unix time.
    pub failed_at: Option<u64>,
    /// What was wrong then, a line each.
    pub problems: Vec<String>,
}

/// An interface the kernel half is attached to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    /// `native` or `generic`.
    pub mode: String,
}

/// The kernel half's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelTable {
    /// Questions held.
    pub questions: usize,
    /// The most that are to be held, as configured.
    pub capacity: u32,
    /// Questions left to userspace for want of room.
    pub without_room: usize,
    /// Questions that got room because they were asked often, since the start.
    #[serde(default)]
    pub promoted: u64,
    /// Questions whose room others got.
    #[serde(default)]
    pub evicted: u64,
    /// Questions left to userspace because a sampled answer was wrong.
    pub distrusted: usize,
}

/// Who sent the replies.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ReplyShare {
    /// The XDP program.
    pub kernel: u64,
    /// This process.
    pub userspace: u64,
    /// The kernel's share of both, 0 to 1, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_share: Option<f64>,
}

/// Responses beyond the rate limit, of the XDP program and this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limited {
    /// Empty with TC=1.
    pub slipped: u64,
    /// Not sent.
    pub dropped: u64,
}

impl ReplyShare {
    /// So many of each.
    pub fn new(kernel: u64, userspace: u64) -> Self {
        let all = kernel + userspace;
        Self { kernel, userspace, kernel_share: (all > 0).then(|| kernel as f64 / all as f64) }
    }
}

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneStatus {
    /// Its topmost name.
    pub name: String,
    /// Hosted zone id.
    pub id: String,
    /// Number of record sets.
    pub record_sets: usize,
    /// Whether its answers are signed, and so given in userspace alone.
    #[serde(default)]
    pub signed: bool,
}

/// Checks by final status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CheckCounts {
    /// Healthy.
    pub healthy: usize,
    /// Unhealthy.
    pub unhealthy: usize,
    /// No status yet.
    pub unknown: usize,
}

/// What an operator sets a check to (H-38).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckSetting {
    /// Healthy until further notice.
    Healthy,
    /// Unhealthy until further notice: drains what the check guards.
    Unhealthy,
    /// As probes say.
    Auto,
}

/// The body of a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetCheck {
    /// The new setting.
    pub set: CheckSetting,
}

/// The position of a routing control (H-31).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SwitchState {
    /// The checks that follow it are healthy.
    On,
    /// They are unhealthy.
    Off,
}

/// A declared routing control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingControl {
    /// What checks name it by.
    pub arn: String,
    /// What people call it.
    pub name: String,
    /// Its position.
    pub state: SwitchState,
    /// Rises with every switching.
    pub version: u64,
}

/// The body of a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetRoutingControl {
    /// The new position.
    pub set: SwitchState,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such check.
    #[error("no health check has the id {0:?}; `pulse53 health list` shows those there are")]
    NoSuchCheck(String),
    /// The question has no explanation.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no such routing control.
    #[error("no routing control has the name or ARN {0:?}; `pulse53 control list` shows those there are")]
    NoSuchControl(String),
    /// The node could not.
    #[error("{0}")]
    Failed(String),
}

/// The way back to who asked.
pub type Answer<T> = oneshot::Sender<Result<T, CommandError>>;

/// A request, to be answered by the agent. Reports are JSON already, since only people and scripts read them.
#[derive(Debug)]
pub enum Command {
    /// What this node is and does.
    Status(Answer<Box<Status>>),
    /// Every check in brief.
    Checks(Answer<Vec<Value>>),
    /// One check in full.
    Check(String, Answer<Value>),
    /// Set one check, then show it.
    SetCheck(String, CheckSetting, Answer<Value>),
    /// Why a question is answered as it is.
    Explain(Question, Answer<Box<Explanation>>),
    /// Every declared routing control.
    RoutingControls(Answer<Vec<RoutingControl>>),
    /// Switch one, by name or ARN, then show it.
    SetRoutingControl(String, SwitchState, Answer<RoutingControl>),
}

/// The control requests, guarded.
pub fn router(commands: mpsc::Sender<Command>, access: Access) -> Router {
    let guarded =
        Guard { access, services: &[ROUTE53], refuse: |refused| error(refused.status, &refused.message) };
    Router::new()
        .route(&format!("{BASE}/status"), get(status))
        .route(&format!("{BASE}/health"), get(checks))
        .route(&format!("{BASE}/health/{{id}}"), get(check).put(set_check))
        .route(&format!("{BASE}/explain"), post(explain))
        .route(&format!("{BASE}/routing-controls"), get(routing_controls))
        .route(&format!("{BASE}/routing-controls/{{control}}"), put(set_routing_control))
        .route(
            &format!("{BASE}/{{*elsewhere}}"),
            any(|| async { error(StatusCode::NOT_FOUND, "there is nothing here") }),
        )
        .with_state(commands)
        .layer(from_fn_with_state(guarded, guard))
}

type Commands = State<mpsc::Sender<Command>>;

async fn status(State(commands): Commands) -> Response {
    tell(ask(&commands, Command::Status).await)
}

async fn checks(State(commands): Commands) -> Response {
    tell(ask(&commands, Command::Checks).await.map(|checks| json!({ "checks": checks })))
}

async fn check(State(commands): Commands, Path(id): Path<String>) -> Response {
    tell(ask(&commands, |answer| Command::Check(id, answer)).await)
}

async fn set_check(
    State(commands): Commands,
    Path(id): Path<String>,
    body: Result<Json<SetCheck>, axum::extract::rejection::JsonRejection>,
) -> Response {
    match body {
        Ok(Json(SetCheck { set })) => tell(ask(&commands, |answer| Command::SetCheck(id, set, answer)).await),
        Err(rejection) => {
            let advice = r#"send {"set": "healthy"}, "unhealthy" or "auto" as application/json"#;
            error(StatusCode::BAD_REQUEST, &format!("{}; {advice}", rejection.body_text()))
        }
    }
}

async fn explain(
    State(commands): Commands,
    body: Result<Json<Question>, axum::extract::rejection::JsonRejection>,
) -> Response {
    match body {
        Ok(Json(question)) => tell(ask(&commands, |answer| Command::Explain(question, answer)).await),
        Err(rejection) => {
            let advice = r#"send {"name": "www.example.com", "type": "A"} as application/json"#;
            error(StatusCode::BAD_REQUEST, &format!("{}; {advice}", rejection.body_text()))
        }
    }
}

async fn routing_controls(State(commands): Commands) -> Response {
    let controls = ask(&commands, Command::RoutingControls).await;
    tell(controls.map(|controls| json!({ "routing_controls": controls })))
}

async fn set_routing_control(
    State(commands): Commands,
    Path(control): Path<String>,
    body: Result<Json<SetRoutingControl>, axum::extract::rejection::JsonRejection>,
) -> Response {
    match body {
        Ok(Json(SetRoutingControl { set })) => {
            tell(ask(&commands, |answer| Command::SetRoutingControl(control, set, answer)).await)
        }
        Err(rejection) => {
            let advice = r#"send {"set": "on"} or "off" as application/json"#;
            error(StatusCode::BAD_REQUEST, &format!("{}; {advice}", rejection.body_text()))
        }
    }
}

async fn ask<T>(
    commands: &mpsc::Sender<Command>,
    command: impl FnOnce(Answer<T>) -> Command,
) -> Result<T, CommandError> {
    let stopping = || CommandError::Failed("this node is stopping".to_owned());
    let (answer, answered) = oneshot::channel();
    commands.send(command(answer)).await.map_err(|_| stopping())?;
    answered.await.map_err(|_| stopping())?
}

fn tell<T: Serialize>(result: Result<T, CommandError>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(refused @ (CommandError::NoSuchCheck(_) | CommandError::NoSuchControl(_))) => {
            error(StatusCode::NOT_FOUND, &refused.to_string())
        }
        Err(CommandError::Refused(refused)) => {
            let status = match refused {
                Refused::Unexplained(Unexplained::Exchanged(_)) => StatusCode::SERVICE_UNAVAILABLE,
                Refused::Unexplained(_) | Refused::Supposed(_) => StatusCode::NOT_FOUND,
                Refused::Name { .. } | Refused::Type(_) => StatusCode::BAD_REQUEST,
            };
            error(status, &refused.to_string())
        }
        Err(failed @ CommandError::Failed(_)) => error(StatusCode::SERVICE_UNAVAILABLE, &failed.to_string()),
    }
}

fn error(status: StatusCode, what: &str) -> Response {
    (status, Json(json!({ "error": what }))).into_response()
}

#[cfg(test)]
#[path = "control_tests.rs"]
mod tests;
