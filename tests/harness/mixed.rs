//! Zones of every policy, with trees of aliases three deep, made up at random.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use fastrand::Rng;
use pulse53_core::assemble::{Limits, SnapshotBuilder, ZoneBuilder};
use pulse53_core::geo::{Coordinates, GeoDb, GeoDbBuilder, Latency, Location, Network};
use pulse53_core::model::{CheckId, Name, Revision, Snapshot, ZoneId};
use pulse53_core::route53;

use crate::engines::SERVED;
use crate::frame::{Opt, Query, QueryFrame, subnet_data};

const ZONE_ID: &str = "ZPULSE53EXAMPLE";
const CHECKS: usize = 40;
const COLLECTION: &str = "c5d10b8e-53aa-4bbb-8ccc-000000000001";
const REGIONS: [&str; 6] =
    ["us-east-1", "us-west-2", "eu-central-1", "ap-southeast-2", "sa-east-1", "cn-north-1"];
/// Country, subdivision, continent, latitude and longitude.
const PLACES: [(&str, Option<&str>, &str, f64, f64); 7] = [
    ("US", Some("WA"), "NA", 47.6, -122.3),
    ("US", Some("NY"), "NA", 40.7, -74.0),
    ("DE", None, "EU", 50.1, 8.7),
    ("FR", None, "EU", 48.9, 2.4),
    ("AU", None, "OC", -33.9, 151.2),
    ("BR", None, "SA", -23.5, -46.6),
    ("CN", None, "AS", 39.9, 116.4),
];
const LOCATIONS: [(&str, &[&str]); 4] = [
    ("office", &["198.51.100.0/24", "2001:db8:1::/48"]),
    ("isp", &["100.64.0.0/12", "2001:db8:4000::/34"]),
    ("lab", &["100.65.0.0/18", "203.0.112.0/20"]),
    ("rack", &["203.0.114.0/24", "2001:db8:7000::/40"]),
];

/// A made-up zone with what is known of its clients.
pub struct Mixed {
    /// What is declared.
    pub snapshot: Snapshot,
    /// Where clients are.
    pub geo: GeoDb,
    /// Every check there is.
    pub checks: Vec<CheckId>,
    questions: Vec<(Name, u16)>,
    networks: Vec<Network>,
}

/// Which client subnets queries name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subnets {
    /// None.
    Without,
    /// As resolvers send them: 24 bits of IPv4, 56 of IPv6.
    Usual,
    /// Of any length in one of two queries, or none at all.
    AnyLength,
}

/// Groups being made up: name, type, and how deep the tree below is.
struct Made {
    name: String,
    rtype: &'static str,
    depth: usize,
}

impl Mixed {
    /// A zone of so many groups.
    pub fn new(random: &mut Rng, groups: usize) -> Self {
        let mut record_sets = String::new();
        let mut made: Vec<Made> = Vec::new();
        for number in 0..groups {
            let rtype = ["A", "A", "A", "AAAA", "TXT"][random.usize(..5)];
            let depth = match random.usize(..4) {
                0 | 1 => 0,
                other => other - 1,
            };
            let targets: Vec<String> = made
                .iter()
                .filter(|target| target.rtype == rtype && target.depth < depth)
                .map(|target| target.name.clone())
                .collect();
            let depth = if targets.is_empty() { 0 } else { depth };
            let name = match random.usize(..8) {
                0 => format!("group-{number}.of-a-name.longer-than.the-slot.has-room-for.example.com"),
                _ => format!("g{number}.example.com"),
            };
            group(random, &name, rtype, &targets, &mut record_sets);
            made.push(Made { name, rtype, depth });
        }
        let networks = networks(random);
        Self {
            snapshot: snapshot(&record_sets),
            geo: geo(random, &networks),
            checks: (0..CHECKS).map(|check| check_id(check).as_str().into()).collect(),
            questions: made
                .iter()
                .map(|group| {
                    let qtype = match group.rtype {
                        "A" => 1,
                        "AAAA" => 28,
                        _ => 16,
                    };
                    (Name::from_route53(&group.name).expect("a name"), qtype)
                })
                .collect(),
            networks,
        }
    }

    /// A query for one of the groups, from anywhere.
    pub fn query(&self, random: &mut Rng, subnets: Subnets) -> QueryFrame {
        let (name, qtype) = &self.questions[random.usize(..self.questions.len())];
        let mut query = Query::of_wire(name.as_wire(), *qtype);
        query.id = random.u16(..);
        let options = match subnets {
            Subnets::Without => Vec::new(),
            Subnets::Usual => vec![self.subnet(random, |_, is_v4| if is_v4 { 24 } else { 56 })],
            Subnets::AnyLength if random.bool() => Vec::new(),
            Subnets::AnyLength => {
                vec![self.subnet(random, |random, is_v4| random.u8(..=if is_v4 { 32 } else { 128 }))]
            }
        };
        if random.bool() || !options.is_empty() {
            query.edns = Some(Opt { size: 1232, dnssec_ok: random.bool(), options });
        }
        let address = self.client(random);
        let server = SERVED[usize::from(address.is_ipv6())].parse().expect("an address");
        QueryFrame::new(SocketAddr::new(address, 1 + random.u16(..u16::MAX)), server, query.octets())
    }

    /// A client subnet option with so many bits of some client's address.
    fn subnet(&self, random: &mut Rng, bits: impl Fn(&mut Rng, bool) -> u8) -> (u16, Vec<u8>) {
        let address = self.client(random);
        let bits = bits(random, address.is_ipv4());
        (8, subnet_data(address, bits))
    }

    /// An address, most often one that something is known of.
    fn client(&self, random: &mut Rng) -> IpAddr {
        if random.u8(..8) == 0 {
            return match random.bool() {
                true => IpAddr::from([random.u8(1..224), random.u8(..), random.u8(..), random.u8(..)]),
                false => IpAddr::from((0x2001_0db8 << 96 | random.u128(..) >> 32).to_be_bytes()),
            };
        }
        let network = self.networks[random.usize(..self.networks.len())];
        match network.address() {
            IpAddr::V4(address) => {
                let hosts = u32::MAX.checked_shr(network.length().into()).unwrap_or(0);
                IpAddr::from((u32::from(address) | random.u32(..) & hosts).to_be_bytes())
            }
            IpAddr::V6(address) => {
                let hosts = u128::MAX.checked_shr(network.length().into()).unwrap_or(0);
                IpAddr::from((u128::from(address) | random.u128(..) & hosts).to_be_bytes())
            }
        }
    }
}

fn check_id(number: usize) -> String {
    format!("check-{number}")
}

/// Writes the record sets of one group.
fn group(random: &mut Rng, name: &str, rtype: &str, targets: &[String], out: &mut String) {
    let policy = random.usize(..8);
    // Members for one place each, in any order.
    let places = match policy {
        3 | 6 => REGIONS.len(),
        5 => LOCATIONS.len() + 1,
        _ => PLACES.len(),
    };
    let mut order: Vec<usize> = (0..places).collect();
    random.shuffle(&mut order);
    let count = match policy {
        0 => 1,
        2 => 2,
        _ => random.usize(1..6),
    };
    let mut any_place = random.bool();
    let ttl = random.u32(1..3600);
    for member in 0..count {
        let routing = match policy {
            0 => String::new(),
            1 => format!(r#""Weight": {}, "#, random.u8(..)),
            2 => format!(r#""Failover": "{}", "#, ["PRIMARY", "SECONDARY"][member]),
            3 => format!(r#""Region": "{}", "#, REGIONS[order[member]]),
            4 if order[member] == PLACES.len() - 1 && std::mem::take(&mut any_place) => {
                r#""GeoLocation": {"CountryCode": "*"}, "#.to_owned()
            }
            4 => geolocation(order[member]),
            5 => format!(
                r#""CidrRoutingConfig": {{"CollectionId": "{COLLECTION}", "LocationName": "{}"}}, "#,
                LOCATIONS.get(order[member]).map_or("*", |location| location.0)
            ),
            6 => format!(
                r#""GeoProximityLocation": {{"AWSRegion": "{}", "Bias": {}}}, "#,
                REGIONS[order[member]],
                random.i8(-90..=90)
            ),
            _ => r#""MultiValueAnswer": true, "#.to_owned(),
        };
        let id = if policy == 0 { String::new() } else { format!(r#""SetIdentifier": "m{member}", "#) };
        let check = match random.bool() && policy != 0 {
            true => format!(r#""HealthCheckId": "{}", "#, check_id(random.usize(..CHECKS))),
            false => String::new(),
        };
        let data = if policy != 7 && !targets.is_empty() && random.u8(..4) != 0 {
            format!(
                r#""AliasTarget": {{"HostedZoneId": "{ZONE_ID}", "DNSName": "{}", "EvaluateTargetHealth": {}}}"#,
                targets[random.usize(..targets.len())],
                random.u8(..5) != 0
            )
        } else {
            let records = if policy == 7 { 1 } else { random.usize(1..4) };
            let values: BTreeSet<String> = (0..records).map(|_| value(random, rtype)).collect();
            let values: Vec<String> = values.into_iter().collect();
            format!(r#""TTL": {}, "ResourceRecords": [{}]"#, ttl, values.join(", "))
        };
        let separator = if out.is_empty() { "" } else { ",\n" };
        write!(out, r#"{separator}{{"Name": "{name}", "Type": "{rtype}", {id}{routing}{check}{data}}}"#)
            .expect("memory");
    }
}

/// The place of a geolocation member.
fn geolocation(place: usize) -> String {
    let (country, subdivision, continent, ..) = PLACES[place];
    match (place, subdivision) {
        (_, Some(subdivision)) => {
            format!(r#""GeoLocation": {{"CountryCode": "{country}", "SubdivisionCode": "{subdivision}"}}, "#)
        }
        (2 | 4, None) => format!(r#""GeoLocation": {{"ContinentCode": "{continent}"}}, "#),
        _ => format!(r#""GeoLocation": {{"CountryCode": "{country}"}}, "#),
    }
}

fn value(random: &mut Rng, rtype: &str) -> String {
    let text = match rtype {
        "A" => format!("192.0.2.{}", random.u8(..)),
        "AAAA" => format!("2001:db8::{:x}", random.u16(1..)),
        _ => format!(r#"\"{}\""#, "text ".repeat(random.usize(1..20))),
    };
    format!(r#"{{"Value": "{text}"}}"#)
}

/// Networks of which something is known, nested at times.
fn networks(random: &mut Rng) -> Vec<Network> {
    let blocks = LOCATIONS.iter().flat_map(|(_, blocks)| *blocks);
    let mut networks: Vec<Network> = blocks.map(|block| block.parse().expect("a block")).collect();
    for _ in 0..300 {
        let (address, length) = match random.bool() {
            true => {
                (IpAddr::from([random.u8(1..224), random.u8(..4), random.u8(..), 0]), 8 + random.u8(..19))
            }
            false => (
                IpAddr::from((0x2001_0db8 << 96 | random.u128(..) >> 32).to_be_bytes()),
                33 + random.u8(..24),
            ),
        };
        networks.push(Network::new(address, length).expect("a length"));
    }
    networks
}

fn geo(random: &mut Rng, networks: &[Network]) -> GeoDb {
    let mut geo = GeoDbBuilder::default();
    for &network in networks {
        if random.u8(..4) != 0 {
            let (country, subdivision, continent, latitude, longitude) = PLACES[random.usize(..PLACES.len())];
            let code = |text: &str| Some(text.as_bytes().try_into().expect("two letters"));
            let coordinates = Coordinates::new(latitude, longitude).filter(|_| random.bool());
            let location =
                Location::new(code(country), subdivision.map(Into::into), code(continent), coordinates);
            geo.location(network, location);
        }
        for region in REGIONS {
            if random.bool() {
                let latency = Latency::from_ms(f64::from(random.u16(1..300))).expect("a latency");
                geo.latency(network, region, latency);
            }
        }
    }
    geo.build()
}

fn snapshot(record_sets: &str) -> Snapshot {
    const TCP: &str = r#""HealthCheckConfig": {"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 80}"#;
    let mut zone =
        ZoneBuilder::new(Name::from_route53("example.com").expect("a name"), Some(ZoneId(ZONE_ID.into())));
    zone.add_record_sets(route53::read_record_sets("mixed.json", &format!("[{record_sets}]")));
    let locations: Vec<String> =
        LOCATIONS.iter().map(|(name, blocks)| format!("{name:?}: {blocks:?}")).collect();
    let collections =
        format!(r#"[{{"Id": "{COLLECTION}", "Name": "isp", "Locations": {{{}}}}}]"#, locations.join(", "));
    let checks: Vec<String> =
        (0..CHECKS).map(|number| format!(r#"{{"Id": "{}", {TCP}}}"#, check_id(number))).collect();
    let checks = route53::read_health_checks("mixed.json", &format!("[{}]", checks.join(",")));
    let (collections, findings) = route53::read_cidr_collections("mixed.json", &collections);
    // More record sets than Route 53 takes are the point at times.
    let mut snapshot = SnapshotBuilder::new(Limits { record_sets_per_zone: usize::MAX, ..Limits::default() });
    snapshot.add_zone(zone);
    snapshot.add_collections(collections.into_iter().map(Arc::new));
    snapshot.add_findings(findings);
    snapshot.add_findings(checks.findings);
    snapshot.add_checks(checks.checks.into_iter().map(Arc::new));
    snapshot.build(Revision(1)).unwrap_or_else(|findings| panic!("{findings}")).0
}
