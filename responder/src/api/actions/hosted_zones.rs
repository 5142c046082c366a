//! Hosted zones: make, get, comment, delete.

use std::sync::Arc;

use pulse53_core::change::{NewZone, create_zone};
use pulse53_core::model::{Name, RecordType, Zone, ZoneId};

use super::{changes, delegation_sets, query_logs};
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::identifiers;
use crate::api::route::{Reply, Request, Route, bare_id, route};
use crate::api::xml::Xml;
use crate::declared::record_set_count;
use crate::store::{ProtectionRow, Reading, Reference, ResourceKind, SigningKeyRow, StoreError, ZoneRow};

pub(super) const ROUTES: &[Route] = &[
    route("POST", "hostedzone", "CreateHostedZone", create),
    route("GET", "hostedzone/*", "GetHostedZone", get),
    route("POST", "hostedzone/*", "UpdateHostedZoneComment", comment),
    route("DELETE", "hostedzone/*", "DeleteHostedZone", delete),
];

/// Most characters of a caller reference.
const REFERENCE_MAX: usize = 128;
/// Most characters of a comment.
const COMMENT_MAX: usize = 256;

/// A zone that is declared, by whomever.
pub(super) struct HostedZone {
    pub zone: Arc<Zone>,
    pub row: ZoneRow,
}

impl HostedZone {
    /// With the row of a zone that the API made, or what stands for it.
    pub(super) fn of(reading: &Reading, zone: &Arc<Zone>) -> Result<Self, StoreError> {
        let row = reading.row(&[&zone.id.0])?.unwrap_or_else(|| ZoneRow {
            name: zone.apex.to_string(),
            caller_reference: format!("file:{}", zone.apex),
            comment: Some("Managed by a file".to_owned()),
            name_servers: name_servers(zone),
            delegation_set: None,
        });
        Ok(Self { zone: zone.clone(), row })
    }

    /// `HostedZone`
    pub(super) fn write(&self, xml: &mut Xml) {
        xml.element("HostedZone", |xml| {
            xml.text("Id", format_args!("/hostedzone/{}", self.zone.id));
            xml.text("Name", &self.row.name);
            xml.text("CallerReference", &self.row.caller_reference);
            xml.element("Config", |xml| {
                xml.optional("Comment", self.row.comment.as_deref());
                xml.text("PrivateZone", false);
            });
            xml.text("ResourceRecordSetCount", record_set_count(&self.zone));
        });
    }

    fn write_delegation_set(&self, xml: &mut Xml) {
        xml.element("DelegationSet", |xml| {
            xml.optional("Id", self.row.delegation_set.as_ref().map(|id| format!("/delegationset/{id}")));
            xml.list("NameServers", &self.row.name_servers, |xml, name| xml.text("NameServer", name));
        });
    }
}

/// The apex NS of a zone, without final dots.
fn name_servers(zone: &Zone) -> Vec<String> {
    let group = zone.groups.get(&(zone.apex.clone(), RecordType::NS));
    let values = group.and_then(|group| match &group.members[0].data {
        pulse53_core::model::RecordData::Values { rdatas, .. } => Some(rdatas),
        pulse53_core::model::RecordData::Alias(_) => None,
    });
    let text = |rdata| pulse53_core::rdata::to_route53(RecordType::NS, rdata);
    let names = values.into_iter().flat_map(|rdatas| rdatas.iter().map(text));
    names.map(|name| name.trim_end_matches('.').to_owned()).collect()
}

/// The zone of an id.
pub(super) fn find(reading: &Reading, id: &str) -> Result<Arc<Zone>, ApiError> {
    let zone = reading.declared().zones.get(&ZoneId(id.into()));
    zone.cloned().ok_or_else(|| ApiError::no_such_zone(id))
}

/// The zone of an id, which is the API's to write.
pub(super) fn find_writable(reading: &Reading, id: &str) -> Result<(Arc<Zone>, ZoneRow), ApiError> {
    let zone = find(reading, id)?;
    match reading.row::<ZoneRow>(&[id])? {
        Some(row) => Ok((zone, row)),
        None => Err(ApiError::access_denied(format!("Zone {} is managed by a file.", zone.apex))),
    }
}

fn create(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let xml = request.xml()?;
    let text = xml.required("Name")?;
    let apex = zone_name(&text)?;
    let reference = xml.required("CallerReference")?;
    if reference.chars().count() > REFERENCE_MAX {
        return Err(ApiError::invalid_input(format!(
            "CallerReference must have 1 to {REFERENCE_MAX} characters"
        )));
    }
    let config = xml.child("HostedZoneConfig");
    let is_private = config.map(|config| config.boolean("PrivateZone")).transpose()?.flatten();
    if is_private == Some(true) || xml.child("VPC").is_some() {
        let what = "pulse53 has no VPCs; private zones are not supported";
        return Err(ApiError::new("InvalidVPCId", what));
    }
    let comment = config.and_then(|config| config.value("Comment"));
    check_comment(comment.as_deref())?;
    let delegation_set = xml.value("DelegationSetId").map(|id| bare_id(&id).to_owned());

    let below = |label: &str| Name::from_route53(&format!("{label}.{apex}")).unwrap_or_else(|_| apex.clone());
    let mut servers = api.settings.name_servers.clone();
    if let Some(id) = &delegation_set {
        let names = delegation_sets::find(&api.store.read()?, id)?.name_servers;
        servers = names.iter().filter_map(|name| Name::from_route53(name).ok()).collect();
    }
    if servers.is_empty() {
        servers.push(below("ns1"));
    }
    let mailbox = api.settings.hostmaster.clone().unwrap_or_else(|| below("hostmaster"));
    let id = identifiers::zone();
    let new = NewZone {
        id: ZoneId(id.as_str().into()),
        apex: apex.clone(),
        name_servers: &servers,
        mailbox: &mailbox,
    };
    let (zone, edits) = create_zone(new).map_err(|violations| {
        let what: Vec<String> = violations.into_iter().map(|violation| violation.what).collect();
        ApiError::new("InvalidDomainName", what.join("; "))
    })?;
    let zone = Arc::new(zone);
    let row = ZoneRow {
        name: apex.to_string(),
        caller_reference: reference.clone(),
        comment,
        name_servers: servers.iter().map(|name| name.to_string().trim_end_matches('.').to_owned()).collect(),
        delegation_set: delegation_set.clone(),
    };
    let (change, _) = api.store.change(|reading, commit| {
        let kind = ResourceKind::HostedZone.as_str();
        if reading.row::<Reference>(&[kind, &reference])?.is_some() {
            let what = "A hosted zone has already been created with the specified caller reference.";
            return Err(ApiError::conflict("HostedZoneAlreadyExists", what));
        }
        if reading.declared().zones.values().any(|other| other.apex == apex) {
            let what =
                format!("The domain name {apex} is already served here: all zones share the name servers.");
            return Err(ApiError::new("ConflictingDomainExists", what));
        }
        let max = api.settings.limits.hosted_zones;
        if reading.declared().zones.len() >= max {
            let what =
                format!("The limit of {max} hosted zones is reached; [limits] hosted_zones raises it.");
            return Err(ApiError::new("TooManyHostedZones", what));
        }
        if let Some(set) = &delegation_set {
            delegation_sets::find(reading, set)?;
        }
        commit.put(&[kind, &reference], &Reference { id: id.clone() })?;
        commit.put(&[&id], &row)?;
        commit.declare_zone(zone.clone(), &edits)?;
        Ok(changes::record(reading, commit, None)?)
    })?;
    let made = HostedZone { zone, row };
    Ok(Reply::created(format!("hostedzone/{id}"), |xml| {
        made.write(xml);
        changes::write(xml, api, &change.0, &change.1);
        made.write_delegation_set(xml);
    }))
}

fn zone_name(text: &str) -> Result<Name, ApiError> {
    let refuse = |what: String| Err(ApiError::new("InvalidDomainName", what));
    match Name::from_route53(text) {
        Ok(apex) if apex.label_count() == 0 => refuse("The root cannot be a hosted zone".to_owned()),
        Ok(apex) if apex.is_wildcard() => refuse(format!("{text} begins with a wildcard")),
        Ok(apex) => Ok(apex),
        Err(error) => refuse(format!("The domain name {text:?} is invalid: {error}")),
    }
}

fn check_comment(comment: Option<&str>) -> Result<(), ApiError> {
    if comment.is_some_and(|comment| comment.chars().count() > COMMENT_MAX) {
        return Err(ApiError::invalid_input(format!("Comment must have at most {COMMENT_MAX} characters")));
    }
    Ok(())
}

fn get(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let reading = api.store.read()?;
    let found = HostedZone::of(&reading, &find(&reading, request.parameter(0))?)?;
    Ok(Reply::ok(|xml| {
        found.write(xml);
        found.write_delegation_set(xml);
    }))
}

fn comment(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    let comment = request.xml()?.value("Comment");
    check_comment(comment.as_deref())?;
    let (zone, _) = api.store.change(|reading, commit| {
        let (zone, row) = find_writable(reading, id)?;
        let row = ZoneRow { comment, ..row };
        commit.put(&[id], &row)?;
        Ok::<_, ApiError>(HostedZone { zone, row })
    })?;
    Ok(Reply::ok(|xml| zone.write(xml)))
}

fn delete(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    let (change, _) = api.store.change(|reading, commit| {
        let (zone, _) = find_writable(reading, id)?;
        let is_required = |key: &(Name, RecordType)| {
            key.0 == zone.apex && matches!(key.1, RecordType::SOA | RecordType::NS)
        };
        let is_protected = !reading.rows_from::<ProtectionRow>(&[id], "", 1)?.is_empty();
        let has_keys = !reading.rows_from::<SigningKeyRow>(&[id], "", 1)?.is_empty();
        if is_protected || has_keys || !zone.groups.keys().all(is_required) {
            let what = "The specified hosted zone contains non-required resource record sets  and so cannot be deleted.";
            return Err(ApiError::new("HostedZoneNotEmpty", what));
        }
        for (key, _) in reading.tags(ResourceKind::HostedZone, id)? {
            commit.tag(ResourceKind::HostedZone, id, &key, None);
        }
        query_logs::forget(reading, commit, &zone.id)?;
        commit.remove::<ZoneRow>(&[id]);
        commit.drop_zone(&zone);
        Ok(changes::record(reading, commit, None)?)
    })?;
    Ok(Reply::ok(|xml| changes::write(xml, api, &change.0, &change.1)))
}
