//! What a zone takes: time until it is served, memory of the agent, memory of the kernel's tables.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::Measurement;
use crate::figure::{Figure, Goal};
use crate::harness::agent::binary;
use crate::harness::site::Site;
use crate::session::Session;
use crate::zone;

const MIB: f64 = 1_048_576.0;

/// What there is to measure.
pub fn measurements() -> Vec<Measurement> {
    vec![
        Measurement::new("memory/1k names", |session| {
            let used = measure(session, 1_000)?;
            let whole = used.resident + used.tables;
            Ok(vec![Figure {
                goal: Some(Goal { id: "8.4", text: "40 MiB in all".to_owned(), met: whole <= 40.0 }),
                note: format!("{:.1} MiB of it kernel tables; ready in {:.2} s", used.tables, used.seconds),
                ..figure("memory/1k names, in all", "MiB", whole)
            }])
        }),
        Measurement::new("memory/1M names", |session| {
            let used = measure(session, 1_000_000)?;
            let goal = |text: &str, met| Some(Goal { id: "8.4", text: text.to_owned(), met });
            Ok(vec![
                Figure {
                    goal: goal("10 s", used.seconds < 10.0),
                    ..figure("memory/1M names, start to ready", "s", used.seconds)
                },
                Figure {
                    goal: goal("1 GiB", used.resident < 1024.0),
                    ..figure("memory/1M names, agent", "MiB", used.resident)
                },
                Figure {
                    goal: goal("256 MiB", used.tables < 256.0),
                    ..figure("memory/1M names, kernel tables", "MiB", used.tables)
                },
            ])
        }),
    ]
}

fn figure(name: &str, unit: &'static str, value: f64) -> Figure {
    Figure { name: name.to_owned(), unit, ours: vec![value], beside: None, goal: None, note: String::new() }
}

/// What an agent has used when it became ready.
struct Used {
    seconds: f64,
    /// MiB that are its own: the tables it has mapped are not counted here.
    resident: f64,
    /// MiB of all BPF maps it holds.
    tables: f64,
}

fn measure(session: &Session, names: u32) -> Result<Used> {
    ensure!(binary().is_file(), "{} is missing: run `cargo xtask build --release`", binary().display());
    let site = Site::make().context("a site for the agent")?;
    site.place.write("zone", zone::text(names, 2));
    let origin = traffic::question::ZONE;
    let limits = "[limits]\nrecord_sets_per_zone = 2000000\n";
    site.configure("", &format!("{limits}[[zone]]\nname = {origin:?}\nfile = \"zone\"\n"));
    session.step("starting the agent");
    let begun = Instant::now();
    let agent = site.start();
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Used { seconds, resident: resident(agent.id())?, tables: tables(agent.id())? })
}

/// Anonymous memory of a process, in MiB.
fn resident(id: u32) -> Result<f64> {
    let path = format!("/proc/{id}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let kib = |name: &str| -> Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        number.with_context(|| format!("{path} has no {name}"))
    };
    Ok((kib("RssAnon")? + kib("RssFile")?) / 1024.0)
}

/// Memory of the BPF maps that a process holds, in MiB.
fn tables(id: u32) -> Result<f64> {
    let path = format!("/proc/{id}/fdinfo");
    let mut sum = 0.0;
    for entry in std::fs::read_dir(&path).with_context(|| format!("reading {path}"))? {
        // A descriptor may be closed meanwhile.
        let Ok(text) = std::fs::read_to_string(entry?.path()) else { continue };
        if text.contains("map_type:") {
            let memory =
                text.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse::<f64>().ok());
            sum += memory.unwrap_or_default();
        }
    }
    Ok(sum / MIB)
}
