//! Geolocation routing.

use crate::geo::Client;
use crate::model::policy::GeoLocation;
use crate::model::{RRsetGroup, RoutingPolicy};

/// The members for the client's subdivision, country, continent, and the default, as far as they exist.
pub(super) fn order(group: &RRsetGroup, client: &Client) -> Vec<usize> {
    let location = client.location();
    let places = [
        location.subdivision().map(|name| GeoLocation::Subdivision(name.to_string())),
        location.country().map(GeoLocation::Country),
        location.continent().map(GeoLocation::Continent),
        Some(GeoLocation::Default),
    ];
    let member_for = |place: GeoLocation| {
        let policy = RoutingPolicy::Geolocation(place);
        group.members.iter().position(|member| member.policy == policy)
    };
    places.into_iter().flatten().filter_map(member_for).collect()
}
