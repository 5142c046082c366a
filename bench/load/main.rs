//! pulse53 under load from inside the kernel: what an answer costs, how soon it comes, what updates do to it, and what others take.
//!
//! `cargo xtask bench` builds what this needs and runs it. Figures are medians of rounds in which the compared take turns, so that what else
//! the machine does falls on all alike; CPU time is measured, not the clock. One line a figure, JSON with every round, and plots.

#[path = "../../tests/blackbox/harness/mod.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod harness;

mod figure;
mod latency;
mod machine;
mod memory;
mod one_cpu;
mod peers;
mod plot;
mod server;
mod session;
mod tools;
mod two_cpus;
mod updates;
mod zone;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;
use figure::Figure;
use session::{Session, lacking};

/// pulse53 under load from inside the kernel
#[derive(Parser)]
#[command(after_help = "Examples, each after `cargo bench -p pulse53-bench --bench load --`:\n  \
                        --list            what can be measured\n  \
                        loop/2xA          the variants of the one-CPU loop whose names begin so\n  \
                        torn --answers 1000000000\n                    the long hunt for torn answers")]
struct Arguments {
    /// Measure only what has this in its name; without it, the short set
    filter: Option<String>,
    /// Say what can be measured, and end
    #[arg(long)]
    list: bool,
    /// Rounds in which the compared take turns
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Queries in each turn
    #[arg(long, default_value_t = 1_000_000)]
    queries: u32,
    /// Answers looked at in the hunt for torn ones
    #[arg(long, default_value_t = 20_000_000)]
    answers: u64,
    /// Where results go
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/load"))]
    out: PathBuf,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Measures, and tells what.
type Measure = Box<dyn Fn(&Session) -> Result<Vec<Figure>>>;

/// One thing to measure.
struct Measurement {
    /// Its name: the group, a slash, and which of it.
    name: String,
    /// Whether it is left out unless it is asked for.
    is_long: bool,
    /// Measures.
    run: Measure,
}

impl Measurement {
    fn new(name: impl Into<String>, run: impl Fn(&Session) -> Result<Vec<Figure>> + 'static) -> Self {
        Self { name: name.into(), is_long: false, run: Box::new(run) }
    }

    fn long(self) -> Self {
        Self { is_long: true, ..self }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut measurements = one_cpu::measurements();
    measurements.extend(latency::measurements());
    measurements.extend(updates::measurements());
    measurements.extend(memory::measurements());
    measurements.extend(peers::measurements());
    measurements.extend(tools::measurements());
    match &arguments.filter {
        Some(filter) => measurements.retain(|measurement| measurement.name.contains(filter.as_str())),
        None => measurements.retain(|measurement| !measurement.is_long || arguments.list),
    }
    if arguments.list {
        for measurement in &measurements {
            println!(
                "{}{}",
                measurement.name,
                if measurement.is_long { "  (only when asked for)" } else { "" }
            );
        }
        return Ok(());
    }
    if measurements.is_empty() {
        bail!(
            "nothing has {:?} in its name; --list tells what there is",
            arguments.filter.unwrap_or_default()
        );
    }
    if let Some(lacking) = lacking() {
        bail!("this machine lacks {lacking}");
    }
    harness::network::sweep();
    let session = Session::new(arguments.rounds, arguments.queries, arguments.answers, measurements.len());
    let mut figures = Vec::new();
    for measurement in &measurements {
        session.begin(&measurement.name);
        let measured =
            (measurement.run)(&session).with_context(|| format!("measuring {}", measurement.name))?;
        session.end();
        figures.extend(measured);
    }
    session.finish();
    let machine = machine::describe();
    print!("\n{}", figure::table(&figures));
    println!("\n{machine}\nMedians of the rounds of each. {}", figure::CAVEAT);
    write_results(&arguments.out, &machine, &figures)
}

fn write_results(directory: &Path, machine: &machine::Machine, figures: &[Figure]) -> Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let directory = directory.canonicalize().context("where results go")?;
    let path = directory.join("figures.json");
    let json = serde_json::json!({ "machine": machine.json(), "figures": figure::json(figures) });
    std::fs::write(&path, format!("{json:#}\n")).with_context(|| format!("writing {}", path.display()))?;
    println!("written: {}", path.display());
    for plot in plot::draw(&directory, figures)? {
        println!("written: {}", plot.display());
    }
    Ok(())
}
