//! Kernels to boot: the distribution's, by its own package tool and without root, or one the reader has built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{process, workspace};

/// Packages that depend on the distribution's present kernel for virtual machines; the first one that apt knows is taken.
const STABLE: [&str; 2] = ["linux-image-cloud-amd64", "linux-image-virtual"];

/// Debian's way to name a newer kernel for virtual machines, `linux-image-6.12-cloud-amd64` say.
const NEWER: &str = "^linux-image-[0-9]+\\.[0-9]+-cloud-amd64$";

/// A kernel, and the modules built with it.
#[derive(Debug)]
pub struct Kernel {
    /// As `uname -r` says it.
    pub release: String,
    /// The bzImage.
    pub image: PathBuf,
    /// `lib/modules/<release>`, if there is one.
    pub modules: Option<PathBuf>,
}

impl Kernel {
    /// Its version as two numbers, 6 and 1 say.
    pub fn version(&self) -> Option<(u32, u32)> {
        let numbers = numbers(&self.release);
        Some((*numbers.first()?, *numbers.get(1)?))
    }
}

/// What is booted where nothing else is asked for: the distribution's kernel, and a newer one that it also offers.
pub fn by_default() -> Result<Vec<String>> {
    let mut packages: Vec<String> =
        STABLE.iter().find(|package| is_known(package)).map(ToString::to_string).into_iter().collect();
    let found = process::capture(Command::new("apt-cache").args(["search", "--names-only", NEWER]))?;
    let newer = found.lines().filter_map(|line| line.split_whitespace().next());
    packages.extend(newer.max_by_key(|package| numbers(package)).map(str::to_owned));
    if packages.is_empty() {
        bail!(
            "apt knows none of {}: run `apt-get update` as root, or name a kernel with --kernel",
            STABLE.join(", ")
        );
    }
    Ok(packages)
}

/// A kernel named by a package, a `.deb` file or a bzImage.
pub fn find(named: &str) -> Result<Kernel> {
    let path = Path::new(named);
    if !path.is_file() {
        return of_packages(named);
    }
    if path.extension().is_some_and(|extension| extension == "deb") {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let root = kept(&format!("file-{stem}"), |draft| unpack(path, draft))?;
        return in_tree(&root);
    }
    of_image(path)
}

/// A kernel of the distribution's: what a package holds, or what it depends on if it only names the present one.
fn of_packages(package: &str) -> Result<Kernel> {
    if !is_known(package) {
        bail!(
            "{package} is neither a file nor a package that apt knows; `apt-cache search --names-only ^linux-image` \
             lists those there are, `apt-get update` as root asks anew"
        );
    }
    let wanted = concrete(package)?;
    let versions: Vec<String> = wanted.iter().map(|package| version(package)).collect::<Result<_>>()?;
    let name = format!("{}_{}", wanted[0], versions[0]);
    let root = kept(&name, |draft| {
        println!("  downloading {}", wanted.join(" "));
        let debs = draft.join("debs");
        std::fs::create_dir_all(&debs).with_context(|| format!("making {}", debs.display()))?;
        let mut download = Command::new("apt-get");
        // The sandbox user of apt cannot write into this user's cache.
        download.args(["--quiet", "-o", "APT::Sandbox::User=root", "download"]).args(&wanted);
        process::behind_spinner("downloading", download.current_dir(&debs)).context(
            "apt-get could not download the kernel: check the network, or run `apt-get update` as root",
        )?;
        for deb in files(&debs)? {
            unpack(&deb, draft)?;
        }
        std::fs::remove_dir_all(&debs).with_context(|| format!("removing {}", debs.display()))
    })?;
    in_tree(&root)
}

/// The packages that hold kernel and modules: Debian has them in one, Ubuntu in two.
fn concrete(package: &str) -> Result<Vec<String>> {
    let mut image = package.to_owned();
    // A package that names the present kernel depends on it; some name it by way of another such package.
    for _ in 0..3 {
        let depends = depends(&image)?;
        let next = depends.iter().find(|name| name.starts_with("linux-image-"));
        let Some(next) = next else {
            let modules = depends.into_iter().filter(|name| name.starts_with("linux-modules-"));
            return Ok(std::iter::once(image).chain(modules).collect());
        };
        next.clone_into(&mut image);
    }
    bail!("{package} depends on kernel after kernel; name one that is a kernel itself with --kernel")
}

fn depends(package: &str) -> Result<Vec<String>> {
    let said = process::capture(Command::new("apt-cache").env("LC_ALL", "C").args(["depends", package]))?;
    let names = said.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    Ok(names.map(|name| name.split_whitespace().next().unwrap_or_default().to_owned()).collect())
}

fn version(package: &str) -> Result<String> {
    let said = process::capture(Command::new("apt-cache").args(["show", "--no-all-versions", package]))?;
    said.lines()
        .find_map(|line| line.strip_prefix("Version: "))
        .map(str::to_owned)
        .with_context(|| format!("apt knows no version of {package}"))
}

fn is_known(package: &str) -> bool {
    process::succeeds(Command::new("apt-cache").args(["show", "--no-all-versions", package]))
}

/// Digits in a name as numbers, so that 6.12 comes after 6.9.
fn numbers(name: &str) -> Vec<u32> {
    name.split(|character: char| !character.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// A directory of the cache, filled if it is not there. It is whole or not there at all.
fn kept(name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let kernels = workspace::cache()?.join("kernels");
    let root = kernels.join(name);
    if !root.is_dir() {
        let draft = kernels.join(format!(".{name}.{}", std::process::id()));
        std::fs::create_dir_all(&draft).with_context(|| format!("making {}", draft.display()))?;
        let filled = fill(&draft);
        if filled.is_err() {
            let _ = std::fs::remove_dir_all(&draft);
        }
        filled?;
        std::fs::rename(&draft, &root).with_context(|| format!("making {}", root.display()))?;
    }
    Ok(root)
}

fn unpack(deb: &Path, into: &Path) -> Result<()> {
    process::capture(Command::new("dpkg-deb").arg("-x").args([deb, into])).map(drop)
}

/// The kernel in an unpacked package.
fn in_tree(root: &Path) -> Result<Kernel> {
    let is_image =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz"));
    let image = files(&root.join("boot"))?.into_iter().find(is_image);
    let image =
        image.with_context(|| format!("no boot/vmlinuz-… in {}: no kernel package", root.display()))?;
    of_image(&image)
}

/// A bzImage, and its modules beside it or where this machine keeps its own.
fn of_image(image: &Path) -> Result<Kernel> {
    let release = release(image)?;
    let beside = image.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let roots = [beside.join("lib/modules"), beside.join("usr/lib/modules"), "/lib/modules".into()];
    let modules = roots.iter().map(|root| root.join(&release)).find(|modules| modules.is_dir());
    Ok(Kernel { release, image: image.to_owned(), modules })
}

/// The release that a bzImage tells in its set-up header (Documentation/arch/x86/boot.rst, `kernel_version`).
fn release(image: &Path) -> Result<String> {
    let octets = std::fs::read(image).with_context(|| format!("reading {}", image.display()))?;
    let no_image = || format!("{} is no bzImage", image.display());
    if octets.get(0x202..0x206) != Some(b"HdrS") {
        bail!(no_image());
    }
    let at = usize::from(u16::from_le_bytes([octets[0x20e], octets[0x20f]])) + 0x200;
    let text = octets.get(at..).with_context(no_image)?;
    let text = text.split(|octet| *octet == 0 || *octet == b' ').next().unwrap_or_default();
    String::from_utf8(text.to_vec()).with_context(no_image)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("listing {}", directory.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_number() {
        let names = ["linux-image-6.9-cloud-amd64", "linux-image-6.12-cloud-amd64"];
        assert_eq!(names.into_iter().max_by_key(|name| numbers(name)), Some(names[1]));
    }

    #[test]
    fn a_release_is_read_from_the_header() {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("bzImage");
        let mut octets = vec![0; 0x400];
        octets[0x202..0x206].copy_from_slice(b"HdrS");
        octets[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
        octets[0x300..0x312].copy_from_slice(b"6.1.0-56 (builder)");
        std::fs::write(&image, octets).unwrap();
        let kernel = of_image(&image).unwrap();
        assert_eq!((kernel.release.as_str(), kernel.version()), ("6.1.0-56", Some((6, 1))));
        std::fs::write(&image, "text").unwrap();
        assert!(of_image(&image).unwrap_err().to_string().contains("no bzImage"));
    }
}
