//! `cargo xtask run`: pulse53 at work on a network of its own, while an endpoint dies.
//!
//! ```text
//!   client namespace                        server namespace
//!   dnsperf, the watcher ── demo0 ═ veth ═ demo0 ── XDP program, pulse53 serve
//!                           XDP_PASS                │ health checks, every 100 ms
//!                                                   └─ endpoints on lo, HTTP
//! ```
//!
//! Everything made here is owned by a guard, and the guards go in the reverse order of making: by the summary, by an
//! error, a panic or a signal. What `kill -9` leaves behind, the next run removes.

mod agent;
mod dns;
mod endpoint;
mod load;
mod network;
mod peer;
mod place;
mod watch;

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::build::{self, Profile};
use crate::setup::{self, Consent};
use crate::{interrupt, process, workspace};
use agent::Agent;
use endpoint::Endpoint;
use load::{Load, Outcome};
use network::{INTERFACE, Network};
use peer::Peer;
use place::Place;
use watch::{End, Watch, Watched};

/// Where examples/demo/pulse53.toml listens.
const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(network::SERVER_V4), 53);

/// The endpoints of examples/demo/health-checks.json.
const ENDPOINTS: [Ipv4Addr; 3] =
    [Ipv4Addr::new(198, 51, 100, 11), Ipv4Addr::new(198, 51, 100, 12), Ipv4Addr::new(198, 51, 100, 13)];

/// The endpoint that dies is the first: primary of a failover pair, member of a weighted group, all of an alias branch.
const VICTIM: Ipv4Addr = ENDPOINTS[0];

/// The names of examples/demo/demo.example.json that answer with the victim while it lives.
const WATCHED: [(&str, &str); 3] = [
    ("www.demo.example", "failover"),
    ("api.demo.example", "weighted"),
    ("demo.example", "alias, with the health of its target"),
];

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask run                           the whole demo, about 15 s once built\n  \
                        cargo xtask run --qps 50000 --seconds 30  gentler and longer\n  \
                        cargo xtask run --serve                   … and leave it running, to be queried by hand\n\n\
                        Ctrl-C at any moment leaves no namespace, interface, process or pinned map behind."
)]
pub struct Arguments {
    /// Install what is missing without asking
    #[arg(long, short)]
    yes: bool,

    /// After the summary leave it running, until Ctrl-C
    #[arg(long)]
    serve: bool,

    /// How long the load test runs
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(4..=3600))]
    seconds: u32,

    /// At most this many queries per second; default: as many as are answered
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    qps: Option<u32>,

    /// Set up and built already, by the one who became root through sudo
    #[arg(long, hide = true)]
    built: bool,
}

/// Whether the demo showed what it promises; what it did not has been told by then.
pub fn run(arguments: &Arguments) -> Result<bool> {
    interrupt::take_over()?;
    if !arguments.built {
        let tools = setup::ensure(Consent::from_flag(arguments.yes))?;
        interrupt::check()?;
        build::build(&tools, Profile::Release)?;
        interrupt::check()?;
    }
    if !rustix::process::geteuid().is_root() {
        return again_as_root(arguments);
    }
    network::sweep();
    place::sweep();
    let shown = show(arguments);
    if interrupt::requested() {
        println!("\nstopped; what the demo had made is removed");
    }
    shown
}

/// Namespaces and XDP take root. What was built stays the user's own; only this program goes on as root.
fn again_as_root(arguments: &Arguments) -> Result<bool> {
    let this = std::env::current_exe().context("finding this program")?;
    let mut command = Command::new("sudo");
    command.arg(this).args(["run", "--built", "--seconds", &arguments.seconds.to_string()]);
    if let Some(qps) = arguments.qps {
        command.args(["--qps", &qps.to_string()]);
    }
    if arguments.serve {
        command.arg("--serve");
    }
    println!(
        "the demo makes network namespaces and loads XDP programs, which takes root: going on through sudo"
    );
    // Replaced rather than waited for: signals then reach the one who has something to clean up.
    let error = command.exec();
    bail!("starting `{}`: {error}; as root run that command without sudo", process::typed(&command))
}

fn show(arguments: &Arguments) -> Result<bool> {
    let id = std::process::id();
    let place = Place::make(id)?;
    let network = Network::make(id)?;
    let _peer = Peer::attach(&network.client, INTERFACE)?;
    let mut endpoints = start_endpoints(&network)?;
    interrupt::check()?;
    println!(
        "two namespaces joined by veth: {} ({}) and {} ({})",
        network.client.name,
        network::CLIENT_V4,
        network.server.name,
        network::SERVER_V4
    );
    println!("endpoints answering HTTP: {}", ENDPOINTS.map(|address| address.to_string()).join(", "));

    let mut agent = Agent::start(&network.server, &place)?;
    let watch = Watch::start(&network.client, SERVER, &WATCHED.map(|(name, _)| name))?;
    wait_until_served(&mut agent, &watch)?;
    let before = agent.status()?;
    println!("pulse53 serves demo.example at {SERVER}, {}", before.datapath);

    let outcome = under_load(arguments, &network, &mut agent, &watch, &mut endpoints)?;
    let after = agent.status()?;
    let watched = watch.stop()?;
    let kernel_share = after.replies.kernel_share_since(before.replies);
    let promised = summarize(&outcome, &watched, kernel_share);
    if !promised {
        println!("\nits log ends:\n{}", agent.log_tail());
    }

    if arguments.serve {
        endpoints[0] = Endpoint::start(&network.server, VICTIM)?;
        explain_and_serve(&network, &mut agent)?;
    }
    Ok(promised)
}

fn start_endpoints(network: &Network) -> Result<Vec<Endpoint>> {
    ENDPOINTS.iter().map(|address| Endpoint::start(&network.server, *address)).collect()
}

/// Ready is what the agent says and a client sees: every watched name is answered.
fn wait_until_served(agent: &mut Agent, watch: &Watch) -> Result<()> {
    let patience = Instant::now() + Duration::from_secs(20);
    while !(agent.is_ready() && watch.all_answered()) {
        interrupt::check()?;
        agent.check()?;
        if Instant::now() > patience {
            bail!("pulse53 was not ready within 20 s; its log ends:\n{}", agent.log_tail());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    watch.count_from_here();
    Ok(())
}

fn under_load(
    arguments: &Arguments,
    network: &Network,
    agent: &mut Agent,
    watch: &Watch,
    endpoints: &mut [Endpoint],
) -> Result<Outcome> {
    let length = Duration::from_secs(arguments.seconds.into());
    let bar = ProgressBar::new(length.as_millis() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {elapsed} of {prefix}  {wide_msg}")?);
    bar.set_prefix(format!("{} s", arguments.seconds));
    let say = |text: String| bar.suspend(|| println!("{text}"));

    say(format!("dnsperf queries for {} s", arguments.seconds));
    let began = Instant::now();
    let mut load = Load::start(&network.client, SERVER, length, arguments.qps)?;
    let mut killed_at = None;
    let mut told = false;
    while !load.has_ended()? {
        interrupt::check()?;
        agent.check()?;
        let elapsed = began.elapsed();
        if elapsed > length + load::PATIENCE {
            bail!("dnsperf did not end within {} s of its time", load::PATIENCE.as_secs());
        }
        if killed_at.is_none() && elapsed > length / 2 {
            say(format!("{:5.1} s  endpoint {VICTIM} dies", elapsed.as_secs_f64()));
            killed_at = Some(Instant::now());
            watch.note_death(VICTIM);
            endpoints[0].kill();
        }
        if !told && killed_at.is_some_and(|at| at.elapsed() > Duration::from_secs(1)) {
            for (name, answer) in watch.latest() {
                say(format!("{:5.1} s  {name} → {answer}", elapsed.as_secs_f64()));
            }
            told = true;
        }
        bar.set_position(elapsed.min(length).as_millis() as u64);
        if let Some(rate) = load.latest_rate() {
            bar.set_message(format!("{} answers/s", grouped(rate)));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bar.finish_and_clear();
    load.outcome()
}

/// Tells how it went; false if an answer was lost, a dead endpoint is still named, or the kernel took no part.
fn summarize(outcome: &Outcome, watched: &Watched, kernel_share: f64) -> bool {
    let line = |what: &str, value: String| println!("  {what:<54} {value}");
    println!("\nsummary");
    line("answered queries/s", grouped(outcome.answered_per_second as u64));
    line("share answered in the kernel", format!("{:.2} %", kernel_share * 100.0));
    let mut all_moved = true;
    for ((name, policy), end) in WATCHED.iter().zip(&watched.ends) {
        let value = match end {
            End::Moved(after) => format!("{:.0} ms", after.as_secs_f64() * 1000.0),
            End::StillNamed => "never".to_owned(),
            End::Unanswered => "no answer".to_owned(),
        };
        all_moved &= matches!(end, End::Moved(_));
        line(&format!("death → last answer naming it, {name}"), format!("{value:<10} ({policy})"));
    }
    let lost = outcome.lost + watched.lost;
    line("lost queries", format!("{lost} of {}", grouped(outcome.sent + watched.sent)));
    if lost > 0 {
        println!(
            "\nfailed: {} of dnsperf's queries and {} of the watcher's got no answer",
            outcome.lost, watched.lost
        );
    }
    if !all_moved {
        println!("\nfailed: a name did not move away from the dead endpoint");
    }
    if kernel_share == 0.0 {
        println!("\nfailed: the kernel answered nothing; see why behind `pulse53 serves` above");
    }
    lost == 0 && all_moved && kernel_share > 0.0
}

fn explain_and_serve(network: &Network, agent: &mut Agent) -> Result<()> {
    let client = format!("nsenter --net={}", network.client.path().display());
    let server = format!("nsenter --net={}", network.server.path().display());
    let binary = agent::binary()?;
    let pulse53 = binary.strip_prefix(workspace::root()).unwrap_or(&binary).display();
    println!("\nserving until Ctrl-C; endpoint {VICTIM} is back. As root, from the repository:\n");
    for question in [
        format!("dig @{} www.demo.example", SERVER.ip()),
        format!("dig @{} api.demo.example +short", network::SERVER_V6),
        format!("kdig @{} demo.example +subnet=203.0.113.0/24", SERVER.ip()),
    ] {
        println!("  {client} {question}");
    }
    let help = process::capture(Command::new(&binary).arg("--help"))?;
    for command in ["status", "health set endpoint-1 unhealthy", "explain www.demo.example A", "top"] {
        // What this build does not know is not recommended.
        let name = command.split(' ').next().unwrap_or_default();
        if help.lines().any(|line| line.split_whitespace().next() == Some(name)) {
            println!("  {server} {pulse53} {command}");
        }
    }
    println!();
    while !interrupt::requested() {
        agent.check()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// 1234567 as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_grouped() {
        let grouped: Vec<String> = [7, 123, 1234, 1_234_567].into_iter().map(grouped).collect();
        assert_eq!(grouped, ["7", "123", "1,234", "1,234,567"]);
    }

    #[test]
    fn the_example_names_what_the_demo_relies_on() {
        let read =
            |name| std::fs::read_to_string(workspace::root().join("examples/demo").join(name)).unwrap();
        let checks: serde_json::Value = serde_json::from_str(&read("health-checks.json")).unwrap();
        for (check, address) in checks["HealthChecks"].as_array().unwrap().iter().zip(ENDPOINTS) {
            assert_eq!(check["HealthCheckConfig"]["IPAddress"], address.to_string());
        }
        let sets: serde_json::Value = serde_json::from_str(&read("demo.example.json")).unwrap();
        for (name, _) in WATCHED {
            let of_name = |set: &&serde_json::Value| set["Name"] == format!("{name}.");
            assert!(sets["ResourceRecordSets"].as_array().unwrap().iter().any(|set| of_name(&set)), "{name}");
        }
        let config = read("pulse53.toml");
        assert!(config.contains(&format!("{SERVER:?}")) && config.contains(&format!("[{INTERFACE:?}]")));
    }
}
