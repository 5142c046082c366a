//! Failover routing.

use smallvec::smallvec;

use super::Selection;
use crate::model::{FailoverRole, RRsetGroup, RoutingPolicy};

/// The primary if it is in the pool, else the secondary.
pub(super) fn select(group: &RRsetGroup, pool: &[usize]) -> Selection {
    let primary = RoutingPolicy::Failover(FailoverRole::Primary);
    let chosen = pool.iter().find(|&&index| group.members[index].policy == primary).unwrap_or(&pool[0]);
    Selection::OneOf(smallvec![(*chosen, 1)])
}
