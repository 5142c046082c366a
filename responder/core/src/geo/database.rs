//! What is known about every network: locations and latencies, flattened so that a client's are one search away.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::latency::{Latency, LatencyRow};
use super::location::{Coordinates, Location};
use super::network::Network;
use super::regions::Places;
use super::space::{Family, key_of};
use super::sweep::{Prefix, Ranges, sweep};

/// The location and the latencies of every client network. Unknown everywhere by default.
///
/// Equal locations and equal sets of latency rows are stored once and told apart by number; 0 is the unknown one.
#[derive(Debug)]
pub struct GeoDb {
    locations: Vec<Location>,
    rows: Vec<Option<Arc<LatencyRow>>>,
    regions: Vec<Arc<str>>,
    places: Places,
    v4: FamilyRanges,
    v6: FamilyRanges,
}

/// Numbers of locations and of latency rows by client network.
#[derive(Debug, Default)]
struct FamilyRanges {
    locations: Ranges,
    rows: Ranges,
}

impl Default for GeoDb {
    fn default() -> Self {
        GeoDbBuilder::default().build()
    }
}

impl GeoDb {
    /// The location of a client network by its first address: that of the longest prefix over it.
    pub fn location(&self, address: IpAddr) -> &Location {
        let number = self.location_ranges(Family::of(address)).at(key_of(address));
        self.location_numbered(number)
    }

    /// The regions that the latency table names, in the order of their first rows.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.regions.iter().map(|region| &**region)
    }

    /// Where the labels of regions and local zones are.
    pub fn places(&self) -> &Places {
        &self.places
    }

    pub(super) fn row(&self, address: IpAddr) -> Option<&Arc<LatencyRow>> {
        let number = self.row_ranges(Family::of(address)).at(key_of(address));
        self.row_numbered(number)
    }

    pub(super) fn location_ranges(&self, family: Family) -> &Ranges {
        &self.of_family(family).locations
    }

    pub(super) fn row_ranges(&self, family: Family) -> &Ranges {
        &self.of_family(family).rows
    }

    pub(super) fn location_numbered(&self, number: u32) -> &Location {
        &self.locations[number as usize]
    }

    pub(super) fn row_numbered(&self, number: u32) -> Option<&Arc<LatencyRow>> {
        self.rows[number as usize].as_ref()
    }

    fn of_family(&self, family: Family) -> &FamilyRanges {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }
}

/// Gathers what databases say, in any order. Of two words about the same thing the later one counts.
#[derive(Debug)]
pub struct GeoDbBuilder {
    locations: HashMap<Location, u32>,
    regions: HashMap<Arc<str>, u32>,
    places: HashMap<Box<str>, Coordinates>,
    v4: FamilyPrefixes,
    v6: FamilyPrefixes,
}

/// Locations and latencies as they were said: by number, the latter with the number of their region.
#[derive(Debug, Default)]
struct FamilyPrefixes {
    locations: Vec<Prefix<u32>>,
    latencies: Vec<Prefix<(u32, Latency)>>,
}

impl Default for GeoDbBuilder {
    fn default() -> Self {
        Self {
            locations: HashMap::from([(Location::default(), 0)]),
            regions: HashMap::new(),
            places: HashMap::new(),
            v4: FamilyPrefixes::default(),
            v6: FamilyPrefixes::default(),
        }
    }
}

impl GeoDbBuilder {
    /// A network is at a location, whatever wider networks say.
    pub fn location(&mut self, network: Network, location: Location) {
        let next = self.locations.len() as u32;
        if let Some(prefix) = Prefix::new(&network, ()) {
            let number = *self.locations.entry(location).or_insert(next);
            self.of_family(&network).locations.push(prefix.saying(number));
        }
    }

    /// A network takes this long to a region, whatever wider networks say; their rows for other regions hold on.
    pub fn latency(&mut self, network: Network, region: &str, latency: Latency) {
        let number = match self.regions.get(region) {
            Some(number) => *number,
            None => {
                let number = self.regions.len() as u32;
                self.regions.insert(region.into(), number);
                number
            }
        };
        let prefix = Prefix::new(&network, (number, latency));
        self.of_family(&network).latencies.extend(prefix);
    }

    /// A region or local zone group is here, whatever is known of its label otherwise.
    pub fn place(&mut self, label: &str, coordinates: Coordinates) {
        self.places.insert(label.into(), coordinates);
    }

    /// Everything said so far.
    pub fn build(self) -> GeoDb {
        let places = Places::new(self.places);
        let mut rows = Rows::new(by_number(self.regions));
        let v4 = self.v4.build(Family::V4, &mut rows);
        let v6 = self.v6.build(Family::V6, &mut rows);
        GeoDb { locations: by_number(self.locations), rows: rows.rows, regions: rows.regions, places, v4, v6 }
    }

    fn of_family(&mut self, network: &Network) -> &mut FamilyPrefixes {
        match Family::of(network.address()) {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}

impl FamilyPrefixes {
    fn build(self, family: Family, rows: &mut Rows) -> FamilyRanges {
        let locations = sweep(family, self.locations, |around, same| same.last().map_or(around, |p| p.value));
        let latencies = sweep(family, self.latencies, |around, same| rows.within(around, same));
        FamilyRanges { locations, rows: latencies }
    }
}

/// What was numbered from 0, in order.
fn by_number<T>(numbered: HashMap<T, u32>) -> Vec<T> {
    let mut numbered: Vec<(T, u32)> = numbered.into_iter().collect();
    numbered.sort_unstable_by_key(|(_, number)| *number);
    numbered.into_iter().map(|(thing, _)| thing).collect()
}

/// Latency rows, equal ones once.
struct Rows {
    regions: Vec<Arc<str>>,
    rows: Vec<Option<Arc<LatencyRow>>>,
    /// By the number of the wider row and the own latencies by region number.
    known: HashMap<(u32, Vec<(u32, Latency)>), u32>,
}

impl Rows {
    fn new(regions: Vec<Arc<str>>) -> Self {
        Self { regions, rows: vec![None], known: HashMap::new() }
    }

    /// The row inside a network, given the one around it. What only repeats the latter adds nothing.
    fn within(&mut self, around: u32, said: &[Prefix<(u32, Latency)>]) -> u32 {
        let wider = self.rows[around as usize].clone();
        let mut own: Vec<(u32, Latency)> = said.iter().rev().map(|prefix| prefix.value).collect();
        // Stable and in reverse: of two rows for one region the later is in front, and is the one kept.
        own.sort_by_key(|(region, _)| &self.regions[*region as usize]);
        own.dedup_by_key(|(region, _)| *region);
        own.retain(|(region, latency)| {
            wider.as_ref().and_then(|row| row.get(&self.regions[*region as usize])) != Some(*latency)
        });
        if own.is_empty() {
            return around;
        }
        let next = self.rows.len() as u32;
        let number = *self.known.entry((around, own.clone())).or_insert(next);
        if number == next {
            let own =
                own.into_iter().map(|(region, latency)| (self.regions[region as usize].clone(), latency));
            self.rows.push(Some(Arc::new(LatencyRow::new(own.collect(), wider))));
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn place(country: &[u8; 2]) -> Location {
        Location::new(Some(*country), None, None, None)
    }

    /// by the first address of the client network, longest prefix first.
    #[test]
    fn the_longest_prefix_gives_the_location() {
        let mut builder = GeoDbBuilder::default();
        builder.location(network("192.0.2.0/26"), place(b"DE"));
        builder.location(network("192.0.2.128/25"), place(b"FR"));
        builder.location(network("192.0.0.0/16"), place(b"US"));
        builder.location(network("2001:db8::/32"), place(b"JP"));
        builder.location(network("2001:db8:0:1::/64"), place(b"KR"));
        let geo = builder.build();
        let check = |address: &str, country: Option<&[u8; 2]>| {
            assert_eq!(geo.location(address.parse().unwrap()).country(), country.copied(), "{address}");
        };
        check("192.0.2.0", Some(b"DE"));
        check("192.0.2.200", Some(b"DE"));
        check("192.0.3.0", Some(b"US"));
        check("192.1.0.0", None);
        check("2001:db8:0:1::", Some(b"JP"));
        check("2001:db9::", None);
    }

    #[test]
    fn rows_for_other_regions_hold_on_in_longer_prefixes() {
        let mut builder = GeoDbBuilder::default();
        let ms = |value: f64| Latency::from_ms(value).unwrap();
        builder.latency(network("10.1.0.0/16"), "west", ms(3.0));
        builder.latency(network("10.0.0.0/8"), "west", ms(10.0));
        builder.latency(network("10.0.0.0/8"), "east", ms(1.0));
        builder.latency(network("10.0.0.0/8"), "east", ms(20.0));
        builder.latency(network("10.2.0.0/16"), "east", ms(20.0));
        let geo = builder.build();
        let row = |address: &str| geo.row(address.parse().unwrap());
        let latency = |address, region| row(address).and_then(|row| row.get(region)).map(Latency::as_ms);
        assert_eq!(latency("10.1.2.0", "west"), Some(3.0));
        assert_eq!(latency("10.1.2.0", "east"), Some(20.0));
        assert_eq!(latency("10.9.0.0", "west"), Some(10.0));
        assert_eq!(latency("10.9.0.0", "north"), None);
        assert!(row("11.0.0.0").is_none());
        // What repeats the wider row is that row.
        assert!(Arc::ptr_eq(row("10.2.0.0").unwrap(), row("10.9.0.0").unwrap()));
        assert_eq!(geo.regions().collect::<Vec<_>>(), ["west", "east"]);
    }
}
