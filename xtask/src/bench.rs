//! `cargo xtask bench`: what pulse53 costs, next to a program that does nothing, to its goals and to other servers.
//!
//! The load runs inside the kernel and needs root; the other benches are those of the package `pulse53-bench`, by name.

use anyhow::{Result, bail};

use crate::build::{self, Profile};
use crate::setup::{self, Consent};
use crate::{object, process};

/// The benches beside the load, with what they measure.
const BENCHES: [(&str, &str); 8] = [
    ("answer", "one answer in userspace, and on the host build of the fast path"),
    ("compile", "compiling zones, and what a change of health costs"),
    ("geo", "building and classifying a large location database"),
    ("flip", "from a changed health status to the last write into the maps"),
    ("reload", "reloading a zone of 100,000 records under queries"),
    ("probes", "health checks: how many, and what they take"),
    ("detection", "from an endpoint's death to the verdict"),
    ("chain", "from an endpoint's death to the first answer without it, over the wire"),
];

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask bench                 the short set: a few minutes\n  \
                  cargo xtask bench --list          all that can be measured\n  \
                  cargo xtask bench loop/2xA        part of the one-CPU loop\n  \
                  cargo xtask bench peers           other servers on the same zone\n  \
                  cargo xtask bench flip            one of the other benches\n  \
                  cargo xtask bench torn -- --answers 1000000000\n                                    \
                  the long hunt for torn answers\n\n\
                  Prints a table (pulse53, what stands beside it, ratio, goal) and writes target/load/figures.json and \
                  plots beside it. The load needs root. Compared are CPU times, round by round, so that other work on the \
                  machine does little harm.")]
pub struct Arguments {
    /// Measure only what has this in its name; or one of the other benches by its name
    filter: Option<String>,

    /// Say what can be measured, and end
    #[arg(long)]
    list: bool,

    /// Install what is missing without asking
    #[arg(long, short)]
    yes: bool,

    /// Passed on to the bench
    #[arg(last = true, value_name = "BENCH ARGUMENTS")]
    rest: Vec<String>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let other = BENCHES.iter().find(|(name, _)| Some(*name) == arguments.filter.as_deref());
    if !arguments.list && other.is_none() && !rustix::process::geteuid().is_root() {
        bail!("the load makes network namespaces and loads BPF programs: run this as root");
    }
    let consent = Consent::from_flag(arguments.yes);
    let tools = setup::ensure(consent)?;
    // Without a filter, or with one of this name, other servers are measured, too.
    let with_peers = arguments.filter.as_deref().is_none_or(|filter| filter.contains("peers"));
    if with_peers && !arguments.list {
        setup::ensure_peers(consent)?;
    }
    object::build(&tools)?;
    let mut cargo = process::host_cargo();
    cargo.args(["bench", "--quiet", "--package", "pulse53-bench", "--bench"]);
    match other {
        Some((name, _)) => {
            // Two of them ask a real agent.
            build::build(&tools, Profile::Release)?;
            cargo.arg(name).arg("--").args(&arguments.rest);
        }
        None => {
            if !arguments.list {
                build::build(&tools, Profile::Release)?;
            }
            cargo.args(["load", "--"]).args(arguments.list.then_some("--list"));
            cargo.args(&arguments.filter).args(&arguments.rest);
        }
    }
    process::show(&mut cargo)?;
    if arguments.list {
        println!("\nother benches, by name alone:");
        for (name, what) in BENCHES {
            println!("  {name:<12}{what}");
        }
    }
    Ok(())
}
