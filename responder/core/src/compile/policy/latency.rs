//! Latency routing.

use crate::geo::{Client, Latency};
use crate::model::{RRsetGroup, RecordSet, RoutingPolicy};

/// The region that answers clients in China before all others.
const CHINA: (&str, [u8; 2]) = ("cn-north-1", *b"CN");

/// All members by ascending latency, regions without a figure last, ties by region name.
pub(super) fn order(group: &RRsetGroup, client: &Client) -> Vec<usize> {
    let in_china = is_in_china(client);
    let mut order: Vec<usize> = (0..group.members.len()).collect();
    order.sort_by_key(|&index| {
        let region = region(&group.members[index]);
        preference(region, client.latency(region), in_china)
    });
    order
}

/// The region of a member.
pub(crate) fn region(member: &RecordSet) -> &str {
    match &member.policy {
        RoutingPolicy::Latency(region) => region,
        _ => "",
    }
}

/// Whether the client is where one region comes first.
pub(crate) fn is_in_china(client: &Client) -> bool {
    client.location().country() == Some(CHINA.1)
}

/// What regions are ordered by.
pub(crate) fn preference(region: &str, latency: Option<Latency>, in_china: bool) -> impl Ord {
    (!(in_china && region == CHINA.0), latency.is_none(), latency, region)
}
