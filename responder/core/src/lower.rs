//! From the answer table to what the kernel can hold: one entry a question, within the limits of the ABI.
//!
//! What does not fit is not hot, with a reason; userspace answers it just as well (law 9).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use pulse53_abi::client::{CLASSES_PER_WORD, NODE_ENTRIES};
use pulse53_abi::entry::{BodyHead, FLAG_AUTHORITATIVE, FLAG_ROTATES};
use pulse53_abi::key;
use pulse53_abi::limits::{BODY_LARGE, CLIENT_NODES_MAX, COLUMNS_MAX, PARTITION_WORDS_MAX};

use crate::body::Body;
use crate::compile::{Clients, Column, GroupIndex, Plan, Weights};
use crate::model::{Name, RecordType};
use crate::resolve::Question;
use crate::table::{AnswerTable, Owner, ZoneTable};

/// A question the kernel can answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HotKey {
    /// QNAME.
    pub name: Name,
    /// QTYPE.
    pub qtype: RecordType,
}

/// Finished records for one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotBody {
    /// Counts, flags, length and sum.
    pub head: BodyHead,
    /// The records.
    pub octets: Arc<[u8]>,
}

/// How one question is answered in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HotEntry {
    /// Always with the same records.
    Fixed(HotBody),
    /// By lot.
    ByWeight {
        /// The possible answers.
        bodies: Box<[HotBody]>,
        /// A power of two of columns, at most [`COLUMNS_MAX`].
        columns: Arc<[Column]>,
    },
    /// By where the client is.
    ByClient {
        /// Which partition of [`crate::compile::Clients`] divides the clients.
        partition: u32,
        /// The possible answers of all variants.
        bodies: Box<[HotBody]>,
        /// What the clients of each part are answered.
        variants: Box<[HotVariant]>,
    },
}

/// What some clients are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotVariant {
    /// Which of the entry's bodies the columns number; without columns, the one that answers.
    pub bodies: Box<[u32]>,
    /// The choice among them, if it goes by lot: as in [`HotEntry::ByWeight`].
    pub columns: Option<Arc<[Column]>>,
}

/// Why a question cannot be answered in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NotHot {
    /// Where its records name the zone depends on the name asked, and a wildcard covers names without number.
    Wildcard,
    /// At or below a zone cut.
    Delegated,
    /// The answer has no record.
    Empty,
    /// More octets of records than [`BODY_LARGE`].
    TooLong,
    /// More possible answers than [`COLUMNS_MAX`].
    TooManyAnswers,
    /// The clients are divided in more ways than the kernel has room for.
    TooManyClasses,
    /// Userspace writes a line for each query.
    Logged,
    /// Userspace signs the answers.
    Signed,
    /// The name holds a zero octet, at which the kernel would end it.
    ZeroOctet,
}

impl fmt::Display for NotHot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wildcard => f.write_str("it comes from a wildcard and names the zone"),
            Self::Delegated => f.write_str("the name is delegated"),
            Self::Empty => f.write_str("it has no record"),
            Self::TooLong => write!(f, "its records take more than {BODY_LARGE} octets"),
            Self::TooManyAnswers => write!(f, "it is one of more than {COLUMNS_MAX} possible answers"),
            Self::TooManyClasses => {
                f.write_str("clients are divided into more classes than the kernel's tables hold")
            }
            Self::Logged => f.write_str("the zone's queries are logged"),
            Self::Signed => f.write_str("the zone is signed"),
            Self::ZeroOctet => f.write_str("the name holds a zero octet"),
        }
    }
}

/// The types under which a CNAME is held: it answers all, these are the ones asked.
const CNAME_TYPES: [RecordType; 4] = [RecordType::CNAME, RecordType::A, RecordType::AAAA, RecordType::HTTPS];

/// Every question of the table with its entry, or why it has none.
pub fn lower(table: &AnswerTable) -> impl Iterator<Item = (HotKey, Result<HotEntry, NotHot>)> {
    table.owners().flat_map(move |(zone, name, owner)| {
        questions(owner).map(move |qtype| {
            let entry = lower_question(table, zone, owner, name, qtype);
            (HotKey { name: name.clone(), qtype }, entry)
        })
    })
}

/// The questions that an owner answers with records.
fn questions(owner: &Owner) -> impl Iterator<Item = RecordType> {
    owner
        .groups()
        .iter()
        .flat_map(|&(rtype, _)| if rtype == RecordType::CNAME { CNAME_TYPES.to_vec() } else { vec![rtype] })
}

/// The questions whose answers come from one group, to be looked at again when it changes, with their entries.
pub fn lower_group(
    table: &AnswerTable,
    owner_name: &Name,
    rtype: RecordType,
) -> Vec<(HotKey, Result<HotEntry, NotHot>)> {
    let owned =
        table.zone_of(owner_name.as_wire()).and_then(|zone| Some((zone, zone.owner(owner_name.as_wire())?)));
    let types = if rtype == RecordType::CNAME { CNAME_TYPES.to_vec() } else { vec![rtype] };
    types
        .into_iter()
        .map(|qtype| {
            let entry = match owned {
                Some((zone, owner)) => lower_question(table, zone, owner, owner_name, qtype),
                None => Err(NotHot::Empty),
            };
            (HotKey { name: owner_name.clone(), qtype }, entry)
        })
        .collect()
}

/// The same for a group of the table, whose owner and type these are.
pub fn lower_index(
    table: &AnswerTable,
    index: GroupIndex,
    owner: &Name,
    rtype: RecordType,
) -> impl Iterator<Item = (HotKey, Result<HotEntry, NotHot>)> {
    // Nearly every group answers its own question and no other; nothing need be looked for then.
    let own = table.answers_itself(index).then(|| {
        let entry = lower_plan(table, table.plan(index), owner);
        (HotKey { name: owner.clone(), qtype: rtype }, entry)
    });
    let others = if own.is_some() { Vec::new() } else { lower_group(table, owner, rtype) };
    own.into_iter().chain(others)
}

/// The entry of one question, the owner being its name in that zone.
pub(crate) fn lower_question(
    table: &AnswerTable,
    zone: &ZoneTable,
    owner: &Owner,
    name: &Name,
    qtype: RecordType,
) -> Result<HotEntry, NotHot> {
    can_be_hot(zone, name, qtype)?;
    let question = Question { qname: name.as_wire(), qtype };
    if qtype == RecordType::DS && table.zone_for(&question).is_none_or(|other| other.apex != zone.apex) {
        return Err(NotHot::Delegated);
    }
    let group = owner.group(qtype).or_else(|| owner.group(RecordType::CNAME)).ok_or(NotHot::Empty)?;
    lower_plan(table, table.plan(group), name)
}

/// The entry that answers with a plan.
fn lower_plan(table: &AnswerTable, plan: &Plan, name: &Name) -> Result<HotEntry, NotHot> {
    match plan {
        Plan::Fixed(body) => HotBody::new(body, name).map(HotEntry::Fixed),
        Plan::ByWeight(weights) => Ok(HotEntry::ByWeight {
            columns: columns(weights)?,
            bodies: weights.bodies.iter().map(|body| HotBody::new(body, name)).collect::<Result<_, _>>()?,
        }),
        Plan::ByClient { partition, variants } if table.clients().fit_kernel() => {
            lower_variants(*partition, variants, name)
        }
        Plan::ByClient { .. } => Err(NotHot::TooManyClasses),
    }
}

/// Whether the kernel may answer for a zone at all.
pub(crate) fn can_have_hot(zone: &ZoneTable) -> Result<(), NotHot> {
    match (&zone.logged, &zone.signing) {
        (Some(_), _) => Err(NotHot::Logged),
        (None, Some(_)) => Err(NotHot::Signed),
        (None, None) => Ok(()),
    }
}

/// Whether a question can be hot, whatever its answer.
pub(crate) fn can_be_hot(zone: &ZoneTable, name: &Name, qtype: RecordType) -> Result<(), NotHot> {
    can_have_hot(zone)?;
    // Of a zone cut DS alone is the parent's to answer (RFC 4035 section 3.1.4.1, D-11).
    if zone.is_hidden(name) || (qtype != RecordType::DS && zone.is_cut(name)) {
        return Err(NotHot::Delegated);
    }
    if name.has_zero_octet() {
        return Err(NotHot::ZeroOctet);
    }
    Ok(())
}

/// The columns of a choice, if there are not too many.
fn columns(weights: &Weights) -> Result<Arc<[Column]>, NotHot> {
    if weights.columns.len() > COLUMNS_MAX as usize {
        return Err(NotHot::TooManyAnswers);
    }
    Ok(weights.columns.clone())
}

/// An entry that answers by where the client is. Variants often share answers, which are held once.
fn lower_variants(partition: u32, variants: &[Plan], name: &Name) -> Result<HotEntry, NotHot> {
    let mut bodies = Vec::new();
    let mut numbers: HashMap<&Body, u32> = HashMap::new();
    let mut lowered = Vec::with_capacity(variants.len());
    for variant in variants {
        let (possible, columns): (&[Arc<Body>], _) = match variant {
            Plan::Fixed(body) => (std::slice::from_ref(body), None),
            Plan::ByWeight(weights) => (&weights.bodies, Some(columns(weights)?)),
            Plan::ByClient { .. } => return Err(NotHot::TooManyClasses),
        };
        let mut of_variant = Vec::with_capacity(possible.len());
        for body in possible {
            let number = match numbers.get(&**body) {
                Some(&number) => number,
                None => {
                    bodies.push(HotBody::new(body, name)?);
                    numbers.insert(body, bodies.len() as u32 - 1);
                    bodies.len() as u32 - 1
                }
            };
            of_variant.push(number);
        }
        lowered.push(HotVariant { bodies: of_variant.into(), columns });
    }
    Ok(HotEntry::ByClient { partition, bodies: bodies.into(), variants: lowered.into() })
}

impl Clients {
    /// Words of a partition, each of which holds [`CLASSES_PER_WORD`] classes.
    pub fn partition_words(&self) -> u32 {
        let classes = self.partitions.first().map_or(0, |of_class| of_class.len() as u32);
        classes.div_ceil(CLASSES_PER_WORD)
    }

    /// Nodes of the client map.
    pub fn nodes(&self) -> u32 {
        (self.map.words().len() / NODE_ENTRIES) as u32
    }

    /// Whether map and partitions are within the limits of the kernel half.
    pub fn fit_kernel(&self) -> bool {
        let words = u64::from(self.partition_words()) * self.partitions.len() as u64;
        self.nodes() <= CLIENT_NODES_MAX && words <= u64::from(PARTITION_WORDS_MAX)
    }
}

impl HotBody {
    fn new(body: &Body, name: &Name) -> Result<Self, NotHot> {
        let octets = match body.octets() {
            Some(octets) => octets.clone(),
            None if name.is_wildcard() => return Err(NotHot::Wildcard),
            None => {
                let mut octets = Vec::with_capacity(body.len());
                body.write(name.as_wire().len(), 0, &mut octets);
                octets.into()
            }
        };
        Self::of_octets(body, octets)
    }

    /// A body whose records were written as these octets.
    pub(crate) fn of_octets(body: &Body, octets: Arc<[u8]>) -> Result<Self, NotHot> {
        if body.is_empty() {
            return Err(NotHot::Empty);
        }
        let [answers, authorities, additionals] = body.counts.map(u8::try_from);
        let (Ok(answers), Ok(authorities), Ok(additionals)) = (answers, authorities, additionals) else {
            return Err(NotHot::TooLong);
        };
        if body.len() > BODY_LARGE {
            return Err(NotHot::TooLong);
        }
        let flags = body.rcode
            | if body.rotates { FLAG_ROTATES } else { 0 }
            | if body.authoritative { FLAG_AUTHORITATIVE } else { 0 };
        let head = BodyHead {
            len: octets.len() as u16,
            sum: sum(&octets),
            answers,
            authorities,
            additionals,
            flags,
        };
        Ok(Self { head, octets })
    }
}

/// Ones' complement sum of 16-bit words as they stand in memory (RFC 1071), the last one zero-padded.
fn sum(octets: &[u8]) -> u16 {
    let halves = octets.chunks(8).map(key::word).map(|word| (word & 0xffff_ffff) + (word >> 32));
    let mut sum: u64 = halves.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
