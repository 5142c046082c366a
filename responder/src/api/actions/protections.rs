//! Protections: while a name and type is protected, no batch changes its record sets.

use pulse53_core::change::Change;
use pulse53_core::model::{Name, ZoneId};
use pulse53_core::rdata;

use super::hosted_zones::{find, find_writable};
use crate::api::error::{ApiError, ItemError};
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, route};
use crate::api::xml::Element;
use crate::store::{ProtectionRow, Reading};

pub(super) const ROUTES: &[Route] = &[
    route("POST", "hostedzone/*/rrsetprotection", "CreateResourceRecordSetProtections", create),
    route("GET", "hostedzone/*/rrsetprotection", "ListResourceRecordSetProtections", list),
    route("POST", "hostedzone/*/rrsetprotection/delete", "DeleteResourceRecordSetProtections", delete),
];

/// Most protections in one request.
const REQUEST_MAX: usize = 100;
/// Most protections on a page.
const PAGE_MAX: usize = 100;
/// Most characters of a comment.
const COMMENT_MAX: usize = 256;

/// The key of a protection within its zone: in the order of record sets.
fn key(name: &Name, record_type: &str) -> String {
    format!("{}\0{record_type}", name.reversed())
}

/// Refuses a batch that changes what is protected.
pub(super) fn check(reading: &Reading, zone: &ZoneId, changes: &[Change]) -> Result<(), ApiError> {
    let mut refused = Vec::new();
    for Change { set, .. } in changes {
        // A name that is none is refused in words of its own.
        let Ok(name) = Name::from_route53(&set.name) else { continue };
        let Some(row) = reading.row::<ProtectionRow>(&[&zone.0, &key(&name, &set.record_type)])? else {
            continue;
        };
        let place = format!("[name='{name}', type='{}']", set.record_type);
        let why = row.comment.map_or_else(String::new, |comment| format!(": {comment}"));
        refused.push(format!("Tried to change resource record set {place} but it is protected{why}"));
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(ApiError::new("InvalidChangeBatch", format!("[{}]", refused.join(", "))))
}

/// The protections that a request lists, with their keys.
fn read(xml: &Element, item: &str, apex: &Name) -> Result<Vec<(String, ProtectionRow)>, ApiError> {
    let mut rows = Vec::new();
    for protection in xml.items("Protections", item).into_iter().flatten() {
        let (text, kind) = (protection.required("RecordName")?, protection.required("RecordType")?);
        let name = Name::from_route53(&text).map_err(|error| {
            ApiError::invalid_input(format!("RecordName: '{text}' is no domain name: {error}"))
        })?;
        if !name.is_at_or_below(apex) {
            return Err(ApiError::invalid_input(format!(
                "RecordName: {name} is not in the hosted zone {apex}"
            )));
        }
        let record_type = rdata::record_type(&kind)
            .ok_or_else(|| ApiError::invalid_input(format!("RecordType: '{kind}' is no record type")))?;
        let comment = protection.value("Comment");
        if comment.as_ref().is_some_and(|comment| comment.chars().count() > COMMENT_MAX) {
            let what = format!("Comment must have at most {COMMENT_MAX} characters");
            return Err(ApiError::invalid_input(what));
        }
        let record_type = record_type.to_string();
        rows.push((key(&name, &record_type), ProtectionRow { name: name.to_string(), record_type, comment }));
    }
    if rows.is_empty() || rows.len() > REQUEST_MAX {
        let what = format!("Invalid request: Protections must hold 1 to {REQUEST_MAX} items");
        return Err(ApiError::invalid_input(what));
    }
    Ok(rows)
}

fn complaint(row: &ProtectionRow, code: &'static str, what: &str) -> ItemError {
    let ProtectionRow { name, record_type, .. } = row;
    ItemError {
        record_name: name.clone(),
        record_type: record_type.clone(),
        code,
        message: format!("[name='{name}', type='{record_type}'] {what}"),
    }
}

fn create(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    let xml = request.xml()?;
    api.store.change(|reading, commit| {
        let (zone, _) = find_writable(reading, id)?;
        let rows = read(&xml, "ResourceRecordSetProtectionConfig", &zone.apex)?;
        let mut complaints = Vec::new();
        for (at, (key, row)) in rows.iter().enumerate() {
            let is_there = reading.row::<ProtectionRow>(&[id, key])?.is_some();
            if is_there || rows[..at].iter().any(|(other, _)| other == key) {
                complaints.push(complaint(row, "ProtectionAlreadyExists", "is protected already"));
            }
            commit.put(&[id, key], row)?;
        }
        match complaints.len() {
            0 => Ok(()),
            all if all == rows.len() => {
                let what = "Every resource record set of the request is protected already.";
                Err(ApiError::conflict("ProtectionAlreadyExists", what).with_errors(complaints))
            }
            _ => Err(invalid_batch(complaints)),
        }
    })?;
    Ok(Reply::ok(|_| {}))
}

fn invalid_batch(complaints: Vec<ItemError>) -> ApiError {
    let what = "The protections were not changed: see the errors.";
    ApiError::new("InvalidResourceRecordSetProtectionBatch", what).with_errors(complaints)
}

fn delete(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    let xml = request.xml()?;
    api.store.change(|reading, commit| {
        let (zone, _) = find_writable(reading, id)?;
        let mut complaints = Vec::new();
        for (key, row) in read(&xml, "ResourceRecordSetProtectionKey", &zone.apex)? {
            if reading.row::<ProtectionRow>(&[id, &key])?.is_none() {
                complaints.push(complaint(&row, "NoSuchProtection", "is not protected"));
            }
            commit.remove::<ProtectionRow>(&[id, &key]);
        }
        if complaints.is_empty() { Ok(()) } else { Err(invalid_batch(complaints)) }
    })?;
    Ok(Reply::ok(|_| {}))
}

fn list(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    let (max, token) = request.token_page(PAGE_MAX, "InvalidPaginationToken")?;
    let start = match request.query("name") {
        None => String::new(),
        Some(text) => {
            let name = Name::from_route53(text).map_err(|error| {
                ApiError::invalid_input(format!("Invalid parameter : {text:?} is no domain name: {error}"))
            })?;
            key(&name, request.query("type").unwrap_or_default())
        }
    };
    let reading = api.store.read()?;
    find(&reading, id)?;
    let mut rows = reading.rows_from::<ProtectionRow>(&[id], &token.max(start), max + 1)?;
    let next = if rows.len() > max { rows.pop() } else { None };
    Ok(Reply::ok(|xml| {
        xml.list("ResourceRecordSetProtections", &rows, |xml, (_, row)| {
            xml.element("ResourceRecordSetProtection", |xml| {
                xml.text("RecordName", &row.name);
                xml.text("RecordType", &row.record_type);
                xml.optional("Comment", row.comment.as_deref());
            });
        });
        xml.optional("NextToken", next.map(|(key, _)| hex::encode(key)));
    }))
}
