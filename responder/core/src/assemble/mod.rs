//! Puts declarations together: what record sets, zones, checks and collections mean next to each other.
//!
//! ```text
//!  master file ──┐
//!  record sets ──┴► ZoneBuilder ──┐  a group: R-4 R-5 R-8 R-9 R-26 R-28 R-32 R-35      group.rs
//!                                 │  a zone:  R-7 R-12 R-13, apex SOA and NS           zone.rs
//!  health checks ─────────────────┼► SnapshotBuilder ──► Snapshot, or every problem
//!  CIDR collections ──────────────┘  all:     R-35 R-42 R-44 R-46 R-54 H-2             snapshot.rs, alias.rs
//! ```
//!
//! One batch takes effect whole or not at all, and all of its problems are told at once. What is already served may be
//! handed in as it is: its aliases may have lost their targets (R-47), and only record sets that are new to this batch must
//! lead somewhere.

mod alias;
mod group;
mod snapshot;
mod view;
mod zone;

#[cfg(test)]
mod rules_tests;
#[cfg(test)]
mod tests;

pub(crate) use alias::check_chains;
pub(crate) use group::conflicts;
pub use snapshot::SnapshotBuilder;
pub use zone::ZoneBuilder;

/// Bounds that configuration may raise (routing specification, section 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Record sets of Route 53's kind in one zone; what a master file holds is not counted.
    pub record_sets_per_zone: usize,
    /// Hops of an alias chain (R-46).
    pub alias_hops: usize,
    /// CIDR collections.
    pub cidr_collections: usize,
    /// Zones that are served when another is made through the API.
    pub hosted_zones: usize,
    /// Health checks that are declared when another is made through the API.
    pub health_checks: usize,
    /// Reusable delegation sets.
    pub delegation_sets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_sets_per_zone: 10_000,
            alias_hops: 8,
            cidr_collections: 5,
            hosted_zones: 1_000_000,
            health_checks: 1_000_000,
            delegation_sets: 100,
        }
    }
}
