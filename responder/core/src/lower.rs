//! From the answer table to what the kernel can hold: one entry a question, within the limits of the ABI.
//!
//! What does not fit is not hot, with a reason; userspace answers it just as well (law 9).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::FixedState;
use pulse53_abi::client::{CLASSES_PER_WORD, NODE_ENTRIES};
use pulse53_abi::limits::{BODY_LARGE, CLIENT_NODES_MAX, COLUMNS_MAX, PARTITION_WORDS_MAX};
use smallvec::SmallVec;

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

/// How one question is answered in the kernel. Bodies and columns are those of the plan, unless the records depend on the name; each body holds a
/// record and is within the limits of the ABI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HotEntry {
    /// Always with the same records.
    Fixed(Arc<Body>),
    /// By lot.
    ByWeight {
        /// The possible answers.
        bodies: Arc<[Arc<Body>]>,
        /// A power of two of columns, at most [`COLUMNS_MAX`].
        columns: Arc<[Column]>,
    },
    /// By where the client is.
    ByClient {
        /// Which partition of [`crate::compile::Clients`] divides the clients.
        partition: u32,
        /// The possible answers of all variants, each once.
        bodies: Box<[Arc<Body>]>,
        /// What clients may be answered, each once.
        choices: Box<[HotChoice]>,
        /// Which of the choices the clients of each part get.
        variants: Box<[u32]>,
    },
}

/// What some clients are answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HotChoice {
    /// Which of the entry's bodies the columns number; without columns, the one that answers.
    pub bodies: SmallVec<[u32; 2]>,
    /// The choice among them, if it goes by lot: as in [`HotEntry::ByWeight`].
    pub columns: Option<Arc<[Column]>>,
}

/// A question of a table with its entry.
#[derive(Debug, Clone)]
pub struct Lowered<'t> {
    /// QNAME.
    pub name: &'t Name,
    /// QTYPE.
    pub qtype: RecordType,
    /// The group of that name and type, if there is one.
    pub group: Option<GroupIndex>,
    /// How it is answered, or why it has no entry.
    pub entry: Result<HotEntry, NotHot>,
}

impl Lowered<'_> {
    /// The question.
    pub fn key(&self) -> HotKey {
        HotKey { name: self.name.clone(), qtype: self.qtype }
    }
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

/// Every question of the table.
pub fn lower(table: &AnswerTable) -> impl Iterator<Item = Lowered<'_>> {
    table.owners().flat_map(move |(zone, name, owner)| {
        owner.groups().iter().flat_map(|&(rtype, _)| questions(rtype)).map(move |qtype| {
            let entry = lower_question(table, zone, owner, name, qtype);
            Lowered { name, qtype, group: owner.group(qtype), entry }
        })
    })
}

/// The questions that a group of this type answers.
fn questions(rtype: RecordType) -> impl Iterator<Item = RecordType> {
    let types: &[_] = if rtype == RecordType::CNAME { &CNAME_TYPES } else { &[] };
    types.iter().copied().chain((rtype != RecordType::CNAME).then_some(rtype))
}

/// The questions whose answers come from one group, to be looked at again when it changes.
pub fn lower_group<'t>(
    table: &'t AnswerTable,
    name: &'t Name,
    rtype: RecordType,
) -> impl Iterator<Item = Lowered<'t>> {
    let owned = table.zone_of(name.as_wire()).and_then(|zone| Some((zone, zone.owner(name.as_wire())?)));
    questions(rtype).map(move |qtype| match owned {
        Some((zone, owner)) => {
            let entry = lower_question(table, zone, owner, name, qtype);
            Lowered { name, qtype, group: owner.group(qtype), entry }
        }
        None => Lowered { name, qtype, group: None, entry: Err(NotHot::Empty) },
    })
}

/// The same for a group of the table, whose owner and type these are.
pub fn lower_index<'t>(
    table: &'t AnswerTable,
    index: GroupIndex,
    name: &'t Name,
    rtype: RecordType,
) -> impl Iterator<Item = Lowered<'t>> {
    // Nearly every group answers its own question and no other; nothing need be looked for then.
    let own = table.answers_itself(index).then(|| {
        let entry = lower_plan(table, table.plan(index), name);
        Lowered { name, qtype: rtype, group: Some(index), entry }
    });
    let others = own.is_none().then(|| lower_group(table, name, rtype));
    own.into_iter().chain(others.into_iter().flatten())
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
    let alias = || owner.group(RecordType::CNAME).filter(|_| CNAME_TYPES.contains(&qtype));
    let group = owner.group(qtype).or_else(alias).ok_or(NotHot::Empty)?;
    lower_plan(table, table.plan(group), name)
}

/// The entry that answers with a plan.
fn lower_plan(table: &AnswerTable, plan: &Plan, name: &Name) -> Result<HotEntry, NotHot> {
    match plan {
        Plan::Fixed(body) => hot(body, name).map(HotEntry::Fixed),
        Plan::ByWeight(weights) => {
            let columns = columns(weights)?;
            Ok(HotEntry::ByWeight { bodies: all_hot(&weights.bodies, name)?, columns })
        }
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

/// An entry that answers by where the client is. Variants often share answers, and choices among them; both are held once.
fn lower_variants(partition: u32, variants: &[Arc<Plan>], name: &Name) -> Result<HotEntry, NotHot> {
    let (mut bodies, mut choices) = (Numbered::default(), Numbered::default());
    let mut known: HashMap<*const Plan, u32, FixedState> = HashMap::default();
    let mut number_of = |plan: &Plan| {
        let (possible, columns): (&[Arc<Body>], _) = match plan {
            Plan::Fixed(body) => (std::slice::from_ref(body), None),
            Plan::ByWeight(weights) => (&weights.bodies, Some(columns(weights)?)),
            Plan::ByClient { .. } => return Err(NotHot::TooManyClasses),
        };
        let possible: Result<_, NotHot> =
            possible.iter().map(|body| Ok(bodies.number(hot(body, name)?))).collect();
        Ok(choices.number(HotChoice { bodies: possible?, columns }))
    };
    let mut lowered = Vec::with_capacity(variants.len());
    for plan in variants {
        lowered.push(match known.entry(Arc::as_ptr(plan)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => *unknown.insert(number_of(plan)?),
        });
    }
    let (bodies, choices) = (bodies.values.into(), choices.values.into());
    Ok(HotEntry::ByClient { partition, bodies, choices, variants: lowered.into() })
}

/// Different values, numbered as they came.
struct Numbered<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32, FixedState>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: HashMap::default() }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    fn number(&mut self, value: T) -> u32 {
        *self.numbers.entry(value).or_insert_with_key(|value| {
            self.values.push(value.clone());
            self.values.len() as u32 - 1
        })
    }
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

/// A body as it is held for a name.
fn hot(body: &Arc<Body>, name: &Name) -> Result<Arc<Body>, NotHot> {
    if !body.depends_on_name() {
        return within_limits(body).map(|()| body.clone());
    }
    if name.is_wildcard() {
        return Err(NotHot::Wildcard);
    }
    let body = body.for_names_of(name.as_wire().len());
    within_limits(&body)?;
    Ok(Arc::new(body))
}

/// Several bodies as they are held for a name: nearly always the very ones of the plan.
fn all_hot(bodies: &Arc<[Arc<Body>]>, name: &Name) -> Result<Arc<[Arc<Body>]>, NotHot> {
    if bodies.iter().any(|body| body.depends_on_name()) {
        return bodies.iter().map(|body| hot(body, name)).collect();
    }
    bodies.iter().try_for_each(|body| within_limits(body))?;
    Ok(bodies.clone())
}

/// Whether a body can be held by the kernel half.
pub(crate) fn within_limits(body: &Body) -> Result<(), NotHot> {
    if body.is_empty() {
        return Err(NotHot::Empty);
    }
    if body.len() > BODY_LARGE || body.counts.iter().any(|&count| count > u8::MAX.into()) {
        return Err(NotHot::TooLong);
    }
    Ok(())
}
