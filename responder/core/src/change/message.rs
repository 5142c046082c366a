//! The words of Route 53's messages. Clients match codes and, some of them, these words.

use super::SetKey;
use crate::model::policy::GeoLocation;
use crate::model::{FailoverRole, Name, NameError, PolicyKind, RecordSet, RoutingPolicy};
use crate::rdata::{self, RdataFault};

/// A name that cannot be read.
pub(super) fn bad_name(text: &str) -> String {
    match Name::from_route53(text) {
        Err(error) => fatal(name_problem(&error), text),
        Ok(_) => fatal(("UnsupportedCharacter", "Value contains unsupported characters"), text),
    }
}

/// A value that cannot be read, or that is there twice.
pub(super) fn bad_value(record_type: &str, value: &str, what: &str) -> String {
    let read = rdata::record_type(record_type).map(|record_type| rdata::from_route53(record_type, value));
    match read {
        Some(Err(error)) => {
            let text = error.fault.to_string();
            let problem = rdata_problem(&error.fault, &text);
            format!("Invalid Resource Record: '{}'", fatal(problem, value))
        }
        _ if what.contains("given twice") => format!("Duplicate Resource Record: '{value}'"),
        _ => format!("Invalid Resource Record: '{}'", fatal(("InvalidRRDATA", what), value)),
    }
}

fn fatal((code, text): (&str, &str), value: &str) -> String {
    format!("FATAL problem: {code} ({text}) encountered with '{value}'")
}

fn name_problem(error: &NameError) -> (&'static str, &'static str) {
    match error {
        NameError::EmptyLabel => ("DomainLabelEmpty", "Domain label is empty"),
        NameError::LongLabel => ("DomainLabelTooLong", "Domain label is too long"),
        NameError::LongName => ("DomainNameTooLong", "Domain name is too long"),
        NameError::BadEscape | NameError::BadCharacter(_) | NameError::NotWire => {
            ("UnsupportedCharacter", "Value contains unsupported characters")
        }
    }
}

fn rdata_problem<'t>(fault: &RdataFault, text: &'t str) -> (&'static str, &'t str) {
    match fault {
        RdataFault::Ipv4(_) => ("ARRDATAIllegalIPv4Address", "Value is not a valid IPv4 address"),
        RdataFault::Ipv6(_) => ("AAAARRDATAIllegalIPv6Address", "Value is not a valid IPv6 address"),
        RdataFault::NotQuoted(_) | RdataFault::OpenQuote => {
            ("InvalidCharacterString", "Value should be enclosed in quotation marks")
        }
        RdataFault::StringTooLong(_) => ("CharacterStringTooLong", "Value is too long"),
        RdataFault::MustEscape(_) => ("UnsupportedCharacter", "Value contains unsupported characters"),
        RdataFault::Name { error, .. } => name_problem(error),
        _ => ("InvalidRRDATA", text),
    }
}

/// `[name='N', type='T']`, with the set identifier if there is one.
fn place(key: &SetKey) -> String {
    let set_id = key.set_id.as_ref().map_or_else(String::new, |id| format!(", set-identifier='{}'", id.0));
    format!("[name='{}', type='{}'{set_id}]", key.owner, key.record_type)
}

/// CREATE of what is there.
pub(super) fn exists(key: &SetKey) -> String {
    format!("Tried to create resource record set {} but it already exists", place(key))
}

/// DELETE of what is not there.
pub(super) fn not_found(key: &SetKey) -> String {
    format!("Tried to delete resource record set {} but it was not found", place(key))
}

/// DELETE of what is there, but otherwise.
pub(super) fn differs(key: &SetKey) -> String {
    let place = place(key);
    format!(
        "Tried to delete resource record set {place} but the values provided do not match the current values"
    )
}

/// One record set is named by changes that do not go together.
pub(super) fn invalid_changes(key: &SetKey) -> String {
    let SetKey { owner, record_type, set_id } = key;
    let set_id = set_id.as_ref().map_or_else(String::new, |id| format!(" {}", id.0));
    format!(
        "The request contains an invalid set of changes for a resource record set '{record_type} {owner}{set_id}'"
    )
}

/// `RRSet with DNS name N, type T[, SetIdentifier S]`.
fn subject(key: &SetKey) -> String {
    let set_id = key.set_id.as_ref().map_or_else(String::new, |id| format!(", SetIdentifier {}", id.0));
    format!("RRSet with DNS name {}, type {}{set_id}", key.owner, key.record_type)
}

/// Two record sets of one group exclude each other by a rule; `what` serves where Route 53 has no words of its own.
pub(super) fn conflict(key: &SetKey, set: &RecordSet, rule: &str, what: &str) -> String {
    let subject = subject(key);
    let kind = set.policy.kind();
    match (rule, role(set)) {
        ("R-4", _) if kind == PolicyKind::Simple => {
            format!("{subject} cannot be created as other RRSets exist with the same name and type.")
        }
        ("R-4", _) => {
            let kind = kind.as_str();
            format!("{subject} cannot be created as a non-{kind} set exists with the same name and type.")
        }
        ("R-8", _) => format!("{subject} cannot be created as weighted sets must contain the same TTL."),
        ("R-26" | "R-28" | "R-32" | "R-35", Some((word, role))) if what.contains("is taken") => {
            let kind = kind.as_str();
            format!(
                "{subject}, and {role} cannot be created because a {kind} RRSet with the same name, type and {word} already exists."
            )
        }
        _ => format!("{subject} cannot be created: {what}."),
    }
}

/// What no other record set of the group may have: a word for it, and its value.
fn role(set: &RecordSet) -> Option<(&'static str, String)> {
    Some(match &set.policy {
        RoutingPolicy::Failover(FailoverRole::Primary) => ("failover role", "Failover=PRIMARY".into()),
        RoutingPolicy::Failover(FailoverRole::Secondary) => ("failover role", "Failover=SECONDARY".into()),
        RoutingPolicy::Latency(region) => ("region", format!("Region Name={region}")),
        RoutingPolicy::Cidr { location, .. } => ("location", format!("CIDR Location Name={location}")),
        RoutingPolicy::Geolocation(location) => {
            let code = |code: &[u8; 2]| String::from_utf8_lossy(code).into_owned();
            let location = match location {
                GeoLocation::Continent(continent) => format!("ContinentCode={}", code(continent)),
                GeoLocation::Country(country) => format!("CountryCode={}", code(country)),
                GeoLocation::Subdivision(state) => format!("CountryCode=US, SubdivisionCode={state}"),
                GeoLocation::Default => "CountryCode=*".into(),
            };
            ("geolocation", format!("GeoLocation {location}"))
        }
        _ => return None,
    })
}
