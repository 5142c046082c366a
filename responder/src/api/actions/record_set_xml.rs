//! `ResourceRecordSet` in XML, both ways.

use pulse53_core::route53::{
    AliasTarget, CidrRoutingConfig, Coordinates, GeoLocation, GeoProximityLocation, ResourceRecord,
    ResourceRecordSet,
};

use crate::api::error::ApiError;
use crate::api::route::bare_id;
use crate::api::xml::{Element, Xml};

/// Reads a record set; what it means is for core to judge.
pub fn read(xml: &Element) -> Result<ResourceRecordSet, ApiError> {
    let records = xml.items("ResourceRecords", "ResourceRecord").map(|records| {
        // White space around a value is layout, except that an empty value must stay to be refused.
        let value = |record: &Element| record.value("Value").unwrap_or_default().trim().to_owned();
        records.map(|record| ResourceRecord { value: value(record) }).collect()
    });
    Ok(ResourceRecordSet {
        name: xml.required("Name")?,
        record_type: xml.required("Type")?,
        set_identifier: xml.value("SetIdentifier"),
        weight: xml.integer("Weight")?,
        region: xml.value("Region"),
        geo_location: xml.child("GeoLocation").map(|place| GeoLocation {
            continent_code: place.value("ContinentCode"),
            country_code: place.value("CountryCode"),
            subdivision_code: place.value("SubdivisionCode"),
        }),
        failover: xml.value("Failover"),
        multi_value_answer: xml.boolean("MultiValueAnswer")?,
        ttl: xml.integer("TTL")?,
        resource_records: records,
        alias_target: xml.child("AliasTarget").map(read_alias).transpose()?,
        health_check_id: xml.value("HealthCheckId"),
        traffic_policy_instance_id: xml.value("TrafficPolicyInstanceId"),
        cidr_routing_config: xml.child("CidrRoutingConfig").map(|config| CidrRoutingConfig {
            collection_id: config.value("CollectionId"),
            location_name: config.value("LocationName"),
        }),
        geo_proximity_location: xml.child("GeoProximityLocation").map(read_proximity).transpose()?,
    })
}

fn read_alias(xml: &Element) -> Result<AliasTarget, ApiError> {
    Ok(AliasTarget {
        hosted_zone_id: xml.value("HostedZoneId").map(|id| bare_id(&id).to_owned()),
        dns_name: xml.value("DNSName"),
        evaluate_target_health: xml.boolean("EvaluateTargetHealth")?,
    })
}

fn read_proximity(xml: &Element) -> Result<GeoProximityLocation, ApiError> {
    Ok(GeoProximityLocation {
        aws_region: xml.value("AWSRegion"),
        local_zone_group: xml.value("LocalZoneGroup"),
        coordinates: xml.child("Coordinates").map(|coordinates| Coordinates {
            latitude: coordinates.value("Latitude"),
            longitude: coordinates.value("Longitude"),
        }),
        bias: xml.integer("Bias")?,
    })
}

/// Writes a record set in the model's order.
pub fn write(xml: &mut Xml, set: &ResourceRecordSet) {
    xml.element("ResourceRecordSet", |xml| {
        xml.text("Name", &set.name);
        xml.text("Type", &set.record_type);
        xml.optional("SetIdentifier", set.set_identifier.as_deref());
        xml.optional("Weight", set.weight);
        xml.optional("Region", set.region.as_deref());
        if let Some(place) = &set.geo_location {
            xml.element("GeoLocation", |xml| {
                xml.optional("ContinentCode", place.continent_code.as_deref());
                xml.optional("CountryCode", place.country_code.as_deref());
                xml.optional("SubdivisionCode", place.subdivision_code.as_deref());
            });
        }
        xml.optional("Failover", set.failover.as_deref());
        xml.optional("MultiValueAnswer", set.multi_value_answer);
        xml.optional("TTL", set.ttl);
        if let Some(records) = &set.resource_records {
            xml.list("ResourceRecords", records, |xml, record| {
                xml.element("ResourceRecord", |xml| xml.text("Value", &record.value));
            });
        }
        if let Some(target) = &set.alias_target {
            xml.element("AliasTarget", |xml| {
                xml.optional("HostedZoneId", target.hosted_zone_id.as_deref());
                xml.optional("DNSName", target.dns_name.as_deref());
                xml.optional("EvaluateTargetHealth", target.evaluate_target_health);
            });
        }
        xml.optional("HealthCheckId", set.health_check_id.as_deref());
        xml.optional("TrafficPolicyInstanceId", set.traffic_policy_instance_id.as_deref());
        if let Some(config) = &set.cidr_routing_config {
            xml.element("CidrRoutingConfig", |xml| {
                xml.optional("CollectionId", config.collection_id.as_deref());
                xml.optional("LocationName", config.location_name.as_deref());
            });
        }
        if let Some(place) = &set.geo_proximity_location {
            write_proximity(xml, place);
        }
    });
}

fn write_proximity(xml: &mut Xml, place: &GeoProximityLocation) {
    xml.element("GeoProximityLocation", |xml| {
        xml.optional("AWSRegion", place.aws_region.as_deref());
        xml.optional("LocalZoneGroup", place.local_zone_group.as_deref());
        if let Some(coordinates) = &place.coordinates {
            xml.element("Coordinates", |xml| {
                xml.optional("Latitude", coordinates.latitude.as_deref());
                xml.optional("Longitude", coordinates.longitude.as_deref());
            });
        }
        xml.optional("Bias", place.bias);
    });
}
