//! What the guest gets of this repository: the test binaries, pulse53, the BPF object and the cases; and the tools they call.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::image::Image;
use crate::build::{self, Profile};
use crate::{object, process, setup, workspace};

/// The test binaries that need a kernel.
const BINARIES: [&str; 2] = ["kernel", "blackbox"];

/// What the tests call, at least.
const NEEDED: [&str; 5] = ["ip", "nsenter", "setpriv", "mount", "umount"];

/// What some tests call, which are skipped without it.
const USED: [&str; 4] = ["dig", "dnsperf", "ethtool", "kxdpgun"];

/// Where programs lie in the guest.
const PROGRAMS: &str = "/tests";

/// Built, and stripped of what only debuggers need.
#[derive(Debug)]
pub struct Payload {
    programs: Vec<(PathBuf, Vec<u8>, PathBuf)>,
}

/// Where a program of ours lies in the guest.
pub fn program(name: &str) -> PathBuf {
    Path::new(PROGRAMS).join(name)
}

impl Payload {
    /// Compiles the test binaries; pulse53 must have been built.
    pub fn build() -> Result<Self> {
        let mut cargo = process::host_cargo();
        cargo.args(["test", "--no-run", "--package", "pulse53-tests"]);
        cargo.args(["--message-format", "json-render-diagnostics"]);
        BINARIES.iter().for_each(|name| {
            cargo.args(["--test", name]);
        });
        let output = cargo.stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("starting `{}`", process::typed(&cargo)))?;
        if !output.status.success() {
            bail!("`{}` failed ({})", process::typed(&cargo), output.status);
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let mut programs = vec![(program("pulse53"), build::binary(Profile::Debug)?)];
        for name in BINARIES {
            let found = said.lines().find_map(|line| executable(line, name));
            programs.push((program(name), found.with_context(|| format!("cargo has built no test {name}"))?));
        }
        let programs = programs.into_iter().map(|(inside, here)| Ok((inside, stripped(&here)?, here)));
        Ok(Self { programs: programs.collect::<Result<_>>()? })
    }

    /// Puts everything into the guest's files.
    pub fn add_to(&self, image: &mut Image) -> Result<()> {
        for (inside, octets, here) in &self.programs {
            image.add_linked(inside, octets.clone(), here)?;
        }
        image.copy(&object::path())?;
        image.copy(&object::load_path())?;
        image.copy_directory(&workspace::root().join("tests/cases"))?;
        for tool in NEEDED {
            if !image.add_tool(tool)? {
                bail!("the tests need {tool}, which is not installed: run `cargo xtask setup`");
            }
        }
        for tool in USED {
            image.add_tool(tool)?;
        }
        image.add("/etc/passwd".as_ref(), "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n");
        image.add("/etc/group".as_ref(), "root:x:0:\nnogroup:x:65534:\n");
        image.add("/etc/hosts".as_ref(), "127.0.0.1 localhost\n::1 localhost\n");
        Ok(())
    }
}

/// The executable in a line of cargo's, if it is this test's.
fn executable(line: &str, test: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let target = &message["target"];
    let is_it = target["name"] == test && target["kind"].as_array()?.iter().any(|kind| kind == "test");
    is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
}

/// A program without what only debuggers read: that is most of it, and the guest would hold it in memory.
fn stripped(path: &Path) -> Result<Vec<u8>> {
    let directory = workspace::root().join("target/vm");
    std::fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    let strip = setup::llvm_tool("llvm-strip").unwrap_or_else(|| "strip".into());
    let draft = directory.join(format!("stripped-{}", std::process::id()));
    process::capture(Command::new(strip).arg("-g").arg("-o").args([&draft, path]))?;
    let octets = std::fs::read(&draft).with_context(|| format!("reading {}", draft.display()))?;
    std::fs::remove_file(&draft).with_context(|| format!("removing {}", draft.display()))?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_in_what_cargo_says() {
        let line = r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"kernel"},"executable":"/t/kernel-1"}"#;
        assert_eq!(executable(line, "kernel"), Some("/t/kernel-1".into()));
        assert_eq!(executable(line, "blackbox"), None);
        assert_eq!(executable("{\"reason\":\"build-finished\"}", "kernel"), None);
    }
}
