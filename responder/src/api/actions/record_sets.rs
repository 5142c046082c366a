//! Record sets: changed in batches, listed in pages.

use pulse53_core::change::{Action, Change, SetKey, apply};
use pulse53_core::model::{Name, Zone};
use pulse53_core::rdata;
use pulse53_core::route53::ResourceRecordSet;

use super::hosted_zones::{find, find_writable};
use super::{changes, protections, record_set_xml};
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, route};
use crate::api::xml::Element;
use crate::store::{ZoneRow, set_key};

pub(super) const ROUTES: &[Route] = &[
    route("POST", "hostedzone/*/rrset", "ChangeResourceRecordSets", change),
    route("GET", "hostedzone/*/rrset", "ListResourceRecordSets", list),
];

/// Most record sets on a page.
const PAGE_MAX: usize = 300;

fn change(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    let xml = request.xml()?;
    let missing = || ApiError::invalid_input("Invalid request: Missing field 'ChangeBatch'");
    let batch = xml.child("ChangeBatch").ok_or_else(missing)?;
    let comment = batch.value("Comment");
    let changes: Vec<Change> = match batch.items("Changes", "Change") {
        Some(changes) => changes.map(read_change).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    let (change, _) = api.store.change(|reading, commit| {
        let (zone, _) = find_writable(reading, id)?;
        protections::check(reading, &zone.id, &changes)?;
        let applied = apply(reading.declared(), &zone, &changes, &api.settings.limits)?;
        commit.declare_zone(applied.zone, &applied.edits)?;
        Ok::<_, ApiError>(changes::record(reading, commit, comment)?)
    })?;
    Ok(Reply::ok(|xml| changes::write(xml, api, &change.0, &change.1)))
}

fn read_change(xml: &Element) -> Result<Change, ApiError> {
    let text = xml.required("Action")?;
    let action = Action::from_route53(&text).ok_or_else(|| {
        ApiError::invalid_input(format!(
            "Invalid request: Action must be CREATE, DELETE or UPSERT, not '{text}'"
        ))
    })?;
    let missing = || ApiError::invalid_input("Invalid request: Missing field 'ResourceRecordSet' in Change");
    let set = xml.child("ResourceRecordSet").ok_or_else(missing)?;
    Ok(Change { action, set: record_set_xml::read(set)? })
}

fn list(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let max = request.max_items(PAGE_MAX)?;
    let from = start(request)?;
    let reading = api.store.read()?;
    let zone = find(&reading, request.parameter(0))?;
    let is_stored = reading.row::<ZoneRow>(&[&zone.id.0])?.is_some();
    let mut sets = if is_stored {
        reading.record_sets(&zone.id.0, &from, max + 1)?
    } else {
        of_file(&zone, &from, max + 1)
    };
    let next = if sets.len() > max { sets.pop() } else { None };
    Ok(Reply::ok(|xml| {
        xml.list("ResourceRecordSets", &sets, record_set_xml::write);
        xml.text("IsTruncated", next.is_some());
        if let Some(next) = &next {
            xml.text("NextRecordName", &next.name);
            xml.text("NextRecordType", &next.record_type);
            xml.optional("NextRecordIdentifier", next.set_identifier.as_deref());
        }
        xml.text("MaxItems", max);
    }))
}

/// The key that a listing starts at, which need not exist.
fn start(request: &Request) -> Result<String, ApiError> {
    let (name, record_type) = (request.query("name"), request.query("type"));
    let set_id = request.query("identifier");
    if record_type.is_some() && name.is_none() {
        return Err(ApiError::invalid_input("Invalid parameter : type needs name"));
    }
    if set_id.is_some() && record_type.is_none() {
        return Err(ApiError::invalid_input("Invalid parameter : identifier needs name and type"));
    }
    if let Some(text) = record_type.filter(|text| rdata::record_type(text).is_none()) {
        return Err(ApiError::invalid_input(format!("Invalid parameter : type: '{text}' is no record type")));
    }
    let Some(text) = name else { return Ok(String::new()) };
    let name = Name::from_route53(text).map_err(|error| {
        ApiError::invalid_input(format!("Invalid parameter : {text:?} is no domain name: {error}"))
    })?;
    let mut key = name.reversed();
    for part in [record_type, set_id].into_iter().flatten() {
        key.push('\0');
        key.push_str(part);
    }
    Ok(key)
}

/// A page of a zone that comes from a file: its record sets are not stored, and made from what they mean.
fn of_file(zone: &Zone, from: &str, max: usize) -> Vec<ResourceRecordSet> {
    let mut keys: Vec<(String, SetKey)> = Vec::new();
    for ((owner, record_type), group) in &zone.groups {
        for set in &group.members {
            let set_id = set.set_id.clone();
            let key = SetKey { owner: owner.clone(), record_type: *record_type, set_id };
            let listed = set_key(&key);
            if listed.as_str() >= from {
                keys.push((listed, key));
            }
        }
    }
    keys.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let of_key = |SetKey { owner, record_type, set_id }: SetKey| {
        let group = zone.groups.get(&(owner.clone(), record_type))?;
        let set = group.members.iter().find(|set| set.set_id == set_id)?;
        Some(ResourceRecordSet::listed(&owner, record_type, set))
    };
    keys.into_iter().take(max).filter_map(|(_, key)| of_key(key)).collect()
}
