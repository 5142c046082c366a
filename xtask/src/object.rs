//! The BPF object: compiled, linked, stripped, and laid where the agent's build script finds it.

use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::setup::{self, BpfTools};
use crate::{process, workspace};

/// The program that is shipped, and the load that it is measured with.
const PACKAGES: [&str; 2] = ["pulse53-fastpath", "pulse53-traffic"];
const PROGRAM: &str = "pulse53-xdp";
const LOAD: &str = "pulse53-traffic";
const TARGET: &str = "bpfel-unknown-none";
const PROFILE: &str = "bpf";

/// `--btf` keeps types and source lines for the verifier's log; unaligned loads stay single instructions.
const RUSTFLAGS: [&str; 3] =
    ["-Cdebuginfo=2", "-Clink-arg=--btf", "-Clink-arg=--cpu-features=+allows-misaligned-mem-access"];

/// Where the agent's build script looks for it. The directory is in the repository, the object is not.
pub fn path() -> PathBuf {
    workspace::root().join("responder/bpf").join(PROGRAM)
}

/// Where the load's object is left, which benches and tests read.
pub fn load_path() -> PathBuf {
    workspace::root().join("target/bpf").join(TARGET).join(PROFILE).join(LOAD)
}

/// Builds the object and writes it to `path()` if its bytes changed, so that nothing is recompiled needlessly. The load's stays where
/// cargo leaves it.
pub fn build(tools: &BpfTools) -> Result<()> {
    let mut cargo = cargo(tools, "build")?;
    cargo
        .args(PACKAGES.iter().flat_map(|package| ["--package", package]))
        .args(["--bin", PROGRAM, "--bin", LOAD]);
    run(&mut cargo)?;

    let mut linked = workspace::root().join("target/bpf").join(TARGET).join(PROFILE).join(PROGRAM);
    // DWARF is four fifths of the object and of no use to the kernel; BTF stays. Without the tool it is merely larger.
    if let Some(strip) = setup::llvm_tool("llvm-strip") {
        let stripped = linked.with_extension("stripped");
        process::capture(Command::new(strip).arg("-g").arg("-o").args([&stripped, &linked]))?;
        linked = stripped;
    }
    let object = std::fs::read(&linked).with_context(|| format!("reading {}", linked.display()))?;
    place(&object, &path())
}

/// Lints the kernel half as the kernel gets it: on the host its program module does not exist.
pub fn clippy(tools: &BpfTools) -> Result<()> {
    let mut cargo = cargo(tools, "clippy")?;
    cargo.args(PACKAGES.iter().flat_map(|package| ["--package", package])).args(["--", "--deny", "warnings"]);
    run(&mut cargo)
}

fn cargo(tools: &BpfTools, command: &str) -> Result<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        std::iter::once(tools.linker.directory.clone()).chain(std::env::split_paths(&path)),
    )
    .context("putting bpf-linker in front of PATH")?;
    // Source lines are in the object: they are to read the same wherever it is built.
    let stand_ins = workspace::stand_ins()?;
    let remapped = stand_ins.iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}"));
    let flags: Vec<String> = RUSTFLAGS.map(str::to_owned).into_iter().chain(remapped).collect();
    let mut cargo = tools.toolchain.cargo();
    cargo
        .arg(command)
        .args(["--profile", PROFILE])
        // Its own directory: no waiting for the host build's lock, and other flags rebuild nothing of it.
        .args(["--target-dir", "target/bpf"])
        .args(tools.toolchain.bpf_arguments())
        .env("PATH", path)
        // A stable compiler, but inline BPF assembly and a self-built core are unstable: the pin makes that sound.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    if std::io::stderr().is_terminal() {
        cargo.args(["--color", "always"]);
    }
    Ok(cargo)
}

/// Runs cargo in view, and watches what it says for the one failure whose message explains nothing.
fn run(cargo: &mut Command) -> Result<()> {
    let mut child = process::start(cargo.stderr(Stdio::piped()))?;
    let mut older_llvm = false;
    for line in BufReader::new(child.stderr.take().expect("stderr is piped")).split(b'\n') {
        let line = line.context("reading what cargo says")?;
        let line = String::from_utf8_lossy(&line);
        older_llvm |= line.contains("Invalid record");
        eprintln!("{line}");
    }
    let status = process::wait(&mut child)?;
    if older_llvm {
        bail!(
            "the kernel half was compiled by a newer LLVM than bpf-linker's (that is what `Invalid record` means): \
             build with the toolchain that rust-toolchain.toml pins, and run `cargo xtask setup`"
        );
    }
    if !status.success() {
        bail!("`{}` failed ({status})", process::typed(cargo));
    }
    Ok(())
}

fn place(object: &[u8], path: &Path) -> Result<()> {
    if std::fs::read(path).is_ok_and(|present| present == object) {
        return Ok(());
    }
    let directory = path.parent().expect("the object lies in a directory");
    std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    // Renamed into place: a build script running at this moment reads the old object or the new, not half of one.
    let draft = directory.join(format!(".{PROGRAM}.{}", std::process::id()));
    std::fs::write(&draft, object).with_context(|| format!("writing {}", draft.display()))?;
    std::fs::rename(&draft, path).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_object_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("object");
        place(b"one", &path).unwrap();
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        place(b"one", &path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
        place(b"two", &path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
