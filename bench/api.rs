//! The Route 53 API under a heavy hand: batches of 1,000 records until they are answered, and a zone of 100,000 records loaded and listed.
//!
//! `cargo xtask build --release && cargo bench -p pulse53-bench --bench api`, as root: a real agent with XDP on a veth pair, spoken to over
//! HTTP as clients do. A batch is *stored* when its reply comes, and *in sync* when `GetChange`, asked without a pause, says so: every
//! answer is from it then. Memory is the agent's resident set.

#[path = "../tests/blackbox/harness/mod.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod harness;

use std::time::{Duration, Instant};

use clap::Parser;
use harness::agent::Agent;
use harness::client::Client;
use harness::route53::{address_record, batch, changes, element, make_zone};
use harness::site::Site;
use indicatif::{ProgressBar, ProgressStyle};
use pulse53_bench::percentiles::{heading, row, told};
use pulse53_core::route53::ResourceRecordSet;

/// Batches of 1,000 records, and a large zone, through the Route 53 API
#[derive(Parser)]
#[command(after_help = "Example:\n  cargo bench -p pulse53-bench --bench api -- --records 10000")]
struct Arguments {
    /// Batches into a small zone
    #[arg(long, default_value_t = 20)]
    batches: usize,
    /// Records of the large zone
    #[arg(long, default_value_t = 100_000)]
    records: usize,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// As many as one request may have.
const BATCH: usize = 1000;
/// Record sets on a page.
const PAGE: usize = 300;

fn main() {
    let arguments = Arguments::parse();
    let Some(site) = Site::make() else { return };
    site.configure("capacity = 1048576", "[limits]\nrecord_sets_per_zone = 1000000\n");
    let agent = site.start();
    let mut client = site.client();
    println!("memory before: {}", Memory::of(&agent));

    let zone = make_zone(&agent, "small.example", "small");
    let spans = load(&agent, &mut client, &zone, "small.example", arguments.batches);
    spans.print(&format!("{} batches of {BATCH} records into a new zone", arguments.batches));

    let zone = make_zone(&agent, "large.example", "large");
    let begun = Instant::now();
    let batches = arguments.records.div_ceil(BATCH);
    let spans = load(&agent, &mut client, &zone, "large.example", batches);
    let records = batches * BATCH;
    spans.print(&format!("{records} records in batches of {BATCH}, {} in all", told(begun.elapsed())));
    println!("memory after: {}", Memory::of(&agent));

    list(&agent, &zone, records);
    restart(&site, agent, &zone);
}

/// What batches took.
#[derive(Default)]
struct Spans {
    stored: Vec<Duration>,
    in_sync: Vec<Duration>,
    answered: Vec<Duration>,
}

impl Spans {
    fn print(&self, what: &str) {
        println!("\n{what}");
        println!("{}", heading("a batch, from its first octet"));
        for (what, durations) in [
            ("until it is stored and replied to", &self.stored),
            ("until it is in sync", &self.in_sync),
            ("until its last record was answered", &self.answered),
        ] {
            println!("{}", row(what, durations));
        }
    }
}

/// Loads batches one after another, each when the one before is in sync.
fn load(agent: &Agent<'_>, client: &mut Client<'_>, zone: &str, apex: &str, batches: usize) -> Spans {
    let bar = ProgressBar::new(batches as u64);
    let style = ProgressStyle::with_template("{msg:<16}{bar:40} {pos}/{len} batches");
    bar.set_style(style.expect("the template is well-formed"));
    bar.set_message(apex.to_owned());
    let mut spans = Spans::default();
    for number in 0..batches {
        let sets: Vec<ResourceRecordSet> = (0..BATCH).map(|at| record(number * BATCH + at, apex)).collect();
        let request = changes("CREATE", &sets);
        let begun = Instant::now();
        let (status, response) = batch(agent, zone, &request);
        assert_eq!(status, 200, "{response}");
        spans.stored.push(begun.elapsed());
        let change = element(&response, "Id").trim_start_matches('/');
        while element(&agent.api("GET", change, "", "").1, "Status") != "INSYNC" {}
        spans.in_sync.push(begun.elapsed());
        let last = number * BATCH + BATCH - 1;
        assert_eq!(client.address(0, &owner(last, apex)), Some(address(last)), "in sync means answered");
        spans.answered.push(begun.elapsed());
        bar.inc(1);
    }
    bar.finish_and_clear();
    spans
}

fn owner(number: usize, apex: &str) -> String {
    format!("host-{number}.{apex}")
}

fn address(number: usize) -> [u8; 4] {
    let [_, octets @ ..] = (number as u32).to_be_bytes();
    [10, octets[0], octets[1], octets[2]]
}

fn record(number: usize, apex: &str) -> ResourceRecordSet {
    address_record(&owner(number, apex), address(number))
}

/// Lists a zone page by page, as clients do.
fn list(agent: &Agent<'_>, zone: &str, records: usize) {
    let before = Memory::of(agent);
    forget_peak(agent);
    let mut pages = Vec::new();
    let (mut listed, mut from) = (0, String::new());
    loop {
        let begun = Instant::now();
        let path = format!("hostedzone/{zone}/rrset?maxitems={PAGE}{from}");
        let (status, page) = agent.api("GET", &path, "", "");
        pages.push(begun.elapsed());
        assert_eq!(status, 200, "{page}");
        listed += page.matches("<ResourceRecordSet>").count();
        if element(&page, "IsTruncated") == "false" {
            break;
        }
        let [name, kind] = ["NextRecordName", "NextRecordType"].map(|next| element(&page, next));
        from = format!("&name={name}&type={kind}");
    }
    // NS and SOA come by themselves.
    assert_eq!(listed, records + 2);
    println!("\n{listed} record sets listed in {} pages", pages.len());
    println!("{}", heading("a page"));
    println!("{}", row(&format!("{PAGE} record sets"), &pages));
    println!("memory before listing: {before}, at most while listing: {} MiB", Memory::of(agent).peak_mib);
}

/// How long a start with all of it takes.
fn restart<'a>(site: &'a Site, agent: Agent<'a>, zone: &str) {
    agent.kill();
    let begun = Instant::now();
    let agent = site.start();
    println!("\nstart after a kill: {}", told(begun.elapsed()));
    let (status, response) = agent.api("GET", &format!("hostedzone/{zone}"), "", "");
    assert_eq!(status, 200, "{response}");
    println!("memory after the start: {}", Memory::of(&agent));
}

/// The agent's resident memory in MiB.
struct Memory {
    now_mib: u64,
    peak_mib: u64,
}

impl Memory {
    fn of(agent: &Agent<'_>) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{}/status", agent.id())).expect("it runs");
        let of = |what: &str| {
            let line = status.lines().find(|line| line.starts_with(what)).expect("the kernel tells");
            let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
            kib.expect("a number") / 1024
        };
        Self { now_mib: of("VmRSS:"), peak_mib: of("VmHWM:") }
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} MiB, {} MiB at most", self.now_mib, self.peak_mib)
    }
}

/// Has the kernel begin the peak anew (proc(5), `clear_refs`).
fn forget_peak(agent: &Agent<'_>) {
    std::fs::write(format!("/proc/{}/clear_refs", agent.id()), "5").expect("root may");
}
