//! VPCs, of which there are none: every zone is public, and Route 53's words for that are the answer.

use super::hosted_zones::find;
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route("POST", "hostedzone/*/associatevpc", "AssociateVPCWithHostedZone", associate),
    route("POST", "hostedzone/*/disassociatevpc", "DisassociateVPCFromHostedZone", disassociate),
    route("POST", "hostedzone/*/authorizevpcassociation", "CreateVPCAssociationAuthorization", authorize),
    route("GET", "hostedzone/*/authorizevpcassociation", "ListVPCAssociationAuthorizations", list),
    route("POST", "hostedzone/*/deauthorizevpcassociation", "DeleteVPCAssociationAuthorization", deauthorize),
];

fn associate(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    find(&api.store.read()?, request.parameter(0))?;
    let what = "The hosted zone is public; only private hosted zones can be associated with VPCs.";
    Err(ApiError::new("PublicZoneVPCAssociation", what))
}

fn disassociate(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    find(&api.store.read()?, request.parameter(0))?;
    let what = "The VPC is not associated with the hosted zone.";
    Err(ApiError::not_found("VPCAssociationNotFound", what))
}

fn authorize(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    find(&api.store.read()?, request.parameter(0))?;
    let what = "pulse53 has no VPCs; private zones are not supported";
    Err(ApiError::new("InvalidVPCId", what))
}

fn deauthorize(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    find(&api.store.read()?, request.parameter(0))?;
    let what = "The VPC is not authorized to be associated with the hosted zone.";
    Err(ApiError::not_found("VPCAssociationAuthorizationNotFound", what))
}

fn list(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    find(&api.store.read()?, id)?;
    if request.query("nexttoken").is_some() {
        return Err(ApiError::new("InvalidPaginationToken", "The pagination token is invalid"));
    }
    Ok(Reply::ok(|xml| {
        xml.text("HostedZoneId", id);
        xml.list("VPCs", [(); 0], |_, ()| {});
    }))
}
