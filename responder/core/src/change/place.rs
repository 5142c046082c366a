//! What may lie where in a zone: and what else depends on the owner's place.

use super::working::Working;
use super::{Complaints, SetKey};
use crate::model::{Name, RecordType};

/// Checks the owners of everything written, and the apex.
pub(super) fn check(working: &Working<'_>, complaints: &mut Complaints) {
    let zone = &working.zone.apex;
    for (at, key, _) in working.written() {
        if let Some(message) = misplaced(working, zone, &key) {
            complaints.add(at, message);
        }
    }
    for (record_type, message) in [
        (RecordType::SOA, "A HostedZone must contain exactly one SOA record."),
        (RecordType::NS, "A HostedZone must contain at least one NS record for the zone itself."),
    ] {
        if let Some((at, members)) = working.touched.get(&(zone.clone(), record_type))
            && members.is_empty()
        {
            complaints.add(*at, message.to_owned());
        }
    }
}

fn misplaced(working: &Working<'_>, zone: &Name, key: &SetKey) -> Option<String> {
    let SetKey { owner, record_type, .. } = key;
    if !owner.is_at_or_below(zone) {
        return Some(format!("RRSet with DNS name {owner} is not permitted in zone {zone}"));
    }
    let is_apex = owner == zone;
    match *record_type {
        RecordType::CNAME if is_apex => {
            return Some(format!(
                "RRSet of type CNAME with DNS name {owner} is not permitted at apex in zone {zone}"
            ));
        }
        RecordType::SOA if !is_apex => {
            return Some(format!(
                "RRSet of type SOA with DNS name {owner} is not permitted below the apex of zone {zone}"
            ));
        }
        RecordType::DS if is_apex || !working.has_group(owner, RecordType::NS) => {
            return Some(format!(
                "RRSet of type DS with DNS name {owner} is not permitted as there is no delegation with the same DNS name in zone {zone}"
            ));
        }
        _ => {}
    }
    let types = working.types_at(owner);
    if types.len() < 2 || !types.contains(&RecordType::CNAME) {
        None
    } else if *record_type == RecordType::CNAME {
        Some(format!(
            "RRSet of type CNAME with DNS name {owner} is not permitted as it conflicts with other records with the same DNS name in zone {zone}"
        ))
    } else {
        let subject = format!("RRSet of type {record_type} with DNS name {owner}");
        Some(format!(
            "{subject} is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone {zone}"
        ))
    }
}
