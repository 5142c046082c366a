//! Tags of hosted zones and health checks.

use std::collections::BTreeMap;

use pulse53_core::model::{CheckId, ZoneId};

use super::health_checks;
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, bare_id, route};
use crate::api::xml::Xml;
use crate::store::{Reading, ResourceKind, ZoneRow};

pub(super) const ROUTES: &[Route] = &[
    route("POST", "tags/*/*", "ChangeTagsForResource", change),
    route("GET", "tags/*/*", "ListTagsForResource", list),
    route("POST", "tags/*", "ListTagsForResources", list_many),
];

/// Most tags added in one request, and most resources listed in one.
const REQUEST_MAX: usize = 10;
/// Most tags of one resource.
const TAGS_MAX: usize = 50;
/// Most characters of a key.
const KEY_MAX: usize = 128;
/// Most characters of a value.
const VALUE_MAX: usize = 256;

fn kind(request: &Request) -> Result<ResourceKind, ApiError> {
    let text = request.parameter(0);
    let kinds = [ResourceKind::HostedZone, ResourceKind::HealthCheck];
    kinds.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
        ApiError::invalid_input(format!("ResourceType must be hostedzone or healthcheck, not '{text}'"))
    })
}

/// Refuses what does not exist.
fn check_exists(reading: &Reading, kind: ResourceKind, id: &str) -> Result<(), ApiError> {
    let declared = reading.declared();
    match kind {
        ResourceKind::HostedZone if declared.zones.contains_key(&ZoneId(id.into())) => Ok(()),
        ResourceKind::HostedZone => Err(ApiError::no_such_zone(id)),
        ResourceKind::HealthCheck if declared.checks.contains_key(&CheckId::from(id)) => Ok(()),
        ResourceKind::HealthCheck => Err(ApiError::no_such_check(id)),
    }
}

fn change(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let kind = kind(request)?;
    let id = request.parameter(1);
    let xml = request.xml()?;
    let mut added = Vec::new();
    for tag in xml.items("AddTags", "Tag").into_iter().flatten() {
        let (key, value) = (tag.required("Key")?, tag.value("Value").unwrap_or_default());
        if key.chars().count() > KEY_MAX || value.chars().count() > VALUE_MAX {
            return Err(ApiError::invalid_input(format!(
                "A tag's Key has at most {KEY_MAX} characters and its Value at most {VALUE_MAX}"
            )));
        }
        added.push((key, value));
    }
    let removed: Vec<String> =
        xml.items("RemoveTagKeys", "Key").into_iter().flatten().map(|key| key.text.clone()).collect();
    if added.is_empty() && removed.is_empty() {
        return Err(ApiError::invalid_input("At least one of AddTags and RemoveTagKeys must be given"));
    }
    if added.len() > REQUEST_MAX || removed.len() > REQUEST_MAX {
        return Err(ApiError::invalid_input(format!(
            "At most {REQUEST_MAX} tags can be changed in one request"
        )));
    }
    api.store.change(|reading, commit| {
        check_exists(reading, kind, id)?;
        if kind == ResourceKind::HostedZone && reading.row::<ZoneRow>(&[id])?.is_none() {
            let zone = &reading.declared().zones[&ZoneId(id.into())];
            return Err(ApiError::access_denied(format!("Zone {} is managed by a file.", zone.apex)));
        }
        let mut tags: BTreeMap<String, String> = reading.tags(kind, id)?.into_iter().collect();
        tags.retain(|key, _| !removed.contains(key));
        tags.extend(added.iter().cloned());
        if tags.len() > TAGS_MAX {
            return Err(ApiError::invalid_input(format!("A resource has at most {TAGS_MAX} tags")));
        }
        if kind == ResourceKind::HealthCheck {
            // Our own tags change what a check does (H-2), at once.
            let row = health_checks::find_writable(reading, id)?;
            commit.declare_check(health_checks::declare(api, reading, id, &row, tags)?);
        }
        removed.iter().for_each(|key| commit.tag(kind, id, key, None));
        added.iter().for_each(|(key, value)| commit.tag(kind, id, key, Some(value)));
        Ok(())
    })?;
    Ok(Reply::ok(|_| {}))
}

fn list(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let kind = kind(request)?;
    let id = request.parameter(1);
    let reading = api.store.read()?;
    check_exists(&reading, kind, id)?;
    let tags = reading.tags(kind, id)?;
    Ok(Reply::ok(|xml| write(xml, kind, id, &tags)))
}

fn list_many(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let kind = kind(request)?;
    let xml = request.xml()?;
    let ids: Vec<String> =
        xml.items("ResourceIds", "ResourceId").into_iter().flatten().map(|id| id.text.clone()).collect();
    if ids.is_empty() || ids.len() > REQUEST_MAX {
        return Err(ApiError::invalid_input(format!("ResourceIds must hold 1 to {REQUEST_MAX} ids")));
    }
    let reading = api.store.read()?;
    let mut found = Vec::with_capacity(ids.len());
    for id in &ids {
        check_exists(&reading, kind, bare_id(id))?;
        found.push((id, reading.tags(kind, bare_id(id))?));
    }
    Ok(Reply::ok(|xml| {
        xml.list("ResourceTagSets", &found, |xml, (id, tags)| write(xml, kind, id, tags));
    }))
}

/// `ResourceTagSet`; the id in the form it was asked for.
fn write(xml: &mut Xml, kind: ResourceKind, id: &str, tags: &[(String, String)]) {
    xml.element("ResourceTagSet", |xml| {
        xml.text("ResourceType", kind.as_str());
        xml.text("ResourceId", id);
        xml.list("Tags", tags, |xml, (key, value)| {
            xml.element("Tag", |xml| {
                xml.text("Key", key);
                xml.text("Value", value);
            });
        });
    });
}
