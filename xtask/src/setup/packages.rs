//! The distribution's packages, through dpkg and apt.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// To link bpf-linker, and to compile the C and C++ in it and in our own dependencies.
const TO_BUILD: &[&str] = &["libzstd-dev", "zlib1g-dev", "g++", "pkg-config"];

/// To make test networks, to drive and question the server; a TLS server for its health checks.
const TO_RUN: &[&str] = &["iproute2", "ethtool", "dnsperf", "knot-dnsutils", "bind9-dnsutils", "openssl"];

/// To compare answers with, and to ask about alarms. As packages they bring a service each, which would take a port.
const TO_COMPARE: &[&str] = &["nsd", "knot", "prometheus"];

/// To measure against, beside those above; each brings a service, too.
const TO_MEASURE: &[&str] = &["gdnsd", "bind9", "pdns-server", "pdns-backend-bind"];

/// The services of all these packages.
const SERVICES: &[&str] = &["nsd", "knot", "prometheus", "gdnsd", "named", "pdns"];

/// To boot other kernels with the tests inside.
const TO_RUN_VIRTUAL_MACHINES: &[&str] = &["qemu-system-x86", "busybox-static", "xz-utils"];

/// To make Debian packages.
const TO_PACKAGE: &[&str] = &["dpkg-dev", "binutils"];

/// To try packages in a bare root.
const TO_MAKE_ROOTS: &[&str] = &["mmdebstrap", "systemd-container"];

/// The LLVM versions that the pinned bpf-linker can be built for, the preferred one first.
const LLVM_VERSIONS: &[u32] = &[22, 23];

/// The newest LLVM that bpf-linker can be built for.
pub fn newest_llvm() -> u32 {
    LLVM_VERSIONS.iter().copied().max().expect("the list is not empty")
}

/// A tool of an LLVM that was set up, `llvm-strip` say; else one on PATH.
pub fn llvm_tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_packages = LLVM_VERSIONS.iter().map(|llvm| llvm_prefix(*llvm).join("bin"));
    of_packages.chain(std::env::split_paths(&path)).map(|bin| bin.join(name)).find(|tool| tool.exists())
}

/// Where the distribution's packages put one LLVM version.
pub fn llvm_prefix(llvm: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{llvm}"))
}

fn llvm_packages(llvm: u32) -> [String; 3] {
    // The tools are their own package; a distribution may not make the development files depend on them.
    [format!("llvm-{llvm}"), format!("llvm-{llvm}-dev"), format!("libpolly-{llvm}-dev")]
}

fn all_packages(llvm: u32) -> Vec<String> {
    llvm_packages(llvm).into_iter().chain(without_llvm()).collect()
}

/// What is wanted where bpf-linker need not be built.
pub fn without_llvm() -> impl Iterator<Item = String> {
    TO_BUILD.iter().chain(TO_RUN).chain(TO_COMPARE).map(ToString::to_string)
}

/// What `bench` needs beyond that, to measure other servers.
pub fn to_measure() -> Vec<String> {
    TO_MEASURE.iter().map(ToString::to_string).collect()
}

/// What `vm-test` needs beyond that.
pub fn to_run_virtual_machines() -> Vec<String> {
    TO_RUN_VIRTUAL_MACHINES.iter().map(ToString::to_string).collect()
}

/// What `dist` needs beyond that.
pub fn to_package() -> Vec<String> {
    TO_PACKAGE.iter().map(ToString::to_string).collect()
}

/// What `dist --test` needs beyond that.
pub fn to_make_roots() -> Vec<String> {
    TO_MAKE_ROOTS.iter().map(ToString::to_string).collect()
}

/// How this user may install packages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Privilege {
    Root,
    Sudo,
    SudoWithPassword,
    None,
}

impl Privilege {
    pub fn of_this_user() -> Self {
        use std::io::IsTerminal;
        if rustix::process::geteuid().is_root() {
            Self::Root
        } else if process::succeeds(Command::new("sudo").args(["-n", "true"])) {
            Self::Sudo
        } else if std::io::stdin().is_terminal() && process::succeeds(Command::new("sudo").arg("-V")) {
            Self::SudoWithPassword
        } else {
            Self::None
        }
    }
}

/// dpkg's view of this machine, and apt's view of what it could have.
pub struct Apt {
    installed: BTreeSet<String>,
    lists_are_fresh: bool,
}

impl Apt {
    pub fn new() -> Result<Self> {
        let mut apt = Self { installed: BTreeSet::new(), lists_are_fresh: false };
        apt.look()?;
        Ok(apt)
    }

    fn look(&mut self) -> Result<()> {
        let output = Command::new("dpkg-query")
            .args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"])
            .output();
        let output = match output {
            Ok(output) => output,
            Err(error) => bail!(
                "asking dpkg what is installed: {error}; set-up knows Debian 12+ and Ubuntu 24.04+, elsewhere \
                 install what these packages hold: {}",
                all_packages(LLVM_VERSIONS[0]).join(" ")
            ),
        };
        self.installed = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| line.strip_suffix(" installed"))
            .map(str::to_owned)
            .collect();
        Ok(())
    }

    /// The packages to have, with an LLVM no older than the compiler's: an installed one if there is.
    pub fn wanted(&self, llvm_at_least: u32) -> (Vec<String>, u32) {
        let suitable = || LLVM_VERSIONS.iter().copied().filter(|llvm| *llvm >= llvm_at_least);
        let here = suitable().find(|llvm| self.missing(&llvm_packages(*llvm)).is_empty());
        let llvm = here.or_else(|| suitable().next()).unwrap_or(llvm_at_least);
        (all_packages(llvm), llvm)
    }

    /// As `wanted`, but where no LLVM is installed, one that the distribution offers.
    pub fn available(&mut self, llvm_at_least: u32) -> Result<(Vec<String>, u32)> {
        let (wanted, llvm) = self.wanted(llvm_at_least);
        if self.missing(&llvm_packages(llvm)).is_empty() {
            return Ok((wanted, llvm));
        }
        let suitable: Vec<u32> =
            LLVM_VERSIONS.iter().copied().filter(|llvm| *llvm >= llvm_at_least).collect();
        for llvm in &suitable {
            if self.offers(&llvm_packages(*llvm))? {
                return Ok((all_packages(*llvm), *llvm));
            }
        }
        bail!(
            "this distribution offers no LLVM that links BPF for this compiler (LLVM {llvm_at_least} or newer; tried \
             {}): add the LLVM project's own apt repository for LLVM {}, or put a ready-made bpf-linker {} on PATH, then run \
             `cargo xtask setup` again",
            suitable.iter().map(|llvm| format!("llvm-{llvm}-dev")).collect::<Vec<_>>().join(", "),
            LLVM_VERSIONS[0],
            super::linker::VERSION,
        )
    }

    pub fn missing(&self, wanted: &[String]) -> Vec<String> {
        wanted.iter().filter(|package| !self.installed.contains(*package)).cloned().collect()
    }

    /// Whether apt could install all of these. A fresh machine or container may have no package lists at all.
    pub fn offers(&mut self, packages: &[String]) -> Result<bool> {
        self.refresh_lists()?;
        let policy =
            process::capture(Command::new("apt-cache").env("LC_ALL", "C").arg("policy").args(packages))?;
        let candidates = candidates(&policy);
        Ok(packages.iter().all(|package| candidates.contains_key(package.as_str())))
    }

    pub fn install(&mut self, packages: &[String]) -> Result<()> {
        if packages.is_empty() {
            return Ok(());
        }
        require_root(packages)?;
        self.refresh_lists()?;
        mask_services(packages)?;
        let doing = format!("installing {}", packages.join(" "));
        let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
        arguments.extend(packages.iter().map(String::as_str));
        apt_get(&doing, &arguments)?;
        self.look()?;
        let missing = self.missing(packages);
        if !missing.is_empty() {
            bail!("apt-get ended well, yet these are not installed: {}", missing.join(" "));
        }
        Ok(())
    }

    fn refresh_lists(&mut self) -> Result<()> {
        // Without root the lists stay as they are, and what they offer is still worth knowing.
        if !self.lists_are_fresh && Privilege::of_this_user() != Privilege::None {
            apt_get("asking apt what is new", &["update"])?;
            self.lists_are_fresh = true;
        }
        Ok(())
    }
}

/// Fails, with the command to run, where this user cannot install packages.
pub fn require_root(packages: &[String]) -> Result<()> {
    if !packages.is_empty() && Privilege::of_this_user() == Privilege::None {
        bail!(
            "installing packages takes root, and sudo does not give it here; as root run\n\n  apt-get update && \
             apt-get install --yes --no-install-recommends {}\n\nand then this command again",
            packages.join(" ")
        );
    }
    Ok(())
}

/// Keeps the services of packages that are about to be installed from being started: tests start these programs themselves.
fn mask_services(packages: &[String]) -> Result<()> {
    let comparing = TO_COMPARE.iter().chain(TO_MEASURE);
    let bring_one = comparing.copied().any(|name| packages.iter().any(|package| package == name));
    // Those of the other packages are not there, or are masked already.
    let services: &[&str] = if bring_one { SERVICES } else { &[] };
    if services.is_empty() || !Path::new("/run/systemd/system").is_dir() {
        return Ok(());
    }
    let doing = format!("masking the services {}", services.join(" "));
    as_root(&doing, &[&["systemctl", "mask"], services].concat()).context("systemctl failed")
}

fn apt_get(doing: &str, arguments: &[&str]) -> Result<()> {
    // Another apt may be running, on a machine that has just booted for instance: wait for its lock, boundedly.
    let settings = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"];
    let lock = ["-o", "DPkg::Lock::Timeout=300"];
    as_root(doing, &[&settings[..], &lock, arguments].concat())
        .context("apt-get failed: check the network and apt's sources, then run `cargo xtask setup` again")
}

/// Runs a command as root, through sudo if that gives it.
fn as_root(doing: &str, words: &[&str]) -> Result<()> {
    let mut command = match Privilege::of_this_user() {
        Privilege::Root => Command::new(words[0]),
        Privilege::Sudo => sudo(&["-n", words[0]]),
        Privilege::SudoWithPassword => {
            // Ask now: a prompt behind a spinner would not be seen.
            process::show(&mut sudo(&["-v"])).context("getting root through sudo")?;
            sudo(&[words[0]])
        }
        Privilege::None => bail!("`{}` takes root", words.join(" ")),
    };
    process::behind_spinner(doing, command.args(&words[1..]))
}

fn sudo(arguments: &[&str]) -> Command {
    let mut command = Command::new("sudo");
    command.args(arguments);
    command
}

/// What `apt-cache policy` says could be installed: package → version.
fn candidates(policy: &str) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    let mut package = "";
    for line in policy.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            package = name;
        } else if let Some(version) =
            line.trim().strip_prefix("Candidate: ").filter(|version| *version != "(none)")
        {
            found.insert(package, version);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(installed: &[&str]) -> Apt {
        Apt { installed: installed.iter().map(ToString::to_string).collect(), lists_are_fresh: true }
    }

    #[test]
    fn candidates_leave_out_what_has_none() {
        let policy = "llvm-22-dev:\n  Installed: (none)\n  Candidate: 1:22.1.8\n  Version table:\n     1:22.1.8 500\n\
                      llvm-23-dev:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n";
        assert_eq!(candidates(policy), BTreeMap::from([("llvm-22-dev", "1:22.1.8")]));
    }

    #[test]
    fn an_installed_newer_llvm_is_taken() {
        let apt = with(&["llvm-23", "llvm-23-dev", "libpolly-23-dev", "llvm-22"]);
        assert_eq!(apt.wanted(22).1, 23);
    }

    #[test]
    fn an_llvm_older_than_the_compiler_is_not_taken() {
        let apt = with(&["llvm-22", "llvm-22-dev", "libpolly-22-dev"]);
        assert_eq!(apt.wanted(23).1, 23);
        assert_eq!(with(&[]).wanted(22).1, 22);
    }
}
