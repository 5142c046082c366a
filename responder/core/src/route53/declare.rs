//! The rules that one record set must obey by itself: and the
//! "fields" rule of each policy.

use std::collections::HashSet;

use super::Violation;
use super::coordinates::centidegrees;
use super::record_set::{
    AliasTarget, CidrRoutingConfig, DeclaredRecordSet, GeoLocation, GeoProximityLocation, ResourceRecord,
    ResourceRecordSet,
};
use crate::model::places;
use crate::model::policy::{self, GeoProximityPlace};
use crate::model::{
    self, CheckId, FailoverRole, Name, Rdata, RecordData, RecordSet, RecordType, RoutingPolicy, SetId,
    Source, Ttl, ZoneId,
};
use crate::rdata;

/// Most values in one record set.
const VALUES_MAX: usize = 400;
/// Most characters in one value.
const VALUE_CHARACTERS_MAX: usize = 4000;
/// Most characters in a set identifier.
const SET_ID_MAX: usize = 128;
/// Most characters in a region label.
const REGION_MAX: usize = 64;
/// Most characters in a CIDR location name.
const LOCATION_NAME_MAX: usize = 16;
/// Most characters in a health check's id (H-3).
const CHECK_ID_MAX: usize = 64;

/// The types a record set may have; a master file may hold more.
pub(super) const TYPES: [RecordType; 17] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::CAA,
    RecordType::CNAME,
    RecordType::DS,
    RecordType::HTTPS,
    RecordType::MX,
    RecordType::NAPTR,
    RecordType::NS,
    RecordType::PTR,
    RecordType::SOA,
    RecordType::SPF,
    RecordType::SRV,
    RecordType::SSHFP,
    RecordType::SVCB,
    RecordType::TLSA,
    RecordType::TXT,
];

impl ResourceRecordSet {
    /// What messages call it: `www.example.com. A "blue"`.
    pub fn label(&self) -> String {
        // A message is one line, whatever a client put into its name.
        let line = |text: &str| text.replace(char::is_control, "?");
        let (name, record_type) = (line(&self.name), line(&self.record_type));
        match &self.set_identifier {
            Some(set_id) => format!("{name} {record_type} {set_id:?}"),
            None => format!("{name} {record_type}"),
        }
    }

    /// The model's record set, or every rule that this one breaks.
    pub fn declare(&self, source: Option<Source>) -> Result<DeclaredRecordSet, Vec<Violation>> {
        let mut found = Vec::new();
        let owner = owner(&self.name, &mut found);
        let record_type = record_type(&self.record_type, &mut found);
        let policy = self.policy(&mut found);
        let set_id = self.set_id(policy.as_ref(), &mut found);
        let check = self.check(&mut found);
        let data = self.data(record_type, &mut found);
        if let (Some(record_type), Some(policy)) = (record_type, &policy) {
            self.check_type(record_type, policy, owner.as_ref(), &mut found);
        }
        match (owner, record_type, policy, data) {
            (Some(owner), Some(record_type), Some(policy), Some(data)) if found.is_empty() => {
                Ok(DeclaredRecordSet {
                    owner,
                    record_type,
                    set: RecordSet { set_id, policy, check, data, source },
                })
            }
            _ => Err(found),
        }
    }

    /// which types go with which policy.
    fn check_type(
        &self,
        record_type: RecordType,
        policy: &RoutingPolicy,
        owner: Option<&Name>,
        found: &mut Vec<Violation>,
    ) {
        let simple_only = matches!(record_type, RecordType::NS | RecordType::SOA | RecordType::DS);
        if simple_only && *policy != RoutingPolicy::Simple {
            let what = format!("{record_type} allows simple routing only; remove the policy field");
            found.push(Violation::new("Type", "R-11", what));
        }
        if record_type == RecordType::CNAME && *policy == RoutingPolicy::Multivalue {
            let what = "CNAME cannot be multivalue; choose another policy";
            found.push(Violation::new("MultiValueAnswer", "R-11", what));
        }
        if record_type == RecordType::NS && owner.is_some_and(Name::is_wildcard) {
            found.push(Violation::new("Name", "R-11", "NS cannot have a wildcard owner; name one"));
        }
        if self.alias_target.is_some() {
            if matches!(record_type, RecordType::NS | RecordType::SOA) {
                let what = format!("{record_type} cannot be an alias; give values");
                found.push(Violation::new("AliasTarget", "R-43", what));
            }
            if *policy == RoutingPolicy::Multivalue {
                let what = "a multivalue record set cannot be an alias; give values";
                found.push(Violation::new("AliasTarget", "R-43", what));
            }
        }
    }

    fn set_id(&self, policy: Option<&RoutingPolicy>, found: &mut Vec<Violation>) -> Option<SetId> {
        let mut refuse = |what| found.push(Violation::new("SetIdentifier", "R-5", what));
        match (&self.set_identifier, policy) {
            (Some(_), Some(RoutingPolicy::Simple)) => {
                refuse("a simple record set has none; remove it, or add a policy field such as Weight");
            }
            (None, Some(policy)) if *policy != RoutingPolicy::Simple => {
                refuse("missing; add 1 to 128 characters that tell the record sets of the group apart");
            }
            (Some(text), _) if !(1..=SET_ID_MAX).contains(&text.chars().count()) => {
                refuse("must have 1 to 128 characters");
            }
            _ => {}
        }
        self.set_identifier.as_deref().map(|text| SetId(text.into()))
    }

    fn check(&self, found: &mut Vec<Violation>) -> Option<CheckId> {
        let id = self.health_check_id.as_deref()?;
        if !(1..=CHECK_ID_MAX).contains(&id.chars().count()) {
            found.push(Violation::new("HealthCheckId", "H-3", "must have 1 to 64 characters"));
        }
        Some(id.into())
    }

    /// R-3 and the "fields" rule of the policy that is present.
    fn policy(&self, found: &mut Vec<Violation>) -> Option<RoutingPolicy> {
        let present: Vec<&'static str> = [
            ("Weight", self.weight.is_some()),
            ("Failover", self.failover.is_some()),
            ("GeoLocation", self.geo_location.is_some()),
            ("Region", self.region.is_some()),
            ("CidrRoutingConfig", self.cidr_routing_config.is_some()),
            ("GeoProximityLocation", self.geo_proximity_location.is_some()),
            ("MultiValueAnswer", self.multi_value_answer == Some(true)),
        ]
        .into_iter()
        .filter_map(|(field, is_present)| is_present.then_some(field))
        .collect();
        if let [_, second, ..] = present.as_slice() {
            let what = format!("{} exclude each other; keep one", present.join(" and "));
            found.push(Violation::new(*second, "R-3", what));
            return None;
        }
        let result = if let Some(weight) = self.weight {
            let what = || format!("{weight} is no weight; give a whole number from 0 to 255");
            let weight = u8::try_from(weight).map_err(|_| Violation::new("Weight", "R-22", what()));
            weight.map(RoutingPolicy::Weighted)
        } else if let Some(role) = &self.failover {
            match role.as_str() {
                "PRIMARY" => Ok(RoutingPolicy::Failover(FailoverRole::Primary)),
                "SECONDARY" => Ok(RoutingPolicy::Failover(FailoverRole::Secondary)),
                _ => {
                    let what = format!("{role:?} must be PRIMARY or SECONDARY");
                    Err(Violation::new("Failover", "R-26", what))
                }
            }
        } else if let Some(place) = &self.geo_location {
            place.declare().map(RoutingPolicy::Geolocation)
        } else if let Some(region) = &self.region {
            match region.chars().count() {
                1..=REGION_MAX => Ok(RoutingPolicy::Latency(region.clone())),
                _ => Err(Violation::new("Region", "R-32", "must have 1 to 64 characters")),
            }
        } else if let Some(config) = &self.cidr_routing_config {
            config.declare()
        } else if let Some(place) = &self.geo_proximity_location {
            place.declare()
        } else if self.multi_value_answer == Some(true) {
            Ok(RoutingPolicy::Multivalue)
        } else {
            Ok(RoutingPolicy::Simple)
        };
        result.map_err(|violation| found.push(violation)).ok()
    }

    ///
    fn data(&self, record_type: Option<RecordType>, found: &mut Vec<Violation>) -> Option<RecordData> {
        let Some(target) = &self.alias_target else { return self.values(record_type, found) };
        for (field, is_present) in
            [("TTL", self.ttl.is_some()), ("ResourceRecords", self.resource_records.is_some())]
        {
            if is_present {
                found.push(Violation::new(field, "R-41", "an alias has neither TTL nor values; remove it"));
            }
        }
        target.declare(found).map(RecordData::Alias)
    }

    fn values(&self, record_type: Option<RecordType>, found: &mut Vec<Violation>) -> Option<RecordData> {
        const FIELD: &str = "ResourceRecords";
        let (ttl, records) = match (self.ttl, &self.resource_records) {
            (Some(ttl), Some(records)) => (ttl, records),
            (None, None) => {
                let what = "neither values nor an alias target; add TTL and ResourceRecords";
                found.push(Violation::new(FIELD, "R-2", what));
                return None;
            }
            (None, Some(_)) => {
                let what = "missing; add the seconds that answers may be kept";
                found.push(Violation::new("TTL", "R-6", what));
                return None;
            }
            (Some(_), None) => {
                found.push(Violation::new(FIELD, "R-6", "missing; add at least one value"));
                return None;
            }
        };
        let ttl = u32::try_from(ttl).ok().map(Ttl).filter(|ttl| *ttl <= Ttl::MAX);
        if ttl.is_none() {
            let what =
                format!("{} is out of range; give 0 to 2147483647 seconds", self.ttl.unwrap_or_default());
            found.push(Violation::new("TTL", "R-6", what));
        }
        let record_type = record_type?;
        if records.is_empty() {
            found.push(Violation::new(FIELD, "R-6", "empty; add at least one value"));
        }
        if records.len() > VALUES_MAX {
            let what = format!("{} values; at most {VALUES_MAX} are allowed", records.len());
            found.push(Violation::new(FIELD, "R-7", what));
            return None;
        }
        if records.len() > 1 && matches!(record_type, RecordType::CNAME | RecordType::SOA) {
            let what = format!("{} values; {record_type} has exactly one", records.len());
            found.push(Violation::new(FIELD, "R-7", what));
        }
        let rdatas = values(record_type, records, found);
        Some(RecordData::Values { ttl: ttl?, rdatas: rdatas.into() })
    }
}

/// The values that can be read, each once.
fn values(record_type: RecordType, records: &[ResourceRecord], found: &mut Vec<Violation>) -> Vec<Rdata> {
    let mut rdatas: Vec<Rdata> = Vec::with_capacity(records.len());
    let mut seen = HashSet::with_capacity(records.len());
    for (at, record) in records.iter().enumerate() {
        let value = record.value.as_str();
        let mut refuse = |what: String| {
            found.push(Violation::new(format!("ResourceRecords[{at}].Value"), "R-7", what));
        };
        if value.chars().nth(VALUE_CHARACTERS_MAX).is_some() {
            refuse(format!("longer than {VALUE_CHARACTERS_MAX} characters; shorten it"));
            continue;
        }
        match rdata::from_route53(record_type, value) {
            Ok(rdata) if !seen.insert(rdata::canonical(record_type, &rdata).into_owned()) => {
                refuse(format!("{value:?} is given twice; keep one"));
            }
            Ok(rdata) => rdatas.push(rdata),
            Err(error) => refuse(error.to_string()),
        }
    }
    rdatas
}

fn owner(name: &str, found: &mut Vec<Violation>) -> Option<Name> {
    let owner = Name::from_route53(name);
    if let Err(error) = &owner {
        let what = format!("{name:?} is not a domain name: {error}");
        found.push(Violation::new("Name", rule_of(error), what));
    }
    owner.ok()
}

/// Which rule a text breaks that is no name.
fn rule_of(error: &model::NameError) -> &'static str {
    match error {
        model::NameError::BadEscape | model::NameError::BadCharacter(_) => "R-15",
        _ => "R-14",
    }
}

fn record_type(text: &str, found: &mut Vec<Violation>) -> Option<RecordType> {
    let known = TYPES.into_iter().find(|known| known.to_mnemonic_str() == Some(text));
    if known.is_none() {
        let names: Vec<&str> = TYPES.iter().filter_map(|known| known.to_mnemonic_str()).collect();
        let what = format!("{text:?} is not a type; give one of {}", names.join(" "));
        found.push(Violation::new("Type", "R-10", what));
    }
    known
}

impl AliasTarget {
    fn declare(&self, found: &mut Vec<Violation>) -> Option<model::AliasTarget> {
        let mut missing = |field: &str| {
            found.push(Violation::new(format!("AliasTarget.{field}"), "R-41", "missing; add it"));
        };
        if self.hosted_zone_id.as_deref().unwrap_or_default().is_empty() {
            missing("HostedZoneId");
        }
        if self.dns_name.is_none() {
            missing("DNSName");
        }
        if self.evaluate_target_health.is_none() {
            missing("EvaluateTargetHealth");
        }
        let name = match Name::from_route53(self.dns_name.as_deref()?) {
            Ok(name) => name,
            Err(error) => {
                let what = format!("{:?} is not a domain name: {error}", self.dns_name.as_deref()?);
                found.push(Violation::new("AliasTarget.DNSName", rule_of(&error), what));
                return None;
            }
        };
        // Some clients name zones the way the API's paths do.
        let zone = self.hosted_zone_id.as_deref()?;
        let zone = zone.strip_prefix("/hostedzone/").unwrap_or(zone);
        Some(model::AliasTarget {
            zone: ZoneId(zone.into()),
            name,
            evaluate_target_health: self.evaluate_target_health?,
        })
    }
}

impl GeoLocation {
    fn declare(&self) -> Result<policy::GeoLocation, Violation> {
        let refuse = |field: &str, what: String| {
            let field = if field.is_empty() { "GeoLocation".into() } else { format!("GeoLocation.{field}") };
            Err(Violation::new(field, "R-28", what))
        };
        let code = |text: &str| <[u8; 2]>::try_from(text.as_bytes()).ok();
        match (self.continent_code.as_deref(), self.country_code.as_deref(), self.subdivision_code.as_deref())
        {
            (Some(continent), None, None) => {
                match code(continent).filter(|_| places::continents().any(|known| known == continent)) {
                    Some(code) => Ok(policy::GeoLocation::Continent(code)),
                    None => {
                        refuse("ContinentCode", format!("{continent:?} must be AF, AN, AS, EU, NA, OC or SA"))
                    }
                }
            }
            (None, Some("*"), None) => Ok(policy::GeoLocation::Default),
            (None, Some(country), None) => {
                match code(country).filter(|_| places::continent_of(country).is_some()) {
                    Some(code) => Ok(policy::GeoLocation::Country(code)),
                    None => refuse(
                        "CountryCode",
                        format!("{country:?} is no country here; give an ISO 3166-1 code such as DE, or *"),
                    ),
                }
            }
            (None, Some("US"), Some(state)) if places::us_states().any(|known| known == state) => {
                Ok(policy::GeoLocation::Subdivision(state.to_owned()))
            }
            (None, Some("US"), Some(state)) => {
                refuse("SubdivisionCode", format!("{state:?} is no state of the US; give one such as CA"))
            }
            (None, _, Some(_)) => refuse(
                "SubdivisionCode",
                "a subdivision needs CountryCode US; remove it or change the country".into(),
            ),
            (Some(_), ..) => {
                refuse("ContinentCode", "must stand alone; remove it or the country and subdivision".into())
            }
            (None, None, None) => refuse("", "names no place; add ContinentCode or CountryCode".into()),
        }
    }
}

impl CidrRoutingConfig {
    fn declare(&self) -> Result<RoutingPolicy, Violation> {
        let refuse =
            |field: &str, what: &str| Err(Violation::new(format!("CidrRoutingConfig.{field}"), "R-35", what));
        let Some(collection) = self.collection_id.as_deref().filter(|id| !id.is_empty()) else {
            return refuse("CollectionId", "missing; add the id of a CIDR collection");
        };
        match self.location_name.as_deref() {
            None => refuse("LocationName", "missing; add the name of a location, or *"),
            Some(location) if location == "*" || is_location_name(location) => {
                Ok(RoutingPolicy::Cidr { collection: collection.into(), location: location.into() })
            }
            Some(_) => refuse("LocationName", "must be * or 1 to 16 of the characters 0-9 A-Z a-z _ -"),
        }
    }
}

/// Whether a CIDR location may have this name.
pub fn is_location_name(name: &str) -> bool {
    (1..=LOCATION_NAME_MAX).contains(&name.len())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_' || octet == b'-')
}

impl GeoProximityLocation {
    fn declare(&self) -> Result<RoutingPolicy, Violation> {
        let refuse = |field: &str, what: String| {
            let dot = if field.is_empty() { "" } else { "." };
            Violation::new(format!("GeoProximityLocation{dot}{field}"), "R-38", what)
        };
        let label = |field, text: &String| match text.chars().count() {
            1..=REGION_MAX => Ok(text.clone()),
            _ => Err(refuse(field, "must have 1 to 64 characters".into())),
        };
        let place = match (&self.aws_region, &self.local_zone_group, &self.coordinates) {
            (Some(region), None, None) => GeoProximityPlace::Region(label("AWSRegion", region)?),
            (None, Some(group), None) => GeoProximityPlace::LocalZoneGroup(label("LocalZoneGroup", group)?),
            (None, None, Some(coordinates)) => {
                let read = |field: &str, text: &Option<String>, max: i16| {
                    let text = text.as_deref().unwrap_or_default();
                    let degrees = centidegrees(text, max);
                    degrees.ok_or_else(|| {
                        let what = format!("{text:?} must be decimal degrees from -{max} to {max}, as text");
                        Violation::new(format!("GeoProximityLocation.Coordinates.{field}"), "R-38", what)
                    })
                };
                GeoProximityPlace::Coordinates {
                    latitude_centi: read("Latitude", &coordinates.latitude, 90)?,
                    longitude_centi: read("Longitude", &coordinates.longitude, 180)?,
                }
            }
            _ => {
                let what = "must have exactly one of AWSRegion, LocalZoneGroup and Coordinates";
                return Err(refuse("", what.into()));
            }
        };
        let bias = self.bias.unwrap_or(0);
        match i8::try_from(bias) {
            Ok(bias @ -99..=99) => Ok(RoutingPolicy::Geoproximity { place, bias }),
            _ => Err(refuse("Bias", format!("{bias} is out of range; give -99 to 99"))),
        }
    }
}

/// What messages call a record set of the model.
pub(crate) fn label_of(owner: &Name, record_type: RecordType, set_id: Option<&SetId>) -> String {
    match set_id {
        Some(SetId(set_id)) => format!("{owner} {record_type} {set_id:?}"),
        None => format!("{owner} {record_type}"),
    }
}
