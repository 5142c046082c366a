//! What this machine lacks, and getting it: a BPF-capable Rust toolchain, the matching LLVM, bpf-linker, test tools.
//!
//! Looking is quick and changes nothing, so that every command can afford it. Installing goes in the order of
//! dependence: the toolchain decides which LLVM is new enough, and LLVM decides how bpf-linker is built.

mod clients;
mod linker;
mod packages;
mod toolchain;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};

pub use linker::Linker;
pub use packages::llvm_tool;
use packages::{
    Apt, Privilege, require_root, to_make_roots, to_measure, to_package, to_run_virtual_machines,
    without_llvm,
};
pub use toolchain::Toolchain;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask setup        list what is missing and ask before installing it\n  \
                        cargo xtask setup --yes  install without asking"
)]
pub struct Arguments {
    /// Install without asking (so it is, too, when standard input is no terminal)
    #[arg(long, short)]
    yes: bool,
}

/// May something be installed?
#[derive(Clone, Copy, PartialEq)]
pub enum Consent {
    Given,
    Ask,
}

impl Consent {
    pub fn from_flag(yes: bool) -> Self {
        if yes || !std::io::stdin().is_terminal() { Self::Given } else { Self::Ask }
    }
}

/// All that is needed to compile and link the kernel half.
pub struct BpfTools {
    pub toolchain: Toolchain,
    pub linker: Linker,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let consent = Consent::from_flag(arguments.yes);
    prepare(consent, Report::Everything)?;
    clients(consent, Report::Everything).map(drop)
}

/// The clients of Route 53 that tests drive; none, with the reason told, where they cannot be had. Silent when they are there.
pub fn ensure_clients(consent: Consent) -> Result<Option<PathBuf>> {
    clients(consent, Report::Changes)
}

fn clients(consent: Consent, report: Report) -> Result<Option<PathBuf>> {
    let item = "boto3, the AWS CLI, octoDNS and certbot";
    if let Some(found) = clients::find()? {
        report.present(item);
        return Ok(Some(found));
    }
    println!("missing:\n  {item} (pip)");
    agree(consent)?;
    match clients::install() {
        Ok(installed) => {
            report.installed(item);
            Ok(Some(installed))
        }
        Err(error) => {
            println!("  without    {item}; tests that drive them are skipped: {error:#}");
            Ok(None)
        }
    }
}

/// Sets the machine up if it is not; silent when there is nothing to do.
pub fn ensure(consent: Consent) -> Result<BpfTools> {
    prepare(consent, Report::Changes)
}

/// Sets up what runs virtual machines, which nothing else needs; silent when it is there.
pub fn ensure_virtual_machines(consent: Consent) -> Result<()> {
    ensure_packages(&to_run_virtual_machines(), consent)
}

/// Sets up the servers that are measured beside pulse53; silent when they are there.
pub fn ensure_peers(consent: Consent) -> Result<()> {
    ensure_packages(&to_measure(), consent)
}

/// Sets up what makes Debian packages; silent when it is there.
pub fn ensure_packaging(consent: Consent) -> Result<()> {
    ensure_packages(&to_package(), consent)
}

/// Sets up what makes and boots bare roots; silent when it is there.
pub fn ensure_roots(consent: Consent) -> Result<()> {
    ensure_packages(&to_make_roots(), consent)
}

fn ensure_packages(wanted: &[String], consent: Consent) -> Result<()> {
    let mut apt = Apt::new()?;
    let missing = apt.missing(wanted);
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing:\n  {} (apt-get)", missing.join(" "));
    agree(consent)?;
    apt.install(&missing)?;
    Report::Changes.installed(&missing.join(" "));
    Ok(())
}

/// The tools to build the kernel half if they are all here; otherwise an error that says how to get them.
pub fn bpf_tools() -> Result<BpfTools> {
    let Some(toolchain) = toolchain::find()? else {
        bail!("no Rust toolchain here can build for BPF (rust-src is missing): run `cargo xtask setup`");
    };
    let Some(linker) = linker::find(toolchain.llvm)? else {
        bail!("bpf-linker {} is missing: run `cargo xtask setup`", linker::VERSION);
    };
    Ok(BpfTools { toolchain, linker })
}

#[derive(Clone, Copy, PartialEq)]
enum Report {
    Everything,
    Changes,
}

impl Report {
    fn present(self, item: &str) {
        if self == Report::Everything {
            println!("  present    {item}");
        }
    }

    fn installed(self, item: &str) {
        println!("  installed  {item}");
    }
}

fn prepare(consent: Consent, report: Report) -> Result<BpfTools> {
    let toolchain = toolchain::find()?;
    let mut apt = Apt::new()?;
    let llvm = toolchain.as_ref().map_or(toolchain::PINNED_LLVM, |found| found.llvm);
    let linker = linker::find(llvm)?;
    let missing = apt.missing(&wanted(&apt, llvm, linker.as_ref()).0);

    if toolchain.is_none() || !missing.is_empty() || linker.is_none() {
        println!("missing:");
        if toolchain.is_none() {
            println!("  rust-src for Rust {} (rustup)", crate::workspace::pinned_toolchain()?);
        }
        if !missing.is_empty() {
            println!("  {} (apt-get)", missing.join(" "));
        }
        if linker.is_none() {
            println!("  bpf-linker {} (built by cargo; about two minutes)", linker::VERSION);
        }
        agree(consent)?;
        require_root(&missing)?;
    }

    let toolchain = match toolchain {
        Some(found) => {
            report.present(&found.to_string());
            found
        }
        None => {
            let installed = toolchain::install(&mut apt)?;
            report.installed(&installed.to_string());
            installed
        }
    };

    // Again, since the toolchain just installed may have another LLVM than the one expected.
    let linker = linker::find(toolchain.llvm)?;
    let (mut packages, mut llvm) = wanted(&apt, toolchain.llvm, linker.as_ref());
    if apt.missing(&packages).is_empty() {
        report.present(&packages.join(" "));
    } else {
        if linker.as_ref().is_none_or(|linker| !linker.is_from_path()) {
            (packages, llvm) = apt.available(toolchain.llvm)?;
        }
        let missing = apt.missing(&packages);
        apt.install(&missing)?;
        report.installed(&missing.join(" "));
    }

    let linker = match linker {
        Some(found) => {
            report.present(&found.to_string());
            found
        }
        None => {
            let built = linker::build(&toolchain, llvm)?;
            report.installed(&built.to_string());
            built
        }
    };
    Ok(BpfTools { toolchain, linker })
}

/// The packages to have, and the LLVM among them to build bpf-linker with.
fn wanted(apt: &Apt, llvm_at_least: u32, linker: Option<&Linker>) -> (Vec<String>, u32) {
    if linker.is_some_and(Linker::is_from_path) {
        (without_llvm().collect(), llvm_at_least)
    } else {
        apt.wanted(llvm_at_least)
    }
}

/// Asks whether what was just listed may be installed; an error if not.
pub fn agree(consent: Consent) -> Result<()> {
    if consent == Consent::Given {
        return Ok(());
    }
    if Privilege::of_this_user() == Privilege::SudoWithPassword {
        println!("(apt-get runs through sudo, which may ask for your password)");
    }
    print!("Install? [Y/n] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "" | "y" | "yes" => Ok(()),
        _ => bail!("nothing was installed, as you answered; without it this command cannot go on"),
    }
}
