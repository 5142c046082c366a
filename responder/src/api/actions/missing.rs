//! Operations of the model that are not built: each says so, and lists of what cannot be made are empty.
//!
//! An operation that is built moves from here to the file of its resource.

use super::hosted_zones::find;
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, bare_id, route};

pub(super) const ROUTES: &[Route] = &[
    route("POST", "hostedzone/*/features", "UpdateHostedZoneFeatures", unsupported),
    route("POST", "trafficpolicy", "CreateTrafficPolicy", unsupported),
    route("POST", "trafficpolicy/*", "CreateTrafficPolicyVersion", unsupported),
    route("GET", "trafficpolicy/*/*", "GetTrafficPolicy", unsupported),
    route("POST", "trafficpolicy/*/*", "UpdateTrafficPolicyComment", unsupported),
    route("DELETE", "trafficpolicy/*/*", "DeleteTrafficPolicy", unsupported),
    route("GET", "trafficpolicies", "ListTrafficPolicies", no_policies),
    route("GET", "trafficpolicies/*/versions", "ListTrafficPolicyVersions", no_versions),
    route("POST", "trafficpolicyinstance", "CreateTrafficPolicyInstance", unsupported),
    route("GET", "trafficpolicyinstance/*", "GetTrafficPolicyInstance", unsupported),
    route("POST", "trafficpolicyinstance/*", "UpdateTrafficPolicyInstance", unsupported),
    route("DELETE", "trafficpolicyinstance/*", "DeleteTrafficPolicyInstance", unsupported),
    route("GET", "trafficpolicyinstances", "ListTrafficPolicyInstances", no_instances),
    route(
        "GET",
        "trafficpolicyinstances/hostedzone",
        "ListTrafficPolicyInstancesByHostedZone",
        no_instances_in_zone,
    ),
    route("GET", "trafficpolicyinstances/trafficpolicy", "ListTrafficPolicyInstancesByPolicy", no_instances),
    route("GET", "trafficpolicyinstancecount", "GetTrafficPolicyInstanceCount", instance_count),
];

/// Most items on a page.
const PAGE_MAX: usize = 100;

/// Refused with a status that no client tries again.
fn unsupported(_: &Api, request: &Request) -> Result<Reply, ApiError> {
    let what = format!("pulse53 does not implement {}.", request.operation);
    Err(ApiError::new("UnsupportedOperation", what))
}

/// The last page of a list of nothing; `marker` is one that the model wants even there.
fn empty_list(request: &Request, name: &str, marker: Option<(&str, &str)>) -> Result<Reply, ApiError> {
    let max = request.max_items(PAGE_MAX)?;
    Ok(Reply::ok(|xml| {
        xml.list(name, [(); 0], |_, ()| {});
        xml.text("IsTruncated", false);
        if let Some((marker, parameter)) = marker {
            xml.text(marker, request.query(parameter).unwrap_or_default());
        }
        xml.text("MaxItems", max);
    }))
}

fn no_policies(_: &Api, request: &Request) -> Result<Reply, ApiError> {
    let marker = ("TrafficPolicyIdMarker", "trafficpolicyid");
    empty_list(request, "TrafficPolicySummaries", Some(marker))
}

fn no_versions(_: &Api, request: &Request) -> Result<Reply, ApiError> {
    let marker = ("TrafficPolicyVersionMarker", "trafficpolicyversion");
    empty_list(request, "TrafficPolicies", Some(marker))
}

fn no_instances(_: &Api, request: &Request) -> Result<Reply, ApiError> {
    empty_list(request, "TrafficPolicyInstances", None)
}

fn no_instances_in_zone(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let missing = || ApiError::invalid_input("Invalid parameter : id is missing");
    find(&api.store.read()?, bare_id(request.query("id").ok_or_else(missing)?))?;
    no_instances(api, request)
}

fn instance_count(_: &Api, _: &Request) -> Result<Reply, ApiError> {
    Ok(Reply::ok(|xml| xml.text("TrafficPolicyInstanceCount", 0)))
}
