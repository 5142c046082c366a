//! What checkers observe of a health check, and where they probe from.

use std::net::IpAddr;

use pulse53_core::health::{CheckReport, ProbeRecord};
use pulse53_core::model::CheckId;

use super::changes::timestamp;
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, route};
use crate::api::xml::Xml;

pub(super) const ROUTES: &[Route] = &[
    route("GET", "healthcheck/*/status", "GetHealthCheckStatus", status),
    route("GET", "healthcheck/*/lastfailurereason", "GetHealthCheckLastFailureReason", last_failure),
    route("GET", "checkeripranges", "GetCheckerIpRanges", checker_networks),
];

/// What one observer saw: its region or name, its address, when and what.
type Observation = (Option<String>, Option<IpAddr>, ProbeRecord);

fn status(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let report = report(api, request)?;
    Ok(reply(observations(report, |last, _| last)))
}

fn last_failure(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let report = report(api, request)?;
    Ok(reply(observations(report, |_, failure| failure)))
}

/// What is known of the check; none right after it was made.
fn report(api: &Api, request: &Request) -> Result<Option<CheckReport>, ApiError> {
    let id = CheckId::from(request.parameter(0));
    if !api.store.read()?.declared().checks.contains_key(&id) {
        return Err(ApiError::no_such_check(&id.0));
    }
    Ok((api.health)(&id))
}

/// An observation of every checker for endpoints, of the node itself for what it only works out (H-40).
fn observations(
    report: Option<CheckReport>,
    choose: impl Fn(Option<ProbeRecord>, Option<ProbeRecord>) -> Option<ProbeRecord>,
) -> Vec<Observation> {
    let Some(report) = report else { return Vec::new() };
    let of_checkers = report.checker_reports.into_iter().filter_map(|checker| {
        let place =
            checker.region.map_or_else(|| checker.location.0.to_string(), |region| region.to_string());
        Some((Some(place), checker.address, choose(checker.last, checker.last_failure)?))
    });
    let of_node = report.node_report.and_then(|node| {
        // Before anything was observed there is nothing to tell.
        let last = Some(node.last).filter(|last| !last.status.is_empty());
        Some((None, None, choose(last, node.last_failure)?))
    });
    of_checkers.chain(of_node).collect()
}

fn reply(observations: Vec<Observation>) -> Reply {
    Reply::ok(|xml| xml.list("HealthCheckObservations", observations, write))
}

fn write(xml: &mut Xml, (region, address, record): Observation) {
    xml.element("HealthCheckObservation", |xml| {
        xml.optional("Region", region);
        xml.optional("IPAddress", address);
        xml.element("StatusReport", |xml| {
            xml.text("Status", &record.status);
            xml.text("CheckedTime", timestamp(record.at.0));
        });
    });
}

fn checker_networks(api: &Api, _: &Request) -> Result<Reply, ApiError> {
    let networks = (api.checker_networks)();
    Ok(Reply::ok(|xml| xml.list("CheckerIpRanges", networks, |xml, network| xml.text("member", network))))
}
