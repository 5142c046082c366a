//! Change batches: what `ChangeResourceRecordSets` asks of a zone, judged as a whole and carried out as a whole.
//!
//! ```text
//!  limits, shape of each change         limits.rs, shape.rs   InvalidInput, one message
//!  deletes, then creates and upserts    working.rs            ┐
//!  what lies where                      place.rs              ├ InvalidChangeBatch, every message in change order
//!  groups, aliases                      together.rs           ┘
//!  ▼
//!  the zone as it will be, and the record sets to store as they were submitted
//! ```
//!
//! Deletes are carried out first and everything is judged on the result, so that a batch may name its changes in any order: a
//! superset of what Route 53 accepts. Only what the batch touches is looked at; what it leaves alone obeys the rules
//! already.

mod created;
mod limits;
mod message;
mod place;
mod shape;
mod together;
mod working;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::assemble::Limits;
use crate::model::{Name, RecordType, SetId, Snapshot, Zone};
use crate::route53::ResourceRecordSet;

pub use created::{NewZone, create_zone, zone_of_record_sets};
use working::Working;
pub use working::is_same_record_set;

/// What to do with one record set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Make it; it must not exist.
    Create,
    /// Remove it; it must exist, and all its fields must be given.
    Delete,
    /// Make it, or put it in place of the one with its name, type and set identifier.
    Upsert,
}

impl Action {
    /// Reads `CREATE`, `DELETE` or `UPSERT`.
    pub fn from_route53(text: &str) -> Option<Self> {
        [Self::Create, Self::Delete, Self::Upsert].into_iter().find(|action| action.as_str() == text)
    }

    /// As Route 53 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Delete => "DELETE",
            Self::Upsert => "UPSERT",
        }
    }
}

/// One change of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What to do.
    pub action: Action,
    /// With which record set.
    pub set: ResourceRecordSet,
}

/// What tells the record sets of a zone apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetKey {
    /// Owner name.
    pub owner: Name,
    /// Type.
    pub record_type: RecordType,
    /// Set identifier, unless the policy is simple.
    pub set_id: Option<SetId>,
}

/// What a batch does to one stored record set.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// Which.
    pub key: SetKey,
    /// As it was submitted, its names in listed form (R-16); none if it is removed.
    pub set: Option<ResourceRecordSet>,
}

/// A batch carried out.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The zone as it is then.
    pub zone: Arc<Zone>,
    /// What to store, at most one edit a record set.
    pub edits: Vec<Edit>,
}

/// Why nothing of a batch was carried out; the variants are the API's error codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The request itself is malformed.
    #[error("{0}")]
    InvalidInput(String),
    /// A record set names a health check that does not exist.
    #[error("No health check exists with the specified ID {0}.")]
    NoSuchHealthCheck(String),
    /// The changes cannot be made; every reason, in change order.
    #[error("[{}]", .0.join(", "))]
    InvalidChangeBatch(Vec<String>),
}

/// Carries a batch out on a zone of the snapshot, which stays as it is.
pub fn apply(
    snapshot: &Snapshot,
    zone: &Zone,
    changes: &[Change],
    bounds: &Limits,
) -> Result<Applied, ChangeError> {
    limits::check(changes)?;
    let mut complaints = Complaints::default();
    let mut read = Vec::with_capacity(changes.len());
    for (at, change) in changes.iter().enumerate() {
        shape::check(change)?;
        match shape::read(change, snapshot)? {
            Ok(declared) => read.push((at, change.action, declared)),
            Err(messages) => messages.into_iter().for_each(|message| complaints.add(at, message)),
        }
    }
    let mut working = Working::new(zone);
    working.carry_out(&read, &mut complaints);
    place::check(&working, &mut complaints);
    together::check_groups(&working, &mut complaints);
    together::check_targets(snapshot, &working, &mut complaints);
    complaints.into_result()?;

    let edits = working.edits(changes);
    let has_aliases = working.written().any(|(_, _, member)| together::is_alias(member));
    let zone = Arc::new(working.into_zone());
    limits::check_zone(&zone, &edits, bounds)?;
    if has_aliases {
        together::check_chains(snapshot, &zone, bounds)?;
    }
    Ok(Applied { zone, edits })
}

/// What is wrong, by the position of the change.
#[derive(Debug, Default)]
struct Complaints(Vec<(usize, String)>);

impl Complaints {
    fn add(&mut self, change: usize, message: String) {
        self.0.push((change, message));
    }

    fn into_result(mut self) -> Result<(), ChangeError> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort_by_key(|(change, _)| *change);
        Err(ChangeError::InvalidChangeBatch(self.0.into_iter().map(|(_, message)| message).collect()))
    }
}
