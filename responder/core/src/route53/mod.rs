//! Route 53's own objects: what they hold, what they mean here, and the JSON that `aws route53` prints.
//!
//! Reading has two steps, so that the API, which speaks XML, can share the second one. First JSON becomes an object such
//! as [`ResourceRecordSet`] that holds what was written, however wrong; then `declare` turns it into the model or into
//! all [`Violation`]s at once. Here and only here is a Route 53 field judged by itself; what record sets mean
//! together is for [`crate::assemble`].

mod cidr_collections;
mod coordinates;
mod declare;
mod health_check;
mod health_checks;
mod json;
mod listed;
mod listed_check;
mod record_set;
mod record_sets;
mod tags;

#[cfg(test)]
mod tests;

pub use cidr_collections::read_cidr_collections;
pub use declare::is_location_name;
pub(crate) use declare::label_of;
pub use health_check::{
    AlarmIdentifier, CloudWatchAlarmConfiguration, HealthCheckConfig, declare_health_check,
};
pub use health_checks::{HealthChecks, read_health_checks};
pub use record_set::{
    AliasTarget, CidrRoutingConfig, Coordinates, DeclaredRecordSet, GeoLocation, GeoProximityLocation,
    ResourceRecord, ResourceRecordSet,
};
pub use record_sets::{RecordSets, read_record_sets};
pub use tags::{DurationTag, KNOWN_TAGS, read_duration};

/// A field that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field's path in the object, such as `GeoLocation.CountryCode` or `ResourceRecords[2].Value`.
    pub field: String,
    /// The rule, such as `R-28`.
    pub rule: &'static str,
    /// What is wrong, and what to do.
    pub what: String,
}

impl Violation {
    pub(crate) fn new(field: impl Into<String>, rule: &'static str, what: impl Into<String>) -> Self {
        Self { field: field.into(), rule, what: what.into() }
    }
}
