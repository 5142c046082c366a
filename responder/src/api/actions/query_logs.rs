//! Query logging configurations: which zone's queries are logged in which log group, which is a file here.

use pulse53_core::model::ZoneId;

use super::hosted_zones::{find, find_writable};
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::identifiers;
use crate::api::route::{Reply, Request, Route, bare_id, route};
use crate::api::xml::Xml;
use crate::query_log::group_of;
use crate::store::{Commit, QueryLogRow, Reading, StoreError};

pub(super) const ROUTES: &[Route] = &[
    route("POST", "queryloggingconfig", "CreateQueryLoggingConfig", create),
    route("GET", "queryloggingconfig", "ListQueryLoggingConfigs", list),
    route("GET", "queryloggingconfig/*", "GetQueryLoggingConfig", get),
    route("DELETE", "queryloggingconfig/*", "DeleteQueryLoggingConfig", delete),
];

/// Most configurations on a page.
const PAGE_MAX: usize = 100;

fn write(xml: &mut Xml, id: &str, row: &QueryLogRow) {
    xml.element("QueryLoggingConfig", |xml| {
        xml.text("Id", id);
        xml.text("HostedZoneId", &row.zone);
        xml.text("CloudWatchLogsLogGroupArn", &row.log_group_arn);
    });
}

/// The configuration of an id.
fn config(reading: &Reading, id: &str) -> Result<QueryLogRow, ApiError> {
    reading.row::<QueryLogRow>(&[id])?.ok_or_else(|| {
        let what = format!("No query logging configuration found with ID: {id}");
        ApiError::not_found("NoSuchQueryLoggingConfig", what)
    })
}

/// The configuration of a zone with its id, if its queries are logged.
fn of_zone(reading: &Reading, zone: &str) -> Result<Option<(String, QueryLogRow)>, StoreError> {
    if !reading.declared().query_logs.contains_key(&ZoneId(zone.into())) {
        return Ok(None);
    }
    Ok(reading.rows::<QueryLogRow>(&[])?.into_iter().find(|(_, row)| row.zone == zone))
}

/// Removes the configuration of a zone that goes.
pub(super) fn forget(reading: &Reading, commit: &mut Commit, zone: &ZoneId) -> Result<(), StoreError> {
    if let Some((id, _)) = of_zone(reading, &zone.0)? {
        commit.remove::<QueryLogRow>(&[&id]);
        commit.log_queries(zone.clone(), None);
    }
    Ok(())
}

fn create(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let xml = request.xml()?;
    let zone = xml.required("HostedZoneId")?;
    let row = QueryLogRow {
        zone: bare_id(&zone).to_owned(),
        log_group_arn: xml.required("CloudWatchLogsLogGroupArn")?,
    };
    let group = group_of(&row.log_group_arn).ok_or_else(|| {
        ApiError::invalid_input(format!(
            "CloudWatchLogsLogGroupArn must be arn:aws:logs:REGION:ACCOUNT:log-group:NAME, not '{}'",
            row.log_group_arn
        ))
    })?;
    let id = identifiers::uuid();
    api.store.change(|reading, commit| {
        let (zone, _) = find_writable(reading, &row.zone)?;
        if of_zone(reading, &row.zone)?.is_some() {
            let what = format!("The hosted zone {} has a query logging configuration already.", row.zone);
            return Err(ApiError::conflict("QueryLoggingConfigAlreadyExists", what));
        }
        // A log that nobody can write would lose every line.
        api.settings.query_logs.open(group).map_err(|error| {
            let what = format!("The log group {group} does not exist: {error}");
            ApiError::not_found("NoSuchCloudWatchLogsLogGroup", what)
        })?;
        commit.put(&[&id], &row)?;
        commit.log_queries(zone.id.clone(), Some(group.into()));
        Ok(())
    })?;
    Ok(Reply::created(format!("queryloggingconfig/{id}"), |xml| write(xml, &id, &row)))
}

fn get(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    let row = config(&api.store.read()?, id)?;
    Ok(Reply::ok(|xml| write(xml, id, &row)))
}

fn delete(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    api.store.change(|reading, commit| {
        let row = config(reading, id)?;
        commit.remove::<QueryLogRow>(&[id]);
        commit.log_queries(ZoneId(row.zone.into()), None);
        Ok::<_, ApiError>(())
    })?;
    Ok(Reply::ok(|_| {}))
}

fn list(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let (max, token) = request.token_page(PAGE_MAX, "InvalidPaginationToken")?;
    let reading = api.store.read()?;
    let (rows, next) = match request.query("hostedzoneid").map(bare_id) {
        Some(zone) => {
            find(&reading, zone)?;
            (of_zone(&reading, zone)?.into_iter().collect(), None)
        }
        None => {
            let mut rows = reading.rows_from::<QueryLogRow>(&[], &token, max + 1)?;
            let next = if rows.len() > max { rows.pop() } else { None };
            (rows, next)
        }
    };
    Ok(Reply::ok(|xml| {
        xml.list("QueryLoggingConfigs", &rows, |xml, (id, row)| write(xml, id, row));
        xml.optional("NextToken", next.map(|(id, _)| hex::encode(id)));
    }))
}
