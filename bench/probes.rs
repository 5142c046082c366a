//! The prober at scale: thousands of checks against endpoints in another process, some of which hang.
//!
//! `cargo bench -p pulse53-bench --bench probes -- --help` lists what can be chosen. Reported are how late probes started, how many
//! of those due were run, how evenly they started from the first second on, and what the prober took of processor and memory.

#[path = "probes/endpoints.rs"]
mod endpoints;
#[path = "probes/usage.rs"]
mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use endpoints::{Endpoints, Ports};
use indicatif::{ProgressBar, ProgressStyle};
use pulse53::health::{Handle, HistogramSnapshot, Settings, TargetPolicy, spawn};
use pulse53_core::health::Checker;
use pulse53_core::model::check::{CheckKind, Endpoint, EndpointCheck, HealthCheck, Protocol, Sni};
use pulse53_core::model::{Revision, Snapshot};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::watch;
use usage::Usage;

/// The prober at scale
#[derive(Parser)]
#[command(after_help = "Example:\n  cargo bench -p pulse53-bench --bench probes -- --seconds 30")]
struct Arguments {
    /// Checks with an interval of 10 s
    #[arg(long, default_value_t = 10_000)]
    slow: usize,
    /// Checks with an interval of 1 s
    #[arg(long, default_value_t = 1_000)]
    fast: usize,
    /// How many in a hundred checks have an endpoint that accepts and never answers
    #[arg(long, default_value_t = 2)]
    hanging: usize,
    /// How many in a hundred checks speak TLS; as many are TCP, and as many search for a string
    #[arg(long, default_value_t = 10)]
    tls: usize,
    /// How long to measure, after ten seconds in which every check has begun
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the endpoints
    #[arg(long, hide = true)]
    endpoints: bool,
}

/// By then every check has been probed once.
const WARM_UP: Duration = Duration::from_secs(10);

/// How finely starts are counted.
const SLICE: Duration = Duration::from_millis(100);

fn main() {
    let arguments = Arguments::parse();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .expect("up to the maximum it may");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    if arguments.endpoints {
        runtime.block_on(endpoints::serve());
    } else {
        runtime.block_on(measure(&arguments));
    }
}

async fn measure(arguments: &Arguments) {
    let endpoints = Endpoints::start();
    let checks = checks(arguments, endpoints.ports);
    let due: f64 = checks
        .values()
        .filter(|check| !hangs(check, endpoints.ports))
        .map(|check| 1.0 / interval(check))
        .sum();
    println!(
        "{} checks of 10 s and {} of 1 s; {} % TLS, {} % TCP, {} % string match, {} % hanging; {:.0} probes a second due from those that \
         answer",
        arguments.slow, arguments.fast, arguments.tls, arguments.tls, arguments.tls, arguments.hanging, due
    );
    let (_declared, declared) =
        watch::channel(Arc::new(Snapshot { revision: Revision(1), checks, ..Snapshot::default() }));
    let settings = Settings {
        checker: Checker { name: "bench".into(), region: None, address: None },
        targets: TargetPolicy::default(),
        in_flight_max: usize::MAX,
        routing_controls: BTreeMap::new(),
        data_dir: None,
    };
    let (health, mut updates) = spawn(settings, declared);
    tokio::spawn(async move { while updates.recv().await.is_some() {} });

    let bar = ProgressBar::new(WARM_UP.as_secs() + arguments.seconds);
    bar.set_style(
        ProgressStyle::with_template("{msg:<12}{bar:40} {pos}/{len} s").expect("the template is well-formed"),
    );
    bar.set_message("starting");
    let first = starts(&health, WARM_UP, &bar).await;
    bar.set_message("measuring");
    let (before, usage) = (health.metrics(), Usage::now());
    let begin = Instant::now();
    let later = starts(&health, Duration::from_secs(arguments.seconds), &bar).await;
    let (after, used, took) = (health.metrics(), usage.until_now(), begin.elapsed().as_secs_f64());
    bar.finish_and_clear();

    println!("\nlateness of probe starts");
    tell(&difference(&before.lateness, &after.lateness));
    let passed = (after.probes_passed - before.probes_passed) as f64 / took;
    println!(
        "\nprobes a second   {passed:.0} passed ({:.1} % of those due), {:.0} failed",
        100.0 * passed / due,
        (after.probes_failed - before.probes_failed) as f64 / took
    );
    println!("not run           {}", after.probes_not_run - before.probes_not_run);
    for (when, starts) in [("the first 10 s", first), ("then", later)] {
        let mean = starts.iter().sum::<u64>() as f64 / starts.len() as f64;
        let most = starts.iter().max().copied().unwrap_or(0);
        println!("starts in 100 ms  {when}: {mean:.0} on average, {most} at most");
    }
    println!(
        "processor         {:.0} % of one, {:.0} µs a probe",
        100.0 * used.processor / took,
        1e6 * used.processor / (after.lateness.count() - before.lateness.count()).max(1) as f64
    );
    println!(
        "memory            {} MiB resident, {} MiB at most, of this process without the endpoints",
        used.resident >> 20,
        used.resident_max >> 20
    );
    let unhealthy =
        health.list().await.expect("it runs").iter().filter(|check| !check.counts_as_healthy).count();
    println!("unhealthy         {unhealthy} checks");
}

/// Counts starts slice by slice.
async fn starts(health: &Handle, length: Duration, bar: &ProgressBar) -> Vec<u64> {
    let mut tick = tokio::time::interval(SLICE);
    tick.tick().await;
    let mut counts = Vec::new();
    let mut before = health.metrics().lateness.count();
    for slice in 0..length.as_millis() / SLICE.as_millis() {
        tick.tick().await;
        let now = health.metrics().lateness.count();
        counts.push(now - before);
        before = now;
        if slice % 10 == 9 {
            bar.inc(1);
        }
    }
    counts
}

fn checks(arguments: &Arguments, ports: Ports) -> BTreeMap<pulse53_core::model::CheckId, Arc<HealthCheck>> {
    let hundredth = |of: usize| (of * 37) % 100;
    let check = |at: usize, interval: u64| {
        let at_random = hundredth(at);
        let hanging = at_random < arguments.hanging;
        let kind = at_random.saturating_sub(arguments.hanging) / arguments.tls.max(1);
        let http = |tls, search: Option<&str>| Protocol::Http {
            tls,
            path: "/health".into(),
            search: search.map(Into::into),
        };
        let (port, protocol) = match kind {
            _ if hanging => (ports.hanging, http(None, None)),
            0 => (ports.tls, http(Some(Sni(true)), None)),
            1 => (ports.http, Protocol::Tcp),
            2 => (ports.http, http(None, Some("is well"))),
            _ => (ports.http, http(None, None)),
        };
        let id = format!("{interval}s-{at}");
        Arc::new(HealthCheck {
            id: id.as_str().into(),
            version: 1,
            kind: CheckKind::Endpoint(EndpointCheck {
                endpoint: Endpoint { address: Some([127, 0, 0, 1].into()), name: None },
                port,
                protocol,
                interval: Duration::from_secs(interval),
                timeout: None,
                failure_threshold: 3,
                measure_latency: true,
                regions: Vec::new(),
            }),
            inverted: false,
            disabled: false,
            tags: BTreeMap::new(),
            source: None,
        })
    };
    let slow = (0..arguments.slow).map(|at| check(at, 10));
    let fast = (0..arguments.fast).map(|at| check(at, 1));
    slow.chain(fast).map(|check| (check.id.clone(), check)).collect()
}

fn probe(check: &HealthCheck) -> &EndpointCheck {
    match &check.kind {
        CheckKind::Endpoint(probe) => probe,
        _ => unreachable!("all are endpoint checks"),
    }
}

fn interval(check: &HealthCheck) -> f64 {
    probe(check).interval.as_secs_f64()
}

fn hangs(check: &HealthCheck, ports: Ports) -> bool {
    probe(check).port == ports.hanging
}

fn difference(before: &HistogramSnapshot, after: &HistogramSnapshot) -> HistogramSnapshot {
    let buckets = before.buckets.iter().zip(&after.buckets);
    HistogramSnapshot {
        buckets: buckets.map(|((_, before), (bound, after))| (*bound, after - before)).collect(),
        sum: after.sum - before.sum,
    }
}

fn tell(lateness: &HistogramSnapshot) {
    let all = lateness.count();
    let mut so_far = 0;
    for (bound, count) in &lateness.buckets {
        so_far += count;
        if *count > 0 {
            println!(
                "  up to {:>6} ms {count:>9} {:>9.3} %",
                bound * 1000.0,
                100.0 * so_far as f64 / all as f64
            );
        }
    }
    for share in [0.5, 0.9, 0.99, 0.999] {
        let mut so_far = 0;
        let bound = lateness.buckets.iter().find(|(_, count)| {
            so_far += count;
            so_far as f64 >= share * all as f64
        });
        println!(
            "  p{:<5} at most {} ms",
            share * 100.0,
            bound.map_or(f64::NAN, |(bound, _)| bound * 1000.0)
        );
    }
    println!("  mean   {:.3} ms", lateness.sum.as_secs_f64() * 1000.0 / all.max(1) as f64);
}
