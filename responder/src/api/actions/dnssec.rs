//! DNSSEC: pulse53 does not sign, so no zone has keys, and every operation on one says so in Route 53's words.

use super::hosted_zones::{find, find_writable};
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route("GET", "hostedzone/*/dnssec", "GetDNSSEC", get),
    route("POST", "hostedzone/*/enable-dnssec", "EnableHostedZoneDNSSEC", enable),
    route("POST", "hostedzone/*/disable-dnssec", "DisableHostedZoneDNSSEC", disable),
    route("POST", "keysigningkey/*/*/activate", "ActivateKeySigningKey", no_such_key),
    route("POST", "keysigningkey/*/*/deactivate", "DeactivateKeySigningKey", no_such_key),
    route("DELETE", "keysigningkey/*/*", "DeleteKeySigningKey", no_such_key),
];

fn get(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    find(&api.store.read()?, request.parameter(0))?;
    Ok(Reply::ok(|xml| {
        xml.element("Status", |xml| xml.text("ServeSignature", "NOT_SIGNING"));
        xml.list("KeySigningKeys", [(); 0], |_, ()| {});
    }))
}

fn enable(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    find_writable(&api.store.read()?, request.parameter(0))?;
    let what = "The hosted zone has no key-signing key with status ACTIVE.";
    Err(ApiError::new("KeySigningKeyWithActiveStatusNotFound", what))
}

fn disable(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let (zone, _) = find_writable(&api.store.read()?, request.parameter(0))?;
    let what = format!("DNSSEC is not enabled for the hosted zone {}.", zone.apex);
    Err(ApiError::new("DNSSECNotFound", what))
}

fn no_such_key(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    find(&api.store.read()?, request.parameter(0))?;
    let what = format!("No key-signing key found with name: {}", request.parameter(1));
    Err(ApiError::not_found("NoSuchKeySigningKey", what))
}
