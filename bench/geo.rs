//! A large location database: 500,000 networks, a third of them IPv6, and 200,000 latency rows, at random and so unkinder
//! than a real one.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pulse53_core::geo::{
    CidrCollections, Client, Coordinates, GeoDb, GeoDbBuilder, Latency, Location, Network, classify,
    region_names,
};

const NETWORKS: u32 = 500_000;
const LATENCY_ROWS: u32 = 200_000;

fn v4(bits: u32, length: u8) -> Network {
    Network::new(IpAddr::V4(Ipv4Addr::from(bits)), length).expect("a length of IPv4")
}

fn v6(bits: u32, low: u32, length: u8) -> Network {
    let bits = u128::from(0x2000_0000 | bits >> 8) << 96 | u128::from(low) << 64;
    Network::new(IpAddr::V6(Ipv6Addr::from(bits)), length).expect("a length of IPv6")
}

/// The database, the same every time.
fn build() -> GeoDb {
    const COUNTRIES: [&[u8; 2]; 8] = [b"DE", b"US", b"JP", b"BR", b"ZA", b"AU", b"IN", b"FR"];
    let mut state = 53_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    let mut builder = GeoDbBuilder::default();
    for number in 0..NETWORKS {
        let network = if number % 3 == 0 {
            v6(draw() % (1 << 20), draw(), 32 + (draw() % 17) as u8)
        } else {
            v4(draw(), 12 + (draw() % 17) as u8)
        };
        let place = draw() % 50_000;
        let at = Coordinates::new(f64::from(place % 180) - 90.0, f64::from(place / 180) - 140.0);
        builder.location(network, Location::new(Some(*COUNTRIES[place as usize % 8]), None, None, at));
    }
    let regions: Vec<&str> = region_names().collect();
    for row in 0..LATENCY_ROWS {
        let latency = Latency::from_ms(f64::from(draw() % 300)).expect("a latency");
        builder.latency(v4((row / 20) * 429_000, 16), regions[row as usize % 20], latency);
    }
    builder.build()
}

/// What a class is told by.
type Signature = fn(&Client) -> u16;

fn databases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("geo");
    group.sample_size(10);
    group.bench_function("build", |bencher| bencher.iter(build));
    let geo = build();
    let signatures: [(&str, Signature); 3] = [
        ("one class", |_| 0),
        ("by continent", |client| client.location().continent().map_or(0, |code| code[1].into())),
        ("by country", |client| client.location().country().map_or(0, u16::from_be_bytes)),
    ];
    for (what, signature) in signatures {
        group.bench_function(BenchmarkId::new("classify", what), |bencher| {
            bencher.iter(|| {
                classify(black_box(&geo), &CidrCollections::new(), &mut |client| signature(&client.client()))
            });
        });
    }
}

criterion_group!(benches, databases);
criterion_main!(benches);
