//! A zone while a batch is carried out: the groups it touches, over the zone as it is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::message;
use super::{Action, Change, Complaints, Edit, SetKey};
use crate::model::{Name, RRsetGroup, RecordData, RecordSet, RecordType, Zone};
use crate::rdata;
use crate::route53::{DeclaredRecordSet, ResourceRecordSet};

/// A group's owner and type.
pub(super) type GroupKey = (Name, RecordType);

/// One record set of a touched group.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub set: RecordSet,
    /// The change that wrote it; none if the batch leaves it alone.
    pub change: Option<usize>,
}

/// The zone with the batch's changes so far.
#[derive(Debug)]
pub(super) struct Working<'z> {
    pub zone: &'z Zone,
    /// Touched groups with the first change that touched each; one without members is gone.
    pub touched: BTreeMap<GroupKey, (usize, Vec<Member>)>,
    removed: HashSet<SetKey>,
}

impl<'z> Working<'z> {
    pub(super) fn new(zone: &'z Zone) -> Self {
        Self { zone, touched: BTreeMap::new(), removed: HashSet::new() }
    }

    /// Deletes first, against the zone as it is; then the others in their order.
    pub(super) fn carry_out(
        &mut self,
        changes: &[(usize, Action, DeclaredRecordSet)],
        complaints: &mut Complaints,
    ) {
        let mut by_key: HashMap<SetKey, Vec<Action>> = HashMap::with_capacity(changes.len());
        let mut sound = Vec::with_capacity(changes.len());
        for (at, action, declared) in changes {
            let key = key_of(declared);
            let earlier = by_key.entry(key.clone()).or_default();
            let goes_together = match earlier.as_slice() {
                [] => true,
                [Action::Delete] => *action != Action::Delete,
                _ => false,
            };
            earlier.push(*action);
            if goes_together {
                sound.push((*at, *action, key, declared));
            } else {
                complaints.add(*at, message::invalid_changes(&key));
            }
        }
        for (at, _, key, declared) in sound.iter().filter(|change| change.1 == Action::Delete) {
            self.delete(*at, key, &declared.set, complaints);
        }
        for (at, action, key, declared) in sound.iter().filter(|change| change.1 != Action::Delete) {
            self.write(*at, *action, key, &declared.set, complaints);
        }
    }

    fn delete(&mut self, at: usize, key: &SetKey, given: &RecordSet, complaints: &mut Complaints) {
        let (_, members) = self.touch(at, key);
        match members.iter().position(|member| member.set.set_id == key.set_id) {
            None => complaints.add(at, message::not_found(key)),
            Some(found) if !is_same_record_set(key.record_type, &members[found].set, given) => {
                complaints.add(at, message::differs(key));
            }
            Some(found) => {
                members.remove(found);
                self.removed.insert(key.clone());
            }
        }
    }

    fn write(
        &mut self,
        at: usize,
        action: Action,
        key: &SetKey,
        set: &RecordSet,
        complaints: &mut Complaints,
    ) {
        let (_, members) = self.touch(at, key);
        let member = Member { set: set.clone(), change: Some(at) };
        match members.iter().position(|member| member.set.set_id == key.set_id) {
            Some(_) if action == Action::Create => complaints.add(at, message::exists(key)),
            Some(found) => members[found] = member,
            None => members.push(member),
        }
    }

    fn touch(&mut self, at: usize, key: &SetKey) -> &mut (usize, Vec<Member>) {
        let key = (key.owner.clone(), key.record_type);
        let served = || {
            let members = self.zone.groups.get(&key).map_or(&[][..], |group| &group.members);
            members.iter().map(|set| Member { set: set.clone(), change: None }).collect()
        };
        self.touched.entry(key.clone()).or_insert_with(|| (at, served()))
    }

    /// Whether there is a group of this owner and type now.
    pub(super) fn has_group(&self, owner: &Name, record_type: RecordType) -> bool {
        let key = (owner.clone(), record_type);
        match self.touched.get(&key) {
            Some((_, members)) => !members.is_empty(),
            None => self.zone.groups.contains_key(&key),
        }
    }

    /// The types that a name has now.
    pub(super) fn types_at(&self, owner: &Name) -> Vec<RecordType> {
        let from = (owner.clone(), RecordType::from_int(0));
        let here = |key: &GroupKey| key.0 == *owner;
        let served = self.zone.groups.range(from.clone()..).map(|(key, _)| key).take_while(|key| here(key));
        let touched = self.touched.range(from..).map(|(key, _)| key).take_while(|key| here(key));
        let mut types: Vec<RecordType> = served.chain(touched).map(|key| key.1).collect();
        types.sort_unstable();
        types.dedup();
        types.retain(|record_type| self.has_group(owner, *record_type));
        types
    }

    /// Every record set that the batch wrote, with its change.
    pub(super) fn written(&self) -> impl Iterator<Item = (usize, SetKey, &RecordSet)> {
        self.touched.iter().flat_map(|((owner, record_type), (_, members))| {
            members.iter().filter_map(|member| {
                let set_id = member.set.set_id.clone();
                let key = SetKey { owner: owner.clone(), record_type: *record_type, set_id };
                Some((member.change?, key, &member.set))
            })
        })
    }

    /// What to store.
    pub(super) fn edits(&self, changes: &[Change]) -> Vec<Edit> {
        let mut removed = self.removed.clone();
        let mut edits = Vec::with_capacity(changes.len());
        for (at, key, _) in self.written() {
            removed.remove(&key);
            let set = Some(as_listed(&key.owner, &changes[at].set));
            edits.push(Edit { key, set });
        }
        edits.extend(removed.into_iter().map(|key| Edit { key, set: None }));
        edits
    }

    pub(super) fn into_zone(self) -> Zone {
        let mut zone = self.zone.clone();
        for (key, (_, members)) in self.touched {
            let members: Vec<RecordSet> = members.into_iter().map(|member| member.set).collect();
            if members.is_empty() {
                zone.groups.remove(&key);
            } else {
                zone.groups.insert(key, Arc::new(RRsetGroup { members }));
            }
        }
        zone
    }
}

fn key_of(declared: &DeclaredRecordSet) -> SetKey {
    let DeclaredRecordSet { owner, record_type, set } = declared;
    SetKey { owner: owner.clone(), record_type: *record_type, set_id: set.set_id.clone() }
}

/// Whether a DELETE names what is stored: every field, values in any order and compared as DNS does.
pub fn is_same_record_set(record_type: RecordType, stored: &RecordSet, given: &RecordSet) -> bool {
    let is_same_data = match (&stored.data, &given.data) {
        (RecordData::Values { ttl, rdatas }, RecordData::Values { ttl: given_ttl, rdatas: given_rdatas }) => {
            let canonical = |rdatas: &[_]| {
                let octets = |each| rdata::canonical(record_type, each).into_owned();
                rdatas.iter().map(octets).collect::<HashSet<_>>()
            };
            ttl == given_ttl && canonical(rdatas) == canonical(given_rdatas)
        }
        (RecordData::Alias(stored), RecordData::Alias(given)) => stored == given,
        _ => false,
    };
    is_same_data && stored.policy == given.policy && stored.check == given.check
}

/// As it was submitted, but for the names, which are listed in one form.
pub(super) fn as_listed(owner: &Name, set: &ResourceRecordSet) -> ResourceRecordSet {
    let mut set = set.clone();
    set.name = owner.to_string();
    set.multi_value_answer = set.multi_value_answer.filter(|is_multivalue| *is_multivalue);
    if let Some(target) = &mut set.alias_target {
        let normalized = target.dns_name.as_deref().and_then(|name| Name::from_route53(name).ok());
        target.dns_name = normalized.map(|name| name.to_string());
        let zone = target.hosted_zone_id.take();
        target.hosted_zone_id =
            zone.map(|zone| zone.strip_prefix("/hostedzone/").unwrap_or(&zone).to_owned());
    }
    set
}
