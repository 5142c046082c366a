//! `cargo xtask build`: the kernel half, then the agent that carries it.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::setup::{self, BpfTools};
use crate::{object, process};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask build            target/debug/pulse53\n  \
                        cargo xtask build --release  target/release/pulse53")]
pub struct Arguments {
    /// Optimize, as for use
    #[arg(long, short)]
    release: bool,
}

/// How the agent is compiled.
#[derive(Clone, Copy, PartialEq)]
pub enum Profile {
    Debug,
    Release,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let profile = if arguments.release { Profile::Release } else { Profile::Debug };
    build(&setup::bpf_tools()?, profile)
}

/// Where `build` leaves the agent: beside the profile directory that this program lies in.
pub fn binary(profile: Profile) -> Result<PathBuf> {
    let this = std::env::current_exe().context("finding this program")?;
    let target = this.ancestors().nth(2).context("this program lies in no target directory")?;
    let profile = if profile == Profile::Release { "release" } else { "debug" };
    Ok(target.join(profile).join("pulse53"))
}

pub fn build(tools: &BpfTools, profile: Profile) -> Result<()> {
    object::build(tools)?;
    let mut cargo = process::host_cargo();
    cargo.args(["build", "--package", "pulse53"]);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    process::show(&mut cargo)
}
