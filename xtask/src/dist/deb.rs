//! The Debian packages: a tree laid out as it will be installed, and dpkg-deb.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};

use super::binary::Binary;
use crate::{process, workspace};

const MAINTAINER: &str = "pulse53 authors <pulse53@localhost>";

/// Scripts of the package.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Shells, the file that each finds completions in, and what `pulse53 completions` calls it.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/pulse53"),
    ("zsh", "usr/share/zsh/vendor-completions/_pulse53"),
    ("fish", "usr/share/fish/vendor_completions.d/pulse53.fish"),
];

/// What is installed as it lies in the repository.
const FILES: [(&str, &str); 4] = [
    ("packaging/pulse53.service", "usr/lib/systemd/system/pulse53.service"),
    ("packaging/pulse53.toml", "etc/pulse53/pulse53.toml"),
    ("examples/prometheus/pulse53.rules.yml", "usr/share/doc/pulse53/examples/pulse53.rules.yml"),
    ("examples/grafana/pulse53.json", "usr/share/doc/pulse53/examples/grafana.json"),
];

/// The trees of both packages.
pub struct Tree {
    root: PathBuf,
    symbols: PathBuf,
}

impl Tree {
    /// Writes everything that will be installed.
    pub fn lay_out(binary: &Binary, directory: &Path) -> Result<Self> {
        if directory.exists() {
            std::fs::remove_dir_all(directory)
                .with_context(|| format!("removing {}", directory.display()))?;
        }
        let tree = Self { root: directory.join("pulse53"), symbols: directory.join("pulse53-dbgsym") };
        let root = &tree.root;
        copy(&binary.program, &root.join("usr/bin/pulse53"), 0o755)?;
        for (from, to) in FILES {
            copy(&workspace::root().join(from), &root.join(to), 0o644)?;
        }
        for (shell, file) in COMPLETIONS {
            let script = process::capture(Command::new(&binary.program).args(["completions", shell]))?;
            write(&root.join(file), script.as_bytes(), 0o644)?;
        }
        tree.manual(binary, directory)?;
        let documentation = root.join("usr/share/doc/pulse53");
        write(&documentation.join("copyright"), &copyright()?, 0o644)?;
        let changelog = read(&workspace::root().join("responder/CHANGELOG.md"))?;
        write(&documentation.join("changelog.gz"), &compressed(&changelog)?, 0o644)?;

        let (first, rest) = binary.build_id.split_at(2);
        let symbols = format!("usr/lib/debug/.build-id/{first}/{rest}.debug");
        copy(&binary.symbols, &tree.symbols.join(symbols), 0o644)?;
        Ok(tree)
    }

    /// A page a command.
    fn manual(&self, binary: &Binary, directory: &Path) -> Result<()> {
        let pages = directory.join("manual");
        std::fs::create_dir_all(&pages).with_context(|| format!("making {}", pages.display()))?;
        process::capture(Command::new(&binary.program).arg("manual").arg(&pages))?;
        for page in files(&pages)? {
            let name = page.file_name().context("a page has a name")?.to_string_lossy().into_owned();
            let page = compressed(&read(&page)?)?;
            write(&self.root.join("usr/share/man/man1").join(name + ".gz"), &page, 0o644)?;
        }
        Ok(())
    }

    /// Makes the packages of the program and of its symbols.
    pub fn pack(&self, binary: &Binary, time: u64, directory: &Path) -> Result<(PathBuf, PathBuf)> {
        let architecture = process::capture(Command::new("dpkg").arg("--print-architecture"))?;
        let fill = |control: &str, tree: &Path, depends: &str| -> Result<String> {
            Ok(control
                .replace("@version@", env!("CARGO_PKG_VERSION"))
                .replace("@architecture@", architecture.trim())
                .replace("@maintainer@", MAINTAINER)
                .replace("@kibibytes@", &kibibytes(tree)?.to_string())
                .replace("@build-id@", &binary.build_id)
                .replace("@depends@", depends))
        };
        let depends = libraries(&binary.program, directory)?;
        let control = fill(include_str!("../../../packaging/debian/control"), &self.root, &depends)?;
        write(&self.root.join("DEBIAN/control"), control.as_bytes(), 0o644)?;
        write(&self.root.join("DEBIAN/conffiles"), b"/etc/pulse53/pulse53.toml\n", 0o644)?;
        for script in SCRIPTS {
            let from = workspace::root().join("packaging/debian").join(script);
            copy(&from, &self.root.join("DEBIAN").join(script), 0o755)?;
        }
        let control = fill(include_str!("../../../packaging/debian/control-dbgsym"), &self.symbols, "")?;
        write(&self.symbols.join("DEBIAN/control"), control.as_bytes(), 0o644)?;
        let name = |package: &str| {
            directory.join(format!("{package}_{}_{}.deb", env!("CARGO_PKG_VERSION"), architecture.trim()))
        };
        let (deb, symbols) = (name("pulse53"), name("pulse53-dbgsym"));
        pack(&self.root, &deb, time)?;
        pack(&self.symbols, &symbols, time)?;
        Ok((deb, symbols))
    }
}

fn pack(tree: &Path, deb: &Path, time: u64) -> Result<()> {
    let installed = |path: &&PathBuf| !path.starts_with(tree.join("DEBIAN"));
    let mut sums = Command::new("md5sum");
    sums.current_dir(tree);
    for path in files(tree)?.iter().filter(installed) {
        sums.arg(path.strip_prefix(tree).context("files of a tree lie in it")?);
    }
    let sums = process::capture(&mut sums)?;
    write(&tree.join("DEBIAN/md5sums"), sums.as_bytes(), 0o644)?;
    // One thread: with more, the compressed octets depend on how many there are.
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "-Zxz", "--threads-max=1", "--build"]).args([tree, deb]);
    process::capture(build.env("SOURCE_DATE_EPOCH", time.to_string())).map(drop)
}

/// The packages whose shared libraries the program needs, with the versions it needs.
fn libraries(program: &Path, directory: &Path) -> Result<String> {
    // It reads what it is for, and wants to know of a source package.
    let source = directory.join("source");
    write(
        &source.join("debian/control"),
        b"Source: pulse53\n\nPackage: pulse53\nArchitecture: any\n",
        0o644,
    )?;
    let said = process::capture(Command::new("dpkg-shlibdeps").arg("-O").arg(program).current_dir(&source))?;
    let depends = said.trim().strip_prefix("shlibs:Depends=");
    Ok(depends.with_context(|| format!("dpkg-shlibdeps said {said:?}"))?.to_owned())
}

/// The licences, in Debian's form.
fn copyright() -> Result<Vec<u8>> {
    let mut text = include_str!("../../../packaging/debian/copyright").to_owned();
    let mit = read(&workspace::root().join("LICENSE-MIT"))?;
    for line in String::from_utf8(mit)?.lines() {
        text += &if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") };
    }
    Ok(text.into_bytes())
}

/// As `gzip -9n` does: neither name nor time in it.
pub fn compressed(octets: &[u8]) -> Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    gzip.write_all(octets)?;
    Ok(gzip.finish()?)
}

fn kibibytes(tree: &Path) -> Result<u64> {
    let sizes = files(tree)?.into_iter().map(|path| Ok(std::fs::metadata(&path)?.len().div_ceil(1024)));
    sizes.sum::<std::io::Result<u64>>().with_context(|| format!("measuring {}", tree.display()))
}

/// Every file below a directory, in an order that does not depend on the file system.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let listing = || format!("listing {}", directory.display());
    for entry in std::fs::read_dir(directory).with_context(listing)? {
        let path = entry.with_context(listing)?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    write(to, &read(from)?, mode)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// Writes a file and the directories above it, whatever the umask.
fn write(path: &Path, octets: &[u8], mode: u32) -> Result<()> {
    let writing = || format!("writing {}", path.display());
    let directory = path.parent().with_context(writing)?;
    for missing in
        directory.ancestors().take_while(|directory| !directory.exists()).collect::<Vec<_>>().iter().rev()
    {
        std::fs::create_dir(missing).with_context(writing)?;
        std::fs::set_permissions(missing, PermissionsExt::from_mode(0o755)).with_context(writing)?;
    }
    std::fs::write(path, octets).with_context(writing)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).with_context(writing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_octets_tell_neither_name_nor_time() {
        let gzip = compressed(b"text").unwrap();
        // RFC 1952: flags, then four octets of time.
        assert_eq!(gzip[3..8], [0; 5]);
    }

    #[test]
    fn the_licence_is_one_paragraph_to_debian() {
        let text = String::from_utf8(copyright().unwrap()).unwrap();
        let (_, licence) = text.split_once("License: MIT\n").unwrap();
        assert!(
            licence.contains("WITHOUT WARRANTY") && licence.lines().all(|line| line.starts_with(' ')),
            "{text}"
        );
    }
}
