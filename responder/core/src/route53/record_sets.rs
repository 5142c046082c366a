//! Reads what `aws route53 list-resource-record-sets` prints.

use serde_json::value::RawValue;

use super::json::{Document, Note, Object, listing};
use super::record_set::{
    AliasTarget, CidrRoutingConfig, Coordinates, DeclaredRecordSet, GeoLocation, GeoProximityLocation,
    ResourceRecord, ResourceRecordSet,
};
use super::tags;
use crate::model::{Findings, Problem};

/// What a file of record sets holds.
#[derive(Debug, Clone, Default)]
pub struct RecordSets {
    /// The record sets without errors, in order.
    pub sets: Vec<DeclaredRecordSet>,
    /// What is wrong.
    pub findings: Findings,
}

/// Reads record sets: an object with `ResourceRecordSets`, or the list alone. `file` is its name for messages.
pub fn read_record_sets(file: &str, text: &str) -> RecordSets {
    let document = Document::new(file, text);
    let mut read = RecordSets::default();
    match listing(&document, "ResourceRecordSets") {
        Ok((items, whole)) => {
            read.findings.errors = tags::problems_of_listing(&document, whole.as_ref());
            items.into_iter().for_each(|raw| read_one(&document, raw, &mut read));
        }
        Err(problems) => read.findings.errors = problems,
    }
    read
}

fn read_one<'a>(document: &Document<'a>, raw: &'a RawValue, read: &mut RecordSets) {
    let mut notes = Vec::new();
    let Some(object) = Object::read(raw, "", &mut notes) else {
        let source = Some(document.source(raw.get()));
        let what = "each record set must be an object; write {\"Name\": …, \"Type\": …}";
        read.findings.errors.push(Problem::of_syntax(source, what));
        return;
    };
    let set = read_fields(&object, &mut notes);
    tags::read(&object, &[], &mut notes);
    for note in &notes {
        let label = set.label();
        let what = format!("{label}: {}: {}", note.field, note.what);
        read.findings.errors.push(Problem::of_syntax(Some(document.source(note.at)), what));
    }
    if !notes.is_empty() {
        return;
    }
    match set.declare(Some(document.source(object.whole))) {
        Ok(declared) => read.sets.push(declared),
        Err(violations) => {
            let label = set.label();
            for violation in violations {
                let source = Some(document.source(object.locate(&violation.field)));
                let what = format!("{label}: {}: {}", violation.field, violation.what);
                read.findings.errors.push(Problem::of_rule(source, violation.rule, what));
            }
        }
    }
}

fn read_fields<'a>(object: &Object<'a>, notes: &mut Vec<Note<'a>>) -> ResourceRecordSet {
    ResourceRecordSet {
        name: object.needed("Name", notes).unwrap_or_default(),
        record_type: object.needed("Type", notes).unwrap_or_default(),
        set_identifier: object.field("SetIdentifier", notes),
        weight: object.field("Weight", notes),
        region: object.field("Region", notes),
        geo_location: object.object("GeoLocation", notes).map(|place| GeoLocation {
            continent_code: place.field("ContinentCode", notes),
            country_code: place.field("CountryCode", notes),
            subdivision_code: place.field("SubdivisionCode", notes),
        }),
        failover: object.field("Failover", notes),
        multi_value_answer: object.field("MultiValueAnswer", notes),
        ttl: object.field("TTL", notes),
        resource_records: object.objects("ResourceRecords", notes).map(|records| {
            let value = |record: Object<'a>| record.needed("Value", notes).unwrap_or_default();
            records.into_iter().map(value).map(|value| ResourceRecord { value }).collect()
        }),
        alias_target: object.object("AliasTarget", notes).map(|target| AliasTarget {
            hosted_zone_id: target.field("HostedZoneId", notes),
            dns_name: target.field("DNSName", notes),
            evaluate_target_health: target.field("EvaluateTargetHealth", notes),
        }),
        health_check_id: object.field("HealthCheckId", notes),
        traffic_policy_instance_id: object.field("TrafficPolicyInstanceId", notes),
        cidr_routing_config: object.object("CidrRoutingConfig", notes).map(|config| CidrRoutingConfig {
            collection_id: config.field("CollectionId", notes),
            location_name: config.field("LocationName", notes),
        }),
        geo_proximity_location: object.object("GeoProximityLocation", notes).map(|place| {
            GeoProximityLocation {
                aws_region: place.field("AWSRegion", notes),
                local_zone_group: place.field("LocalZoneGroup", notes),
                coordinates: place.object("Coordinates", notes).map(|coordinates| Coordinates {
                    latitude: coordinates.field("Latitude", notes),
                    longitude: coordinates.field("Longitude", notes),
                }),
                bias: place.field("Bias", notes),
            }
        }),
    }
}
