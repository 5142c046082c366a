//! The Route 53 API over HTTP: from a request to the operation that carries it out, and back.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::any;
use ipnet::IpNet;
use pulse53_core::assemble::Limits;
use pulse53_core::health::CheckReport;
use pulse53_core::model::{CheckId, Name, Revision};
use pulse53_core::table::AnswerTable;

use super::actions;
use super::error::ApiError;
use super::guard::{Access, Guard, guard};
use super::identifiers;
use super::recovery::Controls;
use super::route::{Reply, Request, find};
use super::sigv4::ROUTE53;
use super::xml::{NAMESPACE, Xml};
use crate::query_log::Sinks;
use crate::store::Store;

/// The version that every path begins with.
pub const VERSION: &str = "/2013-04-01";

/// Gives what is known of a health check.
pub type Reports = dyn Fn(&CheckId) -> Option<CheckReport> + Send + Sync;

/// What operations are carried out on.
pub struct Api {
    /// What is declared.
    pub store: Arc<Store>,
    /// The revision that is answered from, everywhere.
    pub in_force: Box<dyn Fn() -> Revision + Send + Sync>,
    /// What is answered from.
    pub table: Arc<ArcSwap<AnswerTable>>,
    /// What is known of a health check; none if nothing is yet.
    pub health: Box<Reports>,
    /// The routing controls that are declared.
    pub controls: Arc<Controls>,
    /// Networks that this node's probes come from.
    pub checker_networks: Box<dyn Fn() -> Vec<IpNet> + Send + Sync>,
    /// Whether the operator lets an address be probed (H-6).
    pub may_be_probed: Box<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// What new zones get, and bounds.
    pub settings: Settings,
}

/// Settings of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Names of the servers of new zones; none: `ns1` in the zone itself.
    pub name_servers: Vec<Name>,
    /// The mailbox in the SOA of new zones; none: `hostmaster` in the zone itself.
    pub hostmaster: Option<Name>,
    /// Bounds that configuration may raise.
    pub limits: Limits,
    /// The files of query logs.
    pub query_logs: Sinks,
    /// Name and region label of this checker, which checks may list beside Route 53's regions.
    pub checker: Vec<String>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The API's requests, guarded.
pub fn router(api: Arc<Api>, access: Access) -> Router {
    let guarded = Guard {
        access,
        services: &[ROUTE53],
        refuse: |error| respond(&identifiers::uuid(), Err(error), "", None),
    };
    Router::new()
        .route(&format!("{VERSION}/{{*path}}"), any(answer))
        // Every other path of this port that nobody else answers.
        .fallback(elsewhere)
        .with_state(api)
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(guarded, guard))
}

async fn elsewhere(request: HttpRequest) -> Response {
    no_operation(&request, StatusCode::NOT_FOUND)
}

/// What a path answers that knows other verbs.
pub(super) async fn wrong_verb(request: HttpRequest) -> Response {
    no_operation(&request, StatusCode::METHOD_NOT_ALLOWED)
}

fn no_operation(request: &HttpRequest, status: StatusCode) -> Response {
    let what = format!("Could not find operation for {} {}", request.method(), request.uri().path());
    let error = ApiError::new("InvalidAction", what).with_status(status);
    respond(&identifiers::uuid(), Err(error), "", None)
}

async fn answer(State(api): State<Arc<Api>>, headers: HeaderMap, request: HttpRequest) -> Response {
    let request_id = identifiers::uuid();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let (parts, body) = request.into_parts();
    // The guard has read and bounded it.
    let body = axum::body::to_bytes(body, super::guard::BODY_MAX).await.unwrap_or_default();
    let found = find(actions::TABLES, &parts.method, parts.uri.path().trim_start_matches(VERSION));
    let (route, parameters) = match found {
        Ok(found) => found,
        Err(error) => return respond(&request_id, Err(error), "", None),
    };
    let query = decode_query(parts.uri.query().unwrap_or_default());
    let request = Request { operation: route.operation, parameters, query, body };
    let result = tokio::task::spawn_blocking(move || (route.action)(&api, &request)).await;
    let result = result.unwrap_or_else(|panic| {
        tracing::error!(%panic, operation = route.operation, "an operation failed");
        Err(ApiError::internal())
    });
    tracing::debug!(operation = route.operation, request_id, error = ?result.as_ref().err(), "answered");
    respond(&request_id, result, route.operation, host.as_deref())
}

/// Keys and values as forms encode them, except that a plus sign is one: clients escape spaces.
fn decode_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

fn respond(
    request_id: &str,
    result: Result<Reply, ApiError>,
    operation: &str,
    host: Option<&str>,
) -> Response {
    let mut response =
        Response::builder().header(header::CONTENT_TYPE, "text/xml").header("x-amzn-RequestId", request_id);
    let body = match result {
        Ok(reply) => {
            response = response.status(reply.status);
            if let (Some(location), Some(host)) = (&reply.location, host) {
                response = response.header(header::LOCATION, format!("http://{host}{VERSION}/{location}"));
            }
            let mut xml = Xml::document();
            xml.root(&format!("{operation}Response"), NAMESPACE, |xml| xml.append(&reply.content));
            xml.into_string()
        }
        Err(error) => {
            response = response.status(error.status);
            error.to_xml(request_id)
        }
    };
    response.body(Body::from(body)).unwrap_or_default()
}
