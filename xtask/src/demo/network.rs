//! Two network namespaces joined by a veth pair, both ends named alike since each is alone where it is.

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::ENDPOINTS;
use crate::process;

pub const INTERFACE: &str = "demo0";
pub const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub const SERVER_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0, 0, 0, 0, 1);
pub const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0, 0, 0, 0, 0x53);

/// Where `ip netns` keeps the namespaces it names.
const DIRECTORY: &str = "/run/netns";
const PREFIX: &str = "pulse53-";

/// A named network namespace.
pub struct Namespace {
    pub name: String,
}

impl Namespace {
    pub fn path(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.name)
    }

    /// Does something inside: sockets and links made there stay there, wherever they are used afterwards.
    ///
    /// It happens on a thread of its own, since a namespace is entered for good.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = self.path();
        let namespace = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .with_context(|| format!("entering {}", path.display()))?;
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A command that runs inside, and does not outlive this program even if that is killed.
    ///
    /// Not by `ip netns exec`: that mounts a new /sys, and pinned maps disappear. Ctrl-C does not reach it either, so
    /// that this program decides what ends when.
    pub fn command(&self, program: &Path) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display()));
        command.args(["setpriv", "--pdeathsig", "TERM"]).arg(program).process_group(0);
        command
    }

    fn ip(&self, arguments: &str) -> Result<()> {
        ip(&format!("-netns {} {arguments}", self.name))
    }
}

/// Both namespaces and the pair between them; deleted when dropped.
pub struct Network {
    pub client: Namespace,
    pub server: Namespace,
}

impl Network {
    pub fn make(id: u32) -> Result<Self> {
        let namespace = |role| Namespace { name: format!("{PREFIX}{id}-{role}") };
        // The guard exists before the first command, so that a failure half way is cleaned up, too.
        let network = Self { client: namespace("client"), server: namespace("server") };
        network.set_up().context("making the demo's network: this needs the kernel's veth, and root")?;
        Ok(network)
    }

    fn set_up(&self) -> Result<()> {
        let (client, server) = (&self.client, &self.server);
        ip(&format!("netns add {}", client.name))?;
        ip(&format!("netns add {}", server.name))?;
        ip(&format!(
            "link add name {INTERFACE} netns {} type veth peer name {INTERFACE} netns {}",
            client.name, server.name
        ))?;
        for (namespace, v4, v6) in [(client, CLIENT_V4, CLIENT_V6), (server, SERVER_V4, SERVER_V6)] {
            namespace.ip("link set lo up")?;
            namespace.ip(&format!("address add {v4}/24 dev {INTERFACE}"))?;
            // Without duplicate detection the address can be used at once.
            namespace.ip(&format!("address add {v6}/64 dev {INTERFACE} nodad"))?;
            namespace.ip(&format!("link set {INTERFACE} up"))?;
        }
        for endpoint in ENDPOINTS {
            server.ip(&format!("address add {endpoint}/32 dev lo"))?;
        }
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The pair goes with either namespace. One that was not made yet cannot be deleted, which is fine.
        for namespace in [&self.client, &self.server] {
            process::succeeds(Command::new("ip").args(["netns", "delete", &namespace.name]));
        }
    }
}

fn ip(arguments: &str) -> Result<()> {
    process::capture(Command::new("ip").args(arguments.split(' '))).map(drop)
}

/// Whether a process exists.
pub fn is_alive(id: u32) -> bool {
    Path::new("/proc").join(id.to_string()).exists()
}

/// Deletes the namespaces of runs whose process no longer exists.
pub fn sweep() {
    for entry in std::fs::read_dir(DIRECTORY).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().and_then(owner).is_some_and(|id| !is_alive(id)) {
            process::succeeds(Command::new("ip").args(["netns", "delete"]).arg(name));
        }
    }
}

/// The process that made a namespace, if a demo did.
fn owner(name: &str) -> Option<u32> {
    let (id, role) = name.strip_prefix(PREFIX)?.split_once('-')?;
    matches!(role, "client" | "server").then_some(())?;
    id.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_a_demos_own_namespaces_are_recognized() {
        assert_eq!(super::owner("pulse53-123-client"), Some(123));
        for other in ["pulse53-123", "pulse53-123-test", "pulse53-x-client", "mine-123-client"] {
            assert_eq!(super::owner(other), None, "{other}");
        }
    }
}
