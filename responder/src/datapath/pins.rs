//! The directory of the pins: what outlives the agent, and what other tools look at.
//!
//! It is held open. A BPF file system is root's alone on most machines, so an agent that is not root any more could not name a path in it,
//! but it can go on from what it has open.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::attach::{AttachError, is_link};
use crate::privileges::Account;

/// A directory in a BPF file system.
#[derive(Debug)]
pub struct PinDir {
    path: PathBuf,
    held: OwnedFd,
}

impl PinDir {
    /// Makes the directory if there is none, if it lies in a BPF file system; with what is pinned in it, it is the account's then.
    pub fn prepare(path: &Path, account: Option<&Account>) -> Result<Self, AttachError> {
        let failed = |error: io::Error| AttachError::PinDir(path.to_owned(), error);
        let existing = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
        let statistics = nix::sys::statfs::statfs(existing).map_err(|error| failed(error.into()))?;
        if statistics.filesystem_type() != nix::sys::statfs::BPF_FS_MAGIC {
            return Err(AttachError::NotBpffs(path.to_owned()));
        }
        std::fs::create_dir_all(path).map_err(failed)?;
        if let Some(account) = account {
            account.give(path).map_err(failed)?;
            for entry in std::fs::read_dir(path).map_err(failed)? {
                account.give(&entry.map_err(failed)?.path()).map_err(failed)?;
            }
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let held = open(path, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
        Ok(Self { path: path.to_owned(), held })
    }

    /// The path by which a pin is opened, made and removed.
    pub fn reach(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.held.as_raw_fd())).join(name)
    }

    /// The path by which people know a pin.
    pub fn told(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes the pins of program and maps, and the directory if it is empty then and may be removed.
    pub fn clear(&self) -> Result<(), AttachError> {
        let failed = |error: io::Error| AttachError::PinDir(self.path.clone(), error);
        for entry in std::fs::read_dir(self.reach("")).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let name = name.to_string_lossy();
            if !is_link(&name) {
                std::fs::remove_file(self.reach(&name)).map_err(failed)?;
            }
        }
        // Links of interfaces that are not configured any more may be left; they are not ours to cut.
        let _: io::Result<()> = std::fs::remove_dir(&self.path);
        Ok(())
    }
}
