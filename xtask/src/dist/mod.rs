//! `cargo xtask dist`: what is shipped, made so that the same sources give the same octets.
//!
//! `binary` compiles and splits the symbols off, `deb` lays a tree out for dpkg-deb, `image` writes a container image without asking any
//! daemon, `trial` installs and runs both in a bare Debian root.

mod binary;
mod deb;
mod image;
mod trial;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::setup::{self, Consent};
use crate::{process, workspace};
use binary::Binary;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask dist            target/packages: two .deb files and an OCI archive\n  \
                        sudo -E cargo xtask dist --test\n                              and install and run them in a bare Debian root\n\n\
                        SOURCE_DATE_EPOCH is the time of everything inside; without it that of the last commit."
)]
pub struct Arguments {
    /// Install and run what was made in a root of Debian's own, under systemd; takes root
    #[arg(long)]
    test: bool,

    /// Install what is missing without asking
    #[arg(long, short)]
    yes: bool,
}

/// What is shipped.
pub struct Packages {
    pub deb: PathBuf,
    pub symbols: PathBuf,
    pub image: PathBuf,
}

/// Whether all is well.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let begun = Instant::now();
    let consent = Consent::from_flag(arguments.yes);
    let tools = setup::ensure(consent)?;
    setup::ensure_packaging(consent)?;
    if arguments.test {
        trial::require_root()?;
        setup::ensure_roots(consent)?;
    }
    let time = source_time()?;
    let binary = binary::build(&tools)?;
    let directory = workspace::root().join("target/packages");
    let packages = pack(&binary, time, &directory)?;
    for package in [&packages.deb, &packages.symbols, &packages.image] {
        let size =
            std::fs::metadata(package).with_context(|| format!("reading {}", package.display()))?.len();
        println!("  {}  {:.1} MiB", package.display(), size as f64 / 1_048_576.0);
    }
    println!("made in {} s", begun.elapsed().as_secs());
    if !arguments.test {
        return Ok(true);
    }
    is_the_same_again(&binary, time, &packages, &directory.join("again"))?;
    trial::run(&packages)
}

fn pack(binary: &Binary, time: u64, directory: &Path) -> Result<Packages> {
    std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let tree = deb::Tree::lay_out(binary, &directory.join("tree"))?;
    let (deb, symbols) = tree.pack(binary, time, directory)?;
    let image = image::write(binary, time, directory)?;
    Ok(Packages { deb, symbols, image })
}

/// Fails unless everything comes out octet for octet as before.
fn is_the_same_again(binary: &Binary, time: u64, before: &Packages, directory: &Path) -> Result<()> {
    let again = pack(binary, time, directory)?;
    let pairs = [(&before.deb, &again.deb), (&before.symbols, &again.symbols), (&before.image, &again.image)];
    for (before, again) in pairs {
        process::capture(Command::new("cmp").args([before, again]))
            .context("packed twice, it differs: something in it depends on when or where it was made")?;
    }
    std::fs::remove_dir_all(directory).with_context(|| format!("removing {}", directory.display()))?;
    println!("packed twice, it is the same");
    Ok(())
}

/// Seconds since 1970 that all files get: SOURCE_DATE_EPOCH, or when the last commit was made.
fn source_time() -> Result<u64> {
    let told = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(told) => told,
        Err(_) => process::capture(
            Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(workspace::root()),
        )
        .context("without git set SOURCE_DATE_EPOCH")?,
    };
    told.trim()
        .parse()
        .with_context(|| format!("SOURCE_DATE_EPOCH is {told:?}, which is no number of seconds"))
}
