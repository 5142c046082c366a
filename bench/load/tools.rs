//! pulse53 as the usual tools see it: dnsperf through sockets, kxdpgun through AF_XDP. It is they that set the pace here, not what they ask.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use pulse53_tests::programs;

use crate::Measurement;
use crate::figure::Figure;
use crate::harness::agent::binary;
use crate::harness::command::{run, text};
use crate::harness::network::SERVED;
use crate::harness::site::Site;
use crate::session::Session;
use crate::zone;

const NAMES: u32 = 1_000;
/// Seconds of each run.
const SECONDS: &str = "3";

/// What there is to measure.
pub fn measurements() -> Vec<Measurement> {
    vec![
        Measurement::new("tools/dnsperf", |session| {
            measure(session, "tools/dnsperf", "dnsperf", |command, queries| {
                command
                    .args(["-s", &SERVED[0].ip().to_string(), "-l", SECONDS, "-T", "1", "-d"])
                    .arg(queries);
            })
        }),
        Measurement::new("tools/kxdpgun", |session| {
            measure(session, "tools/kxdpgun", "kxdpgun", |command, queries| {
                // More than it can send: it sends what it can.
                command.args(["-t", SECONDS, "-Q", "5000000", "-i"]).arg(queries);
                command.arg(SERVED[0].ip().to_string());
            })
        }),
    ]
}

fn measure(
    session: &Session,
    name: &str,
    tool: &str,
    arguments: impl Fn(&mut Command, &Path),
) -> Result<Vec<Figure>> {
    if programs::find(tool).is_none() {
        session.tell(format_args!("{name}: skipped, for want of {tool}"));
        return Ok(Vec::new());
    }
    ensure!(binary().is_file(), "{} is missing: run `cargo xtask build --release`", binary().display());
    let mut site = Site::make().context("a site for the agent")?;
    let origin = traffic::question::ZONE;
    site.place.write("zone", zone::text(NAMES, 2));
    let queries: String = (0..NAMES).map(|number| format!("{}.{origin} A\n", zone::name(number))).collect();
    site.place.write("queries", queries);
    site.configure("", &format!("[[zone]]\nname = {origin:?}\nfile = \"zone\"\n"));
    if tool == "kxdpgun" {
        // Its own program takes this one's place.
        site.peer = None;
    }
    let agent = site.start();
    session.step("asking");
    let before = agent.kernel_replies();
    let mut command = site.network.client.command(Path::new(tool));
    arguments(&mut command, &site.place.file("queries"));
    let output = run(&mut command);
    let said = text(&output);
    ensure!(output.status.success(), "{tool} failed, saying:\n{said}");
    let replies = agent.kernel_replies() - before;
    let seconds: f64 = SECONDS.parse().expect("a number");
    Ok(vec![Figure {
        name: name.to_owned(),
        unit: "M/s",
        ours: vec![replies as f64 / seconds / 1e6],
        beside: None,
        goal: None,
        note: format!("answers in the kernel; {tool} is the limit, and shares the CPUs"),
    }])
}
