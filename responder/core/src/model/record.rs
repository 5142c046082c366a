//! One record set: Route 53's `ResourceRecordSet`, without owner and type, which its group holds.

use std::fmt;
use std::sync::Arc;

use super::check::CheckId;
use super::name::Name;
use super::policy::RoutingPolicy;
use super::zone::ZoneId;

/// Lifetime of an RRset in seconds, 0 to 2147483647 (RFC 2181 section 8, R-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ttl(pub u32);

impl Ttl {
    /// The greatest TTL there is.
    pub const MAX: Self = Self(i32::MAX as u32);
}

/// The RDATA of one record: wire form, names in it uncompressed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rdata(pub Arc<[u8]>);

impl fmt::Debug for Rdata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// `SetIdentifier`: tells the record sets of one group apart, 1 to 128 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetId(pub Arc<str>);

/// Where something was declared, for messages: a file position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file, as the configuration names it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSet {
    /// Present unless the policy is simple.
    pub set_id: Option<SetId>,
    /// How it takes part in its group.
    pub policy: RoutingPolicy,
    /// The health check that decides whether it may answer.
    pub check: Option<CheckId>,
    /// What it answers with.
    pub data: RecordData,
    /// Where it was declared, when it came from a file.
    pub source: Option<Source>,
}

/// Values or an alias, never both.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordData {
    /// Records of the group's type.
    Values {
        /// Their common lifetime.
        ttl: Ttl,
        /// 1 to 400, no duplicates.
        rdatas: Arc<[Rdata]>,
    },
    /// Another group answers.
    Alias(AliasTarget),
}

/// The group an alias leads to: the one of the alias's own type at `name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasTarget {
    /// The zone that holds the target.
    pub zone: ZoneId,
    /// Owner name of the target group.
    pub name: Name,
    /// `EvaluateTargetHealth`.
    pub evaluate_target_health: bool,
}
