//! Random declarations for property tests: alias trees of every policy, databases, clients.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use proptest::prelude::*;

use crate::geo::{Coordinates, GeoDb, GeoDbBuilder, Latency, Location, Network};
use crate::model::policy::{GeoLocation, GeoProximityPlace};
use crate::model::{
    AliasTarget, CheckId, CidrBlock, CidrCollection, FailoverRole, Name, RRsetGroup, Rdata, RecordData,
    RecordSet, RecordType, Revision, RoutingPolicy, SetId, Snapshot, Ttl, Zone, ZoneId,
};

pub(crate) const CHECKS: usize = 6;
/// Aliases lead to groups of higher number only, so chains have up to eight hops and no loop.
pub(crate) const GROUPS: usize = 9;
pub(crate) const TTL: Ttl = Ttl(60);

/// A member: its check, and its values or its alias.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) check: Option<usize>,
    pub(crate) data: Data,
}

#[derive(Debug, Clone)]
pub(crate) enum Data {
    /// Few different ones, so that equal answers meet.
    Values(Vec<u8>),
    /// How many groups further; beyond the last one the target is missing.
    Alias { further: usize, evaluate: bool },
}

#[derive(Debug, Clone)]
pub(crate) enum Group {
    Simple(Member),
    Weighted(Vec<(u8, Member)>),
    Failover(Option<Member>, Option<Member>),
    Multivalue(Vec<(u32, Option<usize>, Vec<u8>)>),
    /// Members for regions, places, CIDR locations or coordinates, none twice: policies that look at the client.
    Placed(Vec<(RoutingPolicy, Member)>),
}

fn check() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![1 => Just(None), 3 => (0..CHECKS).prop_map(Some)]
}

fn values() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::btree_set(0u8..6, 1..3).prop_map(|values| values.into_iter().collect())
}

fn member() -> impl Strategy<Value = Member> {
    let data = prop_oneof![
        2 => values().prop_map(Data::Values),
        3 => (1..4usize, any::<bool>()).prop_map(|(further, evaluate)| Data::Alias { further, evaluate }),
    ];
    (check(), data).prop_map(|(check, data)| Member { check, data })
}

/// Some of a policy's parameters, none twice, in any order, with a member each.
fn placed(policies: Vec<RoutingPolicy>) -> impl Strategy<Value = Group> {
    let most = policies.len().min(5);
    prop::sample::subsequence(policies, 1..=most)
        .prop_shuffle()
        .prop_flat_map(|policies| {
            let members = prop::collection::vec(member(), policies.len());
            members.prop_map(move |members| policies.iter().cloned().zip(members).collect())
        })
        .prop_map(Group::Placed)
}

const REGIONS: [&str; 4] = ["eu-west-1", "us-east-1", "cn-north-1", "rack-7"];

fn latency() -> Vec<RoutingPolicy> {
    REGIONS.map(|region| RoutingPolicy::Latency(region.to_owned())).to_vec()
}

fn geolocation() -> Vec<RoutingPolicy> {
    let places = [
        GeoLocation::Subdivision("CA".to_owned()),
        GeoLocation::Subdivision("NY".to_owned()),
        GeoLocation::Country(*b"US"),
        GeoLocation::Country(*b"CN"),
        GeoLocation::Continent(*b"NA"),
        GeoLocation::Continent(*b"AS"),
        GeoLocation::Default,
    ];
    places.map(RoutingPolicy::Geolocation).to_vec()
}

fn cidr(collection: &str) -> Vec<RoutingPolicy> {
    ["a", "b", "c", "*"]
        .map(|location| RoutingPolicy::Cidr {
            collection: collection.to_owned(),
            location: location.to_owned(),
        })
        .to_vec()
}

fn geoproximity() -> Vec<RoutingPolicy> {
    let at = |latitude, longitude| GeoProximityPlace::Coordinates {
        latitude_centi: latitude,
        longitude_centi: longitude,
    };
    let places = [
        (GeoProximityPlace::Region("eu-west-1".to_owned()), 0),
        (GeoProximityPlace::Region("eu-west-1".to_owned()), 50),
        (GeoProximityPlace::Region("nowhere".to_owned()), 0),
        (GeoProximityPlace::LocalZoneGroup("us-west-2-lax-1".to_owned()), -30),
        (at(4000, -7400), 0),
        (at(4000, -7400), -99),
        (at(-3300, 15100), 99),
    ];
    places.map(|(place, bias)| RoutingPolicy::Geoproximity { place, bias }).to_vec()
}

/// A group of a policy that does not look at the client.
pub(crate) fn group() -> impl Strategy<Value = Group> {
    let weight = prop_oneof![Just(0u8), 1..5u8, Just(255)];
    let value = (1..4u32, check(), values());
    prop_oneof![
        1 => member().prop_map(Group::Simple),
        3 => prop::collection::vec((weight, member()), 1..6).prop_map(Group::Weighted),
        2 => (prop::option::of(member()), member()).prop_map(|(one, other)| Group::Failover(one, Some(other))),
        1 => member().prop_map(|primary| Group::Failover(Some(primary), None)),
        1 => prop::collection::vec(value, 1..12).prop_map(Group::Multivalue),
    ]
}

fn placed_group() -> impl Strategy<Value = Group> {
    prop_oneof![
        placed(latency()),
        placed(geolocation()),
        prop::sample::select(&["c1", "c2"][..]).prop_flat_map(|id| placed(cidr(id))),
        placed(geoproximity()),
    ]
}

/// Groups whose answers are the same for all clients.
pub(crate) fn groups() -> impl Strategy<Value = Vec<Group>> {
    prop::collection::vec(group(), 1..=GROUPS)
}

/// Groups of every policy.
pub(crate) fn groups_of_every_policy() -> impl Strategy<Value = Vec<Group>> {
    prop::collection::vec(prop_oneof![group(), placed_group()], 1..=GROUPS)
}

/// Databases and collections. Networks crowd in a few places, so that they nest.
#[derive(Debug, Clone)]
pub(crate) struct World {
    locations: Vec<(Network, Location)>,
    latencies: Vec<(Network, &'static str, u8)>,
    blocks: BTreeMap<CidrBlock, (&'static str, &'static str)>,
}

impl World {
    /// One where nothing is known.
    pub(crate) fn unknown() -> Self {
        Self { locations: Vec::new(), latencies: Vec::new(), blocks: BTreeMap::new() }
    }

    /// What both say; of two words about the same thing the other's.
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.locations.extend(other.locations);
        self.latencies.extend(other.latencies);
        self.blocks.extend(other.blocks);
        self
    }
}

fn address() -> impl Strategy<Value = IpAddr> {
    (0..8u8).prop_map(|third| IpAddr::V4(Ipv4Addr::new(10, 0, third, 0)))
}

fn network() -> impl Strategy<Value = Network> {
    (address(), 20..=24u8).prop_map(|(address, length)| Network::new(address, length).unwrap())
}

/// A client network: an address's, that of an option that says less, or one that nobody has heard of.
pub(crate) fn client() -> impl Strategy<Value = Network> {
    let elsewhere = Network::of_client(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 32);
    prop_oneof![
        4 => network().prop_map(|network| Network::of_client(network.address(), 24)),
        1 => network(),
        1 => Just(elsewhere),
    ]
}

fn location() -> impl Strategy<Value = Location> {
    let country = prop::sample::select(vec![None, Some(*b"US"), Some(*b"CN")]);
    let state = prop::sample::select(&[None, Some("CA"), Some("NY")][..]);
    let places =
        [None, Coordinates::new(52.5, 13.4), Coordinates::new(40.7, -74.0), Coordinates::new(-33.9, 151.2)];
    let place = prop::sample::select(places.to_vec());
    (country, state, place).prop_map(|(country, state, place)| {
        let state = state.filter(|_| country == Some(*b"US")).map(Arc::from);
        Location::new(country, state, Some(*b"AS"), place)
    })
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    let blocks = prop::collection::btree_map(
        network().prop_map(|network| CidrBlock::new(network.address(), network.length()).unwrap()),
        (prop::sample::select(&["c1", "c2"][..]), prop::sample::select(&["a", "b", "c"][..])),
        0..6,
    );
    let latency = (network(), prop::sample::select(&REGIONS[..]), 1..4u8);
    let locations = prop::collection::vec((network(), location()), 0..5);
    (locations, prop::collection::vec(latency, 0..6), blocks)
        .prop_map(|(locations, latencies, blocks)| World { locations, latencies, blocks })
}

impl World {
    pub(crate) fn geo(&self) -> GeoDb {
        let mut builder = GeoDbBuilder::default();
        for (network, location) in &self.locations {
            builder.location(*network, location.clone());
        }
        for (network, region, ms) in &self.latencies {
            builder.latency(*network, region, Latency::from_ms(f64::from(*ms)).unwrap());
        }
        builder.build()
    }

    fn collections(&self) -> BTreeMap<Arc<str>, Arc<CidrCollection>> {
        let collection = |id: &str| {
            let mut locations: BTreeMap<String, Vec<CidrBlock>> = BTreeMap::new();
            for (block, (_, location)) in self.blocks.iter().filter(|(_, (named, _))| *named == id) {
                locations.entry((*location).to_owned()).or_default().push(*block);
            }
            let name = id.to_owned();
            (Arc::from(id), Arc::new(CidrCollection { id: id.into(), name, locations, source: None }))
        };
        ["c1", "c2"].into_iter().map(collection).collect()
    }
}

pub(crate) fn name(group: usize) -> Name {
    Name::from_route53(&format!("g{group}.example.com")).unwrap()
}

pub(crate) fn check_id(check: usize) -> CheckId {
    CheckId::from(&*format!("c{check}"))
}

/// A health view of the checks that groups name.
pub(crate) fn status(healthy: [bool; CHECKS]) -> impl Fn(&CheckId) -> bool {
    move |check: &CheckId| {
        (0..CHECKS).find(|index| check_id(*index) == *check).is_none_or(|index| healthy[index])
    }
}

pub(crate) fn rdatas(values: &[u8]) -> Arc<[Rdata]> {
    values.iter().map(|value| Rdata([192, 0, 2, *value].as_slice().into())).collect()
}

/// The set identifier of a member; not in order of declaration.
pub(crate) fn set_id(at: usize) -> SetId {
    SetId(format!("{}", 99 - at).into())
}

fn record_set(group: usize, at: usize, policy: RoutingPolicy, member: &Member) -> RecordSet {
    let data = match &member.data {
        Data::Values(values) => RecordData::Values { ttl: TTL, rdatas: rdatas(values) },
        Data::Alias { further, evaluate } => RecordData::Alias(AliasTarget {
            zone: ZoneId("Z1".into()),
            name: name(group + further),
            evaluate_target_health: *evaluate,
        }),
    };
    let set_id = (policy != RoutingPolicy::Simple).then(|| set_id(at));
    RecordSet { set_id, policy, check: member.check.map(check_id), data, source: None }
}

fn members(index: usize, group: &Group) -> Vec<RecordSet> {
    let placed = |at: usize, policy: RoutingPolicy, member| record_set(index, at, policy, member);
    match group {
        Group::Simple(member) => vec![placed(0, RoutingPolicy::Simple, member)],
        Group::Weighted(members) => (members.iter().enumerate())
            .map(|(at, (weight, member))| placed(at, RoutingPolicy::Weighted(*weight), member))
            .collect(),
        Group::Failover(primary, secondary) => {
            let pair = [(FailoverRole::Secondary, secondary), (FailoverRole::Primary, primary)];
            let pair = pair.into_iter().filter_map(|(role, member)| Some((role, member.as_ref()?)));
            pair.map(|(role, member)| placed(role as usize, RoutingPolicy::Failover(role), member)).collect()
        }
        Group::Multivalue(members) => (members.iter().enumerate())
            .map(|(at, (ttl, check, values))| RecordSet {
                set_id: Some(set_id(at)),
                policy: RoutingPolicy::Multivalue,
                check: check.map(check_id),
                data: RecordData::Values { ttl: Ttl(*ttl), rdatas: rdatas(values) },
                source: None,
            })
            .collect(),
        Group::Placed(members) => (members.iter().enumerate())
            .map(|(at, (policy, member))| placed(at, policy.clone(), member))
            .collect(),
    }
}

/// One zone of these groups, all of type A.
pub(crate) fn snapshot(groups: &[Group], world: &World) -> Snapshot {
    let groups = (groups.iter().enumerate()).map(|(index, group)| {
        ((name(index), RecordType::A), Arc::new(RRsetGroup { members: members(index, group) }))
    });
    let id = ZoneId("Z1".into());
    let zone =
        Zone { id: id.clone(), apex: Name::from_route53("example.com").unwrap(), groups: groups.collect() };
    Snapshot {
        revision: Revision(1),
        zones: BTreeMap::from([(id, Arc::new(zone))]),
        collections: world.collections(),
        ..Snapshot::default()
    }
}

/// Whether an alias of one group, or of those it leads to, leads to another; the obvious way.
pub(crate) fn reaches(groups: &[Group], from: usize, to: usize) -> bool {
    from == to
        || members_of(groups, from).iter().any(|member| match member.data {
            Data::Alias { further, .. } => reaches(groups, from + further, to),
            Data::Values(_) => false,
        })
}

/// The members that may be aliases.
fn members_of(groups: &[Group], at: usize) -> Vec<&Member> {
    match groups.get(at) {
        None | Some(Group::Multivalue(_)) => Vec::new(),
        Some(Group::Simple(member)) => vec![member],
        Some(Group::Weighted(members)) => members.iter().map(|(_, member)| member).collect(),
        Some(Group::Failover(primary, secondary)) => primary.iter().chain(secondary).collect(),
        Some(Group::Placed(members)) => members.iter().map(|(_, member)| member).collect(),
    }
}

/// The checks that some group reachable from this one names: what R-75 is about, found the obvious way.
pub(crate) fn checks_below(groups: &[Group], at: usize) -> BTreeSet<usize> {
    if let Some(Group::Multivalue(members)) = groups.get(at) {
        return members.iter().filter_map(|(_, check, _)| *check).collect();
    }
    let members = members_of(groups, at);
    let mut checks: BTreeSet<usize> = members.iter().filter_map(|member| member.check).collect();
    for member in members {
        if let Data::Alias { further, .. } = member.data {
            checks.extend(checks_below(groups, at + further));
        }
    }
    checks
}
