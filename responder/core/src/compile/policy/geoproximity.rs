//! Geoproximity routing.

use crate::geo::{Client, Coordinates, biased_distance_km, nearest_first};
use crate::model::policy::GeoProximityPlace;
use crate::model::{RRsetGroup, RoutingPolicy};

/// All members by ascending biased distance, ties by set identifier.
pub(super) fn order(group: &RRsetGroup, client: &Client) -> Vec<usize> {
    let here: Option<Coordinates> = client.location().coordinates();
    let measured = resources(group).enumerate().map(|(index, resource)| {
        let there = resource.place.and_then(|place| client.coordinates_of(place));
        (biased_distance_km(here, there, resource.bias), resource.set_id, index)
    });
    nearest_first(measured).collect()
}

/// What the distance of a member goes by, and what breaks ties.
pub(crate) struct Resource<'a> {
    pub(crate) place: Option<&'a GeoProximityPlace>,
    pub(crate) bias: i8,
    pub(crate) set_id: &'a str,
}

/// The resources that the members of a group stand for, in their order.
pub(crate) fn resources(group: &RRsetGroup) -> impl Iterator<Item = Resource<'_>> {
    group.members.iter().map(|member| {
        let set_id = member.set_id.as_ref().map_or("", |id| &*id.0);
        match &member.policy {
            RoutingPolicy::Geoproximity { place, bias } => {
                Resource { place: Some(place), bias: *bias, set_id }
            }
            _ => Resource { place: None, bias: 0, set_id },
        }
    })
}
