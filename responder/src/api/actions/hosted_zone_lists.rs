//! Hosted zones, listed and counted.

use std::sync::Arc;

use pulse53_core::model::{Name, Zone};

use super::delegation_sets;
use super::hosted_zones::HostedZone;
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, bare_id, route};
use crate::api::xml::Xml;
use crate::store::Reading;

pub(super) const ROUTES: &[Route] = &[
    route("GET", "hostedzone", "ListHostedZones", list),
    route("GET", "hostedzonesbyname", "ListHostedZonesByName", list_by_name),
    route("GET", "hostedzonecount", "GetHostedZoneCount", count),
    route("GET", "hostedzonesbyvpc", "ListHostedZonesByVPC", list_by_vpc),
];

/// Most zones on a page.
const PAGE_MAX: usize = 100;

/// One page, and the first zone of the next.
fn page<'z>(
    zones: impl Iterator<Item = &'z Arc<Zone>>,
    max: usize,
) -> (Vec<&'z Arc<Zone>>, Option<&'z Zone>) {
    let mut zones: Vec<_> = zones.take(max + 1).collect();
    let next = if zones.len() > max { zones.pop() } else { None };
    (zones, next.map(|zone| &**zone))
}

fn write_zones(xml: &mut Xml, reading: &Reading, zones: &[&Arc<Zone>]) -> Result<(), ApiError> {
    let zones: Vec<HostedZone> =
        zones.iter().map(|zone| HostedZone::of(reading, zone)).collect::<Result<_, _>>()?;
    xml.list("HostedZones", zones, |xml, zone| zone.write(xml));
    Ok(())
}

fn list(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let max = request.max_items(PAGE_MAX)?;
    let marker = request.query("marker").map(bare_id);
    let set = request.query("delegationsetid").map(bare_id);
    if request.query("hostedzonetype").is_some_and(|kind| kind != "PrivateHostedZone") {
        return Err(ApiError::invalid_input("hostedzonetype must be PrivateHostedZone"));
    }
    let none_is_private = request.query("hostedzonetype").is_some();
    let reading = api.store.read()?;
    if let Some(set) = set {
        delegation_sets::find(&reading, set)?;
    }
    let zones =
        reading.declared().zones.values().filter(|zone| marker.is_none_or(|marker| &*zone.id.0 >= marker));
    let mut listed = Vec::new();
    for zone in zones {
        let is_of_set = match set {
            None => true,
            Some(set) => HostedZone::of(&reading, zone)?.row.delegation_set.as_deref() == Some(set),
        };
        if is_of_set && !none_is_private {
            listed.push(zone);
        }
    }
    let (zones, next) = page(listed.into_iter(), max);
    let mut content = Xml::default();
    write_zones(&mut content, &reading, &zones)?;
    Ok(Reply::ok(|xml| {
        xml.append(&content);
        xml.optional("Marker", marker);
        xml.text("IsTruncated", next.is_some());
        xml.optional("NextMarker", next.map(|zone| &zone.id));
        xml.text("MaxItems", max);
    }))
}

/// By name with its labels reversed, then by id, from a name on.
fn list_by_name(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let max = request.max_items(PAGE_MAX)?;
    let (name, id) = (request.query("dnsname"), request.query("hostedzoneid").map(bare_id));
    if name.is_none() && id.is_some() {
        return Err(ApiError::invalid_input("hostedzoneid needs dnsname: give both"));
    }
    let from = match name {
        None => String::new(),
        Some(text) => match Name::from_route53(text) {
            Ok(name) => name.reversed(),
            Err(error) => {
                return Err(ApiError::new(
                    "InvalidDomainName",
                    format!("{text:?} is no domain name: {error}"),
                ));
            }
        },
    };
    let from = (from, id.unwrap_or_default());
    let reading = api.store.read()?;
    let mut zones: Vec<(String, &Arc<Zone>)> =
        reading.declared().zones.values().map(|zone| (zone.apex.reversed(), zone)).collect();
    zones.sort_by(|a, b| (&a.0, &a.1.id).cmp(&(&b.0, &b.1.id)));
    let zones = zones.iter().filter(|(name, zone)| (name.as_str(), &*zone.id.0) >= (from.0.as_str(), from.1));
    let (zones, next) = page(zones.map(|(_, zone)| *zone), max);
    let mut content = Xml::default();
    write_zones(&mut content, &reading, &zones)?;
    Ok(Reply::ok(|xml| {
        xml.append(&content);
        xml.optional("DNSName", name);
        xml.optional("HostedZoneId", id);
        xml.text("IsTruncated", next.is_some());
        xml.optional("NextDNSName", next.map(|zone| &zone.apex));
        xml.optional("NextHostedZoneId", next.map(|zone| &zone.id));
        xml.text("MaxItems", max);
    }))
}

fn count(api: &Api, _: &Request) -> Result<Reply, ApiError> {
    let count = api.store.read()?.declared().zones.len();
    Ok(Reply::ok(|xml| xml.text("HostedZoneCount", count)))
}

/// No zone is private, so none belongs to a VPC.
fn list_by_vpc(_: &Api, request: &Request) -> Result<Reply, ApiError> {
    let max = request.max_items(PAGE_MAX)?;
    if request.query("nexttoken").is_some() {
        return Err(ApiError::new("InvalidPaginationToken", "The pagination token is invalid"));
    }
    for needed in ["vpcid", "vpcregion"] {
        if request.query(needed).is_none() {
            return Err(ApiError::invalid_input(format!("{needed} is missing: give vpcid and vpcregion")));
        }
    }
    Ok(Reply::ok(|xml| {
        xml.list("HostedZoneSummaries", [(); 0], |_, ()| {});
        xml.text("MaxItems", max);
    }))
}
