//! The guest's files: an initramfs, written as a cpio archive, so that neither root nor an image file is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use cpio::NewcBuilder;

use crate::process;

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const CONSOLE: u32 = 0o020_600;

/// Files by their path in the guest.
#[derive(Default)]
pub struct Image {
    files: BTreeMap<PathBuf, Vec<u8>>,
    directories: BTreeSet<PathBuf>,
    /// Where shared libraries lie.
    libraries: BTreeSet<PathBuf>,
}

impl Image {
    /// What every guest has: a shell, and places to mount things.
    pub fn for_guest() -> Result<Self> {
        let mut image = Self::default();
        for directory in ["/dev", "/proc", "/sys", "/run", "/tmp", "/modules"] {
            image.make_directory(directory.as_ref());
        }
        image.copy("/bin/busybox".as_ref())?;
        Ok(image)
    }

    /// Contents, at an absolute path.
    pub fn add(&mut self, path: &Path, octets: impl Into<Vec<u8>>) {
        path.ancestors().skip(1).for_each(|directory| self.make_directory(directory));
        self.files.insert(path.to_owned(), octets.into());
    }

    /// A file of this machine, at the same path.
    pub fn copy(&mut self, path: &Path) -> Result<()> {
        let octets = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        self.add(path, octets);
        Ok(())
    }

    /// All plain files of a directory, at the same path.
    pub fn copy_directory(&mut self, directory: &Path) -> Result<()> {
        let entries =
            std::fs::read_dir(directory).with_context(|| format!("listing {}", directory.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_file() {
                self.copy(&path)?;
            }
        }
        Ok(())
    }

    /// A program made of one of this machine's, with the libraries that one is linked with, at the paths they have here.
    pub fn add_linked(&mut self, inside: &Path, octets: Vec<u8>, here: &Path) -> Result<()> {
        for library in libraries(here)? {
            if !self.files.contains_key(&library) {
                self.copy(&library)?;
                self.libraries.extend(library.parent().map(Path::to_owned));
            }
        }
        self.add(inside, octets);
        Ok(())
    }

    /// A tool of this machine's; whether it is installed.
    pub fn add_tool(&mut self, name: &str) -> Result<bool> {
        let found =
            SEARCHED.iter().map(|directory| Path::new(directory).join(name)).find(|tool| tool.is_file());
        let Some(tool) = found else { return Ok(false) };
        let octets = std::fs::read(&tool).with_context(|| format!("reading {}", tool.display()))?;
        self.add_linked(&tool, octets, &tool)?;
        Ok(true)
    }

    fn make_directory(&mut self, path: &Path) {
        self.directories.insert(path.to_owned());
    }

    /// Where the guest finds shared libraries, parted by colons.
    pub fn library_path(&self) -> String {
        let directories: Vec<String> = self.libraries.iter().map(|path| path.display().to_string()).collect();
        directories.join(":")
    }

    /// Writes the archive into a file.
    pub fn write_to(&self, path: &Path) -> Result<()> {
        let file = std::fs::File::create(path).with_context(|| format!("making {}", path.display()))?;
        self.write(std::io::BufWriter::new(file))
    }

    /// Writes the archive in the format that kernels unpack (Documentation/driver-api/early-userspace/buffer-format.rst).
    fn write(&self, mut out: impl Write) -> Result<()> {
        let name = |path: &Path| path.strip_prefix("/").unwrap_or(path).display().to_string();
        for directory in self.directories.iter().filter(|directory| *directory != Path::new("/")) {
            NewcBuilder::new(&name(directory)).mode(DIRECTORY).nlink(2).write(&mut out, 0).finish()?;
        }
        // The kernel opens it before anything is mounted.
        let console = NewcBuilder::new("dev/console").mode(CONSOLE).rdev_major(5).rdev_minor(1);
        console.write(&mut out, 0).finish()?;
        for (path, octets) in &self.files {
            let size = u32::try_from(octets.len()).context("a file too large for an initramfs")?;
            let mut file = NewcBuilder::new(&name(path)).mode(PROGRAM).write(&mut out, size);
            file.write_all(octets)?;
            file.finish()?;
        }
        cpio::newc::trailer(out)?.flush().context("writing the initramfs")
    }
}

/// Where the guest looks for programs.
pub const SEARCHED: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The libraries that the loader would load, and the loader itself.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let is_static = !process::succeeds(Command::new("ldd").arg(program));
    if is_static {
        return Ok(Vec::new());
    }
    let said = process::capture(Command::new("ldd").env("LC_ALL", "C").arg(program))?;
    Ok(said.lines().filter_map(library).collect())
}

/// The path in a line of ldd: `libc.so.6 => /lib/…/libc.so.6 (0x…)` or `/lib64/ld-linux-x86-64.so.2 (0x…)`.
fn library(line: &str) -> Option<PathBuf> {
    let (_, path) = line.split_once("=> ").unwrap_or(("", line));
    let path = path.trim().split(" (").next()?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_in_what_ldd_says() {
        let said = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x00007f)\n\t/lib64/ld.so.2 (0x0)\n";
        let found: Vec<_> = said.lines().filter_map(library).collect();
        assert_eq!(found, [Path::new("/lib/x/libc.so.6"), Path::new("/lib64/ld.so.2")]);
    }

    #[test]
    fn an_archive_holds_files_after_their_directories() {
        let mut image = Image::default();
        image.add(Path::new("/a/b"), "contents");
        let mut archive = Vec::new();
        image.write(&mut archive).unwrap();
        let mut names = Vec::new();
        let mut rest = &archive[..];
        loop {
            let mut reader = cpio::NewcReader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            names.push(reader.entry().name().to_owned());
            if names.last().is_some_and(|name| name == "a/b") {
                let mut octets = Vec::new();
                std::io::Read::read_to_end(&mut reader, &mut octets).unwrap();
                assert_eq!(octets, b"contents");
            }
            rest = reader.finish().unwrap();
        }
        assert_eq!(names, ["a", "dev/console", "a/b"]);
    }
}
