//! All that is declared, at one store revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RecordType;
use super::check::{CheckId, HealthCheck};
use super::cidr::CidrCollection;
use super::name::Name;
use super::record::SetId;
use super::zone::{Zone, ZoneId};
use crate::dnssec::Signing;

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
    /// The CIDR collections, by id.
    pub collections: BTreeMap<Arc<str>, Arc<CidrCollection>>,
    /// The log groups of zones whose queries are logged.
    pub query_logs: BTreeMap<ZoneId, Arc<str>>,
    /// The keys of zones that are signed.
    pub signing: BTreeMap<ZoneId, Arc<Signing>>,
    /// Whether positive answers carry more than the answer section.
    pub full_responses: bool,
}

impl Snapshot {
    /// Removes one record set; says whether it was there. Aliases that led to it keep a missing target.
    pub fn remove(
        &mut self,
        zone: &ZoneId,
        owner: &Name,
        record_type: RecordType,
        set_id: Option<&SetId>,
    ) -> bool {
        let Some(zone) = self.zones.get_mut(zone) else { return false };
        Arc::make_mut(zone).remove(owner, record_type, set_id)
    }
}
