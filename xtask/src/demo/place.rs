//! A run's directory: the agent's data, its log, and a BPF file system of its own for pinned maps.
//!
//! A file system mounted for this run, rather than a directory in the machine's: it exists on machines that mount
//! none, and when it is unmounted every pin in it is gone, whoever made it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::network::is_alive;
use crate::process;

const DIRECTORY: &str = "/run";
const PREFIX: &str = "pulse53-demo-";

/// Removed, with all in it, when dropped.
pub struct Place {
    root: PathBuf,
}

impl Place {
    pub fn make(id: u32) -> Result<Self> {
        let place = Self { root: Path::new(DIRECTORY).join(format!("{PREFIX}{id}")) };
        for directory in [place.data(), place.mount()] {
            std::fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
        }
        process::capture(Command::new("mount").args(["-t", "bpf", "pulse53"]).arg(place.mount())).context(
            "mounting a BPF file system: the kernel needs CONFIG_BPF_SYSCALL, and root the right to mount",
        )?;
        Ok(place)
    }

    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Below the top of the file system, where the kernel keeps files of its own.
    pub fn pins(&self) -> PathBuf {
        self.mount().join("pulse53")
    }

    fn mount(&self) -> PathBuf {
        mount(&self.root)
    }

    /// Where the agent says that it is ready (sd_notify).
    pub fn notify(&self) -> PathBuf {
        self.root.join("notify")
    }

    pub fn log(&self) -> PathBuf {
        self.root.join("pulse53.log")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        remove(&self.root);
    }
}

fn mount(root: &Path) -> PathBuf {
    root.join("bpf")
}

fn remove(root: &Path) {
    // Nothing useful can be done about a failure here, and the directory may be half made.
    process::succeeds(Command::new("umount").arg(mount(root)));
    let _ = std::fs::remove_dir_all(root);
}

/// Removes what runs have left whose process no longer exists.
pub fn sweep() {
    for entry in std::fs::read_dir(DIRECTORY).into_iter().flatten().flatten() {
        if let Some(id) = entry.file_name().to_str().and_then(|name| name.strip_prefix(PREFIX))
            && id.parse().is_ok_and(|id| !is_alive(id))
        {
            remove(&entry.path());
        }
    }
}
