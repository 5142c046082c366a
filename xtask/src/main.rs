//! Builds, tests and demonstrates pulse53: the commands a person types on a fresh machine.
//!
//! `setup` knows what must be installed, `object` how the kernel half is compiled, `demo` what there is to see, `test`
//! how tests are run, `vm` how they run under other kernels, `fuzz` what finds inputs nobody thought of, `bench` what things cost, `verify`
//! what the kernel half may cost, `dist` makes what is shipped, and `tidy` knows which of the repository's rules a machine can check.
//! Nothing here is part of what is shipped.

mod bench;
mod build;
mod count;
mod demo;
mod dist;
mod fuzz;
mod interrupt;
mod lint;
mod object;
mod process;
mod setup;
mod test;
mod tidy;
mod verify;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Builds, tests and demonstrates pulse53",
    after_help = "Examples:\n  cargo xtask run              the demo, from nothing to a summary\n  \
                  cargo xtask test             install what is missing, then run every test\n  \
                  cargo xtask build --release  one self-contained binary at target/release/pulse53\n\n\
                  Exit status: 0 fine, 1 failed, 2 wrong usage."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing to build the kernel half and to run the tests, and say what was done
    Setup(setup::Arguments),
    /// Build the kernel half, then the pulse53 binary with it embedded
    Build(build::Arguments),
    /// Show pulse53 at work: two network namespaces, a load test, an endpoint that dies
    Run(demo::Arguments),
    /// Set up, build, and run every test; ends with how many passed, failed and were skipped
    Test(test::Arguments),
    /// Boot other kernels in virtual machines, and run there the tests that need a kernel
    VmTest(vm::Arguments),
    /// Measure what pulse53 costs, next to its goals, a program that does nothing, and other servers
    Bench(bench::Arguments),
    /// Compare what the kernel half costs the verifier with the budget in the repository
    Verify(verify::Arguments),
    /// Feed readers of messages, frames, zones, record sets and configurations what nobody would write
    Fuzz(fuzz::Arguments),
    /// Make what is shipped: Debian packages and a container image
    Dist(dist::Arguments),
    /// Check formatting, clippy on both halves, and the repository's own rules
    Lint(lint::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Setup(arguments) => setup::run(&arguments).map(|()| true),
        Command::Build(arguments) => build::run(&arguments).map(|()| true),
        Command::Run(arguments) => demo::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::VmTest(arguments) => vm::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments).map(|()| true),
        Command::Verify(arguments) => verify::run(&arguments).map(|()| true),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Dist(arguments) => dist::run(&arguments),
        Command::Lint(arguments) => lint::run(&arguments).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
