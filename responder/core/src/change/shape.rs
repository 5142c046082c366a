//! One change by itself: which fields it has, and whether they can be read.

use super::message;
use super::{Action, Change, ChangeError};
use crate::model::{RoutingPolicy, Snapshot};
use crate::route53::{DeclaredRecordSet, ResourceRecordSet, Violation};

/// Which fields are there.
pub(super) fn check(change: &Change) -> Result<(), ChangeError> {
    let set = &change.set;
    let has_values = set.ttl.is_some() && set.resource_records.is_some();
    let half_of_values = set.ttl.is_some() || set.resource_records.is_some();
    let data = [set.alias_target.is_some(), half_of_values, set.traffic_policy_instance_id.is_some()];
    let count = data.into_iter().filter(|present| *present).count();
    if count != 1 || (half_of_values && !has_values) {
        let found = if count > 1 { "more than one" } else { "none" };
        let wanted = "AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId";
        return refuse(change, &format!("Expected exactly one of [{wanted}], but found {found}"));
    }
    if set.traffic_policy_instance_id.is_some() {
        return refuse(change, "Field 'TrafficPolicyInstanceId' is not supported by pulse53");
    }
    let policies = policy_count(set);
    if policies > 1 || (policies == 0 && set.set_identifier.is_some()) {
        let found = if policies > 1 { "more than one" } else { "none" };
        let wanted = "Weight, Region, Failover, GeoLocation, MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig";
        return refuse(change, &format!("Expected exactly one of [{wanted}], but found {found}"));
    }
    if policies == 1 && set.set_identifier.is_none() {
        return refuse(change, "Missing field 'SetIdentifier'");
    }
    Ok(())
}

fn policy_count(set: &ResourceRecordSet) -> usize {
    let present = [
        set.weight.is_some(),
        set.region.is_some(),
        set.failover.is_some(),
        set.geo_location.is_some(),
        set.multi_value_answer == Some(true),
        set.geo_proximity_location.is_some(),
        set.cidr_routing_config.is_some(),
    ];
    present.into_iter().filter(|present| *present).count()
}

fn refuse<T>(change: &Change, what: &str) -> Result<T, ChangeError> {
    let Change { action, set } = change;
    let set_id = set.set_identifier.as_deref().unwrap_or("null");
    let (action, name, record_type) = (action.as_str(), &set.name, &set.record_type);
    let place = format!("[Action={action}, Name={name}, Type={record_type}, SetIdentifier={set_id}]");
    Err(ChangeError::InvalidInput(format!("Invalid request: {what} in Change with {place}")))
}

/// The model's record set, or messages for the batch; a field that cannot mean anything refuses the request.
pub(super) fn read(
    change: &Change,
    snapshot: &Snapshot,
) -> Result<Result<DeclaredRecordSet, Vec<String>>, ChangeError> {
    let declared = match change.set.declare(None) {
        Ok(declared) => declared,
        Err(violations) => {
            let mut messages = Vec::new();
            for violation in &violations {
                match batch_message(&change.set, violation) {
                    Some(message) => messages.push(message),
                    None => return refuse(change, &format!("{}: {}", violation.field, violation.what)),
                }
            }
            return Ok(Err(messages));
        }
    };
    // What is deleted may have outlived what it refers to.
    if change.action != Action::Delete {
        if let Some(check) = &declared.set.check
            && !snapshot.checks.contains_key(check)
        {
            return Err(ChangeError::NoSuchHealthCheck(check.0.to_string()));
        }
        if let RoutingPolicy::Cidr { collection, location } = &declared.set.policy {
            let Some(found) = snapshot.collections.get(collection.as_str()) else {
                return refuse(change, &format!("CIDR collection {collection} does not exist,"));
            };
            if location != "*" && !found.locations.contains_key(location) {
                let what = format!("CIDR collection {collection} has no location {location},");
                return refuse(change, &what);
            }
        }
    }
    Ok(Ok(declared))
}

/// The message of a violation that concerns names, types or values; none if it concerns the request.
fn batch_message(set: &ResourceRecordSet, violation: &Violation) -> Option<String> {
    let Violation { field, rule, what } = violation;
    match (field.as_str(), *rule) {
        ("Name", "R-14" | "R-15") => Some(message::bad_name(&set.name)),
        ("AliasTarget.DNSName", "R-14") => {
            let target = set.alias_target.as_ref().and_then(|target| target.dns_name.as_deref());
            Some(message::bad_name(target.unwrap_or_default()))
        }
        (_, "R-7") => {
            let at = field.strip_prefix("ResourceRecords[").and_then(|rest| rest.split(']').next());
            let at = at.and_then(|at| at.parse::<usize>().ok());
            let record = at.and_then(|at| set.resource_records.as_ref()?.get(at));
            Some(match record {
                Some(record) => message::bad_value(&set.record_type, &record.value, what),
                None => format!("Invalid Resource Record: '{what}'"),
            })
        }
        (_, "R-11" | "R-43") => {
            let what = what.split(';').next().unwrap_or(what);
            Some(format!(
                "RRSet with DNS name {}, type {} is not permitted: {what}.",
                set.name, set.record_type
            ))
        }
        _ => None,
    }
}
