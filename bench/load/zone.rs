//! The zones asked: names of [`traffic::label`], and addresses that tell their name.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Result;
use fastpath::cookie::Secret;
use fastpath::limit::Budget;
use pulse53::datapath::{self, Live, LiveCookies, LiveLimit, Loaded, Sizes};
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_core::assemble::{Limits, SnapshotBuilder, ZoneBuilder};
use pulse53_core::compile::Compiler;
use pulse53_core::geo::{GeoDb, GeoDbBuilder, Location, Network};
use pulse53_core::model::{Name, Revision, Snapshot};
use pulse53_core::table::Generation;
use pulse53_core::{route53, zonefile};
use traffic::label;
use traffic::question::ZONE;

use crate::harness::network::SERVED;

const APEX: &str = "@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n";

/// Countries with a record of their own in [`by_client`]; all other clients get the default.
const COUNTRIES: [&[u8; 2]; 4] = [b"DE", b"US", b"JP", b"BR"];

/// A master file of so many names with so many addresses each.
pub fn text(names: u32, answers: u32) -> String {
    let mut text = format!("$ORIGIN {ZONE}.\n$TTL 300\n{APEX}");
    for number in 0..names {
        for answer in 0..answers {
            let address = Ipv4Addr::from(label::address(number, 0, answer));
            writeln!(text, "{} A {address}", name(number)).expect("memory");
        }
    }
    text
}

/// The first label of a name.
pub fn name(number: u32) -> String {
    String::from_utf8(label::of(number).to_le_bytes().to_vec()).expect("digits")
}

/// The same zone, declared.
pub fn plain(names: u32, answers: u32) -> Snapshot {
    let apex = Name::from_route53(ZONE).expect("a name");
    let mut zone = ZoneBuilder::new(apex.clone(), None);
    let read = zonefile::read("load.zone", text(names, answers), &apex, &mut |_| {
        Err("nothing is included".to_owned())
    });
    zone.add_master_file(read);
    build(zone)
}

/// Names that answer each client's country by lot: aliases by geolocation to weighted groups of four.
pub fn by_client(names: u32) -> Snapshot {
    let apex = Name::from_route53(ZONE).expect("a name");
    let mut zone = ZoneBuilder::new(apex.clone(), None);
    zone.add_master_file(zonefile::read("load.zone", text(0, 0), &apex, &mut |_| {
        Err("nothing is included".to_owned())
    }));
    let id = zone.id().clone();
    let places = COUNTRIES.iter().map(|code| String::from_utf8_lossy(&code[..]).into_owned());
    let places: Vec<String> = places.chain(["*".to_owned()]).collect();
    let mut sets = Vec::new();
    for (place, _) in places.iter().enumerate() {
        for member in 0..4 {
            sets.push(format!(
                r#"{{"Name": "place{place}.{ZONE}.", "Type": "A", "SetIdentifier": "m{member}", "Weight": {},
                "TTL": 60, "ResourceRecords": [{{"Value": "198.51.100.{}"}}]}}"#,
                10 * (member + 1),
                4 * place + member
            ));
        }
    }
    for number in 0..names {
        for (place, code) in places.iter().enumerate() {
            sets.push(format!(
                r#"{{"Name": "{}.{ZONE}.", "Type": "A", "SetIdentifier": "p{place}",
                "GeoLocation": {{"CountryCode": "{code}"}}, "AliasTarget": {{"HostedZoneId": "{id}",
                "DNSName": "place{place}.{ZONE}.", "EvaluateTargetHealth": false}}}}"#,
                name(number)
            ));
        }
    }
    zone.add_record_sets(route53::read_record_sets("load.json", &format!("[{}]", sets.join(","))));
    build(zone)
}

/// Half a million networks in these countries and others; among them all that the load's client subnets lie in.
pub fn places() -> GeoDb {
    const OTHERS: [&[u8; 2]; 4] = [b"FR", b"ZA", b"AU", b"IN"];
    let mut builder = GeoDbBuilder::default();
    let mut random = fastrand::Rng::with_seed(53);
    let mut add = |address: u32, country: usize| {
        let network = Network::new(IpAddr::V4(Ipv4Addr::from(address)), 24).expect("a length of IPv4");
        let code = *COUNTRIES.iter().chain(&OTHERS).nth(country).expect("eight of them");
        builder.location(network, Location::new(Some(*code), None, None, None));
    };
    for subnet in 0..1 << 16 {
        add(10 << 24 | subnet << 8, random.usize(..8));
    }
    for _ in 1 << 16..500_000 {
        add(random.u32(11 << 24..224 << 24) & !0xff, random.usize(..8));
    }
    builder.build()
}

fn build(zone: ZoneBuilder) -> Snapshot {
    // More record sets than Route 53 takes are the point here.
    let limits = Limits { record_sets_per_zone: usize::MAX, ..Limits::default() };
    let mut builder = SnapshotBuilder::new(limits);
    builder.add_zone(zone);
    builder.build(Revision(1)).unwrap_or_else(|findings| panic!("{findings}")).0
}

/// Cookies as the agent answers them unless it is told otherwise; and perhaps a rate limit that nobody reaches.
pub fn live(limited: bool) -> Live {
    let limit = LiveLimit {
        budget: Budget { interval_ns: 1, burst_ns: u64::MAX / 4 },
        slip: 2,
        seed: 53,
        ipv4_prefix: 24,
        ipv6_prefix: 56,
        exempt: Vec::new(),
        buckets: Arc::default(),
    };
    let cookies = LiveCookies { secrets: [Secret::new([53; 16]); 2], required: false };
    Live { nsid: false, cookies: Some(cookies), limit: limited.then_some(limit) }
}

/// pulse53's program with what a declaration comes to in its tables.
pub fn loaded(snapshot: &Snapshot, geo: &GeoDb) -> Result<Loaded> {
    let compiler = Compiler::with_geo(snapshot, geo, &|_| true, Generation(1));
    let table = compiler.table();
    let sizes = Sizes::needed(table).with_headroom(u32::MAX);
    let mut loaded = Loaded::load(sizes, table.clients(), UDP_PAYLOAD_MAX, 0)?;
    loaded.hot_table_mut().serve(&SERVED);
    let live = loaded.hot_table().memory().live();
    datapath::write_clock(live, SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default());
    self::live(false).write(live);
    let synced = datapath::fill(loaded.hot_table_mut(), table);
    anyhow::ensure!(
        synced.refused <= synced.held / 1000,
        "{} of {} questions found no room in the hot table",
        synced.refused,
        synced.held + synced.refused
    );
    Ok(loaded)
}
