//! bpf-linker: built once a user, against the LLVM that was set up, and kept outside the repository.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::packages::{llvm_prefix, newest_llvm};
use super::toolchain::Toolchain;
use crate::{process, workspace};

pub const VERSION: &str = "0.13.0";

/// A bpf-linker that runs.
pub struct Linker {
    /// rustc finds bpf-linker by PATH alone: put this in front of it.
    pub directory: PathBuf,
    origin: Origin,
}

enum Origin {
    Built { llvm: u32 },
    OnPath,
}

impl Linker {
    /// One that the reader brought along needs no LLVM of the distribution's.
    pub fn is_from_path(&self) -> bool {
        matches!(self.origin, Origin::OnPath)
    }
}

impl fmt::Display for Linker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directory = self.directory.display();
        match self.origin {
            Origin::Built { llvm } => write!(out, "bpf-linker {VERSION} with LLVM {llvm} in {directory}"),
            Origin::OnPath => write!(out, "bpf-linker on PATH, in {directory}"),
        }
    }
}

fn root(llvm: u32) -> Result<PathBuf> {
    // Version and LLVM are in the name: after an upgrade of either, the old build is not taken for the new.
    Ok(workspace::cache()?.join(format!("bpf-linker-{VERSION}-llvm{llvm}")))
}

/// The one built earlier if it still runs (its LLVM is a shared library that may have been removed since), else one
/// on PATH: where a distribution has no new LLVM, a ready-made bpf-linker is the way out.
pub fn find(llvm_at_least: u32) -> Result<Option<Linker>> {
    for llvm in llvm_at_least..=newest_llvm() {
        let directory = root(llvm)?.join("bin");
        if version(&directory).is_some_and(|version| version == VERSION) {
            return Ok(Some(Linker { directory, origin: Origin::Built { llvm } }));
        }
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::split_paths(&path)
        .find(|directory| version(directory).is_some_and(|version| is_new_enough(&version)))
        .map(|directory| Linker { directory, origin: Origin::OnPath }))
}

fn version(directory: &Path) -> Option<String> {
    let program = directory.join("bpf-linker");
    program.exists().then_some(())?;
    let said = process::capture(Command::new(program).arg("--version")).ok()?;
    Some(said.trim().rsplit(' ').next()?.to_owned())
}

/// At least the minor version that is pinned; its LLVM cannot be asked for, only seen to fail.
fn is_new_enough(version: &str) -> bool {
    let minor = |version: &str| -> Option<(u32, u32)> {
        let mut parts = version.split('.').map(|part| part.parse().ok());
        Some((parts.next()??, parts.next()??))
    };
    minor(version) >= minor(VERSION)
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
    if version(&directory).is_none() {
        bail!(
            "bpf-linker was built but does not run: try `{} --version`",
            directory.join("bpf-linker").display()
        );
    }
    Ok(Linker { directory, origin: Origin::Built { llvm } })
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, new_enough) in
            [("0.13.0", true), ("0.14.1", true), ("1.0.0", true), ("0.9.15", false), ("x", false)]
        {
            assert_eq!(super::is_new_enough(version), new_enough, "{version}");
        }
    }
}
