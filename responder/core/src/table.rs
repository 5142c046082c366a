//! The answer table: every name of every zone with its plans, at one generation. Immutable once published.
//!
//! Names, zone cuts and negative answers follow from records alone and are shared by all generations until records change; plans
//! follow health, and stand in a persistent vector, so that the table after a flip shares all but the touched ones.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use smallvec::SmallVec;

use crate::body::{Body, BodyWriter, rcode};
use crate::compile::{Clients, GroupIndex, Plan};
use crate::dnssec::Signing;
use crate::lower::can_be_hot;
use crate::model::{Name, RRsetGroup, Rdata, RecordData, RecordType, Snapshot, Ttl, Zone, ZoneId};
use crate::redirection::Redirection;
use crate::resolve::Question;

/// Counts published tables; only rises (law 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Generation(pub u64);

impl Generation {
    /// The one after this.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// All that can be answered at one generation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AnswerTable {
    generation: Generation,
    zones: Arc<Zones>,
    plans: imbl::Vector<Arc<Plan>>,
    clients: Arc<Clients>,
}

/// Zones by apex and by id.
#[derive(Debug)]
struct Zones {
    by_apex: HashMap<Name, ZoneTable>,
    apex_of: HashMap<ZoneId, Name>,
    /// By group: whether it answers the question for its owner and type, and no other.
    answers_itself: Vec<bool>,
    /// Whether queries for any of them are logged.
    logs_queries: bool,
    /// Whether any of them is signed.
    signs_answers: bool,
}

type Names = IndexMap<Name, Owner, RandomState>;

/// One zone's names.
#[derive(Debug)]
pub struct ZoneTable {
    /// The zone's topmost name.
    pub apex: Name,
    /// NODATA: the SOA as authority.
    pub nodata: Arc<Body>,
    /// NXDOMAIN: the same SOA.
    pub nxdomain: Arc<Body>,
    /// Owners and empty non-terminals, in the order of groups: what goes through all of them goes through memory.
    names: Names,
    /// Whether any name is a zone cut.
    has_cuts: bool,
    /// Whether any name has a DNAME.
    has_redirections: bool,
    /// Whether any name is a wildcard.
    has_wildcards: bool,
    /// Where its queries are logged; the kernel leaves such a zone to userspace, which sees all of them then.
    pub logged: Option<Logged>,
    /// How its answers are signed, if they are; the kernel leaves such a zone to userspace, which has the keys.
    pub signing: Option<Arc<Signing>>,
}

/// That the queries for a zone are logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The zone's id.
    pub id: ZoneId,
    /// The log group.
    pub group: Arc<str>,
}

/// A name that exists.
#[derive(Debug, Default)]
pub struct Owner {
    /// The groups here; none for an empty non-terminal.
    groups: SmallVec<[(RecordType, GroupIndex); 2]>,
    /// The referral, if this is a zone cut (D-11).
    pub referral: Option<Arc<Body>>,
    /// Where names below this one are redirected to (D-12).
    pub redirection: Option<Redirection>,
}

impl Owner {
    /// The group of one type.
    pub fn group(&self, rtype: RecordType) -> Option<GroupIndex> {
        self.groups.iter().find(|(present, _)| *present == rtype).map(|(_, index)| *index)
    }

    /// Whether no record is here: the name only lies above others.
    pub fn is_empty_non_terminal(&self) -> bool {
        self.groups.is_empty()
    }

    /// Types and groups.
    pub fn groups(&self) -> &[(RecordType, GroupIndex)] {
        &self.groups
    }
}

impl ZoneTable {
    /// An existing name, by its lower-case wire form.
    pub fn owner(&self, name: &[u8]) -> Option<&Owner> {
        self.names.get(name)
    }

    /// The same with the name as it is kept.
    pub fn entry(&self, name: &[u8]) -> Option<(&Name, &Owner)> {
        self.names.get_key_value(name)
    }

    /// Whether names at or below zone cuts must be looked for.
    pub fn has_cuts(&self) -> bool {
        self.has_cuts
    }

    /// Whether names below a DNAME must be looked for.
    pub fn has_redirections(&self) -> bool {
        self.has_redirections
    }

    /// Every existing name.
    pub fn owners(&self) -> impl Iterator<Item = (&Name, &Owner)> {
        self.names.iter()
    }

    /// Whether any name is a wildcard.
    pub fn has_wildcards(&self) -> bool {
        self.has_wildcards
    }

    /// Whether a name is a zone cut.
    pub fn is_cut(&self, name: &Name) -> bool {
        self.has_cuts && self.owner(name.as_wire()).is_some_and(|owner| owner.referral.is_some())
    }

    /// Whether a name lies below a zone cut or a DNAME: what is there is no answer to anything (RFC 1034 section 4.2.1, RFC 6672 section 2.4).
    pub fn is_hidden(&self, name: &Name) -> bool {
        (self.has_cuts || self.has_redirections)
            && ancestors(name.as_wire())
                .skip(1)
                .take_while(|ancestor| ancestor.len() >= self.apex.as_wire().len())
                .filter_map(|ancestor| self.owner(ancestor))
                .any(|owner| owner.referral.is_some() || owner.redirection.is_some())
    }
}

/// A name in wire form, then the name without its first label, and so on down to the root.
pub(crate) fn ancestors(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut next = Some(name);
    std::iter::from_fn(move || {
        let name = next?;
        let length = usize::from(*name.first()?);
        next = if length == 0 { None } else { name.get(1 + length..) };
        Some(name)
    })
}

/// A map keyed by name can be searched by octets.
impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        self.as_wire()
    }
}

impl AnswerTable {
    /// The names of a snapshot with a group each; every plan answers NODATA until it is set.
    pub(crate) fn new<'a>(
        snapshot: &Snapshot,
        groups: impl ExactSizeIterator<Item = (GroupIndex, &'a ZoneId, &'a Name, RecordType)>,
        clients: Arc<Clients>,
        generation: Generation,
    ) -> Self {
        let mut zones = Zones {
            by_apex: HashMap::new(),
            apex_of: HashMap::new(),
            answers_itself: Vec::new(),
            logs_queries: false,
            signs_answers: false,
        };
        for zone in snapshot.zones.values() {
            let logged = snapshot.query_logs.get(&zone.id);
            let logged = logged.map(|group| Logged { id: zone.id.clone(), group: group.clone() });
            zones.logs_queries |= logged.is_some();
            zones.apex_of.insert(zone.id.clone(), zone.apex.clone());
            let signing = snapshot.signing.get(&zone.id).cloned();
            zones.signs_answers |= signing.is_some();
            zones.by_apex.insert(zone.apex.clone(), ZoneTable::new(zone, logged, signing));
        }
        let unset = Arc::new(Plan::Fixed(Arc::new(Body::empty(rcode::SERVFAIL, false))));
        let plans = (0..groups.len()).map(|_| unset.clone()).collect();
        let above: HashSet<&[u8]> =
            snapshot.zones.values().flat_map(|zone| ancestors(zone.apex.as_wire()).skip(1)).collect();
        for (index, zone, owner, rtype) in groups {
            let Some(table) = zones.apex_of.get(zone).and_then(|apex| zones.by_apex.get_mut(apex)) else {
                zones.answers_itself.push(false);
                continue;
            };
            let asked = table.add(owner, rtype, index);
            // Where another zone lies within this one or DS is its parent's, or a CNAME answers for all types, it is more to find out.
            let alone =
                !matches!(rtype, RecordType::CNAME | RecordType::DS) && !above.contains(table.apex.as_wire());
            zones.answers_itself.push(asked && alone && can_be_hot(table, owner, rtype).is_ok());
        }
        Self { generation, zones: Arc::new(zones), plans, clients }
    }

    /// What tells clients apart.
    pub fn clients(&self) -> &Arc<Clients> {
        &self.clients
    }

    /// Which table this is.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    pub(crate) fn set_generation(&mut self, generation: Generation) {
        self.generation = generation;
    }

    /// The NODATA answer of a zone of this table's snapshot.
    pub(crate) fn nodata(&self, zone: &ZoneId) -> &Arc<Body> {
        &self.zones.by_apex[&self.zones.apex_of[zone]].nodata
    }

    /// Replaces a plan; false if it was the same already.
    pub(crate) fn set_plan(&mut self, index: GroupIndex, plan: Arc<Plan>) -> bool {
        let differs = self.plans[index.0 as usize] != plan;
        if differs {
            self.plans.set(index.0 as usize, plan);
        }
        differs
    }

    /// Makes a plan the very one of another table.
    pub(crate) fn share_plan(&mut self, index: GroupIndex, plan: Arc<Plan>) {
        self.plans.set(index.0 as usize, plan);
    }

    pub(crate) fn set_clients(&mut self, clients: Arc<Clients>) {
        self.clients = clients;
    }

    /// Whether two tables have the same zones, with the same answers for what does not exist, and the same of them logged and signed.
    pub(crate) fn zones_alike(&self, other: &Self) -> bool {
        let (here, there) = (&self.zones.by_apex, &other.zones.by_apex);
        here.len() == there.len()
            && here.iter().all(|(apex, zone)| there.get(apex).is_some_and(|other| zone.is_like(other)))
    }

    /// The plan of a group.
    pub fn plan(&self, index: GroupIndex) -> &Arc<Plan> {
        &self.plans[index.0 as usize]
    }

    /// Whether a group answers the question for its owner and type, and no other; if not, that must be looked for.
    pub(crate) fn answers_itself(&self, index: GroupIndex) -> bool {
        self.zones.answers_itself[index.0 as usize]
    }

    /// The zone a name belongs to, by its lower-case wire form: the one with the longest apex.
    pub fn zone_of(&self, name: &[u8]) -> Option<&ZoneTable> {
        ancestors(name).find_map(|ancestor| self.zones.by_apex.get(ancestor))
    }

    /// The zone that answers a question: the one that the name belongs to, but for DS at its apex, where a parent that is served here, too,
    /// knows the keys (RFC 4035 section 3.1.4.1, D-11). A parent that is signed answers though it does not say that there is a cut:
    /// who asks it wants to know why what lies below is not signed with its keys.
    pub fn zone_for(&self, question: &Question<'_>) -> Option<&ZoneTable> {
        let zone = self.zone_of(question.qname)?;
        if question.qtype != RecordType::DS || zone.apex.as_wire() != question.qname {
            return Some(zone);
        }
        let parent = ancestors(question.qname).nth(1).and_then(|above| self.zone_of(above));
        let delegates = |parent: &&ZoneTable| {
            let cut = parent.owner(question.qname).is_some_and(|owner| owner.referral.is_some());
            cut || parent.signing.is_some()
        };
        parent.filter(delegates).or(Some(zone))
    }

    /// The zone that answers a question and how it is signed, if it is.
    pub fn signed_zone_for(&self, question: &Question<'_>) -> Option<(&ZoneTable, &Signing)> {
        let zone = self.zones.signs_answers.then(|| self.zone_for(question)).flatten()?;
        Some((zone, zone.signing.as_deref()?))
    }

    /// Whether queries for any zone are logged.
    pub fn logs_queries(&self) -> bool {
        self.zones.logs_queries
    }

    /// Every existing name with the zone it belongs to, which answers for it.
    pub fn owners(&self) -> impl Iterator<Item = (&ZoneTable, &Name, &Owner)> {
        let above: HashSet<&[u8]> =
            self.zones().flat_map(|zone| ancestors(zone.apex.as_wire()).skip(1)).collect();
        self.zones().flat_map(move |zone| {
            // What lies in a zone within this one is not this one's to answer.
            let has_inner = above.contains(zone.apex.as_wire());
            let is_own = move |name: &Name| {
                !has_inner || self.zone_of(name.as_wire()).is_some_and(|own| own.apex == zone.apex)
            };
            zone.owners().filter(move |(name, _)| is_own(name)).map(move |(name, owner)| (zone, name, owner))
        })
    }

    /// Every zone.
    pub fn zones(&self) -> impl Iterator<Item = &ZoneTable> {
        self.zones.by_apex.values()
    }
}

impl ZoneTable {
    fn new(zone: &Zone, logged: Option<Logged>, signing: Option<Arc<Signing>>) -> Self {
        let negative = |code| Arc::new(negative_answer(zone, code));
        let mut names = Names::default();
        names.insert(zone.apex.clone(), Owner::default());
        let (mut has_cuts, mut has_redirections) = (false, false);
        for ((owner, rtype), group) in &zone.groups {
            if *rtype == RecordType::NS && *owner != zone.apex {
                has_cuts = true;
                names.entry(owner.clone()).or_default().referral =
                    Some(Arc::new(referral(zone, owner, group)));
            }
            if *rtype == RecordType::DNAME
                && let Some((ttl, [target])) = values(group)
            {
                has_redirections = true;
                names.entry(owner.clone()).or_default().redirection =
                    Some(Redirection::new(owner, ttl, target));
            }
        }
        Self {
            apex: zone.apex.clone(),
            nodata: negative(rcode::NOERROR),
            nxdomain: negative(rcode::NXDOMAIN),
            names,
            has_cuts,
            has_redirections,
            has_wildcards: false,
            logged,
            signing,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.nodata == other.nodata && self.logged == other.logged && self.signing == other.signing
    }

    /// Whether a name lies below a DNAME.
    fn is_redirected(&self, name: &Name) -> bool {
        self.has_redirections
            && ancestors(name.as_wire())
                .skip(1)
                .take_while(|ancestor| ancestor.len() >= self.apex.as_wire().len())
                .any(|ancestor| self.owner(ancestor).is_some_and(|owner| owner.redirection.is_some()))
    }

    /// Adds a group; false if nobody can ask for it.
    fn add(&mut self, owner: &Name, rtype: RecordType, index: GroupIndex) -> bool {
        // What lies below a DNAME is no answer to anything (RFC 6672 section 2.4).
        if self.is_redirected(owner) {
            return false;
        }
        self.names.entry(owner.clone()).or_default().groups.push((rtype, index));
        self.has_wildcards |= owner.is_wildcard();
        // Every name between an owner and the apex exists (R-18, RFC 8020).
        let mut above = owner.parent();
        while let Some(name) = above {
            if name.as_wire().len() < self.apex.as_wire().len() || self.names.contains_key(&name) {
                break;
            }
            above = name.parent();
            self.names.insert(name, Owner::default());
        }
        true
    }
}

/// The records of a simple group with values.
fn values(group: &RRsetGroup) -> Option<(Ttl, &[Rdata])> {
    match &group.members.first()?.data {
        RecordData::Values { ttl, rdatas } => Some((*ttl, rdatas)),
        RecordData::Alias(_) => None,
    }
}

/// An answer without records but for the SOA, whose TTL is the lesser of its own and its minimum field.
fn negative_answer(zone: &Zone, code: u8) -> Body {
    let mut writer = BodyWriter::new(code, true);
    let soa = zone.groups.get(&(zone.apex.clone(), RecordType::SOA)).and_then(|group| values(group));
    if let Some((ttl, [soa])) = soa {
        let minimum = soa.0.last_chunk::<4>().map_or(0, |octets| u32::from_be_bytes(*octets));
        writer.authority(&zone.apex, RecordType::SOA, Ttl(ttl.0.min(minimum)), soa);
    }
    writer.finish()
}

/// NS records of a zone cut, with the addresses of those servers that lie inside the zone (D-11). Addresses of servers at or below the cut
/// are required, since nobody else knows them (RFC 9471 section 3).
fn referral(zone: &Zone, cut: &Name, group: &RRsetGroup) -> Body {
    let mut writer = BodyWriter::new(rcode::NOERROR, false);
    let Some((ttl, servers)) = values(group) else { return writer.finish() };
    for server in servers {
        writer.authority(cut, RecordType::NS, ttl, server);
    }
    let names = servers.iter().filter_map(|rdata| Name::from_wire(&rdata.0).ok());
    let (within, siblings): (Vec<Name>, Vec<Name>) = names.partition(|name| name.is_at_or_below(cut));
    within.iter().for_each(|name| add_glue(&mut writer, zone, name));
    writer.optional();
    siblings.iter().for_each(|name| add_glue(&mut writer, zone, name));
    writer.finish()
}

fn add_glue(writer: &mut BodyWriter, zone: &Zone, server: &Name) {
    for rtype in [RecordType::A, RecordType::AAAA] {
        let glue = zone.groups.get(&(server.clone(), rtype)).and_then(|group| values(group));
        if let Some((ttl, rdatas)) = glue {
            rdatas.iter().for_each(|rdata| writer.additional(server, rtype, ttl, rdata));
        }
    }
}
