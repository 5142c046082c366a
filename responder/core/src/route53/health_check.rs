//! `HealthCheckConfig` as written, and the rules of H-2 for one check.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Violation;
use super::tags::{DurationTag, KNOWN_TAGS, unknown};
use crate::model::check::{
    AlarmCheck, CheckKind, ComparisonOperator, Endpoint, EndpointCheck, InsufficientData, Protocol, Sni,
};
use crate::model::{CheckId, HealthCheck, Source};

/// A health check's configuration exactly as a client wrote it; nothing is checked yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the fields are Route 53's")]
pub struct HealthCheckConfig {
    #[serde(rename = "IPAddress", default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    #[serde(rename = "Type")]
    pub check_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fully_qualified_domain_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_string: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_interval: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure_latency: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inverted: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_threshold: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child_health_checks: Option<Vec<String>>,
    #[serde(rename = "EnableSNI", default, skip_serializing_if = "Option::is_none")]
    pub enable_sni: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm_identifier: Option<AlarmIdentifier>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insufficient_data_health_status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_control_arn: Option<String>,
}

/// `AlarmIdentifier` as written; kept and returned, not used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the fields are Route 53's")]
pub struct AlarmIdentifier {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The parts of `CloudWatchAlarmConfiguration` that decide (H-27); the others only describe.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the fields are Route 53's")]
pub struct CloudWatchAlarmConfiguration {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_periods: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison_operator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<i64>,
}

/// Evaluation period of an alarm that says none (H-27).
const PERIOD_DEFAULT: Duration = Duration::from_secs(60);
/// Evaluations an alarm may look back on; each is kept.
const EVALUATION_PERIODS_MAX: i64 = 1000;
/// Most regions of one check.
const REGIONS_MAX: usize = 64;
/// Most children of a CALCULATED check.
const CHILDREN_MAX: usize = 255;

/// The model's health check, or every rule that this one breaks. `version` is `HealthCheckVersion`.
///
/// Whether children exist is for [`crate::assemble`] to say.
pub fn declare_health_check(
    id: &str,
    version: u64,
    config: &HealthCheckConfig,
    alarm: Option<&CloudWatchAlarmConfiguration>,
    tags: BTreeMap<String, String>,
    source: Option<Source>,
) -> Result<HealthCheck, Vec<Violation>> {
    let mut found = Vec::new();
    if !(1..=64).contains(&id.chars().count()) {
        found.push(Violation::new("Id", "H-3", "must have 1 to 64 characters"));
    }
    if version == 0 {
        found.push(Violation::new("HealthCheckVersion", "H-3", "must be 1 or more"));
    }
    let mut reader = Reader { config, tags: &tags, found };
    let family = reader.family();
    let kind = family.and_then(|family| {
        reader.refuse_foreign(family);
        match family {
            Family::Http { .. } | Family::Tcp => reader.endpoint(family).map(CheckKind::Endpoint),
            Family::Calculated => reader.calculated(),
            Family::Alarm => reader.alarm(alarm).map(CheckKind::Alarm),
            Family::RecoveryControl => reader.recovery_control(),
        }
    });
    let found = reader.found;
    match kind {
        Some(kind) if found.is_empty() => Ok(HealthCheck {
            id: id.into(),
            version,
            kind,
            inverted: config.inverted.unwrap_or(false),
            disabled: config.disabled.unwrap_or(false),
            tags,
            source,
        }),
        _ => Err(found),
    }
}

/// The types of H-1 by what they have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Http { tls: bool, search: bool },
    Tcp,
    Calculated,
    Alarm,
    RecoveryControl,
}

impl Family {
    fn is_endpoint(self) -> bool {
        matches!(self, Self::Http { .. } | Self::Tcp)
    }
}

struct Reader<'c> {
    config: &'c HealthCheckConfig,
    tags: &'c BTreeMap<String, String>,
    found: Vec<Violation>,
}

impl Reader<'_> {
    fn refuse(&mut self, field: &str, what: impl Into<String>) {
        let field =
            if field.starts_with("Tags") { field.into() } else { format!("HealthCheckConfig.{field}") };
        self.found.push(Violation::new(field, "H-2", what));
    }

    fn family(&mut self) -> Option<Family> {
        Some(match self.config.check_type.as_str() {
            "HTTP" => Family::Http { tls: false, search: false },
            "HTTPS" => Family::Http { tls: true, search: false },
            "HTTP_STR_MATCH" => Family::Http { tls: false, search: true },
            "HTTPS_STR_MATCH" => Family::Http { tls: true, search: true },
            "TCP" => Family::Tcp,
            "CALCULATED" => Family::Calculated,
            "CLOUDWATCH_METRIC" => Family::Alarm,
            "RECOVERY_CONTROL" => Family::RecoveryControl,
            other => {
                let what = format!(
                    "{other:?} is no type; give HTTP, HTTPS, HTTP_STR_MATCH, HTTPS_STR_MATCH, TCP, CALCULATED, \
                     CLOUDWATCH_METRIC or RECOVERY_CONTROL"
                );
                self.found.push(Violation::new("HealthCheckConfig.Type", "H-1", what));
                return None;
            }
        })
    }

    /// A field or tag that does not apply to the type is refused, but for `EnableSNI` on endpoint checks.
    fn refuse_foreign(&mut self, family: Family) {
        let config = self.config;
        let endpoint = family.is_endpoint();
        let http = matches!(family, Family::Http { .. });
        let fields = [
            ("IPAddress", config.ip_address.is_some(), endpoint),
            ("FullyQualifiedDomainName", config.fully_qualified_domain_name.is_some(), endpoint),
            ("Port", config.port.is_some(), endpoint),
            ("ResourcePath", config.resource_path.is_some(), http),
            (
                "SearchString",
                config.search_string.is_some(),
                matches!(family, Family::Http { search: true, .. }),
            ),
            ("RequestInterval", config.request_interval.is_some(), endpoint),
            ("FailureThreshold", config.failure_threshold.is_some(), endpoint),
            ("MeasureLatency", config.measure_latency.is_some(), endpoint),
            ("EnableSNI", config.enable_sni.is_some(), endpoint),
            ("Regions", config.regions.is_some(), endpoint),
            ("ChildHealthChecks", config.child_health_checks.is_some(), family == Family::Calculated),
            ("HealthThreshold", config.health_threshold.is_some(), family == Family::Calculated),
            ("AlarmIdentifier", config.alarm_identifier.is_some(), family == Family::Alarm),
            (
                "InsufficientDataHealthStatus",
                config.insufficient_data_health_status.is_some(),
                family == Family::Alarm,
            ),
            ("RoutingControlArn", config.routing_control_arn.is_some(), family == Family::RecoveryControl),
        ];
        for (field, is_present, applies) in fields {
            if is_present && !applies {
                self.refuse(field, format!("does not apply to type {}; remove it", config.check_type));
            }
        }
        for key in self.tags.keys() {
            let applies = match key.as_str() {
                "pulse53:interval" => endpoint || family == Family::Alarm,
                "pulse53:timeout" => endpoint,
                "pulse53:query" => family == Family::Alarm,
                _ => {
                    if let Some(what) = unknown(key, &KNOWN_TAGS) {
                        self.refuse("Tags", what);
                    }
                    continue;
                }
            };
            if !applies {
                let what = format!("{key:?} does not apply to type {}; remove it", config.check_type);
                self.refuse("Tags", what);
            }
        }
    }

    /// A number within a range, or its default.
    fn number(&mut self, field: &str, value: Option<i64>, min: i64, max: i64, default: i64) -> i64 {
        let value = value.unwrap_or(default);
        if !(min..=max).contains(&value) {
            self.refuse(field, format!("{value} is out of range; give {min} to {max}"));
        }
        value.clamp(min, max)
    }

    fn duration_tag(&mut self, tag: DurationTag) -> Option<Duration> {
        match tag.read(self.tags.get(tag.key)?) {
            Ok(duration) => Some(duration),
            Err(what) => {
                self.refuse("Tags", format!("{}: {what}", tag.key));
                None
            }
        }
    }

    fn endpoint(&mut self, family: Family) -> Option<EndpointCheck> {
        let config = self.config;
        let endpoint = self.endpoint_place(family);
        let port = match (family, config.port) {
            (Family::Tcp, None) => {
                self.refuse("Port", "missing; TCP needs one");
                None
            }
            (Family::Http { tls, .. }, None) => Some(if tls { 443 } else { 80 }),
            (_, Some(_)) => u16::try_from(self.number("Port", config.port, 1, 65_535, 80)).ok(),
            _ => None,
        };
        let protocol = self.protocol(family);
        let request_interval = config.request_interval.unwrap_or(30);
        if !matches!(request_interval, 10 | 30) {
            let what =
                format!("{request_interval} must be 10 or 30; for others use the tag pulse53:interval");
            self.refuse("RequestInterval", what);
        }
        let interval = self
            .duration_tag(DurationTag::INTERVAL)
            .unwrap_or(Duration::from_secs(request_interval.unsigned_abs()));
        let timeout = self.duration_tag(DurationTag::TIMEOUT);
        let failure_threshold = self.number("FailureThreshold", config.failure_threshold, 1, 10, 3) as u8;
        let regions = config.regions.clone().unwrap_or_default();
        if regions.len() > REGIONS_MAX {
            self.refuse("Regions", format!("{} regions; at most {REGIONS_MAX}", regions.len()));
        }
        Some(EndpointCheck {
            endpoint: endpoint?,
            port: port?,
            protocol: protocol?,
            interval,
            timeout,
            failure_threshold,
            measure_latency: config.measure_latency.unwrap_or(false),
            regions,
        })
    }

    fn endpoint_place(&mut self, family: Family) -> Option<Endpoint> {
        let config = self.config;
        // Some clients send an empty name or address for none.
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let name = given(&config.fully_qualified_domain_name);
        let address = given(&config.ip_address);
        if name.as_ref().is_some_and(|name| name.chars().count() > 255) {
            self.refuse("FullyQualifiedDomainName", "longer than 255 characters; shorten it");
        }
        // It becomes a header: a line break or blank would write another one.
        if name.as_ref().is_some_and(|name| name.bytes().any(|octet| !octet.is_ascii_graphic())) {
            self.refuse(
                "FullyQualifiedDomainName",
                "holds a blank, control or non-ASCII character; remove it",
            );
        }
        let address = match address {
            None => None,
            Some(text) => match text.parse::<IpAddr>() {
                Ok(address) => Some(address),
                Err(_) => {
                    self.refuse("IPAddress", format!("{text:?} is no IPv4 or IPv6 address"));
                    return None;
                }
            },
        };
        match (family, address, &name) {
            (_, None, None) => {
                self.refuse(
                    "IPAddress",
                    "neither address nor name; add IPAddress or FullyQualifiedDomainName",
                );
            }
            (Family::Tcp, Some(_), Some(_)) => {
                let what = "a TCP check by address must not have a name; remove one of them";
                self.refuse("FullyQualifiedDomainName", what);
            }
            _ => {}
        }
        Some(Endpoint { address, name })
    }

    fn protocol(&mut self, family: Family) -> Option<Protocol> {
        let config = self.config;
        let Family::Http { tls, search } = family else { return Some(Protocol::Tcp) };
        let mut path = config.resource_path.clone().unwrap_or_default();
        if path.chars().count() > 255 {
            self.refuse("ResourcePath", "longer than 255 characters; shorten it");
        }
        // It becomes part of the request line: a line break or blank would write another request.
        if path.bytes().any(|octet| octet <= b' ' || octet == 127) {
            self.refuse("ResourcePath", "holds a blank or control character; write it as %20 and the like");
        }
        if !path.starts_with('/') {
            path.insert(0, '/');
        }
        let wanted = config.search_string.clone();
        match wanted.as_ref().map(|text| text.chars().count()) {
            None | Some(0) if search => self.refuse("SearchString", "missing; give 1 to 255 characters"),
            Some(256..) => self.refuse("SearchString", "longer than 255 characters; shorten it"),
            _ => {}
        }
        let tls = tls.then_some(Sni(config.enable_sni.unwrap_or(true)));
        Some(Protocol::Http { tls, path, search: wanted.filter(|_| search) })
    }

    fn calculated(&mut self) -> Option<CheckKind> {
        let config = self.config;
        if config.health_threshold.is_none() {
            self.refuse("HealthThreshold", "missing; say how many children must be healthy");
        }
        let threshold = self.number("HealthThreshold", config.health_threshold, 0, 256, 0) as u16;
        let children = config.child_health_checks.clone().unwrap_or_default();
        if children.len() > CHILDREN_MAX {
            self.refuse("ChildHealthChecks", format!("{} children; at most {CHILDREN_MAX}", children.len()));
        }
        let mut seen = HashSet::with_capacity(children.len());
        for (at, child) in children.iter().enumerate() {
            if !seen.insert(child) {
                let what = format!("{child:?} is given twice; keep one");
                self.refuse(&format!("ChildHealthChecks[{at}]"), what);
            }
        }
        let children = children.iter().map(|child| CheckId::from(child.as_str())).collect();
        Some(CheckKind::Calculated { children, threshold })
    }

    fn alarm(&mut self, alarm: Option<&CloudWatchAlarmConfiguration>) -> Option<AlarmCheck> {
        let config = self.config;
        let identified = config.alarm_identifier.as_ref().is_some_and(|identifier| {
            let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
            given(&identifier.region) && given(&identifier.name)
        });
        if !identified {
            self.refuse("AlarmIdentifier", "missing or without Region or Name; add them");
        }
        let insufficient_data = match config.insufficient_data_health_status.as_deref() {
            None | Some("LastKnownStatus") => InsufficientData::LastKnownStatus,
            Some("Healthy") => InsufficientData::Healthy,
            Some("Unhealthy") => InsufficientData::Unhealthy,
            Some(other) => {
                let what = format!("{other:?} must be Healthy, Unhealthy or LastKnownStatus");
                self.refuse("InsufficientDataHealthStatus", what);
                return None;
            }
        };
        let query = self.query();
        let none = CloudWatchAlarmConfiguration::default();
        let alarm = alarm.unwrap_or(&none);
        let mut refuse = |field: &str, what: String| {
            let field = format!("CloudWatchAlarmConfiguration.{field}");
            self.found.push(Violation::new(field, "H-27", what));
        };
        let evaluation_periods = alarm.evaluation_periods.unwrap_or(1);
        if !(1..=EVALUATION_PERIODS_MAX).contains(&evaluation_periods) {
            let what = format!("{evaluation_periods} is out of range; give 1 to {EVALUATION_PERIODS_MAX}");
            refuse("EvaluationPeriods", what);
        }
        let period = match alarm.period {
            None => PERIOD_DEFAULT,
            Some(seconds @ 1..=86_400) => Duration::from_secs(seconds.unsigned_abs()),
            Some(seconds) => {
                refuse("Period", format!("{seconds} is out of range; give 1 to 86400 seconds"));
                PERIOD_DEFAULT
            }
        };
        let operator = match alarm.comparison_operator.as_deref() {
            None => None,
            Some("GreaterThanThreshold") => Some(ComparisonOperator::GreaterThanThreshold),
            Some("GreaterThanOrEqualToThreshold") => Some(ComparisonOperator::GreaterThanOrEqualToThreshold),
            Some("LessThanThreshold") => Some(ComparisonOperator::LessThanThreshold),
            Some("LessThanOrEqualToThreshold") => Some(ComparisonOperator::LessThanOrEqualToThreshold),
            Some(other) => {
                let what = format!(
                    "{other:?} must be GreaterThanThreshold, GreaterThanOrEqualToThreshold, LessThanThreshold or \
                     LessThanOrEqualToThreshold"
                );
                refuse("ComparisonOperator", what);
                None
            }
        };
        let threshold = match (operator, alarm.threshold) {
            (Some(operator), Some(threshold)) => Some((operator, threshold)),
            (None, Some(_)) if alarm.comparison_operator.is_none() => {
                refuse("ComparisonOperator", "missing; a Threshold needs one".into());
                None
            }
            _ => None,
        };
        let period = self.duration_tag(DurationTag::INTERVAL).unwrap_or(period);
        let evaluation_periods = u32::try_from(evaluation_periods).ok()?;
        Some(AlarmCheck { query, period, evaluation_periods, threshold, insufficient_data })
    }

    /// `pulse53:query`: a base URL, one space, an expression.
    fn query(&mut self) -> Option<(String, String)> {
        let text = self.tags.get("pulse53:query")?;
        match text.split_once(' ') {
            Some((url, expression))
                if (url.starts_with("http://") || url.starts_with("https://"))
                    && !expression.trim().is_empty() =>
            {
                Some((url.to_owned(), expression.trim().to_owned()))
            }
            _ => {
                let what = "pulse53:query: must be an http:// or https:// base URL, one space and a PromQL expression";
                self.refuse("Tags", what);
                None
            }
        }
    }

    fn recovery_control(&mut self) -> Option<CheckKind> {
        let arn = self.config.routing_control_arn.clone().unwrap_or_default();
        if !(1..=255).contains(&arn.chars().count()) {
            self.refuse("RoutingControlArn", "missing or too long; give 1 to 255 characters");
        }
        Some(CheckKind::RecoveryControl { arn })
    }
}
