//! All that is declared, at one store revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::{CheckId, HealthCheck};
use super::zone::{Zone, ZoneId};

/// Counts the versions of what is declared; only rises (law 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Revision(pub u64);

/// One consistent version of all declarations.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Which version.
    pub revision: Revision,
    /// The zones, by id.
    pub zones: BTreeMap<ZoneId, Arc<Zone>>,
    /// The health checks, by id.
    pub checks: BTreeMap<CheckId, Arc<HealthCheck>>,
}
