//! Geoproximity routing.

use crate::geo::{Client, order_by_proximity};
use crate::model::{RRsetGroup, RoutingPolicy};

/// All members by ascending biased distance, ties by set identifier.
pub(super) fn order(group: &RRsetGroup, client: &Client) -> Vec<usize> {
    let members: Vec<usize> = (0..group.members.len()).collect();
    let placed = |&index: &usize| {
        let member = &group.members[index];
        let set_id = member.set_id.as_ref().map_or("", |id| &*id.0);
        match &member.policy {
            RoutingPolicy::Geoproximity { place, bias } => (client.coordinates_of(place), *bias, set_id),
            _ => (None, 0, set_id),
        }
    };
    order_by_proximity(client.location().coordinates(), &members, placed).into_iter().copied().collect()
}
