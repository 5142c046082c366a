//! Health checks: make, get, list, update, delete, count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pulse53_core::model::{CheckId, CheckKind, HealthCheck};
use pulse53_core::route53::{HealthCheckConfig, Violation};

use super::health_check_xml;
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::identifiers;
use crate::api::route::{Reply, Request, Route, route};
use crate::api::xml::{Element, Xml};
use crate::store::{CheckRow, Reading, Reference, ResourceKind, StoreError};

pub(super) const ROUTES: &[Route] = &[
    route("POST", "healthcheck", "CreateHealthCheck", create),
    route("GET", "healthcheck", "ListHealthChecks", list),
    route("GET", "healthcheck/*", "GetHealthCheck", get),
    route("POST", "healthcheck/*", "UpdateHealthCheck", update),
    route("DELETE", "healthcheck/*", "DeleteHealthCheck", delete),
    route("GET", "healthcheckcount", "GetHealthCheckCount", count),
];

/// Most characters of a caller reference.
const REFERENCE_MAX: usize = 64;
/// Fewest regions, where any are given.
const REGIONS_MIN: usize = 3;
/// `HealthCheckRegion`
const REGIONS: [&str; 8] = [
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "sa-east-1",
];
/// Most checks on a page.
const PAGE_MAX: usize = 1000;

/// The row of a check that the API made, or what stands for it.
fn row_of(reading: &Reading, check: &HealthCheck) -> Result<CheckRow, StoreError> {
    Ok(reading.row(&[&check.id.0])?.unwrap_or_else(|| CheckRow {
        caller_reference: format!("file:{}", check.id),
        version: check.version,
        config: HealthCheckConfig::listed(check),
    }))
}

/// `HealthCheck`
fn write(xml: &mut Xml, id: &str, row: &CheckRow) {
    xml.element("HealthCheck", |xml| {
        xml.text("Id", id);
        xml.text("CallerReference", &row.caller_reference);
        health_check_xml::write(xml, &row.config.clone().with_defaults());
        xml.text("HealthCheckVersion", row.version);
    });
}

/// The row of a check that is the API's to write.
pub(super) fn find_writable(reading: &Reading, id: &str) -> Result<CheckRow, ApiError> {
    if !reading.declared().checks.contains_key(&CheckId::from(id)) {
        return Err(ApiError::no_such_check(id));
    }
    let of_file = || ApiError::access_denied(format!("Health check {id} is managed by a file."));
    reading.row::<CheckRow>(&[id])?.ok_or_else(of_file)
}

/// What the row means, next to the checks there are.
pub(super) fn declare(
    api: &Api,
    reading: &Reading,
    id: &str,
    row: &CheckRow,
    tags: BTreeMap<String, String>,
) -> Result<Arc<HealthCheck>, ApiError> {
    let check = row.declare(id, tags).map_err(|violations| invalid(&violations))?;
    let address = row.config.ip_address.as_ref().and_then(|address| address.parse().ok());
    if let Some(address) = address.filter(|address| !(api.may_be_probed)(*address)) {
        let what = format!("IPAddress: [checker] allow and deny keep {address} from being probed");
        return Err(ApiError::invalid_input(format!("Invalid parameter : {what}")));
    }
    if let Some(regions) = &row.config.regions {
        let distinct: BTreeSet<&String> = regions.iter().collect();
        if distinct.len() < REGIONS_MIN || distinct.len() < regions.len() {
            let what = format!("Regions: give at least {REGIONS_MIN}, each once");
            return Err(ApiError::invalid_input(format!("Invalid parameter : {what}")));
        }
        let is_known =
            |region: &str| REGIONS.contains(&region) || api.settings.checker.iter().any(|own| own == region);
        if let Some(region) = distinct.into_iter().find(|region| !is_known(region)) {
            let what =
                format!("Regions: '{region}' is neither one of {} nor this checker", REGIONS.join(", "));
            return Err(ApiError::invalid_input(format!("Invalid parameter : {what}")));
        }
    }
    if let CheckKind::Calculated { children, .. } = &check.kind {
        for child in children {
            match reading.declared().checks.get(child).map(|child| &child.kind) {
                None => {
                    return Err(ApiError::invalid_input(format!(
                        "Invalid parameter : ChildHealthChecks: no health check exists with the ID {child}"
                    )));
                }
                Some(CheckKind::Calculated { .. }) => {
                    return Err(ApiError::invalid_input(format!(
                        "Invalid parameter : ChildHealthChecks: {child} is a calculated health check itself"
                    )));
                }
                Some(_) => {}
            }
        }
    }
    Ok(Arc::new(check))
}

fn invalid(violations: &[Violation]) -> ApiError {
    let what: Vec<String> = violations
        .iter()
        .map(|violation| {
            let field = violation.field.strip_prefix("HealthCheckConfig.").unwrap_or(&violation.field);
            format!("{field}: {}", violation.what)
        })
        .collect();
    ApiError::invalid_input(format!("Invalid parameter : {}", what.join("; ")))
}

fn create(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let xml = request.xml()?;
    let reference = xml.required("CallerReference")?;
    if reference.chars().count() > REFERENCE_MAX {
        return Err(ApiError::invalid_input(format!(
            "CallerReference must have 1 to {REFERENCE_MAX} characters"
        )));
    }
    let missing = || ApiError::invalid_input("Invalid request: Missing field 'HealthCheckConfig'");
    let given = xml.child("HealthCheckConfig").ok_or_else(missing)?;
    let mut config =
        HealthCheckConfig { check_type: given.required("Type")?, ..HealthCheckConfig::default() };
    health_check_xml::read(given, &mut config)?;
    refuse_contradictions(&config)?;
    refuse_undeclared_control(api, &config)?;
    let row = CheckRow { caller_reference: reference.clone(), version: 1, config };
    let (id, _) = api.store.change(|reading, commit| {
        let kind = ResourceKind::HealthCheck.as_str();
        if let Some(Reference { id }) = reading.row(&[kind, &reference])? {
            // The same again is answered with what it made; it may have been updated since.
            let is_same = reading.row::<CheckRow>(&[&id])?.is_some_and(|made| {
                made.config.clone().with_defaults() == row.config.clone().with_defaults()
            });
            let what = "A health check with this caller reference has already been created with other settings, or deleted.";
            return if is_same { Ok(id) } else { Err(ApiError::conflict("HealthCheckAlreadyExists", what)) };
        }
        let max = api.settings.limits.health_checks;
        if reading.declared().checks.len() >= max {
            let what = format!("The limit of {max} health checks is reached; [limits] health_checks raises it.");
            return Err(ApiError::new("TooManyHealthChecks", what));
        }
        let id = identifiers::uuid();
        commit.declare_check(declare(api, reading, &id, &row, BTreeMap::new())?);
        commit.put(&[kind, &reference], &Reference { id: id.clone() })?;
        commit.put(&[&id], &row)?;
        Ok(id)
    })?;
    Ok(Reply::created(format!("healthcheck/{id}"), |xml| write(xml, &id, &row)))
}

/// A check that followed a routing control nobody has declared would be Off for ever (H-2).
fn refuse_undeclared_control(api: &Api, config: &HealthCheckConfig) -> Result<(), ApiError> {
    let Some(arn) = config.routing_control_arn.as_deref() else { return Ok(()) };
    // None: the node is stopping, and what it no longer knows it refuses nothing for.
    if (api.controls.list)().is_none_or(|declared| declared.contains_key(arn)) {
        return Ok(());
    }
    Err(ApiError::invalid_input(format!(
        "Invalid parameter : RoutingControlArn: {arn} is no declared routing control; \
         add a [[routing_control]] with this arn to the configuration"
    )))
}

/// What Route 53 has words of its own for.
fn refuse_contradictions(config: &HealthCheckConfig) -> Result<(), ApiError> {
    let has_both = config.ip_address.is_some() && config.fully_qualified_domain_name.is_some();
    let what = if config.check_type == "TCP" && has_both {
        "TCP health checks that have IP address must not have a fully qualified domain name specified."
    } else if config.check_type != "CLOUDWATCH_METRIC" && config.alarm_identifier.is_some() {
        "Basic health checks must not have an metric region specified."
    } else {
        return Ok(());
    };
    Err(ApiError::invalid_input(format!("Invalid parameter : {what}")))
}

fn get(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    let reading = api.store.read()?;
    let check =
        reading.declared().checks.get(&CheckId::from(id)).ok_or_else(|| ApiError::no_such_check(id))?;
    let row = row_of(&reading, check)?;
    Ok(Reply::ok(|xml| write(xml, id, &row)))
}

fn list(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let max = request.max_items(PAGE_MAX)?;
    let marker = request.query("marker");
    let reading = api.store.read()?;
    let from = CheckId::from(marker.unwrap_or_default());
    let mut rows = Vec::new();
    for (id, check) in reading.declared().checks.range(from..).take(max + 1) {
        rows.push((id, row_of(&reading, check)?));
    }
    let next = if rows.len() > max { rows.pop() } else { None };
    Ok(Reply::ok(|xml| {
        xml.list("HealthChecks", &rows, |xml, (id, row)| write(xml, &id.0, row));
        xml.text("Marker", marker.unwrap_or_default());
        xml.text("IsTruncated", next.is_some());
        xml.optional("NextMarker", next.map(|(id, _)| id));
        xml.text("MaxItems", max);
    }))
}

fn update(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    let xml = request.xml()?;
    let expected = xml.integer("HealthCheckVersion")?;
    let (row, _) = api.store.change(|reading, commit| {
        let row = find_writable(reading, id)?;
        if expected.is_some_and(|expected| u64::try_from(expected) != Ok(row.version)) {
            let what = format!("The health check version is {}, not the one in the request.", row.version);
            return Err(ApiError::conflict("HealthCheckVersionMismatch", what));
        }
        let mut config = row.config.clone();
        let fixed = (config.request_interval, config.measure_latency);
        health_check_xml::read(&xml, &mut config)?;
        (config.request_interval, config.measure_latency) = fixed;
        reset(&xml, &mut config)?;
        refuse_contradictions(&config)?;
        let row = CheckRow { version: row.version + 1, config, ..row };
        let tags = reading.tags(ResourceKind::HealthCheck, id)?.into_iter().collect();
        commit.declare_check(declare(api, reading, id, &row, tags)?);
        commit.put(&[id], &row)?;
        Ok(row)
    })?;
    Ok(Reply::ok(|xml| write(xml, id, &row)))
}

/// `ResetElements`
fn reset(xml: &Element, config: &mut HealthCheckConfig) -> Result<(), ApiError> {
    for element in xml.items("ResetElements", "ResettableElementName").into_iter().flatten() {
        match element.text.as_str() {
            "FullyQualifiedDomainName" => config.fully_qualified_domain_name = None,
            "ResourcePath" => config.resource_path = None,
            "ChildHealthChecks" => config.child_health_checks = None,
            "Regions" => config.regions = None,
            other => {
                return Err(ApiError::invalid_input(format!("ResetElements: '{other}' cannot be reset")));
            }
        }
    }
    Ok(())
}

fn delete(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    api.store.change(|reading, commit| {
        find_writable(reading, id)?;
        let check = CheckId::from(id);
        let is_parent = |other: &Arc<HealthCheck>| {
            matches!(&other.kind, CheckKind::Calculated { children, .. } if children.contains(&check))
        };
        if let Some(parent) = reading.declared().checks.values().find(|other| is_parent(other)) {
            let what = format!("Health check {id} is in use by the calculated health check {}.", parent.id);
            return Err(ApiError::new("HealthCheckInUse", what));
        }
        for (key, _) in reading.tags(ResourceKind::HealthCheck, id)? {
            commit.tag(ResourceKind::HealthCheck, id, &key, None);
        }
        commit.remove::<CheckRow>(&[id]);
        commit.drop_check(check);
        Ok(())
    })?;
    Ok(Reply::ok(|_| {}))
}

fn count(api: &Api, _: &Request) -> Result<Reply, ApiError> {
    let count = api.store.read()?.declared().checks.len();
    Ok(Reply::ok(|xml| xml.text("HealthCheckCount", count)))
}
