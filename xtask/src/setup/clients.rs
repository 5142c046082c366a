//! The clients of Route 53 that tests drive: a Python environment of their own, outside the repository, with what
//! `tests/clients/requirements.txt` pins.
//!
//! Nothing is built with them, so that a machine without them still tests everything else: those tests count as skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{process, workspace};

/// What the environment must hold; a copy in it says that it does.
const REQUIREMENTS: &str = "requirements.txt";

fn directory() -> Result<PathBuf> {
    Ok(workspace::cache()?.join("clients"))
}

fn requirements() -> PathBuf {
    workspace::root().join("tests/clients").join(REQUIREMENTS)
}

/// The environment, if it is complete and of the versions pinned now.
pub fn find() -> Result<Option<PathBuf>> {
    let directory = directory()?;
    let path = requirements();
    let wanted = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let is_complete = std::fs::read(directory.join(REQUIREMENTS)).is_ok_and(|found| found == wanted);
    // The interpreter it was made with may have been removed since.
    let runs = || process::succeeds(Command::new(python(&directory)).args(["-c", "import boto3"]));
    Ok(Some(directory.clone()).filter(|_| is_complete && runs()))
}

fn python(directory: &Path) -> PathBuf {
    directory.join("bin/python")
}

/// Makes the environment anew.
pub fn install() -> Result<PathBuf> {
    let directory = directory()?;
    process::behind_spinner(
        "making a Python environment for the clients that tests drive",
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&directory),
    )
    .context("python3 cannot make environments: install python3 and python3-venv")?;
    let quietly = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    process::behind_spinner(
        "installing boto3, the AWS CLI, octoDNS and certbot",
        Command::new(python(&directory)).args(quietly).arg(requirements()),
    )
    .context("pip failed: check the network and pip's settings")?;
    let copy = directory.join(REQUIREMENTS);
    std::fs::copy(requirements(), &copy).with_context(|| format!("writing {}", copy.display()))?;
    Ok(directory)
}
