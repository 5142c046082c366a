//! Weighted routing.

use smallvec::SmallVec;

use super::Selection;
use crate::model::{RRsetGroup, RoutingPolicy};

/// Shares by weight; equal shares if all weights in the pool are zero.
pub(super) fn select(group: &RRsetGroup, pool: &[usize]) -> Selection {
    let weighted = pool.iter().filter_map(|&index| match group.members[index].policy {
        RoutingPolicy::Weighted(weight) if weight > 0 => Some((index, u32::from(weight))),
        _ => None,
    });
    let weighted: SmallVec<_> = weighted.collect();
    Selection::OneOf(if weighted.is_empty() {
        pool.iter().map(|&index| (index, 1)).collect()
    } else {
        weighted
    })
}
