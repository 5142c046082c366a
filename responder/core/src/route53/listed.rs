//! Record sets of the model as Route 53 lists them: for zones whose record sets were never submitted as such.

use super::record_set::{
    AliasTarget, CidrRoutingConfig, Coordinates, GeoLocation, GeoProximityLocation, ResourceRecord,
    ResourceRecordSet,
};
use crate::model::policy::{self, GeoProximityPlace};
use crate::model::{FailoverRole, Name, RecordData, RecordSet, RecordType, RoutingPolicy};
use crate::rdata;

impl ResourceRecordSet {
    /// What declares this record set.
    pub fn listed(owner: &Name, record_type: RecordType, set: &RecordSet) -> Self {
        let mut listed = Self {
            name: owner.to_string(),
            record_type: record_type.to_string(),
            set_identifier: set.set_id.as_ref().map(|id| id.0.to_string()),
            health_check_id: set.check.as_ref().map(|id| id.0.to_string()),
            ..Self::default()
        };
        match &set.data {
            RecordData::Values { ttl, rdatas } => {
                let value = |data| ResourceRecord { value: rdata::to_route53(record_type, data) };
                listed.ttl = Some(ttl.0.into());
                listed.resource_records = Some(rdatas.iter().map(value).collect());
            }
            RecordData::Alias(target) => {
                listed.alias_target = Some(AliasTarget {
                    hosted_zone_id: Some(target.zone.to_string()),
                    dns_name: Some(target.name.to_string()),
                    evaluate_target_health: Some(target.evaluate_target_health),
                });
            }
        }
        listed.set_policy(&set.policy);
        listed
    }

    fn set_policy(&mut self, policy: &RoutingPolicy) {
        match policy {
            RoutingPolicy::Simple => {}
            RoutingPolicy::Weighted(weight) => self.weight = Some((*weight).into()),
            RoutingPolicy::Failover(role) => {
                let role = match role {
                    FailoverRole::Primary => "PRIMARY",
                    FailoverRole::Secondary => "SECONDARY",
                };
                self.failover = Some(role.to_owned());
            }
            RoutingPolicy::Multivalue => self.multi_value_answer = Some(true),
            RoutingPolicy::Latency(region) => self.region = Some(region.clone()),
            RoutingPolicy::Geolocation(place) => self.geo_location = Some(location(place)),
            RoutingPolicy::Cidr { collection, location } => {
                self.cidr_routing_config = Some(CidrRoutingConfig {
                    collection_id: Some(collection.clone()),
                    location_name: Some(location.clone()),
                });
            }
            RoutingPolicy::Geoproximity { place, bias } => {
                let mut location =
                    GeoProximityLocation { bias: Some((*bias).into()), ..GeoProximityLocation::default() };
                match place {
                    GeoProximityPlace::Region(region) => location.aws_region = Some(region.clone()),
                    GeoProximityPlace::LocalZoneGroup(group) => {
                        location.local_zone_group = Some(group.clone());
                    }
                    GeoProximityPlace::Coordinates { latitude_centi, longitude_centi } => {
                        location.coordinates = Some(Coordinates {
                            latitude: Some(degrees(*latitude_centi)),
                            longitude: Some(degrees(*longitude_centi)),
                        });
                    }
                }
                self.geo_proximity_location = Some(location);
            }
        }
    }
}

fn location(place: &policy::GeoLocation) -> GeoLocation {
    let code = |code: &[u8; 2]| Some(String::from_utf8_lossy(code).into_owned());
    match place {
        policy::GeoLocation::Continent(continent) => {
            GeoLocation { continent_code: code(continent), ..GeoLocation::default() }
        }
        policy::GeoLocation::Country(country) => {
            GeoLocation { country_code: code(country), ..GeoLocation::default() }
        }
        policy::GeoLocation::Subdivision(state) => GeoLocation {
            country_code: Some("US".to_owned()),
            subdivision_code: Some(state.clone()),
            ..GeoLocation::default()
        },
        policy::GeoLocation::Default => {
            GeoLocation { country_code: Some("*".to_owned()), ..GeoLocation::default() }
        }
    }
}

/// Hundredths of a degree as decimal text.
fn degrees(centi: i16) -> String {
    let sign = if centi < 0 { "-" } else { "" };
    let centi = centi.unsigned_abs();
    format!("{sign}{}.{:02}", centi / 100, centi % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_declares_the_same() {
        for fields in [
            r#""Weight":0"#,
            r#""Failover":"SECONDARY""#,
            r#""MultiValueAnswer":true"#,
            r#""Region":"eu-west-1""#,
            r#""GeoLocation":{"ContinentCode":"EU"}"#,
            r#""GeoLocation":{"CountryCode":"US","SubdivisionCode":"CA"}"#,
            r#""GeoLocation":{"CountryCode":"*"}"#,
            r#""CidrRoutingConfig":{"CollectionId":"c","LocationName":"l"}"#,
            r#""GeoProximityLocation":{"Coordinates":{"Latitude":"-0.05","Longitude":"139.69"},"Bias":-9}"#,
            r#""GeoProximityLocation":{"AWSRegion":"eu-west-1"}"#,
        ] {
            let text = format!(
                r#"{{"Name":"*.x.example.com","Type":"A","SetIdentifier":"s","TTL":5,"HealthCheckId":"h",{fields},"ResourceRecords":[{{"Value":"192.0.2.1"}}]}}"#
            );
            let set: ResourceRecordSet = serde_json::from_str(&text).unwrap();
            let declared = set.declare(None).unwrap();
            let listed = ResourceRecordSet::listed(&declared.owner, declared.record_type, &declared.set);
            assert_eq!(listed.declare(None).unwrap(), declared, "{fields}");
        }
    }
}
