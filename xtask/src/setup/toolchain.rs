//! The compiler for the kernel half: the pinned toolchain with its library's source, else the distribution's.
//!
//! The pinned one compiles `core` for BPF itself and so needs `rust-src`. Where rustup cannot fetch that, the
//! distribution's web toolchain brings a `core` that is compiled already.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::packages::Apt;
use crate::{process, workspace};

pub const TARGET: &str = "bpfel-unknown-none";

/// The LLVM of the pinned toolchain; bpf-linker's must not be older.
pub const PINNED_LLVM: u32 = 22;

/// The distribution's compiler, and its `core` for BPF.
const DISTRIBUTION_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf"];
const DISTRIBUTION_CARGO: &str = "/usr/bin/cargo";
const DISTRIBUTION_RUSTC: &str = "/usr/bin/rustc";

/// A toolchain that can compile for BPF.
pub struct Toolchain {
    origin: Origin,
    /// The major version of the LLVM in it.
    pub llvm: u32,
}

enum Origin {
    Pinned { version: String },
    Distribution,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Pinned { version } => write!(out, "rust-src for Rust {version}"),
            Origin::Distribution => write!(out, "the distribution's Rust with core for BPF (rustc-web)"),
        }
    }
}

impl Toolchain {
    /// Its cargo, in an environment free of what the calling cargo and rustup have set for this program: both name
    /// the wrong compiler, and host flags have no business in a BPF object.
    pub fn cargo(&self) -> Command {
        let mut command = match &self.origin {
            Origin::Pinned { version } => {
                let mut command = Command::new("rustup");
                command.args(["run", version, "cargo"]);
                command
            }
            Origin::Distribution => Command::new(DISTRIBUTION_CARGO),
        };
        process::forget_own_package(&mut command).current_dir(workspace::root());
        for name in [
            "CARGO",
            "CARGO_BUILD_RUSTC",
            "CARGO_BUILD_RUSTC_WRAPPER",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "LD_LIBRARY_PATH",
            "RUSTC",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
        ] {
            command.env_remove(name);
        }
        if let Origin::Distribution = self.origin {
            command.env("RUSTC", DISTRIBUTION_RUSTC);
        }
        command
    }

    /// The arguments that make its cargo build for BPF, `core` included.
    pub fn bpf_arguments(&self) -> &'static [&'static str] {
        match self.origin {
            Origin::Pinned { .. } => &["-Z", "build-std=core", "--target", TARGET],
            Origin::Distribution => &["--target", TARGET],
        }
    }

    /// The distribution's toolchain brings no clippy.
    pub fn has_clippy(&self) -> bool {
        matches!(self.origin, Origin::Pinned { .. })
    }
}

/// The toolchain to use, if one is ready.
pub fn find() -> Result<Option<Toolchain>> {
    Ok(find_pinned(&workspace::pinned_toolchain()?).or_else(find_distribution))
}

fn find_pinned(version: &str) -> Option<Toolchain> {
    let rustc = || {
        let mut command = Command::new("rustup");
        command.args(["run", version, "rustc"]);
        command
    };
    let sysroot = process::capture(rustc().args(["--print", "sysroot"])).ok()?;
    let core = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core");
    core.is_dir().then_some(())?;
    Some(Toolchain { origin: Origin::Pinned { version: version.to_owned() }, llvm: PINNED_LLVM })
}

fn find_distribution() -> Option<Toolchain> {
    let rustc = || Command::new(DISTRIBUTION_RUSTC);
    Path::new(DISTRIBUTION_CARGO).exists().then_some(())?;
    let directory = process::capture(rustc().args(["--print", "target-libdir", "--target", TARGET])).ok()?;
    let has_core = std::fs::read_dir(directory.trim())
        .ok()?
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore"));
    has_core.then_some(())?;
    let version = process::capture(rustc().arg("-vV")).ok()?;
    Some(Toolchain { origin: Origin::Distribution, llvm: llvm_major(&version)? })
}

/// `LLVM version: 22.1.2` in what `rustc -vV` says.
fn llvm_major(version: &str) -> Option<u32> {
    version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?.split('.').next()?.parse().ok()
}

/// Gets `rust-src` from rustup or, failing that, the distribution's toolchain.
pub fn install(apt: &mut Apt) -> Result<Toolchain> {
    let version = workspace::pinned_toolchain()?;
    let from_rustup = install_source(&version).and_then(|()| {
        find_pinned(&version)
            .with_context(|| format!("rust-src is installed, yet Rust {version} has no core"))
    });
    let refused = match from_rustup {
        Ok(toolchain) => return Ok(toolchain),
        Err(error) => error,
    };
    println!("  failed     rust-src for Rust {version}: {refused:#}");
    println!("             trying the distribution's Rust instead");
    let packages = DISTRIBUTION_PACKAGES.map(str::to_owned);
    let advice = || {
        format!(
            "no compiler for BPF: neither could rustup add rust-src to Rust {version} (see above), nor does this \
             distribution offer {}; with a network that reaches rustup's server, run `rustup component add \
             rust-src --toolchain {version}`",
            DISTRIBUTION_PACKAGES.join(" ")
        )
    };
    if !apt.offers(&packages)? {
        anyhow::bail!(advice());
    }
    apt.install(&packages)?;
    find_distribution().with_context(advice)
}

fn install_source(version: &str) -> Result<()> {
    let have_toolchain = process::succeeds(Command::new("rustup").args(["run", version, "rustc", "-V"]));
    let mut command = Command::new("rustup");
    if have_toolchain {
        command.args(["component", "add", "rust-src", "--toolchain", version]);
    } else {
        command.args(["toolchain", "install", version, "--profile", "minimal", "--component", "rust-src"]);
    }
    process::behind_spinner(&format!("adding rust-src to Rust {version}"), &mut command)
}

#[cfg(test)]
mod tests {
    #[test]
    fn llvm_is_read_from_the_compilers_version() {
        let said =
            "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        assert_eq!(super::llvm_major(said), Some(22));
    }
}
