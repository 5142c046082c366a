//! What is in a file to import.

use std::path::Path;

use pulse53_core::assemble::{Limits, SnapshotBuilder, ZoneBuilder};
use pulse53_core::model::{CidrBlock, CidrCollection, Findings, Name, Revision};
use pulse53_core::route53::{ResourceRecordSet, read_cidr_collections, read_health_checks, read_record_sets};
use pulse53_core::zonefile;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::Failure;
use crate::cli::listing::{Check, Collection};

/// One file's.
pub(super) enum Contents {
    Checks(Vec<Check>),
    Collections(Vec<Collection>),
    RecordSets { apex: Name, sets: Vec<ResourceRecordSet> },
}

/// Reads a file; every error in it is told with its place.
pub(super) fn read(path: &Path, zone: Option<&Name>) -> Result<Contents, Failure> {
    let file = path.display().to_string();
    let octets = std::fs::read(path).map_err(|error| Failure(format!("{file} cannot be read: {error}")))?;
    let is_json = octets.iter().find(|octet| !octet.is_ascii_whitespace());
    if !matches!(is_json, Some(b'{' | b'[')) {
        return master_file(path, &octets, zone);
    }
    let text = String::from_utf8(octets)
        .map_err(|_| Failure(format!("{file}: not UTF-8 text; save it as UTF-8")))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| Failure(format!("{file}: {error}")))?;
    // A list alone is known by what its first object has.
    let has = |key: &str| !value[key].is_null() || !value[0][key].is_null();
    if has("HealthChecks") || has("HealthCheckConfig") {
        refuse_any(&read_health_checks(&file, &text).findings)?;
        return Ok(Contents::Checks(items(&file, value, "HealthChecks")?));
    }
    if has("CidrCollections") || has("Locations") {
        let (collections, findings) = read_cidr_collections(&file, &text);
        refuse_any(&findings)?;
        let collection = |each: CidrCollection| {
            let texts = |blocks: Vec<CidrBlock>| blocks.iter().map(ToString::to_string).collect();
            let locations = each.locations.into_iter().map(|(name, blocks)| (name, texts(blocks)));
            Collection { id: each.id.to_string(), name: each.name, locations: locations.collect() }
        };
        return Ok(Contents::Collections(collections.into_iter().map(collection).collect()));
    }
    refuse_any(&read_record_sets(&file, &text).findings)?;
    let sets: Vec<ResourceRecordSet> = items(&file, value, "ResourceRecordSets")?;
    let soa = sets.iter().find(|set| set.record_type == "SOA").map(|set| Name::from_route53(&set.name));
    let apex = match (zone, soa) {
        (Some(zone), _) => zone.clone(),
        (None, Some(soa)) => soa?,
        (None, None) => name_of_file(path)?,
    };
    Ok(Contents::RecordSets { apex, sets })
}

fn items<T: DeserializeOwned>(file: &str, mut value: Value, key: &str) -> Result<Vec<T>, Failure> {
    let list = if value.is_array() { value } else { value[key].take() };
    serde_json::from_value(list).map_err(|error| Failure(format!("{file}: {key}: {error}")))
}

fn name_of_file(path: &Path) -> Result<Name, Failure> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().replace('%', "\\")).unwrap_or_default();
    Name::from_route53(&stem).map_err(|error| {
        Failure(format!("{}: {stem:?} is no zone's name: {error}; give --zone", path.display()))
    })
}

/// The record sets of a master file.
fn master_file(path: &Path, octets: &[u8], zone: Option<&Name>) -> Result<Contents, Failure> {
    let apex = zone.cloned().map_or_else(|| name_of_file(path), Ok)?;
    let directory = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut include = |other: &str| std::fs::read(directory.join(other)).map_err(|error| error.to_string());
    let read = zonefile::read(&path.display().to_string(), octets, &apex, &mut include);
    let mut zone = ZoneBuilder::new(apex.clone(), None);
    zone.add_master_file(read);
    let mut builder = SnapshotBuilder::new(Limits::default());
    builder.add_zone(zone);
    let (snapshot, _) = builder.build(Revision::default()).map_err(|findings| refused(&findings))?;
    let mut sets = Vec::new();
    for ((owner, record_type), group) in snapshot.zones.values().flat_map(|zone| zone.groups.iter()) {
        let listed = |set| ResourceRecordSet::listed(owner, *record_type, set);
        sets.extend(group.members.iter().map(listed));
    }
    Ok(Contents::RecordSets { apex, sets })
}

fn refuse_any(findings: &Findings) -> Result<(), Failure> {
    if findings.errors.is_empty() {
        return Ok(());
    }
    Err(refused(findings))
}

fn refused(findings: &Findings) -> Failure {
    let lines: Vec<String> = findings.errors.iter().map(ToString::to_string).collect();
    Failure(lines.join("\n"))
}
