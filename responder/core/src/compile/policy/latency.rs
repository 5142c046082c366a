//! Latency routing.

use crate::geo::Client;
use crate::model::{RRsetGroup, RoutingPolicy};

/// The region that answers clients in China before all others.
const CHINA: (&str, [u8; 2]) = ("cn-north-1", *b"CN");

/// All members by ascending latency, regions without a figure last, ties by region name.
pub(super) fn order(group: &RRsetGroup, client: &Client) -> Vec<usize> {
    let region = |index: usize| match &group.members[index].policy {
        RoutingPolicy::Latency(region) => region.as_str(),
        _ => "",
    };
    let in_china = client.location().country() == Some(CHINA.1);
    let mut order: Vec<usize> = (0..group.members.len()).collect();
    order.sort_by_key(|&index| {
        let region = region(index);
        let latency = client.latency(region);
        (!(in_china && region == CHINA.0), latency.is_none(), latency, region)
    });
    order
}
