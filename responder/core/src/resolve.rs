//! The reference semantics: a table, a question and a draw give an answer.
//!
//! Whatever the kernel answers, this could have answered from the same table with the same draw (law 1).

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::body::{Body, BodyWriter, rcode};
use crate::compile::{GroupIndex, Plan};
use crate::geo::Network;
use crate::model::{Name, Rdata, RecordType, Ttl};
use crate::redirection::Redirection;
use crate::table::{AnswerTable, Owner, ZoneTable, ancestors};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The name in lower-case wire form, 1 to 255 octets, uncompressed and well-formed.
    pub qname: &'a [u8],
    /// QTYPE. The class is IN.
    pub qtype: RecordType,
}

/// What is answered: a body of the table, and how it is turned.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// The records with rcode and AA; made for this question alone below a DNAME.
    pub body: Cow<'a, Body>,
    /// Which answer record comes first.
    pub rotation: u16,
    /// Scope prefix length for an IPv4 and an IPv6 client-subnet option.
    pub scope: Scope,
}

/// Whether the answer depends on where the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The same for all: 0.
    Everyone,
    /// By client network: 24 bits of an IPv4 address, 48 of an IPv6 one.
    Network,
}

/// REFUSED, for names in no zone (D-3).
static REFUSED: LazyLock<Body> = LazyLock::new(|| Body::empty(rcode::REFUSED, false));

/// The answer to QTYPE ANY (RFC 8482 section 4.2, D-4).
static ANY: LazyLock<Body> = LazyLock::new(|| {
    let mut writer = BodyWriter::new(rcode::NOERROR, true);
    writer.answer(RecordType::HINFO, Ttl(3600), &Rdata(b"\x07RFC8482\x00".as_slice().into()));
    writer.finish()
});

/// Where a question leads before anything is drawn.
#[derive(Debug, Clone, Copy)]
pub enum Located<'t> {
    /// To a group, whose plan decides.
    Group(GroupIndex),
    /// To the same body for everyone.
    Fixed(&'t Body, Reason),
    /// Below a DNAME, to the same name elsewhere (D-12).
    Redirected(&'t Redirection),
}

/// Why no group answers a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The name lies in no zone (D-3).
    NotServed,
    /// At or below a zone cut (D-11).
    Delegated,
    /// Neither the name nor a wildcard for it exists.
    NoName,
    /// The name has no group of this type.
    NoType,
    /// QTYPE ANY (D-4).
    Any,
}

/// Answers one question of a client. `draw` is uniformly random and spent as [`pulse53_abi::draw`] says.
pub fn resolve<'t>(
    table: &'t AnswerTable,
    question: &Question<'_>,
    client: Network,
    draw: u64,
) -> Answer<'t> {
    match locate(table, question) {
        Located::Group(group) => {
            let plan = table.plan(group);
            let body = &**plan.choose(|partition| table.clients().variant(partition, client), draw);
            // by what the group depends on, not by what came of it.
            let scope =
                if matches!(**plan, Plan::ByClient { .. }) { Scope::Network } else { Scope::Everyone };
            Answer { body: Cow::Borrowed(body), rotation: body.rotation(draw), scope }
        }
        Located::Fixed(body, _) => Answer { body: Cow::Borrowed(body), rotation: 0, scope: Scope::Everyone },
        Located::Redirected(redirection) => {
            let body = Cow::Owned(redirection.answer(question.qname));
            Answer { body, rotation: 0, scope: Scope::Everyone }
        }
    }
}

/// Finds who answers a question.
pub fn locate<'t>(table: &'t AnswerTable, question: &Question<'_>) -> Located<'t> {
    let Some(zone) = table.zone_for(question) else {
        return Located::Fixed(&REFUSED, Reason::NotServed);
    };
    match find(zone, question) {
        Found::Referral(body) => Located::Fixed(body, Reason::Delegated),
        Found::Redirection(redirection) => Located::Redirected(redirection),
        Found::NoName => Located::Fixed(&zone.nxdomain, Reason::NoName),
        Found::Owner(_, owner) if question.qtype == RecordType::ANY && !owner.is_empty_non_terminal() => {
            Located::Fixed(&ANY, Reason::Any)
        }
        // a CNAME group answers every type.
        Found::Owner(_, owner) => owner
            .group(question.qtype)
            .or_else(|| owner.group(RecordType::CNAME))
            .map_or(Located::Fixed(&zone.nodata, Reason::NoType), Located::Group),
    }
}

/// The zone of a question and the owner that answers it: the name itself, or the wildcard that covers it. None for names that
/// do not exist, are delegated or not served.
pub fn owner_of<'t>(table: &'t AnswerTable, question: &Question<'_>) -> Option<(&'t ZoneTable, &'t Name)> {
    let zone = table.zone_for(question)?;
    match find(zone, question) {
        Found::Owner(name, _) => Some((zone, name)),
        Found::Referral(_) | Found::Redirection(_) | Found::NoName => None,
    }
}

/// Where a name leads in its zone.
enum Found<'t> {
    /// At or below a zone cut.
    Referral(&'t Body),
    /// Below a DNAME.
    Redirection(&'t Redirection),
    /// The name itself or the wildcard that covers it.
    Owner(&'t Name, &'t Owner),
    /// NXDOMAIN.
    NoName,
}

fn find<'t>(zone: &'t ZoneTable, question: &Question<'_>) -> Found<'t> {
    if (zone.has_cuts() || zone.has_redirections())
        && let Some(found) = find_above(zone, question)
    {
        return found;
    }
    if let Some((name, owner)) = zone.entry(question.qname) {
        return Found::Owner(name, owner);
    }
    // The closest encloser, then the wildcard right below it (RFC 4592 section 3.3.1).
    let Some(encloser) = ancestors(question.qname).skip(1).find(|name| zone.owner(name).is_some()) else {
        return Found::NoName;
    };
    let mut wildcard = [0u8; 257];
    wildcard[..2].copy_from_slice(b"\x01*");
    let Some(space) = wildcard.get_mut(2..2 + encloser.len()) else { return Found::NoName };
    space.copy_from_slice(encloser);
    match zone.entry(&wildcard[..2 + encloser.len()]) {
        Some((name, owner)) if !owner.is_empty_non_terminal() => Found::Owner(name, owner),
        _ => Found::NoName,
    }
}

/// The zone cut at or above a name, or the DNAME above it, whichever is nearest to the apex: it hides whatever is below it.
fn find_above<'t>(zone: &'t ZoneTable, question: &Question<'_>) -> Option<Found<'t>> {
    let apex_len = zone.apex.as_wire().len();
    let seam = |name: &[u8]| {
        let owner = zone.owner(name)?;
        let is_name_itself = name.len() == question.qname.len();
        match (&owner.referral, &owner.redirection) {
            // DS belongs to the parent side of the cut (RFC 4035 section 3.1.4.1, D-11).
            (Some(_), _) if is_name_itself && question.qtype == RecordType::DS => None,
            (Some(referral), _) => Some(Found::Referral(referral)),
            (None, Some(redirection)) if !is_name_itself => Some(Found::Redirection(redirection)),
            _ => None,
        }
    };
    ancestors(question.qname).take_while(|name| name.len() >= apex_len).filter_map(seam).last()
}
