//! `cargo xtask build`: the kernel half, then the agent that carries it.

use anyhow::Result;

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

pub fn build(tools: &BpfTools, profile: Profile) -> Result<()> {
    object::build(tools)?;
    let mut cargo = process::host_cargo();
    cargo.args(["build", "--package", "pulse53"]);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    process::show(&mut cargo)
}
