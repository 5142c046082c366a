//! A health check's definition (health-check specification, section 2).

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::record::Source;

/// Id of a health check, 1 to 64 characters (H-3).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CheckId(pub Arc<str>);

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for CheckId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

/// One health check as declared.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthCheck {
    /// Its id.
    pub id: CheckId,
    /// `HealthCheckVersion`, from 1 (H-3).
    pub version: u64,
    /// What is checked.
    pub kind: CheckKind,
    /// `Inverted` (H-33).
    pub inverted: bool,
    /// `Disabled` (H-33).
    pub disabled: bool,
    /// All tags, extensions among them (H-2).
    pub tags: BTreeMap<String, String>,
    /// Where it was declared, when it came from a file.
    pub source: Option<Source>,
}

/// The type of a check with its own fields (H-1).
#[derive(Debug, Clone, PartialEq)]
pub enum CheckKind {
    /// HTTP, HTTPS, their string-match forms, and TCP.
    Endpoint(EndpointCheck),
    /// CALCULATED (H-32).
    Calculated {
        /// Ids of the children, no duplicates.
        children: Vec<CheckId>,
        /// 0 to 256.
        threshold: u16,
    },
    /// CLOUDWATCH_METRIC (H-27).
    Alarm(AlarmCheck),
    /// RECOVERY_CONTROL (H-31).
    RecoveryControl {
        /// The routing control's ARN, 1 to 255 characters.
        arn: String,
    },
}

/// A check that probes an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointCheck {
    /// By address or by name (H-5).
    pub endpoint: Endpoint,
    /// 1 to 65535.
    pub port: u16,
    /// What is spoken once connected.
    pub protocol: Protocol,
    /// `RequestInterval`, or `pulse53:interval` (H-7).
    pub interval: Duration,
    /// `pulse53:timeout`, when set: replaces every time limit of H-9 and H-13.
    pub timeout: Option<Duration>,
    /// `FailureThreshold`, 1 to 10 (H-19).
    pub failure_threshold: u8,
    /// `MeasureLatency` (H-17).
    pub measure_latency: bool,
    /// `Regions`: which checkers are assigned (H-26); empty means all.
    pub regions: Vec<String>,
}

/// Where an endpoint is.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// `IPAddress`; without it the name is resolved before each probe (H-5).
    pub address: Option<IpAddr>,
    /// `FullyQualifiedDomainName`: Host header, SNI and, without an address, the name to resolve.
    pub name: Option<String>,
}

/// The protocol of an endpoint check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// Connect only (H-12).
    Tcp,
    /// HTTP or HTTPS, perhaps with a string to find (H-10, H-11).
    Http {
        /// HTTPS: TLS first, no validation (H-15); `Some(true)` sends the host name (H-16).
        tls: Option<Sni>,
        /// `ResourcePath`, with its leading `/`.
        path: String,
        /// `SearchString` of the STR_MATCH types, 1 to 255 characters.
        search: Option<String>,
    },
}

/// `EnableSNI` (H-16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sni(pub bool);

/// A check that follows an alarm (H-27 to H-30).
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmCheck {
    /// `pulse53:query`: base URL of a Prometheus-compatible server and a PromQL expression.
    pub query: Option<(String, String)>,
    /// Time between evaluations.
    pub period: Duration,
    /// `EvaluationPeriods`, default 1.
    pub evaluation_periods: u32,
    /// `Threshold` with its operator; without it the query is an alert expression.
    pub threshold: Option<(ComparisonOperator, f64)>,
    /// `InsufficientDataHealthStatus` (H-29).
    pub insufficient_data: InsufficientData,
}

/// `ComparisonOperator`: sample operator threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Route 53's")]
pub enum ComparisonOperator {
    GreaterThanThreshold,
    GreaterThanOrEqualToThreshold,
    LessThanThreshold,
    LessThanOrEqualToThreshold,
}

/// `InsufficientDataHealthStatus` (H-29).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Route 53's")]
pub enum InsufficientData {
    Healthy,
    Unhealthy,
    LastKnownStatus,
}
