//! Reads what `aws route53 list-health-checks` prints.

use serde_json::value::RawValue;

use super::health_check::{
    AlarmIdentifier, CloudWatchAlarmConfiguration, HealthCheckConfig, declare_health_check,
};
use super::json::{Document, Note, Object, listing};
use super::tags::{self, KNOWN_TAGS};
use crate::model::{Findings, HealthCheck, Problem};

/// What a file of health checks holds.
#[derive(Debug, Clone, Default)]
pub struct HealthChecks {
    /// The checks without errors, in order.
    pub checks: Vec<HealthCheck>,
    /// What is wrong.
    pub findings: Findings,
}

/// Reads health checks: an object with `HealthChecks`, or the list alone. `file` is its name for messages.
pub fn read_health_checks(file: &str, text: &str) -> HealthChecks {
    let document = Document::new(file, text);
    let mut read = HealthChecks::default();
    match listing(&document, "HealthChecks") {
        Ok((items, whole)) => {
            read.findings.errors = tags::problems_of_listing(&document, whole.as_ref());
            items.into_iter().for_each(|raw| read_one(&document, raw, &mut read));
        }
        Err(problems) => read.findings.errors = problems,
    }
    read
}

fn read_one<'a>(document: &Document<'a>, raw: &'a RawValue, read: &mut HealthChecks) {
    let mut notes = Vec::new();
    let Some(object) = Object::read(raw, "", &mut notes) else {
        let source = Some(document.source(raw.get()));
        let what = "each health check must be an object; write {\"Id\": …, \"HealthCheckConfig\": …}";
        read.findings.errors.push(Problem::of_syntax(source, what));
        return;
    };
    let id: String = object.needed("Id", &mut notes).unwrap_or_default();
    let version: i64 = object.field("HealthCheckVersion", &mut notes).unwrap_or(1);
    if object.raw("HealthCheckConfig").is_none() {
        let what = "missing; add it".into();
        notes.push(Note { at: object.whole, field: "HealthCheckConfig".into(), what });
    }
    let config =
        object.object("HealthCheckConfig", &mut notes).map(|config| read_config(&config, &mut notes));
    let alarm =
        object.object("CloudWatchAlarmConfiguration", &mut notes).map(|alarm| CloudWatchAlarmConfiguration {
            evaluation_periods: alarm.field("EvaluationPeriods", &mut notes),
            threshold: alarm.field("Threshold", &mut notes),
            comparison_operator: alarm.field("ComparisonOperator", &mut notes),
            period: alarm.field("Period", &mut notes),
        });
    let tags = tags::read(&object, &KNOWN_TAGS, &mut notes);
    let label = format!("health check {}", if id.is_empty() { "without Id" } else { &id });
    for note in &notes {
        let what = format!("{label}: {}: {}", note.field, note.what);
        read.findings.errors.push(Problem::of_syntax(Some(document.source(note.at)), what));
    }
    let (Some(config), true) = (config, notes.is_empty()) else { return };
    let version = u64::try_from(version).unwrap_or(0);
    let source = Some(document.source(object.whole));
    match declare_health_check(&id, version, &config, alarm.as_ref(), tags, source) {
        Ok(check) => read.checks.push(check),
        Err(violations) => read.findings.errors.extend(violations.into_iter().map(|violation| {
            let source = Some(document.source(object.locate(&violation.field)));
            let what = format!("{label}: {}: {}", violation.field, violation.what);
            Problem::of_rule(source, violation.rule, what)
        })),
    }
}

fn read_config<'a>(object: &Object<'a>, notes: &mut Vec<Note<'a>>) -> HealthCheckConfig {
    HealthCheckConfig {
        ip_address: object.field("IPAddress", notes),
        port: object.field("Port", notes),
        check_type: object.needed("Type", notes).unwrap_or_default(),
        resource_path: object.field("ResourcePath", notes),
        fully_qualified_domain_name: object.field("FullyQualifiedDomainName", notes),
        search_string: object.field("SearchString", notes),
        request_interval: object.field("RequestInterval", notes),
        failure_threshold: object.field("FailureThreshold", notes),
        measure_latency: object.field("MeasureLatency", notes),
        inverted: object.field("Inverted", notes),
        disabled: object.field("Disabled", notes),
        health_threshold: object.field("HealthThreshold", notes),
        child_health_checks: object.field("ChildHealthChecks", notes),
        enable_sni: object.field("EnableSNI", notes),
        regions: object.field("Regions", notes),
        alarm_identifier: object.object("AlarmIdentifier", notes).map(|identifier| AlarmIdentifier {
            region: identifier.field("Region", notes),
            name: identifier.field("Name", notes),
        }),
        insufficient_data_health_status: object.field("InsufficientDataHealthStatus", notes),
        routing_control_arn: object.field("RoutingControlArn", notes),
    }
}
