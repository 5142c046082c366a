//! Locations from a file in MaxMind's database format: every network once, with what its record says of its place.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use maxminddb::{LookupResult, MaxMindDbError, Reader, WithinOptions};
use pulse53_core::geo::{Coordinates, GeoDbBuilder, Location, Network};
use pulse53_core::model::Problem;
use serde::Deserialize;

use super::{file_name, position};

/// Where the 32 bits of IPv4 begin in a tree of IPv6.
const IPV4_IN_IPV6_LENGTH: u8 = 96;

/// The parts of a record that matter here; each may be missing, as in a database of countries alone.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    continent: Continent<'a>,
    #[serde(borrow, default)]
    country: Place<'a>,
    #[serde(default)]
    location: Point,
    #[serde(borrow, default)]
    subdivisions: Vec<Place<'a>>,
}

#[derive(Deserialize, Default)]
struct Continent<'a> {
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
struct Place<'a> {
    #[serde(borrow)]
    iso_code: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
struct Point {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl Record<'_> {
    fn location(&self) -> Location {
        let subdivision = self.subdivisions.first().and_then(|place| place.iso_code.as_deref());
        let coordinates = match (self.location.latitude, self.location.longitude) {
            (Some(latitude), Some(longitude)) => Coordinates::new(latitude, longitude),
            _ => None,
        };
        Location::new(
            two_letters(self.country.iso_code.as_deref()),
            subdivision.filter(|code| !code.is_empty()).map(Arc::from),
            two_letters(self.continent.code.as_deref()),
            coordinates,
        )
    }
}

/// A code as records name it; anything else no record can name, which is as good as unknown.
fn two_letters(code: Option<&str>) -> Option<[u8; 2]> {
    let code: [u8; 2] = code?.as_bytes().try_into().ok()?;
    code.iter().all(u8::is_ascii_alphabetic).then(|| code.map(|letter| letter.to_ascii_uppercase()))
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
enum DatabaseError {
    #[error("cannot read the location database: {0}; check the path and the permissions of [geo] database")]
    Unreadable(#[source] std::io::Error),
    #[error("not a usable location database: {0}; [geo] database wants a file in MaxMind DB format (.mmdb)")]
    Format(#[source] MaxMindDbError),
    #[error("the record of {network} is not one of a location database: {error}; download the file again")]
    Record { network: String, error: MaxMindDbError },
    #[error("the database type is {0} and no network in it has a place; use a city or country database")]
    NoPlaces(String),
}

/// Adds the location of every network in the file. The format is read through at once: one problem tells all there is.
pub(super) fn read(path: &Path, builder: &mut GeoDbBuilder) -> Result<(), Problem> {
    gather(path, builder)
        .map_err(|error| Problem::of_syntax(position(&file_name(path), 1, 1), error.to_string()))
}

fn gather(path: &Path, builder: &mut GeoDbBuilder) -> Result<(), DatabaseError> {
    let octets = std::fs::read(path).map_err(DatabaseError::Unreadable)?;
    let reader = Reader::from_source(octets).map_err(DatabaseError::Format)?;
    // Records are shared by many networks: each is decoded once.
    let mut known: HashMap<usize, Location> = HashMap::new();
    let mut places = false;
    let mut networks = 0_usize;
    // The defaults leave out the other ways into the IPv4 part of an IPv6 tree (mapped, 6to4, Teredo), which would
    // only say everything again under addresses that no client comes from.
    for found in reader.networks(WithinOptions::default()).map_err(DatabaseError::Format)? {
        let found = found.map_err(DatabaseError::Format)?;
        let (Some(offset), Some(network)) = (found.offset(), network_of(&found)?) else { continue };
        let location = match known.get(&offset) {
            Some(location) => location.clone(),
            None => {
                let location = location_of(&found, network)?;
                known.insert(offset, location.clone());
                location
            }
        };
        networks += 1;
        places |= location != Location::default();
        if network.address() == IpAddr::from([0_u16; 8]) && network.length() <= IPV4_IN_IPV6_LENGTH {
            // One record above the whole of IPv4, which the tree has no branch of its own for.
            let everywhere = Network::new(Ipv4Addr::UNSPECIFIED.into(), 0).expect("IPv4 has a length 0");
            builder.location(everywhere, location.clone());
        }
        builder.location(network, location);
    }
    // A database of something else, such as of networks' owners, is a mistake that should not pass for knowledge.
    if networks > 0 && !places {
        return Err(DatabaseError::NoPlaces(reader.metadata().database_type.clone()));
    }
    Ok(())
}

fn network_of(found: &LookupResult<'_, Vec<u8>>) -> Result<Option<Network>, DatabaseError> {
    let network = found.network().map_err(DatabaseError::Format)?;
    Ok(Network::new(network.ip(), network.prefix()).ok())
}

fn location_of(found: &LookupResult<'_, Vec<u8>>, network: Network) -> Result<Location, DatabaseError> {
    let record: Option<Record<'_>> =
        found.decode().map_err(|error| DatabaseError::Record { network: network.to_string(), error })?;
    Ok(record.map(|record| record.location()).unwrap_or_default())
}
