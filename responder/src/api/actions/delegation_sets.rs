//! Reusable delegation sets: name servers that several zones are made with.

use pulse53_core::model::ZoneId;

use super::hosted_zones::HostedZone;
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::identifiers;
use crate::api::route::{Reply, Request, Route, bare_id, route};
use crate::api::xml::Xml;
use crate::store::{DelegationSetRow, Reading, Reference, ZoneRow};

pub(super) const ROUTES: &[Route] = &[
    route("POST", "delegationset", "CreateReusableDelegationSet", create),
    route("GET", "delegationset", "ListReusableDelegationSets", list),
    route("GET", "delegationset/*", "GetReusableDelegationSet", get),
    route("DELETE", "delegationset/*", "DeleteReusableDelegationSet", delete),
];

/// What caller references of sets are kept under.
const KIND: &str = "delegationset";
/// Most characters of a caller reference.
const REFERENCE_MAX: usize = 128;
/// Most sets on a page.
const PAGE_MAX: usize = 100;

/// The set of an id.
pub(super) fn find(reading: &Reading, id: &str) -> Result<DelegationSetRow, ApiError> {
    let missing =
        || ApiError::new("NoSuchDelegationSet", format!("The specified delegation set does not exist: {id}"));
    reading.row::<DelegationSetRow>(&[id])?.ok_or_else(missing)
}

fn write(xml: &mut Xml, id: &str, row: &DelegationSetRow) {
    xml.element("DelegationSet", |xml| {
        xml.text("Id", format_args!("/delegationset/{id}"));
        xml.text("CallerReference", &row.caller_reference);
        xml.list("NameServers", &row.name_servers, |xml, name| xml.text("NameServer", name));
    });
}

fn create(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let xml = request.xml()?;
    let reference = xml.required("CallerReference")?;
    if reference.chars().count() > REFERENCE_MAX {
        let what = format!("CallerReference must have 1 to {REFERENCE_MAX} characters");
        return Err(ApiError::invalid_input(what));
    }
    let zone_id = xml.value("HostedZoneId").map(|id| bare_id(&id).to_owned());
    let id = identifiers::delegation_set();
    let (row, _) = api.store.change(|reading, commit| {
        if reading.row::<Reference>(&[KIND, &reference])?.is_some() {
            let what = "A delegation set with the same caller reference has already been created.";
            return Err(ApiError::new("DelegationSetAlreadyCreated", what));
        }
        let max = api.settings.limits.delegation_sets;
        if reading.count::<DelegationSetRow>()? >= max as u64 {
            let what = format!("The limit of {max} reusable delegation sets is reached.");
            return Err(ApiError::new("LimitsExceeded", what));
        }
        let name_servers = match &zone_id {
            Some(zone_id) => {
                let zone = reading.declared().zones.get(&ZoneId(zone_id.as_str().into()));
                let missing = || {
                    let what = format!("The specified hosted zone does not exist: {zone_id}");
                    ApiError::new("HostedZoneNotFound", what)
                };
                let HostedZone { row, .. } = HostedZone::of(reading, zone.ok_or_else(missing)?)?;
                if row.delegation_set.is_some() {
                    let what = format!("The delegation set of {zone_id} is reusable already.");
                    return Err(ApiError::new("DelegationSetAlreadyReusable", what));
                }
                if reading.row::<ZoneRow>(&[zone_id])?.is_some() {
                    commit.put(&[zone_id], &ZoneRow { delegation_set: Some(id.clone()), ..row.clone() })?;
                }
                row.name_servers
            }
            None => api.settings.name_servers.iter().map(|name| bare(&name.to_string())).collect(),
        };
        if name_servers.is_empty() {
            let what = "No name servers are configured: set api.name_servers, or name a hosted zone.";
            return Err(ApiError::new("DelegationSetNotAvailable", what));
        }
        let row = DelegationSetRow { caller_reference: reference.clone(), name_servers };
        commit.put(&[KIND, &reference], &Reference { id: id.clone() })?;
        commit.put(&[&id], &row)?;
        Ok(row)
    })?;
    Ok(Reply::created(format!("delegationset/{id}"), |xml| write(xml, &id, &row)))
}

/// Without the final dot.
fn bare(name: &str) -> String {
    name.trim_end_matches('.').to_owned()
}

fn list(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let max = request.max_items(PAGE_MAX)?;
    let marker = request.query("marker").map(bare_id).unwrap_or_default();
    let mut sets = api.store.read()?.rows_from::<DelegationSetRow>(&[], marker, max + 1)?;
    let next = if sets.len() > max { sets.pop() } else { None };
    Ok(Reply::ok(|xml| {
        xml.list("DelegationSets", &sets, |xml, (id, row)| write(xml, id, row));
        xml.text("Marker", marker);
        xml.text("IsTruncated", next.is_some());
        xml.optional("NextMarker", next.map(|(id, _)| id));
        xml.text("MaxItems", max);
    }))
}

fn get(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    let row = find(&api.store.read()?, id)?;
    Ok(Reply::ok(|xml| write(xml, id, &row)))
}

fn delete(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    api.store.change(|reading, commit| {
        find(reading, id)?;
        for (zone, row) in reading.rows::<ZoneRow>(&[])? {
            if row.delegation_set.as_deref() == Some(id) {
                let what = format!("The delegation set {id} is in use by the hosted zone {zone}.");
                return Err(ApiError::new("DelegationSetInUse", what));
            }
        }
        commit.remove::<DelegationSetRow>(&[id]);
        Ok(())
    })?;
    Ok(Reply::ok(|_| {}))
}
