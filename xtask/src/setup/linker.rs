//! bpf-linker: built once a user, against the LLVM that was set up, and kept outside the repository.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::packages::llvm_prefix;
use super::toolchain::Toolchain;
use crate::{process, workspace};

pub const VERSION: &str = "0.13.0";

/// A bpf-linker that runs.
pub struct Linker {
    /// rustc finds bpf-linker by PATH alone: put this in front of it.
    pub directory: PathBuf,
    pub llvm: u32,
}

impl fmt::Display for Linker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "bpf-linker {VERSION} with LLVM {} in {}", self.llvm, self.directory.display())
    }
}

fn root(llvm: u32) -> Result<PathBuf> {
    // Version and LLVM are in the name: after an upgrade of either, the old build is not taken for the new.
    Ok(workspace::cache()?.join(format!("bpf-linker-{VERSION}-llvm{llvm}")))
}

/// The one built earlier, if it still runs: its LLVM is a shared library that may have been removed since.
pub fn find(llvm_at_least: u32) -> Result<Option<Linker>> {
    for llvm in llvm_at_least..=super::packages::newest_llvm() {
        let directory = root(llvm)?.join("bin");
        if runs(&directory) {
            return Ok(Some(Linker { directory, llvm }));
        }
    }
    Ok(None)
}

fn runs(directory: &Path) -> bool {
    process::capture(Command::new(directory.join("bpf-linker")).arg("--version"))
        .is_ok_and(|version| version.trim().ends_with(VERSION))
}

pub fn build(toolchain: &Toolchain, llvm: u32) -> Result<Linker> {
    let root = root(llvm)?;
    let mut cargo = toolchain.cargo();
    cargo
        .args(["install", "bpf-linker", "--version", VERSION, "--locked", "--force"])
        .args(["--no-default-features", "--features", &format!("llvm-{llvm}"), "--root"])
        .arg(&root)
        .env("LLVM_PREFIX", llvm_prefix(llvm))
        // Its own target directory: cargo removes it afterwards, and the workspace's is not locked meanwhile.
        .env_remove("CARGO_TARGET_DIR");
    process::behind_spinner(&format!("building bpf-linker {VERSION}"), &mut cargo)
        .context("bpf-linker could not be built: check the network and the lines above, then run it again")?;
    let directory = root.join("bin");
    if !runs(&directory) {
        bail!(
            "bpf-linker was built but does not run: try `{} --version`",
            directory.join("bpf-linker").display()
        );
    }
    Ok(Linker { directory, llvm })
}
