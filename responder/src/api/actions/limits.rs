//! Limits and how much of them is used. Where pulse53 has no bound of its own, Route 53's default is told.

use super::delegation_sets;
use super::hosted_zones::{HostedZone, find};
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, route};
use crate::declared::record_set_count;
use crate::store::DelegationSetRow;

pub(super) const ROUTES: &[Route] = &[
    route("GET", "accountlimit/*", "GetAccountLimit", of_account),
    route("GET", "hostedzonelimit/*/*", "GetHostedZoneLimit", of_zone),
    route("GET", "reusabledelegationsetlimit/*/*", "GetReusableDelegationSetLimit", of_delegation_set),
];

const TRAFFIC_POLICIES_MAX: usize = 50;
const TRAFFIC_POLICY_INSTANCES_MAX: usize = 5;

fn reply(kind: &str, value: usize, count: usize) -> Reply {
    Reply::ok(|xml| {
        xml.element("Limit", |xml| {
            xml.text("Type", kind);
            xml.text("Value", value);
        });
        xml.text("Count", count);
    })
}

fn unknown(kind: &str) -> ApiError {
    ApiError::invalid_input(format!("Invalid parameter : '{kind}' is no type of limit here"))
}

fn of_account(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let reading = api.store.read()?;
    let declared = reading.declared();
    let limits = &api.settings.limits;
    let kind = request.parameter(0);
    let (value, count) = match kind {
        "MAX_HEALTH_CHECKS_BY_OWNER" => (limits.health_checks, declared.checks.len()),
        "MAX_HOSTED_ZONES_BY_OWNER" => (limits.hosted_zones, declared.zones.len()),
        "MAX_REUSABLE_DELEGATION_SETS_BY_OWNER" => {
            let count = reading.count::<DelegationSetRow>()?;
            (limits.delegation_sets, usize::try_from(count).unwrap_or(usize::MAX))
        }
        "MAX_TRAFFIC_POLICIES_BY_OWNER" => (TRAFFIC_POLICIES_MAX, 0),
        "MAX_TRAFFIC_POLICY_INSTANCES_BY_OWNER" => (TRAFFIC_POLICY_INSTANCES_MAX, 0),
        other => return Err(unknown(other)),
    };
    Ok(reply(kind, value, count))
}

fn of_zone(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let reading = api.store.read()?;
    let zone = find(&reading, request.parameter(0))?;
    match request.parameter(1) {
        kind @ "MAX_RRSETS_BY_ZONE" => {
            Ok(reply(kind, api.settings.limits.record_sets_per_zone, record_set_count(&zone)))
        }
        "MAX_VPCS_ASSOCIATED_BY_ZONE" => {
            let what = "The hosted zone is public; only private hosted zones are associated with VPCs.";
            Err(ApiError::new("HostedZoneNotPrivate", what))
        }
        other => Err(unknown(other)),
    }
}

fn of_delegation_set(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let reading = api.store.read()?;
    let id = request.parameter(0);
    delegation_sets::find(&reading, id)?;
    let kind = request.parameter(1);
    if kind != "MAX_ZONES_BY_REUSABLE_DELEGATION_SET" {
        return Err(unknown(kind));
    }
    let mut count = 0;
    for zone in reading.declared().zones.values() {
        let zone = HostedZone::of(&reading, zone)?;
        count += usize::from(zone.row.delegation_set.as_deref() == Some(id));
    }
    Ok(reply(kind, api.settings.limits.hosted_zones, count))
}
