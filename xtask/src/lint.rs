//! `cargo xtask lint`: formatting, clippy on both halves, and the repository's own rules.

use anyhow::{Result, bail};

use crate::setup;
use crate::{object, process, tidy, workspace};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  cargo xtask lint")]
pub struct Arguments {}

pub fn run(_: &Arguments) -> Result<()> {
    let offences = tidy::offences(workspace::root())?;
    if !offences.is_empty() {
        bail!("the repository's rules are broken:\n  {}", offences.join("\n  "));
    }
    process::show(process::host_cargo().args(["fmt", "--all", "--check"]))?;
    process::show(process::host_cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;
    let tools = setup::bpf_tools()?;
    if tools.toolchain.has_clippy() {
        object::clippy(&tools)?;
    } else {
        println!(
            "skipped: clippy on the kernel half; the distribution's Rust has none, rustup's with rust-src does"
        );
    }
    Ok(())
}
