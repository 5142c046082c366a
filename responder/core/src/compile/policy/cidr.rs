//! IP-based routing.

use crate::geo::Client;
use crate::model::{RRsetGroup, RoutingPolicy};

/// The location that stands for all clients no block matches.
const DEFAULT: &str = "*";

/// The members for the locations of all matching blocks, longest block first, then the default.
pub(super) fn order(group: &RRsetGroup, client: &Client) -> Vec<usize> {
    let of_member = |index: usize| match &group.members[index].policy {
        RoutingPolicy::Cidr { collection, location } => Some((collection.as_str(), location.as_str())),
        _ => None,
    };
    let Some((collection, _)) = of_member(0) else { return Vec::new() };
    let mut order: Vec<usize> = Vec::new();
    for location in client.cidr_locations(collection).chain([DEFAULT]) {
        let found = (0..group.members.len())
            .find(|&index| of_member(index).is_some_and(|(_, name)| name == location));
        // A location may have several matching blocks; its longest one counts.
        order.extend(found.filter(|index| !order.contains(index)));
    }
    order
}
