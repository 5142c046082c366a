//! A reload with large databases: 500,000 networks with their places, 200,000 rows of latencies, and a zone of 1,000 groups of every policy.
//!
//! `cargo bench -p pulse53-bench --bench reload`. Tells what each step takes, how long the longest pause between two answers in userspace was
//! while a reload ran beside them, and the memory at its highest; compiling also by the thread's CPU time, which a busy machine changes less. The databases are made up at random, and so unkinder than real ones.

#[path = "../responder/src/geo/mmdb_writer.rs"]
#[expect(dead_code, reason = "the tests of the format itself use more of it")]
mod mmdb_writer;
#[path = "moment.rs"]
mod moment;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::hint::black_box;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use fastrand::Rng;
use mmdb_writer::{Value, Writer};
use moment::Moment;
use pulse53::datapath::{self, HotMemory, HotTable, Loaded, Sizes};
use pulse53::geo;
use pulse53::publish::InForce;
use pulse53::serve::reply::{Received, ReplySettings, Transport, respond};
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_core::compile::Compiler;
use pulse53_core::geo::Network;
use pulse53_core::table::{AnswerTable, Generation};
use pulse53_tests::mixed::{Mixed, Subnets};

const NETWORKS: usize = 500_000;
const LATENCY_ROWS: usize = 200_000;
const GROUPS: usize = 1_000;
const RELOADS: u64 = 3;

/// As in the agent.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut random = Rng::with_seed(53);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (database, latency) = (directory.path().join("city.mmdb"), directory.path().join("latency.csv"));
    write_database(&database, &mut random);
    write_latencies(&latency, &mut random);
    let mixed = Mixed::new(&mut random, GROUPS);
    let queries: Vec<_> = (0..4096).map(|_| mixed.query(&mut random, Subnets::Usual)).collect();
    let mut in_force = InForce::new(Compiler::new(&mixed.snapshot, &|_| true, Generation(1)).table().clone());
    let table = in_force.table().clone();
    let done = AtomicBool::new(false);
    let before = memory("VmRSS");
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| {
            let alone = longest_pause(&table, &queries, |begun| begun.elapsed() > Duration::from_secs(2));
            (alone, longest_pause(&table, &queries, |_| done.load(Ordering::Relaxed)))
        });
        // Also if a reload fails: the scope waits for the thread.
        let stop = Stop(&done);
        std::thread::sleep(Duration::from_millis(2_100));
        println!(
            "{:>8} {:>12} {:>12} {:>12} {:>12} {:>12}   classes, nodes",
            "reload", "read", "compile", "CPU", "kernel", "in all"
        );
        for reload in 1..=RELOADS {
            load(reload, &database, &latency, &mixed, &mut in_force);
        }
        drop(stop);
        let (alone, beside) = answering.join().expect("answers do not fail");
        println!("longest pause between two answers: {alone:.1?} alone, {beside:.1?} beside reloads");
    });
    println!("memory: {} MiB before, {} MiB after, {} MiB at most", before, memory("VmRSS"), memory("VmHWM"));
}

/// Ends the answering when it goes.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn load(reload: u64, database: &Path, latency: &Path, mixed: &Mixed, in_force: &mut InForce) {
    let begun = Instant::now();
    let geo = geo::load(Some(database), Some(latency), []).expect("the files are sound");
    let read = begun.elapsed();
    let before = Moment::now();
    let compiler = Compiler::with_geo(&mixed.snapshot, &geo, &|_| true, Generation(1 + reload));
    let (_, compiled_cpu) = before.until(Moment::now());
    let compiled = begun.elapsed();
    in_force.replace(compiler.table().clone());
    let sizes = Sizes::needed(compiler.table()).with_headroom(u32::MAX);
    let clients = compiler.table().clients();
    let mut loaded = Loaded::load(sizes, clients, UDP_PAYLOAD_MAX, 0);
    let mut plain = None;
    let hot = match &mut loaded {
        Ok(loaded) => loaded.hot_table_mut(),
        Err(_) => plain.insert(HotTable::new(HotMemory::owned(sizes), sizes, 7, clients.clone())),
    };
    let synced = datapath::fill(hot, compiler.table());
    let ended = begun.elapsed();
    assert_eq!(synced.refused, 0);
    let classes = clients.partitions.first().map_or(1, |classes| classes.len());
    println!(
        "{reload:>8} {read:>12.1?} {:>12.1?} {compiled_cpu:>12.1?} {:>12.1?} {ended:>12.1?}   {classes}, {}{}",
        compiled - read,
        ended - compiled,
        clients.nodes(),
        if loaded.is_ok() { "" } else { "; plain memory: no program can be loaded here" }
    );
    in_force.tidy();
}

/// Answers until it is enough; the longest time that an answer kept the next one waiting.
fn longest_pause(
    table: &ArcSwap<AnswerTable>,
    queries: &[pulse53_tests::frame::QueryFrame],
    enough: impl Fn(Instant) -> bool,
) -> Duration {
    let settings = ReplySettings::default();
    let (begun, mut before, mut longest) = (Instant::now(), Instant::now(), Duration::ZERO);
    let mut out = Vec::new();
    for query in queries.iter().cycle() {
        let received = Received {
            packet: &query.message,
            source: query.client.ip(),
            transport: Transport::Udp,
            at: Duration::ZERO,
        };
        black_box(respond(&table.load(), &settings, &received, 1 << 60, &mut out))
            .expect("queries are answered");
        let now = Instant::now();
        longest = longest.max(now - before);
        before = now;
        if enough(begun) {
            break;
        }
    }
    longest
}

fn network(random: &mut Rng, number: usize) -> Network {
    let (address, length) = if number.is_multiple_of(3) {
        let high = 0x2000 << 112 | u128::from(random.u32(..1 << 20)) << 92;
        (IpAddr::from(Ipv6Addr::from(high | random.u128(..) >> 36)), 32 + random.u8(..17))
    } else {
        (IpAddr::from(random.u32(..).to_be_bytes()), 12 + random.u8(..17))
    };
    Network::new(address, length).expect("a length of the family")
}

fn write_database(path: &Path, random: &mut Rng) {
    const COUNTRIES: [(&str, &str); 8] = [
        ("DE", "EU"),
        ("US", "NA"),
        ("JP", "AS"),
        ("BR", "SA"),
        ("ZA", "AF"),
        ("AU", "OC"),
        ("CN", "AS"),
        ("FR", "EU"),
    ];
    let mut networks: Vec<Network> = (0..NETWORKS).map(|number| network(random, number)).collect();
    networks.sort_by_key(Network::length);
    let mut writer = Writer::new(6);
    for network in networks {
        let place = random.usize(..5_000);
        let (country, continent) = COUNTRIES[place % COUNTRIES.len()];
        let code = |key, text| Value::Map(vec![(key, Value::Text(text))]);
        let coordinate = |number: usize| Value::Double(number as f64);
        let location =
            Value::Map(vec![("latitude", coordinate(place % 80)), ("longitude", coordinate(place / 80))]);
        let record = Value::Map(vec![
            ("continent", code("code", continent)),
            ("country", code("iso_code", country)),
            ("location", location),
        ]);
        writer.insert(&network.to_string(), &record);
    }
    std::fs::write(path, writer.finish("Bench-City")).expect("a file can be written");
}

fn write_latencies(path: &Path, random: &mut Rng) {
    const REGIONS: [&str; 5] = ["us-east-1", "eu-central-1", "ap-southeast-2", "sa-east-1", "cn-north-1"];
    let mut rows = String::from("network,region,latency_ms\n");
    // A network may have one latency to a region.
    let mut networks = BTreeSet::new();
    while networks.len() < LATENCY_ROWS / REGIONS.len() {
        networks.insert(network(random, networks.len()));
    }
    for network in networks {
        for region in REGIONS {
            writeln!(rows, "{network},{region},{}", random.u16(1..300)).expect("memory");
        }
    }
    std::fs::write(path, rows).expect("a file can be written");
}

/// A line of this process's status, in MiB.
fn memory(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
    let line = status.lines().find(|line| line.starts_with(what)).expect("the kernel tells");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}
