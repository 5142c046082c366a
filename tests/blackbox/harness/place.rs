//! A directory of a site's own, with a BPF file system in it: unmounting that removes every pin, whoever made it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::command::{succeed, try_quietly};
use super::network::is_alive;

const DIRECTORY: &str = "/run";
const PREFIX: &str = "pulse53-test-";

/// Removed, with all in it, when dropped.
#[derive(Debug)]
pub struct Place {
    root: PathBuf,
}

impl Place {
    /// A place no other test has; `id` begins with the id of this process and a hyphen.
    pub fn make(id: &str) -> Self {
        let place = Self { root: Path::new(DIRECTORY).join(format!("{PREFIX}{id}")) };
        std::fs::create_dir_all(mount(&place.root)).expect("a directory can be made");
        succeed(Command::new("mount").args(["-t", "bpf", "pulse53"]).arg(mount(&place.root)));
        place
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes a file as editors do: the old one or the new one is there, never a part.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let draft = self.root.join(format!(".{name}.draft"));
        std::fs::write(&draft, contents).expect("a file can be written");
        std::fs::rename(draft, self.file(name)).expect("a file can be renamed");
    }

    /// Where the agent pins.
    pub fn pins(&self) -> PathBuf {
        mount(&self.root).join("pulse53")
    }

    /// Lets root alone into the BPF file system, as systemd mounts it.
    pub fn hide_pins(&self) {
        let only_root = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(mount(&self.root), only_root).expect("permissions can be set");
    }

    /// What is pinned, however deep.
    pub fn pinned(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.pins()).into_iter().flatten();
        entries.map(|entry| entry.expect("pins can be listed").path()).collect()
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
    try_quietly(Command::new("umount").arg(mount(root)));
    let _ = std::fs::remove_dir_all(root);
}

/// Removes the places of test runs that were killed.
pub fn sweep() {
    for entry in std::fs::read_dir(DIRECTORY).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().and_then(|name| name.strip_prefix(PREFIX)).is_some_and(|id| !is_alive(id)) {
            remove(&entry.path());
        }
    }
}
