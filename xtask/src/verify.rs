//! `cargo xtask verify`: the kernel half through this kernel's verifier, and its costs against the budget in the repository.
//!
//! The comparison is a test, so that `cargo xtask test` and the virtual machines of `cargo xtask vm-test` make it, too.

use anyhow::Result;

use crate::build::{self, Profile};
use crate::process;
use crate::setup::{self, Consent};

/// Asks the test to write the budget.
const BUDGET: &str = "PULSE53_BUDGET";

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask verify          what the program costs, and what it may cost\n  \
                  cargo xtask verify --raise  write responder-ebpf/budget.toml anew\n\n\
                  Needs root, or the right to load BPF programs. Counted are the verifier's instructions, those that are \
                  kept, stack, and calls of helpers."
)]
pub struct Arguments {
    /// Write what is measured, with some headroom, as the new budget
    #[arg(long)]
    raise: bool,

    /// Install what is missing without asking
    #[arg(long, short)]
    yes: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let tools = setup::ensure(Consent::from_flag(arguments.yes))?;
    build::build(&tools, Profile::Debug)?;
    let mut cargo = process::host_cargo();
    cargo.args(["test", "--quiet", "--package", "pulse53-tests", "--test", "kernel", "--"]);
    cargo.args(["budget::the_program_keeps_to_its_budget", "--exact", "--nocapture"]);
    if arguments.raise {
        cargo.env(BUDGET, "raise");
    }
    process::show(&mut cargo)
}
