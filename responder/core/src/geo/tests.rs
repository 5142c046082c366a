//! The classified client space against a model that scans every network for every look-up.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::{CidrBlock, CidrCollection};

/// A database and collections as lists, later entries counting more.
#[derive(Debug, Clone)]
struct World {
    locations: Vec<(Network, Location)>,
    latencies: Vec<(Network, &'static str, Latency)>,
    blocks: Vec<(&'static str, &'static str, CidrBlock)>,
}

const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "rack-7"];
const COLLECTIONS: [&str; 2] = ["c1", "c2"];

impl World {
    fn geo(&self) -> GeoDb {
        let mut builder = GeoDbBuilder::default();
        for (network, location) in &self.locations {
            builder.location(*network, location.clone());
        }
        for (network, region, latency) in &self.latencies {
            builder.latency(*network, region, *latency);
        }
        builder.build()
    }

    fn collections(&self) -> CidrCollections {
        let mut collections = CidrCollections::new();
        for (id, location, block) in &self.blocks {
            let collection = collections.entry(Arc::from(*id)).or_insert_with(|| {
                let name = (*id).to_owned();
                Arc::new(CidrCollection {
                    id: Arc::from(*id),
                    name,
                    locations: BTreeMap::new(),
                    source: None,
                })
            });
            let collection = Arc::get_mut(collection).unwrap();
            collection.locations.entry((*location).to_owned()).or_default().push(*block);
        }
        collections
    }

    /// The rules as they read: the longest prefix over the first address, blocks that contain all of the network.
    fn told(&self, network: Network) -> String {
        let over = |said: &Network| contains_address(said, network.address());
        let location =
            self.locations.iter().filter(|(said, _)| over(said)).max_by_key(|(said, _)| said.length());
        let location = location.map(|(_, location)| location.clone()).unwrap_or_default();
        let latency = |region: &&str| {
            let rows = self.latencies.iter().filter(|(said, named, _)| named == region && over(said));
            rows.max_by_key(|(said, ..)| said.length()).map(|(.., latency)| *latency)
        };
        let locations = |collection: &&str| {
            let mut blocks: Vec<_> = self.blocks.iter().filter(|(named, ..)| named == collection).collect();
            blocks.retain(|(.., block)| {
                block.length() <= network.length()
                    && contains_address(&Network::from(*block), network.address())
            });
            blocks.sort_by_key(|(_, location, block)| (std::cmp::Reverse(block.length()), *location));
            let mut names: Vec<&str> = Vec::new();
            for (_, location, _) in blocks {
                if !names.contains(location) {
                    names.push(location);
                }
            }
            names
        };
        format!(
            "{location:?} {:?} {:?}",
            REGIONS.each_ref().map(latency),
            COLLECTIONS.each_ref().map(locations)
        )
    }
}

fn contains_address(network: &Network, address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 4),
        IpAddr::V6(v6) => (u128::from(v6), 6),
    };
    let ((base, family), (address, other)) = (bits(network.address()), bits(address));
    family == other && (0..u32::from(network.length())).all(|bit| (base ^ address) << bit >> 127 == 0)
}

/// What the model tells, told by a client.
fn told(client: &Client) -> String {
    let latencies = REGIONS.each_ref().map(|region| client.measured_latency(region));
    let locations = COLLECTIONS.each_ref().map(|id| client.cidr_locations(id).collect::<Vec<_>>());
    format!("{:?} {latencies:?} {locations:?}", client.location())
}

/// Addresses crowd in a few places, so that networks nest and touch.
fn address(v6: bool) -> impl Strategy<Value = IpAddr> {
    let high = prop_oneof![Just(0x0a00_u16), Just(0x0a01), Just(0x0a80), Just(0), Just(0xffff)];
    let low = prop_oneof![0..4_u16, Just(0x80), Just(0xff), Just(0x100), Just(0x8000), Just(0xffff)];
    (high, low.clone(), low.clone(), low).prop_map(move |(high, middle, client, beyond)| {
        if v6 {
            IpAddr::V6(Ipv6Addr::new(high, middle, client, beyond, 0, 0, 0, 0))
        } else {
            IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(middle ^ client << 8)))
        }
    })
}

fn network() -> impl Strategy<Value = Network> {
    any::<bool>().prop_flat_map(|v6| {
        let bits = if v6 { 128_u8 } else { 32 };
        let near = if v6 { 40..=64_u8 } else { 20..=28 };
        (address(v6), prop_oneof![0..=bits, near])
            .prop_map(|(address, length)| Network::new(address, length).unwrap())
    })
}

fn location() -> impl Strategy<Value = Location> {
    let country = prop_oneof![Just(None), Just(Some(*b"US")), Just(Some(*b"TR")), Just(Some(*b"EH"))];
    let coordinates = prop_oneof![Just(None), Just(Coordinates::new(12.5, -7.0))];
    (country, any::<bool>(), coordinates).prop_map(|(country, state, coordinates)| {
        Location::new(country, state.then(|| "CA".into()), Some(*b"AS"), coordinates)
    })
}

fn world() -> impl Strategy<Value = World> {
    let latency = (network(), prop::sample::select(&REGIONS[..]), 1..4_u8)
        .prop_map(|(network, region, ms)| (network, region, Latency::from_ms(ms.into()).unwrap()));
    let block =
        (prop::sample::select(&COLLECTIONS[..]), prop::sample::select(&["a", "b", "c"][..]), network())
            .prop_map(|(collection, location, network)| {
                let length_max = if network.address().is_ipv4() { 24 } else { 48 };
                let length = network.length().clamp(1, length_max);
                (collection, location, CidrBlock::new(network.address(), length).unwrap())
            });
    let locations = prop::collection::vec((network(), location()), 0..24);
    (locations, prop::collection::vec(latency, 0..24), prop::collection::vec(block, 0..16)).prop_map(
        |(locations, latencies, mut blocks)| {
            // A block belongs to at most one location of a collection.
            let mut seen = std::collections::HashSet::new();
            blocks.retain(|(collection, _, block)| seen.insert((*collection, *block)));
            World { locations, latencies, blocks }
        },
    )
}

/// Where something changes: the first and the last client network of every network, and the ones beside it.
fn borders(world: &World) -> Vec<IpAddr> {
    let networks = world.locations.iter().map(|(network, _)| *network);
    let networks = networks.chain(world.latencies.iter().map(|(network, ..)| *network));
    let networks = networks.chain(world.blocks.iter().map(|(.., block)| Network::from(*block)));
    let beside = |network: Network| -> Vec<IpAddr> {
        match network.address() {
            IpAddr::V4(first) => {
                let (first, size) = (u64::from(u32::from(first)), 1_u64 << (32 - network.length()));
                let near = [first, first + size - 1, first + size, first.wrapping_sub(1)];
                near.map(|address| IpAddr::V4(Ipv4Addr::from(address as u32))).into()
            }
            IpAddr::V6(first) => {
                let first = u128::from(first);
                let last = first | u128::MAX.checked_shr(network.length().into()).unwrap_or(0);
                let near = [first, last, last.wrapping_add(1), first.wrapping_sub(1)];
                near.map(|address| IpAddr::V6(Ipv6Addr::from(address))).into()
            }
        }
    };
    networks.flat_map(beside).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// the map, the search for one client and the model agree, for networks of every length.
    #[test]
    fn classes_are_those_of_the_model(
        world in world(),
        networks in prop::collection::vec(network(), 16),
    ) {
        let (geo, collections) = (world.geo(), world.collections());
        let mut classes: HashMap<String, u16> = HashMap::new();
        let map = classify(&geo, &collections, &mut |client| {
            let next = classes.len() as u16;
            *classes.entry(told(&client.client())).or_insert(next)
        });
        prop_assert_eq!(classes[&told(&Client::unknown())], 0);
        let whole = borders(&world).into_iter().map(|address| Network::of_client(address, 128));
        let cut = networks.into_iter().map(|network| Network::of_client(network.address(), network.length()));
        let blocks = world.blocks.iter().map(|(.., block)| block);
        let wider = blocks.flat_map(|block| (1..=block.length()).map(|length| Network::of_client(block.address(), length)));
        for network in whole.chain(cut).chain(wider) {
            let expect = world.told(network);
            prop_assert_eq!(&told(&Client::at(&geo, &collections, network)), &expect, "{}", network);
            let class = map.class_of_network(network);
            prop_assert_eq!(Some(&class), classes.get(&expect), "{} is {}", network, expect);
            if !map.shorter().contains_key(&network) {
                prop_assert_eq!(map.class_of(network.address()), class);
            }
        }
    }
}

fn network_of(text: &str) -> Network {
    text.parse().unwrap()
}

fn collections_of(blocks: &[(&'static str, &'static str, &str)]) -> CidrCollections {
    let blocks = blocks.iter().map(|(id, name, block)| (*id, *name, block.parse().unwrap())).collect();
    World { locations: Vec::new(), latencies: Vec::new(), blocks }.collections()
}

/// equal clients are asked about once, the unknown one first.
#[test]
fn the_signature_is_asked_once_per_distinct_client() {
    let mut builder = GeoDbBuilder::default();
    let country = |code: &[u8; 2]| Location::new(Some(*code), None, None, None);
    for octet in 0..100_u8 {
        builder.location(
            network_of(&format!("{octet}.0.0.0/8")),
            country([b"DE", b"FR"][usize::from(octet % 2)]),
        );
        builder.location(network_of(&format!("2001:{octet}::/32")), country(b"FR"));
        builder.latency(network_of(&format!("{octet}.64.0.0/10")), "rack-7", Latency::from_ms(3.0).unwrap());
    }
    let blocks = [("c1", "office", "1.0.0.0/16"), ("c1", "office", "3.0.0.0/16"), ("c2", "all", "2.0.0.0/8")];
    let mut asked = Vec::new();
    let map = classify(&builder.build(), &collections_of(&blocks), &mut |client| {
        asked.push(told(&client.client()));
        asked.len() as u16 - 1
    });
    assert_eq!(asked[0], told(&Client::unknown()));
    // Unknown, two countries each with and without a row, an office in one of them, 2/8 with and without a row.
    assert_eq!(asked.len(), 8, "{asked:#?}");
    let distinct: std::collections::HashSet<_> = asked.iter().collect();
    assert_eq!(distinct.len(), asked.len());
    let class = |address: &str| map.class_of(address.parse().unwrap());
    assert_eq!(class("1.0.7.0"), class("3.0.7.0"));
    assert_eq!(class("5.1.0.0"), class("2001:7::"));
    assert_eq!(class("200.0.0.0"), 0);
}

/// a client prefix shorter than a block does not match it, a longer one does.
#[test]
fn blocks_match_only_networks_they_contain() {
    let blocks =
        [("c", "wide", "10.0.0.0/8"), ("c", "narrow", "10.0.0.0/24"), ("c", "middle", "10.0.0.0/16")];
    let collections = collections_of(&blocks);
    let mut lists: Vec<Vec<String>> = Vec::new();
    let map = classify(&GeoDb::default(), &collections, &mut |client| {
        lists.push(client.client().cidr_locations("c").map(str::to_owned).collect());
        lists.len() as u16 - 1
    });
    let check = |text: &str, expect: &[&str]| {
        let network = Network::of_client(network_of(text).address(), network_of(text).length());
        assert_eq!(lists[usize::from(map.class_of_network(network))], expect, "{text}");
        let client = Client::at(&GeoDb::default(), &collections, network);
        assert_eq!(client.cidr_locations("c").collect::<Vec<_>>(), expect, "{text}");
        assert_eq!(client.cidr_locations("other").count(), 0);
    };
    check("10.0.0.0/32", &["narrow", "middle", "wide"]);
    check("10.0.0.0/24", &["narrow", "middle", "wide"]);
    check("10.0.0.0/23", &["middle", "wide"]);
    check("10.0.0.0/16", &["middle", "wide"]);
    check("10.0.0.0/15", &["wide"]);
    check("10.0.1.0/24", &["middle", "wide"]);
    check("10.0.0.0/7", &[]);
    check("10.128.0.0/9", &["wide"]);
    assert!(map.shorter().keys().all(|network| network.length() < IPV4_CLIENT_BITS));
}

/// a measured latency counts before an estimate, and without coordinates there is none.
#[test]
fn latencies_are_measured_or_else_estimated() {
    let mut builder = GeoDbBuilder::default();
    let dublin = Location::new(Some(*b"IE"), None, None, region_coordinates("eu-west-1"));
    builder.location(network_of("10.0.0.0/8"), dublin);
    builder.latency(network_of("10.0.0.0/9"), "eu-west-1", Latency::from_ms(77.0).unwrap());
    let geo = builder.build();
    let client = |text| Client::at(&geo, &CidrCollections::new(), network_of(text));
    let ms = |text, region| client(text).latency(region).map(Latency::as_ms);
    assert_eq!(ms("10.0.0.0/24", "eu-west-1"), Some(77.0));
    assert_eq!(ms("10.128.0.0/24", "eu-west-1"), Some(5.0));
    assert!(client("10.0.0.0/24").latency("us-east-1") < client("10.0.0.0/24").latency("us-west-2"));
    assert_eq!(ms("10.0.0.0/24", "rack-7"), None);
    assert_eq!(ms("11.0.0.0/24", "eu-west-1"), None);
    assert_eq!(client("10.0.0.0/24").measured_latencies().len(), 1);
}
