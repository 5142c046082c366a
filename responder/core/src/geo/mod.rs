//! Where clients are: location and latency by network, and the classes that routing divides the client space into.
//!
//! [`GeoDb`] holds what the operator's databases say, one flat list of ranges per family. A [`Client`] is what is known
//! about one network. [`classify`] asks once per distinct client which class it belongs to and draws the
//! result on a [`ClientMap`], whose arrays a packet is looked up in, in userspace and in the kernel alike.
//!
//! Everything here works on *client networks*: /24 in IPv4 and /48 in IPv6. They are numbered, so that a network
//! of any length is a range of numbers; see `space.rs`. Nothing is stored per client network but the finished classes.

mod cidr;
mod classify;
mod client;
mod client_map;
mod database;
mod distance;
mod latency;
mod location;
mod network;
mod regions;
mod space;
mod sweep;
mod trie;

pub use cidr::CidrCollections;
pub use classify::{Distinct, classify};
pub use client::Client;
pub use client_map::ClientMap;
pub use database::{GeoDb, GeoDbBuilder};
pub use distance::{
    EARTH_RADIUS_KM, biased_distance_km, biased_km, distance_km, nearest_first, unbiased_distance_km,
};
pub use latency::Latency;
pub use location::{Coordinates, Location};
pub use network::{Network, NetworkError};
pub use regions::{Places, region_coordinates, region_names};
pub use space::{IPV4_CLIENT_BITS, IPV6_CLIENT_BITS};

#[cfg(test)]
mod tests;
