//! The binary as it is shipped: thin LTO, no path of this machine in it, symbols in a file of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::setup::BpfTools;
use crate::{object, process, workspace};

/// As `Cargo.toml` names it.
const PROFILE: &str = "dist";

/// A program and what debuggers want of it.
pub struct Binary {
    /// Without symbols.
    pub program: PathBuf,
    /// The symbols alone.
    pub symbols: PathBuf,
    /// What joins them.
    pub build_id: String,
}

pub fn build(tools: &BpfTools) -> Result<Binary> {
    object::build(tools)?;
    let stand_ins = workspace::stand_ins()?;
    let mut flags: Vec<String> =
        stand_ins.iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}")).collect();
    flags.push("-Clink-arg=-Wl,--build-id=sha1".to_owned());
    let c_flags: Vec<String> =
        stand_ins.iter().map(|(from, to)| format!("-ffile-prefix-map={from}={to}")).collect();
    let mut cargo = process::host_cargo();
    cargo
        .args(["build", "--locked", "--package", "pulse53", "--profile", PROFILE])
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("CFLAGS", c_flags.join(" "))
        .env_remove("CARGO_TARGET_DIR");
    process::show(&mut cargo)?;
    split(&workspace::root().join("target").join(PROFILE))
}

/// Parts a program from its symbols.
fn split(directory: &Path) -> Result<Binary> {
    let whole = directory.join("pulse53");
    let (program, symbols) = (directory.join("pulse53.stripped"), directory.join("pulse53.debug"));
    let objcopy = |arguments: &[&str], paths: [&Path; 2]| {
        process::capture(Command::new("objcopy").args(arguments).args(paths))
    };
    objcopy(&["--only-keep-debug", "--compress-debug-sections"], [&whole, &symbols])?;
    objcopy(&["--strip-all", "--remove-section=.comment"], [&whole, &program])?;
    let link = format!("--add-gnu-debuglink={}", symbols.display());
    process::capture(Command::new("objcopy").arg(link).arg(&program))?;
    let notes = process::capture(Command::new("readelf").arg("--notes").arg(&program))?;
    let build_id = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: "));
    let build_id = build_id.with_context(|| format!("{} has no build id", program.display()))?.to_owned();
    Ok(Binary { program, symbols, build_id })
}
