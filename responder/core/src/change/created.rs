//! Zones at the beginning of a batch's life: made anew, or read back from the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::working::as_listed;
use super::{Edit, SetKey};
use crate::model::{Name, RRsetGroup, RecordType, Zone, ZoneId};
use crate::route53::{DeclaredRecordSet, ResourceRecord, ResourceRecordSet, Violation};

/// What a new zone is made of.
#[derive(Debug, Clone)]
pub struct NewZone<'n> {
    /// Its id.
    pub id: ZoneId,
    /// Its topmost name.
    pub apex: Name,
    /// The names of its servers, at least one.
    pub name_servers: &'n [Name],
    /// The SOA's mailbox as a name.
    pub mailbox: &'n Name,
}

/// A new zone and its apex records, as Route 53 makes them: NS and SOA.
pub fn create_zone(new: NewZone<'_>) -> Result<(Zone, Vec<Edit>), Vec<Violation>> {
    let NewZone { id, apex, name_servers, mailbox } = new;
    let set = |record_type: RecordType, ttl, values: Vec<String>| ResourceRecordSet {
        name: apex.to_string(),
        record_type: record_type.to_string(),
        ttl: Some(ttl),
        resource_records: Some(values.into_iter().map(|value| ResourceRecord { value }).collect()),
        ..ResourceRecordSet::default()
    };
    let servers: Vec<String> = name_servers.iter().map(ToString::to_string).collect();
    let first = servers.first().cloned().unwrap_or_else(|| apex.to_string());
    let sets = vec![
        set(RecordType::NS, 172_800, servers),
        set(RecordType::SOA, 900, vec![format!("{first} {mailbox} 1 7200 900 1209600 86400")]),
    ];
    let edits = sets.iter().map(|set| {
        let DeclaredRecordSet { owner, record_type, .. } = set.declare(None)?;
        let listed = as_listed(&owner, set);
        Ok(Edit { key: SetKey { owner, record_type, set_id: None }, set: Some(listed) })
    });
    let edits = edits.collect::<Result<_, Vec<Violation>>>()?;
    Ok((zone_of_record_sets(id, apex, sets)?, edits))
}

/// The zone of stored record sets, which were judged when they were written.
pub fn zone_of_record_sets(
    id: ZoneId,
    apex: Name,
    sets: impl IntoIterator<Item = ResourceRecordSet>,
) -> Result<Zone, Vec<Violation>> {
    let mut groups: BTreeMap<(Name, RecordType), RRsetGroup> = BTreeMap::new();
    for set in sets {
        let DeclaredRecordSet { owner, record_type, set } = set.declare(None)?;
        let group = groups.entry((owner, record_type)).or_insert(RRsetGroup { members: Vec::new() });
        group.members.push(set);
    }
    let groups = groups.into_iter().map(|(key, group)| (key, Arc::new(group))).collect();
    Ok(Zone { id, apex, groups })
}
