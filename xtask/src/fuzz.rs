//! `cargo xtask fuzz`: each target of `tests/fuzz` for a while, from its seeds and from what earlier runs have found.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup::{self, Consent};
use crate::{process, workspace};

/// The version that is installed where there is none.
const CARGO_FUZZ: &str = "0.13.1";

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask fuzz                       every target for a minute\n  \
                        cargo xtask fuzz message --seconds 600 one target for ten\n\n\
                        What a target fails on is kept under tests/fuzz/artifacts, and told how to run again. Make it a \
                        seed in tests/fuzz/corpus once it is mended: ordinary tests then run it, too.")]
pub struct Arguments {
    /// One of the targets in tests/fuzz/fuzz_targets; none: each of them
    target: Option<String>,

    /// How long each target runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,

    /// Install what is missing without asking
    #[arg(long, short)]
    yes: bool,
}

/// Whether nothing was found.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let directory = workspace::root().join("tests/fuzz");
    let known = targets(&directory)?;
    let chosen: Vec<&String> = match &arguments.target {
        None => known.iter().collect(),
        Some(name) => match known.iter().find(|target| *target == name) {
            Some(target) => vec![target],
            None => bail!("there is no fuzz target {name:?}: there are {}", known.join(", ")),
        },
    };
    let consent = Consent::from_flag(arguments.yes);
    setup::ensure(consent)?;
    let cargo_fuzz = cargo_fuzz(consent)?;
    let mut failed = Vec::new();
    for target in chosen {
        println!("fuzzing {target} for {} s", arguments.seconds);
        let grown = directory.join("grown").join(target);
        std::fs::create_dir_all(&grown).with_context(|| format!("making {}", grown.display()))?;
        let mut command = Command::new(&cargo_fuzz);
        process::forget_own_package(&mut command)
            .current_dir(workspace::root())
            // Sanitizers are unstable, and so is what instruments for them: the pinned compiler makes that sound.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTUP_TOOLCHAIN", workspace::pinned_toolchain()?)
            .args(["fuzz", "run", "--fuzz-dir"])
            .arg(&directory)
            .arg(target)
            // What is found goes to the first.
            .args([grown, directory.join("corpus").join(target)])
            .arg("--")
            .arg(format!("-max_total_time={}", arguments.seconds))
            .args(["-timeout=10", "-rss_limit_mb=4096", "-print_final_stats=1"]);
        let status = command.status().with_context(|| format!("starting `{}`", process::typed(&command)))?;
        if !status.success() {
            failed.push(target.as_str());
        }
    }
    if !failed.is_empty() {
        println!("\nfailed: {}; see above", failed.join(", "));
    }
    Ok(failed.is_empty())
}

/// Every target, in alphabetical order.
fn targets(directory: &Path) -> Result<Vec<String>> {
    let sources = directory.join("fuzz_targets");
    let entries = std::fs::read_dir(&sources).with_context(|| format!("listing {}", sources.display()))?;
    let mut targets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}

/// cargo-fuzz: an installed one, or one of our own under `target`.
fn cargo_fuzz(consent: Consent) -> Result<PathBuf> {
    let root = workspace::root().join("target/cargo-fuzz");
    let own = root.join("bin/cargo-fuzz");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|directory| directory.join("cargo-fuzz"));
    if let Some(found) = installed.chain([own.clone()]).find(|binary| binary.is_file()) {
        return Ok(found);
    }
    println!("missing:\n  cargo-fuzz {CARGO_FUZZ} (built by cargo; about a minute)");
    setup::agree(consent)?;
    let mut cargo = process::host_cargo();
    cargo.args(["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ, "--root"]).arg(&root);
    process::behind_spinner("building cargo-fuzz", &mut cargo).context("cargo-fuzz could not be built")?;
    Ok(own)
}
