//! `cargo xtask test`: every test of the workspace, and one line that counts them.
//!
//! libtest knows passed and failed, and `#[ignore]` fixed at compile time; a test that finds at run time that it lacks
//! something (root, a network namespace, a tool) can only return, which libtest counts as passed. So that such a test
//! never passes quietly, it appends a line to the file that `PULSE53_SKIP_LOG` names and returns:
//!
//! ```text
//! kernel::packet::answers_over_ipv6: root, to load BPF programs
//! ```
//!
//! that is: the test's name, a colon, a space, and what is missing. Each test named there counts as skipped instead
//! of passed. Without that variable, under plain `cargo test`, it prints the same on standard error.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};

use crate::build::{self, Profile};
use crate::count::{Count, by_test};
use crate::setup::{self, Consent};
use crate::vm::{self, Extent};
use crate::{process, workspace};

/// Names the file to which tests append what they lack.
const SKIP_LOG: &str = "PULSE53_SKIP_LOG";

/// Names the program to the tests that run it.
const BINARY: &str = "PULSE53_BIN";

/// Names the Python environment to the tests that drive clients of Route 53.
const CLIENTS: &str = "PULSE53_CLIENTS";

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask test                        everything on this machine's kernel\n  cargo xtask test --vm                   and on the distribution's, in virtual machines\n  cargo xtask test --vm=brief             the same for a few minutes\n  \
                        cargo xtask test -- --package pulse53-core failover\n                                          \
                        what `cargo test --package pulse53-core failover` runs\n\n\
                        The last line reads `N passed, N failed, N skipped`. Tests that load BPF programs or make \
                        networks need root; without it they are skipped, and say so."
)]
pub struct Arguments {
    /// Install what is missing without asking
    #[arg(long, short)]
    yes: bool,

    /// Under other kernels, too: what `cargo xtask vm-test` runs, or a few minutes of it
    #[arg(long, value_enum, value_name = "EXTENT", num_args = 0..=1, require_equals = true, default_missing_value = "whole")]
    vm: Option<Extent>,

    /// Passed on to `cargo test`, in place of `--workspace`
    #[arg(last = true, value_name = "CARGO TEST ARGUMENTS")]
    rest: Vec<String>,
}

/// Whether all is well; what is not has been told by then, so that the count stays the last line.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let consent = Consent::from_flag(arguments.yes);
    let tools = setup::ensure(consent)?;
    let clients = setup::ensure_clients(consent)?;
    build::build(&tools, Profile::Debug)?;

    let log = workspace::root().join("target").join(format!("skipped-{}.log", std::process::id()));
    std::fs::write(&log, "").with_context(|| format!("writing {}", log.display()))?;
    let outcome = cargo_test(&arguments.rest, &log, clients.as_deref());
    let skipped = std::fs::read_to_string(&log).with_context(|| format!("reading {}", log.display()));
    let _ = std::fs::remove_file(&log);
    let (mut count, succeeded) = outcome?;

    let skipped = skipped?;
    let skipped = by_test(&skipped);
    count.skip(skipped.len());
    if !skipped.is_empty() {
        println!("\nskipped, for want of something:");
        for (test, lack) in &skipped {
            println!("  {test}: {lack}");
        }
    }
    let mut is_well = succeeded;
    if let Some(extent) = arguments.vm {
        let (under_others, well) = under_other_kernels(extent, arguments.yes)?;
        count.add(&under_others);
        is_well &= well;
    }
    if count.failed > 0 {
        println!("\nfailed: see each test binary's list under `failures:` above");
    } else if !succeeded {
        println!("\nfailed: a test binary did not compile or died before its end; see above");
    }
    println!("\n{count}");
    Ok(is_well && count.failed == 0)
}

/// Runs tests in virtual machines. In brief that is a test like others, which is skipped where there is no qemu and no kernel to be had.
fn under_other_kernels(extent: Extent, yes: bool) -> Result<(Count, bool)> {
    let arguments = vm::Arguments::usual(extent, yes);
    match vm::kernels(&arguments) {
        Ok(kernels) => vm::count_under(&kernels, &arguments),
        Err(error) if extent == Extent::Brief => {
            println!("\nskipped, for want of a virtual machine: {error:#}");
            Ok((Count { skipped: 1, ..Count::default() }, true))
        }
        Err(error) => Err(error),
    }
}

/// Runs the tests in view, and adds up what each binary says at its end.
fn cargo_test(rest: &[String], log: &Path, clients: Option<&Path>) -> Result<(Count, bool)> {
    let mut cargo = process::host_cargo();
    cargo.args(["test", "--no-fail-fast"]).env(SKIP_LOG, log).stdout(Stdio::piped());
    cargo.env(BINARY, build::binary(Profile::Debug)?);
    cargo.envs(clients.map(|directory| (CLIENTS, directory)));
    if rest.is_empty() {
        cargo.arg("--workspace");
    }
    let mut child =
        cargo.args(rest).spawn().with_context(|| format!("starting `{}`", process::typed(&cargo)))?;
    let mut count = Count::default();
    let mut out = std::io::stdout().lock();
    for line in BufReader::new(child.stdout.take().expect("stdout is piped")).split(b'\n') {
        let line = line.context("reading what the tests say")?;
        out.write_all(&line)?;
        out.write_all(b"\n")?;
        count.add_line(&String::from_utf8_lossy(&line));
    }
    let status = child.wait().context("waiting for cargo test")?;
    Ok((count, status.success()))
}
