//! The packages in use: installed in a bare Debian root, started by its systemd, asked, and removed again.
//!
//! The root is made once by mmdebstrap and kept; each trial unpacks a copy, and boots it by systemd-nspawn with a network of its own. What
//! happens inside is `trial.sh`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Packages;
use crate::{process, workspace};

/// What the trial needs beyond what Debian calls minimal; the package must not need it.
const INSIDE: &str = "systemd-sysv,dbus,bind9-dnsutils,iproute2,procps";

/// Capabilities of a container to load and attach programs, beside those that it has by itself.
const CAPABILITIES: &str = "--capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN";

/// Says that the trial came to its end, and how.
const VERDICT: &str = "PULSE53-TRIAL ";

/// Fails unless this is root.
pub fn require_root() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("a trial takes root: sudo -E cargo xtask dist --test");
    }
    Ok(())
}

/// Whether the packages do in a bare root what they should.
pub fn run(packages: &Packages) -> Result<bool> {
    let base = base()?;
    let trial = Trial::unpack(&base)?;
    let copy = |from: &Path, to: &str| {
        std::fs::copy(from, trial.root().join(to))
            .map(drop)
            .with_context(|| format!("copying {}", from.display()))
    };
    copy(&packages.deb, "pulse53.deb")?;
    copy(&packages.symbols, "pulse53-dbgsym.deb")?;
    unpack_image(&packages.image, &trial.root().join("image"))?;
    trial.write("trial.sh", include_str!("trial.sh"))?;
    trial.write("etc/systemd/system/trial.service", include_str!("trial.service"))?;
    let units = trial.root().join("etc/systemd/system");
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, units.join(name)).with_context(|| format!("linking {name} to {to}"))
    };
    link("../trial.service", "multi-user.target.wants/trial.service")?;
    // It would hang up the console on which the trial is told.
    link("/dev/null", "console-getty.service")?;

    // Installed before the root boots, so that its systemd starts what the package enabled.
    process::capture(trial.nspawn().args([
        "--quiet",
        "--pipe",
        "dpkg",
        "--install",
        "/pulse53.deb",
        "/pulse53-dbgsym.deb",
    ]))
    .context("the package does not install in a bare root")?;
    println!("installed in a bare root");
    trial.write("etc/pulse53/pulse53.toml", include_str!("trial.toml"))?;
    trial.write("etc/pulse53/zone", include_str!("trial.zone"))?;
    trial.boot()
}

/// A bare root of this machine's own distribution, packed; made if there is none yet.
fn base() -> Result<PathBuf> {
    let release = std::fs::read_to_string("/etc/os-release").context("reading /etc/os-release")?;
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let suite = suite
        .context("/etc/os-release names no VERSION_CODENAME, so that there is nothing to make a root of")?;
    let roots = workspace::cache()?.join("roots");
    std::fs::create_dir_all(&roots).with_context(|| format!("making {}", roots.display()))?;
    let kept = roots.join(format!("{suite}.tar"));
    if !kept.exists() {
        let draft = roots.join(format!(".{suite}.{}.tar", std::process::id()));
        let mut make = Command::new("mmdebstrap");
        make.args(["--variant=minbase", &format!("--include={INSIDE}"), suite]).arg(&draft);
        process::behind_spinner("making a bare root", &mut make)?;
        std::fs::rename(&draft, &kept).with_context(|| format!("writing {}", kept.display()))?;
    }
    Ok(kept)
}

/// The files of an image's only layer.
fn unpack_image(image: &Path, into: &Path) -> Result<()> {
    let open = || -> Result<_> { Ok(tar::Archive::new(File::open(image)?)) };
    let reading = || format!("reading {}", image.display());
    let manifest = entry(open().with_context(reading)?, "manifest.json").with_context(reading)?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).with_context(reading)?;
    let layer = manifest[0]["Layers"][0].as_str().context("the image has no layer")?;
    let layer = entry(open().with_context(reading)?, layer).with_context(reading)?;
    let mut layer = tar::Archive::new(flate2::read::GzDecoder::new(&layer[..]));
    layer.set_preserve_ownerships(true);
    layer.unpack(into).context("unpacking the image")
}

fn entry(mut archive: tar::Archive<File>, name: &str) -> Result<Vec<u8>> {
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()? == Path::new(name) {
            let mut octets = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut octets)?;
            return Ok(octets);
        }
    }
    bail!("there is no {name} in it")
}

/// A root and a BPF file system; both are gone when it is dropped.
struct Trial {
    directory: PathBuf,
}

impl Trial {
    fn unpack(base: &Path) -> Result<Self> {
        let trial = Self { directory: workspace::root().join("target/trial") };
        // One that was killed has left it.
        trial.remove();
        for part in [trial.root(), trial.bpf()] {
            std::fs::create_dir_all(&part).with_context(|| format!("making {}", part.display()))?;
        }
        process::capture(
            Command::new("tar").args(["--extract", "--file"]).arg(base).arg("--directory").arg(trial.root()),
        )?;
        // As systemd mounts it where it is not in a container.
        process::capture(
            Command::new("mount").args(["-t", "bpf", "-o", "mode=0700", "bpf"]).arg(trial.bpf()),
        )?;
        Ok(trial)
    }

    fn remove(&self) {
        let _ = process::capture(Command::new("umount").arg(self.bpf()));
        let _ = std::fs::remove_dir_all(&self.directory);
        // With --keep-unit systemd-nspawn leaves control groups below this process's; directories, and empty ones.
        for line in std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default().lines() {
            let here = line.rsplit(':').next().unwrap_or_default().trim_start_matches('/');
            for hierarchy in ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"] {
                for made in ["payload/init.scope", "payload", "supervisor"] {
                    let _ = std::fs::remove_dir(Path::new(hierarchy).join(here).join(made));
                }
            }
        }
    }

    fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    fn bpf(&self) -> PathBuf {
        self.directory.join("bpf")
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.root().join(path);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }

    fn nspawn(&self) -> Command {
        let mut command = Command::new("systemd-nspawn");
        if !Path::new("/run/systemd/system").is_dir() {
            // Without a systemd outside there is none to tell of the container; and where /run is on disk, systemd-nspawn refuses to
            // clean up in it.
            command = Command::new("unshare");
            let prepare = "mkdir -p /run/systemd/nspawn && mount -t tmpfs tmpfs /run/systemd/nspawn && exec \"$0\" \"$@\"";
            command.args(["--mount", "sh", "-c", prepare, "systemd-nspawn", "--register=no", "--keep-unit"]);
        }
        command.args(["--private-network", CAPABILITIES, "--system-call-filter=bpf", "--directory"]);
        command.arg(self.root());
        command
    }

    /// Boots it, and shows what the trial says.
    fn boot(&self) -> Result<bool> {
        let mut command = self.nspawn();
        command.arg(format!("--bind={}:/sys/fs/bpf", self.bpf().display()));
        command.args([
            "--quiet",
            "--console=read-only",
            "--boot",
            "systemd.show_status=no",
            "systemd.log_level=crit",
        ]);
        let mut child = process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let mut verdict = None;
        for line in BufReader::new(child.stdout.take().expect("stdout is piped")).split(b'\n') {
            let line =
                String::from_utf8_lossy(&line.context("reading what the root says")?).trim_end().to_owned();
            match line.strip_prefix(VERDICT) {
                Some(told) => verdict = Some(told == "0"),
                None => println!("  {line}"),
            }
        }
        process::wait(&mut child)?;
        match verdict {
            Some(true) => println!("the trial has passed"),
            Some(false) => println!("the trial has failed"),
            None => println!("the trial has failed: the root ended before it did"),
        }
        Ok(verdict == Some(true))
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.remove();
    }
}
