//! From the answer table to what the kernel must know of names that exist, so that it can answer for those that do not.
//!
//! Every name of a zone is a node, empty non-terminals included, but for what lies below a zone cut or a DNAME; the closest node at or above a name that
//! is asked decides as [`crate::resolve`] does. Whether all of a name's answers are in the hot table only the writer of that table knows.

use std::sync::Arc;

use pulse53_abi::limits::AUTHORITIES_MAX;
use pulse53_abi::node::{
    NODE_ALIAS, NODE_CUT, NODE_NAME_INLINE, NODE_OPAQUE_BELOW, NODE_PARTIAL, NODE_WILDCARD_BELOW,
};

use crate::body::Body;
use crate::lower::{NotHot, can_have_hot, lower_question, within_limits};
use crate::model::{Name, RecordType};
use crate::resolve::{Located, Question, Reason, locate, owner_of};
use crate::table::{AnswerTable, Owner, ZoneTable, ancestors};

/// A name that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotNode {
    /// The name.
    pub name: Name,
    /// The apex of its zone.
    pub zone: Name,
    /// `NODE_…`; [`NODE_PARTIAL`] only if no hot table could hold all types.
    pub flags: u8,
    /// The types that exist here, as far as they are asked for at this name: unless all are held, a miss says nothing.
    pub types: Vec<RecordType>,
    /// The referral of a zone cut, if it is within the limits of the kernel.
    pub referral: Option<HotAuthority>,
    /// The servers that a referral names: when their addresses change, so does it.
    pub servers: Vec<Name>,
}

/// Finished records that are owned by an ancestor of the query name, or by itself: the same for every such name once pointers into the
/// question take the place of the owner names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotAuthority {
    /// The records, with two zero octets for each owner name.
    pub body: Arc<Body>,
    /// How many of the owner names stand at odd offsets.
    pub odd: u8,
}

/// A zone, as far as it concerns names that do not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotZone {
    /// Its topmost name.
    pub apex: Name,
    /// NODATA, from which NXDOMAIN differs by its RCODE alone; none if it is beyond the limits of the kernel.
    pub negative: Option<HotAuthority>,
}

/// Every zone of a table.
pub fn zones(table: &AnswerTable) -> impl Iterator<Item = HotZone> {
    table
        .zones()
        .map(|zone| HotZone { apex: zone.apex.clone(), negative: authority(zone, &zone.nodata).ok() })
}

/// Records in the authority section, where the kernel may answer for the zone at all.
fn authority(zone: &ZoneTable, body: &Body) -> Result<HotAuthority, NotHot> {
    can_have_hot(zone)?;
    if body.counts[0] != 0 || body.counts[1] > AUTHORITIES_MAX.into() {
        return Err(NotHot::TooLong);
    }
    within_limits(body)?;
    let odd = body.owner_offsets().filter(|at| at % 2 == 1).count() as u8;
    Ok(HotAuthority { body: Arc::new(body.without_owners()), odd })
}

/// Every node of a table.
pub fn nodes(table: &AnswerTable) -> impl Iterator<Item = HotNode> {
    existing(table).map(|(zone, name, owner)| node_of(table, zone, name, owner))
}

/// The node of one name; none if it does not exist, or what is above it decides.
pub fn node(table: &AnswerTable, name: &Name) -> Option<HotNode> {
    let zone = table.zone_of(name.as_wire())?;
    let (name, owner) = zone.entry(name.as_wire())?;
    is_node(zone, name).then(|| node_of(table, zone, name, owner))
}

/// What nodes take: their number, how many names do not fit into them, and the referrals.
pub fn count(table: &AnswerTable, mut each_referral: impl FnMut(&Body)) -> (u32, u32) {
    let (mut nodes, mut long) = (0, 0);
    for (zone, name, owner) in existing(table) {
        nodes += 1;
        long += u32::from(name.as_wire().len() > NODE_NAME_INLINE);
        if let Some(held) = owner.referral.as_ref().and_then(|body| authority(zone, body).ok()) {
            each_referral(&held.body);
        }
    }
    (nodes, long)
}

fn existing(table: &AnswerTable) -> impl Iterator<Item = (&ZoneTable, &Name, &Owner)> {
    table.owners().filter(|(zone, name, _)| is_node(zone, name))
}

/// A name with a zero octet is none: the kernel takes names to end there, and so asks nothing at or below it.
fn is_node(zone: &ZoneTable, name: &Name) -> bool {
    !zone.is_hidden(name) && !name.has_zero_octet()
}

fn node_of(table: &AnswerTable, zone: &ZoneTable, name: &Name, owner: &Owner) -> HotNode {
    let mut flags = 0;
    let mut types: Vec<RecordType> = owner.groups().iter().map(|(rtype, _)| *rtype).collect();
    let mut servers = Vec::new();
    let referral = owner.referral.as_ref().and_then(|body| authority(zone, body).ok());
    if let Some(body) = &owner.referral {
        flags |= NODE_CUT;
        types.retain(|rtype| *rtype == RecordType::DS);
        servers.extend(body.servers().filter(|server| server.is_at_or_below(&zone.apex)));
    }
    if owner.redirection.is_some() {
        flags |= NODE_OPAQUE_BELOW;
    }
    if let Some(wildcard) = wildcard_below(zone, name) {
        let is_own = table.zone_of(wildcard.as_wire()).is_some_and(|own| own.apex == zone.apex);
        flags |= if is_own { NODE_WILDCARD_BELOW } else { NODE_OPAQUE_BELOW };
    }
    let ds = Question { qname: name.as_wire(), qtype: RecordType::DS };
    if *name == zone.apex && table.zone_for(&ds).is_some_and(|parent| parent.apex != zone.apex) {
        // There the parent answers for one type.
        flags |= NODE_PARTIAL;
    }
    if types.contains(&RecordType::CNAME) {
        // it answers every type that has no group of its own.
        flags |= if types.len() == 1 { NODE_ALIAS } else { NODE_PARTIAL };
    }
    HotNode { name: name.clone(), zone: zone.apex.clone(), flags, types, referral, servers }
}

/// The wildcard that answers for names right below this one.
fn wildcard_below<'t>(zone: &'t ZoneTable, name: &Name) -> Option<&'t Name> {
    if !zone.has_wildcards() {
        return None;
    }
    let wildcard = name.wildcard_child()?;
    let (name, owner) = zone.entry(wildcard.as_wire())?;
    (!owner.is_empty_non_terminal()).then_some(name)
}

/// Whether the kernel answers a question that leads to no record of its own: a wildcard's or CNAME's included, if there is room for all.
pub fn answered(table: &AnswerTable, question: &Question<'_>) -> Result<(), NotHot> {
    let Some(zone) = table.zone_of(question.qname) else { return Err(NotHot::Empty) };
    authority(zone, &zone.nodata)?;
    match locate(table, question) {
        Located::Fixed(_, Reason::NoName) => Ok(()),
        Located::Fixed(body, Reason::Delegated) => authority(zone, body).map(|_| ()),
        Located::Fixed(_, Reason::NoType) => {
            let Some((zone, name)) = owner_of(table, question) else { return Ok(()) };
            let Some(owner) = zone.owner(name.as_wire()) else { return Ok(()) };
            let node = node_of(table, zone, name, owner);
            let mut lowered = node.types.iter().map(|&rtype| lower_question(table, zone, owner, name, rtype));
            lowered.try_for_each(|entry| entry.map(|_| ()))
        }
        _ => Err(NotHot::Empty),
    }
}

impl Name {
    /// Whether a label holds a zero octet, at which the kernel would end the name.
    pub(crate) fn has_zero_octet(&self) -> bool {
        self.labels().any(|label| label.contains(&0))
    }
}

/// The names above one that lie in any zone: with it they may come and go, in its own zone and in those above that declare it, too.
pub fn above(table: &AnswerTable, name: &Name) -> impl Iterator<Item = Name> {
    let wires = ancestors(name.as_wire()).skip(1).take_while(|wire| table.zone_of(wire).is_some());
    wires.filter_map(|wire| Name::from_wire(wire).ok())
}
