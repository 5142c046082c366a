//! A zone: the groups of record sets at and below one apex.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::RecordType;
use super::name::Name;
use super::policy::PolicyKind;
use super::record::RecordSet;

/// Hosted zone id, as alias targets name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZoneId(pub Arc<str>);

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All record sets of one owner name and type; never empty, all of one policy.
#[derive(Debug, Clone, PartialEq)]
pub struct RRsetGroup {
    /// The members, in order of declaration.
    pub members: Vec<RecordSet>,
}

impl RRsetGroup {
    /// The policy all members share.
    pub fn policy(&self) -> PolicyKind {
        self.members[0].policy.kind()
    }
}

/// A zone that obeys the rules of the routing specification.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Its hosted zone id.
    pub id: ZoneId,
    /// Its topmost name.
    pub apex: Name,
    /// Every group, by owner and type.
    pub groups: BTreeMap<(Name, RecordType), Arc<RRsetGroup>>,
}
