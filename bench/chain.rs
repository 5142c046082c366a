//! The whole chain: an endpoint dies, a verdict falls, table and maps change, and the first answer without it comes over the wire.
//!
//! `cargo xtask build --release && cargo bench -p pulse53-bench --bench chain`, as root: a real agent with XDP on a veth pair, asked
//! without a pause from the other end. The agent's spans are those of its own metrics; the rest is by the client's clock.

#[path = "../tests/blackbox/harness/mod.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod harness;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use clap::Parser;
use harness::agent::Agent;
use harness::client::Client;
use harness::endpoint::Endpoint;
use harness::eventually;
use harness::site::{Site, ZONE};
use indicatif::{ProgressBar, ProgressStyle};
use pulse53_bench::percentiles::{heading, row, told};
use serde_json::{Value, json};

/// The whole chain from an endpoint's death to the first answer without it
#[derive(Parser)]
#[command(after_help = "Example:\n  cargo bench -p pulse53-bench --bench chain -- --rounds 10")]
struct Arguments {
    /// Deaths a table
    #[arg(long, default_value_t = 30)]
    rounds: usize,
    /// Names that one endpoint's death moves, a table for each number
    #[arg(long, value_delimiter = ',', default_value = "1,1000")]
    names: Vec<usize>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

const FIRST: [u8; 4] = [198, 51, 100, 11];
const SECOND: [u8; 4] = [198, 51, 100, 12];
const INTERVAL: Duration = Duration::from_millis(100);
/// `FailureThreshold`.
const FAILURES: u32 = 3;

fn main() {
    let arguments = Arguments::parse();
    for &names in &arguments.names {
        let Some(site) = Site::make() else { return };
        for endpoint in [FIRST, SECOND] {
            site.network.client.ip(&format!("address add {}/32 dev lo", Ipv4Addr::from(endpoint)));
        }
        let _second = Endpoint::start(&site.network.client, SECOND.into());
        declare(&site, names);
        let agent = site.start();
        measure(&site, &agent, names, arguments.rounds);
    }
}

/// What one death took, span by span.
#[derive(Default)]
struct Spans {
    until_probe: Vec<Duration>,
    detection: Vec<Duration>,
    verdict: Vec<Duration>,
    table: Vec<Duration>,
    maps: Vec<Duration>,
    between_answers: Vec<Duration>,
    whole: Vec<Duration>,
}

fn measure(site: &Site, agent: &Agent<'_>, names: usize, rounds: usize) {
    let bar = ProgressBar::new(rounds as u64);
    bar.set_style(
        ProgressStyle::with_template("{msg:<12}{bar:40} {pos}/{len} deaths")
            .expect("the template is well-formed"),
    );
    bar.set_message(format!("{names} names"));
    let mut spans = Spans::default();
    let mut client = site.client();
    // The last of the names moves last, when the kernel's entries are written.
    let name = format!("n{}.{ZONE}", names - 1);
    for round in 0..rounds {
        let endpoint = Endpoint::start(&site.network.client, FIRST.into());
        eventually("the endpoint's address", || match client.address(0, &name) {
            Some(FIRST) => Ok(()),
            other => Err(other),
        });
        // Each death at another moment between two probes; and bodies of the change before rest for a second.
        std::thread::sleep(Duration::from_millis(1100 + round as u64 * 37 % 100));
        death(agent, &mut client, &name, endpoint, &mut spans);
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!(
        "\n{names} {}, {rounds} deaths; probes each {} after the last, {FAILURES} failures",
        if names == 1 { "name" } else { "names" },
        told(INTERVAL)
    );
    println!("{}", heading("span"));
    for (what, durations) in [
        ("death to the first failing probe *", &spans.until_probe),
        ("first failing probe to the last one's end", &spans.detection),
        ("last probe's end to the verdict sent", &spans.verdict),
        ("verdict to the table in force", &spans.table),
        ("table to the last write into the maps", &spans.maps),
        ("last answer with it to the first without", &spans.between_answers),
        ("death to the first answer without it", &spans.whole),
    ] {
        println!("{}", row(what, durations));
    }
    println!(
        "* the remainder: whole less the other spans of the agent; bound of the whole by section 9: {}",
        told(FAILURES * INTERVAL)
    );
}

fn death(agent: &Agent<'_>, client: &mut Client<'_>, name: &str, endpoint: Endpoint, spans: &mut Spans) {
    let before = Readings::of(agent);
    let died = Instant::now();
    drop(endpoint);
    let mut last_with = died;
    let first_without = loop {
        let asked = client.address(0, name);
        let now = Instant::now();
        if asked != Some(FIRST) {
            break now;
        }
        last_with = now;
    };
    let after = eventually("the flip in the metrics", || {
        let after = Readings::of(agent);
        if after.flips > before.flips { Ok(after) } else { Err(after.flips) }
    });
    let since = |now: f64, then: f64| Duration::from_secs_f64((now - then).max(0.0));
    let whole = first_without - died;
    let detection = since(after.detection, before.detection);
    spans.until_probe.push(whole.saturating_sub(detection + since(after.flip, before.flip)));
    spans.detection.push(detection);
    spans.verdict.push(since(after.verdict, before.verdict));
    spans.table.push(since(after.table, before.table));
    spans.maps.push(since(after.maps, before.maps));
    spans.between_answers.push(first_without - last_with);
    spans.whole.push(whole);
}

/// The agent's histograms, of which one more event is told by how much their sums have grown.
struct Readings {
    flips: f64,
    flip: f64,
    verdict: f64,
    table: f64,
    maps: f64,
    detection: f64,
}

impl Readings {
    fn of(agent: &Agent<'_>) -> Self {
        let text = agent.exposition();
        let flips = "pulse53_flip_seconds_count";
        let written = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.map(|value| value.parse::<f64>().expect("a number"))
        };
        // A span is told once it has been seen; one that a flip has not made known is told by no such agent.
        let value = |name: &str| match written(name) {
            None if written(flips).is_some_and(|flips| flips > 0.0) => {
                panic!("the agent does not tell {name}: `cargo xtask build --release` builds today's")
            }
            value => value.unwrap_or(0.0),
        };
        let span = |name: &str| value(&format!("pulse53_flip_span_seconds_sum{{span=\"{name}\"}}"));
        Self {
            flips: value(flips),
            flip: value("pulse53_flip_seconds_sum"),
            verdict: span("verdict"),
            table: span("table"),
            maps: span("maps"),
            detection: value("pulse53_health_detection_seconds_sum"),
        }
    }
}

fn declare(site: &Site, names: usize) {
    let check = |id: &str, address: [u8; 4]| {
        json!({
            "Id": id, "CallerReference": id,
            "HealthCheckConfig": {
                "Type": "HTTP", "IPAddress": Ipv4Addr::from(address), "Port": 80, "FailureThreshold": FAILURES
            },
            "Tags": [{ "Key": "pulse53:interval", "Value": format!("{}ms", INTERVAL.as_millis()) }]
        })
    };
    let checks = json!({ "HealthChecks": [check("first", FIRST), check("second", SECOND)] });
    site.place.write("checks.json", checks.to_string());
    let record = |name: usize, id: &str, address: [u8; 4], role: &str| {
        json!({
            "Name": format!("n{name}.{ZONE}."), "Type": "A", "SetIdentifier": id, "Failover": role, "TTL": 5,
            "ResourceRecords": [{ "Value": Ipv4Addr::from(address) }], "HealthCheckId": id
        })
    };
    let records: Vec<Value> = (0..names)
        .flat_map(|name| {
            [record(name, "first", FIRST, "PRIMARY"), record(name, "second", SECOND, "SECONDARY")]
        })
        .collect();
    site.place.write("records.json", json!({ "ResourceRecordSets": records }).to_string());
    site.configure(
        "",
        &format!(
            "[[zone]]\nname = {ZONE:?}\nrecord_sets = \"records.json\"\n[health_checks]\nfile = \"checks.json\"\n"
        ),
    );
}
