//! One zone from a master file, record sets, or both.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::{Limits, group};
use crate::model::{
    Findings, Name, Problem, RRsetGroup, Rdata, RecordData, RecordSet, RecordType, RoutingPolicy, SetId,
    Source, Ttl, Zone, ZoneId,
};
use crate::rdata;
use crate::route53::{DeclaredRecordSet, RecordSets, label_of};
use crate::zonefile::{ZoneFile, ZoneRecord};

/// One record set on its way into a zone.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub set: RecordSet,
    /// New in this batch; what was served before is trusted.
    pub written: bool,
    /// From a master file, where Route 53's limits do not hold.
    pub from_master_file: bool,
}

/// Gathers the record sets of one zone; [`super::SnapshotBuilder`] judges them.
#[derive(Debug, Clone)]
pub struct ZoneBuilder {
    pub(super) id: ZoneId,
    pub(super) apex: Name,
    pub(super) groups: BTreeMap<(Name, RecordType), Vec<Member>>,
    pub(super) findings: Findings,
    /// The master file, if there is one.
    master_file: Option<Arc<str>>,
}

impl ZoneBuilder {
    /// An empty zone; without an id it gets the one its name implies.
    pub fn new(apex: Name, id: Option<ZoneId>) -> Self {
        let id = id.unwrap_or_else(|| ZoneId::derived_from(&apex));
        Self { id, apex, groups: BTreeMap::new(), findings: Findings::default(), master_file: None }
    }

    /// A zone as it is served, to be changed.
    pub fn of_zone(zone: &Zone) -> Self {
        let mut builder = Self::new(zone.apex.clone(), Some(zone.id.clone()));
        for (key, group) in &zone.groups {
            let members = group.members.iter().cloned();
            let members = members.map(|set| Member { set, written: false, from_master_file: false });
            builder.groups.insert(key.clone(), members.collect());
        }
        builder
    }

    /// Adds the records of the zone's master file, each RRset as one simple record set.
    pub fn add_master_file(&mut self, file: ZoneFile) {
        let ZoneFile { file, mut records, findings } = file;
        self.findings.append(findings);
        self.master_file = Some(file);
        // Stable, so that records of one RRset stay in order.
        records.sort_by(|a, b| (&a.owner, a.record_type).cmp(&(&b.owner, b.record_type)));
        for rrset in records.chunk_by(|a, b| a.record_type == b.record_type && a.owner == b.owner) {
            let set = self.join(rrset);
            let key = (rrset[0].owner.clone(), rrset[0].record_type);
            let member = Member { set, written: true, from_master_file: true };
            self.groups.entry(key).or_default().push(member);
        }
    }

    /// One record set of the records of one RRset: the lowest TTL, no duplicates.
    fn join(&mut self, rrset: &[ZoneRecord]) -> RecordSet {
        let first = &rrset[0];
        let record_type = first.record_type;
        let label = || label_of(&first.owner, record_type, None);
        let lowest = rrset.iter().min_by_key(|record| record.ttl).unwrap_or(first);
        let highest = rrset.iter().max_by_key(|record| record.ttl).unwrap_or(first);
        // Signatures carry the TTL of what they sign, so several TTLs are no mistake there.
        if lowest.ttl != highest.ttl && record_type != RecordType::RRSIG {
            let what = format!(
                "{}: TTL {} here but {} at {}; the lowest is served, give all records of a set one TTL",
                label(),
                highest.ttl.0,
                lowest.ttl.0,
                lowest.source
            );
            self.findings.warnings.push(Problem::of_syntax(Some(highest.source.clone()), what));
        }
        let mut rdatas: Vec<Rdata> = Vec::with_capacity(rrset.len());
        let mut seen = HashSet::new();
        for record in rrset {
            let is_new =
                rrset.len() == 1 || seen.insert(rdata::canonical(record_type, &record.rdata).into_owned());
            if !is_new {
                continue;
            }
            let singleton = matches!(record_type, RecordType::CNAME | RecordType::SOA | RecordType::DNAME);
            if singleton && !rdatas.is_empty() {
                let what = format!(
                    "{}: a second record; the first is at {}, keep one of them",
                    label(),
                    first.source
                );
                self.findings.errors.push(Problem::of_rule(Some(record.source.clone()), "R-7", what));
            }
            rdatas.push(record.rdata.clone());
        }
        simple(lowest.ttl, rdatas, Some(first.source.clone()))
    }

    /// Adds what a file of record sets holds, its findings included.
    pub fn add_record_sets(&mut self, read: RecordSets) {
        self.findings.append(read.findings);
        read.sets.into_iter().for_each(|set| self.add(set));
    }

    /// Adds one record set; nothing of the same group is replaced.
    pub fn add(&mut self, declared: DeclaredRecordSet) {
        let DeclaredRecordSet { owner, record_type, set } = declared;
        let member = Member { set, written: true, from_master_file: false };
        self.groups.entry((owner, record_type)).or_default().push(member);
    }

    /// Takes one record set away and returns it.
    pub fn remove(
        &mut self,
        owner: &Name,
        record_type: RecordType,
        set_id: Option<&SetId>,
    ) -> Option<RecordSet> {
        let key = (owner.clone(), record_type);
        let members = self.groups.get_mut(&key)?;
        let at = members.iter().position(|member| member.set.set_id.as_ref() == set_id)?;
        let removed = members.remove(at);
        if members.is_empty() {
            self.groups.remove(&key);
        }
        Some(removed.set)
    }

    /// The zone's id.
    pub fn id(&self) -> &ZoneId {
        &self.id
    }

    /// Everything that can be said of the zone alone, and the apex.
    pub(super) fn check(&mut self, limits: &Limits) {
        self.complete_apex();
        let mut problems = Vec::new();
        let mut counted = 0;
        let mut owner_types: Vec<(RecordType, &Member)> = Vec::new();
        let mut groups = self.groups.iter().peekable();
        while let Some(((owner, record_type), members)) = groups.next() {
            counted += members.iter().filter(|member| !member.from_master_file).count();
            let sets: Vec<&RecordSet> = members.iter().map(|member| &member.set).collect();
            group::check(owner, *record_type, &sets, &mut problems);
            self.check_place(owner, *record_type, &sets, &mut problems);
            owner_types.extend(members.first().map(|member| (*record_type, member)));
            if groups.peek().is_none_or(|((next, _), _)| next != owner) {
                // At the apex the CNAME itself is the mistake.
                if *owner != self.apex {
                    check_cname(owner, &owner_types, &mut problems);
                }
                owner_types.clear();
            }
        }
        let grows = self.groups.values().flatten().any(|member| member.written && !member.from_master_file);
        if grows && counted > limits.record_sets_per_zone {
            let what = format!(
                "zone {}: {counted} record sets; at most {} are allowed, raise record_sets_per_zone of [limits] or split the zone",
                self.apex, limits.record_sets_per_zone
            );
            problems.push(Problem::of_rule(None, "section 11", what));
        }
        self.findings.errors.append(&mut problems);
    }

    /// what lies where.
    fn check_place(
        &self,
        owner: &Name,
        record_type: RecordType,
        sets: &[&RecordSet],
        problems: &mut Vec<Problem>,
    ) {
        for set in sets {
            let label = || label_of(owner, record_type, set.set_id.as_ref());
            let mut report = |rule, what: String| {
                problems.push(Problem::of_rule(set.source.clone(), rule, what));
            };
            if !owner.is_at_or_below(&self.apex) {
                report("R-13", format!("{}: Name: lies outside the zone {}; move it", label(), self.apex));
            } else if record_type == RecordType::CNAME && *owner == self.apex {
                report("R-12", format!("{}: Type: no CNAME at the apex; use an alias of type A", label()));
            } else if record_type == RecordType::SOA && *owner != self.apex {
                let what =
                    format!("{}: Name: SOA belongs to the apex {} alone; remove it", label(), self.apex);
                report("R-13", what);
            } else if record_type == RecordType::NS && owner.is_wildcard() {
                report("R-11", format!("{}: Name: NS cannot have a wildcard owner; name one", label()));
            } else if record_type == RecordType::DS && *owner == self.apex {
                let what = format!("{}: Name: DS belongs to the parent zone; remove it", label());
                report("R-13", what);
            }
        }
    }

    /// the apex always has SOA and NS. A master file must bring them; Route 53 makes them itself, and so do we.
    fn complete_apex(&mut self) {
        let name_server = prefixed(b"\x03ns1", &self.apex);
        let mailbox = prefixed(b"\x0ahostmaster", &self.apex);
        for record_type in [RecordType::SOA, RecordType::NS] {
            let key = (self.apex.clone(), record_type);
            if self.groups.contains_key(&key) {
                continue;
            }
            if let Some(file) = &self.master_file {
                let source = Source { file: file.clone(), line: 1, column: 1 };
                let what = format!("zone {} has no {record_type} at its apex; add one", self.apex);
                self.findings.errors.push(Problem::of_rule(Some(source), "R-13", what));
                continue;
            }
            let (ttl, wire) = match record_type {
                RecordType::SOA => {
                    let mut wire = [name_server.as_slice(), mailbox.as_slice()].concat();
                    for number in [1u32, 7200, 900, 1_209_600, 300] {
                        wire.extend_from_slice(&number.to_be_bytes());
                    }
                    (Ttl(900), wire)
                }
                _ => (Ttl(172_800), name_server.clone()),
            };
            let set = simple(ttl, vec![Rdata(wire.into())], None);
            self.groups.insert(key, vec![Member { set, written: true, from_master_file: true }]);
        }
    }

    /// The zone, once nothing is wrong with it.
    pub(super) fn into_zone(self) -> Zone {
        let groups = self.groups.into_iter().map(|(key, members)| {
            let members = members.into_iter().map(|member| member.set).collect();
            (key, Arc::new(RRsetGroup { members }))
        });
        Zone { id: self.id, apex: self.apex, groups: groups.collect() }
    }
}

/// A name below the apex in wire form; the apex itself where that would be too long.
fn prefixed(label: &[u8], apex: &Name) -> Vec<u8> {
    let wire = [label, apex.as_wire()].concat();
    if wire.len() <= 255 { wire } else { apex.as_wire().to_vec() }
}

fn simple(ttl: Ttl, rdatas: Vec<Rdata>, source: Option<Source>) -> RecordSet {
    let data = RecordData::Values { ttl, rdatas: rdatas.into() };
    RecordSet { set_id: None, policy: RoutingPolicy::Simple, check: None, data, source }
}

/// a name with a CNAME has no other type, but for what DNSSEC puts beside it (RFC 4035 section 2.5).
fn check_cname(owner: &Name, types: &[(RecordType, &Member)], problems: &mut Vec<Problem>) {
    let Some((_, cname)) = types.iter().find(|(record_type, _)| *record_type == RecordType::CNAME) else {
        return;
    };
    for (record_type, member) in types {
        if matches!(*record_type, RecordType::CNAME | RecordType::RRSIG | RecordType::NSEC) {
            continue;
        }
        let at = cname.set.source.as_ref().map_or_else(String::new, |source| format!(" at {source}"));
        let label = label_of(owner, *record_type, member.set.set_id.as_ref());
        let what =
            format!("{label}: Type: the name has a CNAME{at}, which excludes every other type; remove one");
        problems.push(Problem::of_rule(member.set.source.clone(), "R-12", what));
    }
}
