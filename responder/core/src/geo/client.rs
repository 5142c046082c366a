//! What is known about one client network: all that routing may look at.

use std::sync::Arc;

use super::cidr::{CidrCollections, CidrMatch, matches_of};
use super::database::GeoDb;
use super::latency::{Latency, LatencyRow};
use super::location::{Coordinates, Location};
use super::network::Network;
use super::regions::Places;
use crate::model::policy::GeoProximityPlace;

/// A client: its location, its latencies and the CIDR blocks around it.
#[derive(Debug, Clone, Default)]
pub struct Client {
    pub(super) location: Location,
    pub(super) row: Option<Arc<LatencyRow>>,
    pub(super) matches: Arc<[CidrMatch]>,
    pub(super) places: Places,
}

impl Client {
    /// A client of whom nothing is known.
    pub fn unknown() -> Self {
        Self::default()
    }

    /// The client at one network, found by searching. For the answer to a query, look up its class instead.
    pub fn at(geo: &GeoDb, collections: &CidrCollections, network: Network) -> Self {
        let network = Network::of_client(network.address(), network.length());
        Self {
            location: geo.location(network.address()).clone(),
            row: geo.row(network.address()).cloned(),
            matches: matches_of(collections, &network),
            places: geo.places().clone(),
        }
    }

    /// Where it is, as far as that is known.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The latency to a region, measured or else estimated.
    pub fn latency(&self, region: &str) -> Option<Latency> {
        self.measured_latency(region).or_else(|| self.estimated_latency(region))
    }

    /// The latency that the table gives.
    pub fn measured_latency(&self, region: &str) -> Option<Latency> {
        self.row.as_ref()?.get(region)
    }

    /// The latency by distance; none unless the coordinates of the client and of the region are known.
    pub fn estimated_latency(&self, region: &str) -> Option<Latency> {
        Some(Latency::estimate(self.location.coordinates()?, self.places.region(region)?))
    }

    /// About where a geoproximity resource is, as far as that is known.
    pub fn coordinates_of(&self, place: &GeoProximityPlace) -> Option<Coordinates> {
        self.places.of(place)
    }

    /// Every region the table has a row for, in order.
    pub fn measured_latencies(&self) -> Vec<(Arc<str>, Latency)> {
        self.row.as_ref().map(|row| row.all()).unwrap_or_default()
    }

    /// The locations of a collection with a block that contains the client network entirely, longest block first.
    pub fn cidr_locations(&self, collection: &str) -> impl Iterator<Item = &str> {
        self.matches
            .iter()
            .filter(move |found| &*found.collection == collection)
            .map(|found| &*found.location)
    }

    /// The same for all collections at once, as pairs of collection and location.
    pub fn cidr_matches(&self) -> impl Iterator<Item = (&str, &str)> {
        self.matches.iter().map(|found| (&*found.collection, &*found.location))
    }
}
