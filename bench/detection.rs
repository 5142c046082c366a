//! How long it takes until a dead endpoint's check is unhealthy, against the bounds of the health-check specification, section 9.
//!
//! `cargo xtask build --release && cargo bench -p pulse53-bench --bench detection`, as root: a real agent checks endpoints in another
//! network namespace. Half of them begin to refuse connections, the others to drop every packet, all at one moment.

#[path = "../tests/blackbox/harness/mod.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod harness;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harness::agent::Agent;
use harness::endpoint::Endpoint;
use harness::site::Site;
use indicatif::{ProgressBar, ProgressStyle};
use pulse53_bench::percentiles::{heading, row, told};
use serde_json::{Value, json};

/// `FailureThreshold`.
const FAILURES: u32 = 3;
/// Checks of each kind, each with a start of its own.
const CHECKS: usize = 50;

/// Interval, and time limit of a connection that follows from it (H-9, H-13), in milliseconds.
const INTERVALS: [(u64, u64); 3] = [(100, 200), (1_000, 2_000), (10_000, 4_000)];

/// How an endpoint dies.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Death {
    Refuses,
    Drops,
}

/// Checks of one interval whose endpoint dies in one way.
struct Kind {
    interval: Duration,
    limit: Duration,
    death: Death,
    address: Ipv4Addr,
}

impl Kind {
    /// N·(T + C), C being nothing for refused connections.
    fn bound(&self) -> Duration {
        let limit = if self.death == Death::Drops { self.limit } else { Duration::ZERO };
        FAILURES * (self.interval + limit)
    }

    fn id(&self, check: usize) -> String {
        format!("{:?}-{}-{check}", self.death, self.interval.as_millis())
    }
}

fn main() {
    let Some(site) = Site::make() else { return };
    let kinds: Vec<Kind> = [Death::Refuses, Death::Drops]
        .into_iter()
        .flat_map(|death| INTERVALS.map(|(interval, limit)| (death, interval, limit)))
        .enumerate()
        .map(|(at, (death, interval, limit))| Kind {
            interval: Duration::from_millis(interval),
            limit: Duration::from_millis(limit),
            death,
            address: Ipv4Addr::new(198, 51, 100, 11 + at as u8),
        })
        .collect();
    let endpoints: Vec<Endpoint> = kinds
        .iter()
        .map(|kind| {
            site.network.client.ip(&format!("address add {}/32 dev lo", kind.address));
            Endpoint::start(&site.network.client, kind.address)
        })
        .collect();
    declare(&site, &kinds);
    let agent = site.start();

    let longest = kinds.iter().map(Kind::bound).max().expect("there are kinds");
    let bar = ProgressBar::new((Duration::from_secs(12) + longest).as_secs());
    bar.set_style(
        ProgressStyle::with_template("{msg:<20}{bar:40} {pos}/{len} s").expect("the template is well-formed"),
    );
    bar.set_message("all are healthy");
    // More than the longest interval: every check has been probed.
    for _ in 0..12 {
        std::thread::sleep(Duration::from_secs(1));
        bar.inc(1);
    }
    assert_eq!(agent.status()["checks"]["healthy"], kinds.len() * CHECKS, "all are healthy at first");

    for (kind, endpoint) in kinds.iter().zip(endpoints) {
        match kind.death {
            Death::Refuses => drop(endpoint),
            // Not forwarding, the namespace drops in silence what is not for it.
            Death::Drops => drop(site.network.client.ip(&format!("address del {}/32 dev lo", kind.address))),
        }
    }
    let died = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    bar.set_message("waiting for verdicts");
    let changed = verdicts(&agent, kinds.len() * CHECKS, longest, &bar);
    bar.finish_and_clear();

    println!("from death to verdict, {FAILURES} failed probes, {CHECKS} checks of each kind\n");
    println!("{}{:>12}", heading("interval, endpoint"), "bound");
    for kind in &kinds {
        let times: Vec<Duration> = (0..CHECKS)
            .filter_map(|check| changed.get(&kind.id(check)))
            .map(|at| Duration::from_millis(*at).saturating_sub(died))
            .collect();
        let death = if kind.death == Death::Drops { "drops every packet" } else { "refuses connections" };
        let missing = CHECKS - times.len();
        let missing = if missing > 0 { format!("  and {missing} without a verdict") } else { String::new() };
        println!(
            "{}{:>12}{missing}",
            row(&format!("{}, {death}", told(kind.interval)), &times),
            told(kind.bound())
        );
    }
}

/// When each check became unhealthy, in milliseconds of Unix time.
fn verdicts(agent: &Agent<'_>, all: usize, longest: Duration, bar: &ProgressBar) -> HashMap<String, u64> {
    let begun = Instant::now();
    loop {
        let said = agent.pulse53(&["health", "list", "--json"]);
        let list: Value = serde_json::from_str(&said).expect("the list is JSON");
        let unhealthy =
            list["checks"].as_array().expect("a list").iter().filter(|check| check["status"] == "unhealthy");
        let changed: HashMap<String, u64> = unhealthy
            .filter_map(|check| Some((check["id"].as_str()?.to_owned(), check["changed_at"].as_u64()?)))
            .collect();
        if changed.len() == all || begun.elapsed() > longest + Duration::from_secs(10) {
            return changed;
        }
        std::thread::sleep(Duration::from_secs(1));
        bar.set_position(12 + begun.elapsed().as_secs());
    }
}

fn declare(site: &Site, kinds: &[Kind]) {
    let check = |kind: &Kind, check: usize| -> Value {
        let interval = format!("{}ms", kind.interval.as_millis());
        json!({
            "Id": kind.id(check), "CallerReference": kind.id(check),
            "HealthCheckConfig": {
                "Type": "HTTP", "IPAddress": kind.address, "Port": 80, "FailureThreshold": FAILURES
            },
            "Tags": [{ "Key": "pulse53:interval", "Value": interval }]
        })
    };
    let checks: Vec<Value> = kinds.iter().flat_map(|kind| (0..CHECKS).map(|at| check(kind, at))).collect();
    site.place.write("checks.json", json!({ "HealthChecks": checks }).to_string());
    site.configure("", "[health_checks]\nfile = \"checks.json\"\n");
}
