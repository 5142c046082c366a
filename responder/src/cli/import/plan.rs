//! What to change so that a zone holds what a file has, in batches that the API takes.

use std::collections::{BTreeMap, BTreeSet};

use pulse53_core::change::{Action, is_same_record_set};
use pulse53_core::model::Name;
use pulse53_core::route53::ResourceRecordSet;

use super::Ids;
use crate::cli::Failure;
use crate::cli::listing::Zone;

/// Most records in a batch: half of what the API takes, for it counts those of an UPSERT twice.
const RECORDS_MAX: usize = 500;
/// Most characters of values in a batch, likewise.
const CHARACTERS_MAX: usize = 16_000;

/// One change.
pub(super) type Change = (Action, ResourceRecordSet);

/// What tells record sets apart.
type Key = (Name, String, Option<String>);

/// Puts the node's ids in place of the file's.
pub(super) fn translate(set: &mut ResourceRecordSet, zones: &[Zone], checks: &Ids, collections: &Ids) {
    if let Some(id) = set.health_check_id.as_mut().and_then(|id| Some((checks.get(id)?, id))) {
        id.1.clone_from(id.0);
    }
    let collection = set.cidr_routing_config.as_mut().and_then(|config| config.collection_id.as_mut());
    if let Some(id) = collection.and_then(|id| Some((collections.get(id)?, id))) {
        id.1.clone_from(id.0);
    }
    if let Some(alias) = &mut set.alias_target {
        let given = alias.hosted_zone_id.as_deref().unwrap_or_default().trim_start_matches("/hostedzone/");
        let target = alias.dns_name.as_deref().and_then(|name| Name::from_route53(name).ok());
        if let Some(target) = target.filter(|_| zones.iter().all(|zone| zone.id != given)) {
            let holding = zones.iter().filter(|zone| target.is_at_or_below(&zone.apex));
            if let Some(zone) = holding.max_by_key(|zone| zone.apex.label_count()) {
                alias.hosted_zone_id = Some(zone.id.clone());
            }
        }
    }
}

fn key(set: &ResourceRecordSet) -> Result<Key, Failure> {
    Ok((Name::from_route53(&set.name)?, set.record_type.clone(), set.set_identifier.clone()))
}

/// Whether both mean the same, however they are written.
fn is_same(one: &ResourceRecordSet, other: &ResourceRecordSet) -> bool {
    match (one.declare(None), other.declare(None)) {
        (Ok(one), Ok(other)) => is_same_record_set(one.record_type, &one.set, &other.set),
        _ => one == other,
    }
}

/// The batches. What one name has is changed at once; targets come before aliases of them. The apex keeps its SOA and NS.
pub(super) fn plan(
    apex: &Name,
    current: &[ResourceRecordSet],
    wanted: &[ResourceRecordSet],
    replace: bool,
) -> Result<Vec<Vec<Change>>, Failure> {
    let is_kept = |key: &Key| key.0 == *apex && matches!(key.1.as_str(), "SOA" | "NS");
    let mut there: BTreeMap<Key, &ResourceRecordSet> = BTreeMap::new();
    for set in current {
        there.insert(key(set)?, set);
    }
    let mut names: BTreeMap<Name, Vec<Change>> = BTreeMap::new();
    let mut given = BTreeSet::new();
    for set in wanted {
        let key = key(set)?;
        if !is_kept(&key) && there.get(&key).is_none_or(|known| !is_same(known, set)) {
            names.entry(key.0.clone()).or_default().push((Action::Upsert, set.clone()));
        }
        given.insert(key);
    }
    let gone = there.iter().filter(|(key, _)| replace && !is_kept(key) && !given.contains(*key));
    for (key, set) in gone {
        names.entry(key.0.clone()).or_default().insert(0, (Action::Delete, (*set).clone()));
    }
    Ok(batches(in_order(names)))
}

/// The changes name by name, an alias's name after that of its target wherever that is to change too.
fn in_order(mut names: BTreeMap<Name, Vec<Change>>) -> Vec<Vec<Change>> {
    let mut ordered = Vec::with_capacity(names.len());
    while !names.is_empty() {
        let is_free = |(name, changes): (&Name, &Vec<Change>)| {
            let waits = changes.iter().any(|(_, set)| {
                let target = set.alias_target.as_ref().and_then(|target| target.dns_name.as_deref());
                let target = target.and_then(|target| Name::from_route53(target).ok());
                target.is_some_and(|target| target != *name && names.contains_key(&target))
            });
            (!waits).then(|| name.clone())
        };
        let mut next: Vec<Name> = names.iter().filter_map(is_free).collect();
        if next.is_empty() {
            // Aliases in a circle: the API says so.
            next.extend(names.keys().cloned());
        }
        ordered.extend(next.iter().filter_map(|name| names.remove(name)));
    }
    ordered
}

fn batches(names: Vec<Vec<Change>>) -> Vec<Vec<Change>> {
    let mut batches: Vec<Vec<Change>> = Vec::new();
    let (mut records, mut characters) = (0, 0);
    for changes in names {
        let values = || changes.iter().flat_map(|(_, set)| set.resource_records.iter().flatten());
        // An alias counts as one record.
        let count = values().count().max(changes.len());
        let length: usize = values().map(|record| record.value.chars().count()).sum();
        match batches.last_mut() {
            Some(batch) if records + count <= RECORDS_MAX && characters + length <= CHARACTERS_MAX => {
                batch.extend(changes);
                (records, characters) = (records + count, characters + length);
            }
            _ => {
                batches.push(changes);
                (records, characters) = (count, length);
            }
        }
    }
    batches
}

/// A change for people: `+` new, `~` changed, `-` deleted.
pub(super) fn line(action: Action, set: &ResourceRecordSet, current: &[ResourceRecordSet]) -> String {
    let is_there = || current.iter().any(|other| key(other).ok() == key(set).ok());
    let sign = match action {
        Action::Delete => '-',
        _ if is_there() => '~',
        _ => '+',
    };
    let set_id = set.set_identifier.as_ref().map_or_else(String::new, |id| format!(" {id:?}"));
    let data = match &set.alias_target {
        Some(target) => format!("alias of {}", target.dns_name.as_deref().unwrap_or_default()),
        None => {
            let values = set.resource_records.iter().flatten().map(|record| record.value.as_str());
            values.collect::<Vec<_>>().join(", ")
        }
    };
    format!("{sign} {} {}{set_id} {data}", set.name, set.record_type)
}

#[cfg(test)]
mod tests {
    use pulse53_core::route53::{AliasTarget, ResourceRecord};

    use super::*;

    fn set(name: &str, record_type: &str, value: &str) -> ResourceRecordSet {
        ResourceRecordSet {
            name: name.to_owned(),
            record_type: record_type.to_owned(),
            ttl: Some(60),
            resource_records: Some(vec![ResourceRecord { value: value.to_owned() }]),
            ..ResourceRecordSet::default()
        }
    }

    fn alias(name: &str, target: &str) -> ResourceRecordSet {
        let target = AliasTarget {
            hosted_zone_id: Some("ZOLD".to_owned()),
            dns_name: Some(target.to_owned()),
            evaluate_target_health: Some(false),
        };
        ResourceRecordSet {
            name: name.to_owned(),
            record_type: "A".to_owned(),
            alias_target: Some(target),
            ..ResourceRecordSet::default()
        }
    }

    fn check(
        current: &[ResourceRecordSet],
        wanted: &[ResourceRecordSet],
        replace: bool,
        expected: &[&[&str]],
    ) {
        let apex = Name::from_route53("example.com").unwrap();
        let told: Vec<Vec<String>> = plan(&apex, current, wanted, replace)
            .unwrap()
            .iter()
            .map(|batch| batch.iter().map(|(action, set)| line(*action, set, current)).collect())
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn only_what_differs_is_changed_and_only_replacing_deletes() {
        let current = [
            set("example.com", "NS", "ns.old.example"),
            set("a.example.com.", "A", "192.0.2.1"),
            set("mx.example.com.", "MX", "10 Mail.Example.com"),
            set("x.example.com.", "CNAME", "a.example.com"),
        ];
        let wanted = [
            set("example.com.", "NS", "ns.new.example"),
            set("A.example.com", "A", "192.0.2.2"),
            set("mx.example.com", "MX", "10 mail.example.com."),
            set("x.example.com.", "A", "192.0.2.3"),
        ];
        let two: &[&str] = &["~ A.example.com A 192.0.2.2", "+ x.example.com. A 192.0.2.3"];
        check(&current, &wanted, false, &[two]);
        // A name's type is exchanged within one batch.
        let three: &[&str] = &[two[0], "- x.example.com. CNAME a.example.com", two[1]];
        check(&current, &wanted, true, &[three]);
        check(&wanted, &wanted, true, &[]);
    }

    #[test]
    fn targets_come_before_aliases() {
        let wanted = [
            alias("a.example.com.", "b.example.com."),
            alias("b.example.com.", "c.example.com."),
            set("c.example.com.", "A", "192.0.2.1"),
        ];
        let three: &[&str] = &[
            "+ c.example.com. A 192.0.2.1",
            "+ b.example.com. A alias of c.example.com.",
            "+ a.example.com. A alias of b.example.com.",
        ];
        check(&[], &wanted, false, &[three]);
    }

    #[test]
    fn batches_stay_within_the_limits() {
        let many: Vec<_> =
            (0..1200).map(|at| set(&format!("n{at:04}.example.com."), "A", "192.0.2.1")).collect();
        let apex = Name::from_route53("example.com").unwrap();
        let sizes: Vec<usize> = plan(&apex, &[], &many, false).unwrap().iter().map(Vec::len).collect();
        assert_eq!(sizes, [500, 500, 200]);
    }

    #[test]
    fn ids_of_the_file_become_those_of_the_node() {
        let apex = Name::from_route53("example.com").unwrap();
        let zones = [Zone { id: "ZNEW".to_owned(), apex }];
        let mut moved = alias("a.example.com", "b.example.com");
        moved.health_check_id = Some("old".to_owned());
        translate(&mut moved, &zones, &Ids::from([("old".to_owned(), "new".to_owned())]), &Ids::new());
        assert_eq!(moved.alias_target.unwrap().hosted_zone_id.as_deref(), Some("ZNEW"));
        assert_eq!(moved.health_check_id.as_deref(), Some("new"));
    }
}
