//! Two network namespaces joined by a veth pair.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::command::{succeed, try_quietly};

/// Both ends of the pair: each is alone where it is.
pub const INTERFACE: &str = "wire0";

// None of the addresses for documentation, which zones and clients in tests have.
const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(10, 53, 0, 1);
const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0xfd53, 0, 0, 0, 0, 0, 0, 1);
const SERVER_V4: Ipv4Addr = Ipv4Addr::new(10, 53, 0, 53);
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd53, 0, 0, 0, 0, 0, 0, 0x53);

/// The addresses that are served.
pub const SERVED: [SocketAddr; 2] =
    [SocketAddr::new(IpAddr::V4(SERVER_V4), 53), SocketAddr::new(IpAddr::V6(SERVER_V6), 53)];

/// Where `ip netns` keeps the namespaces it names.
const DIRECTORY: &str = "/run/netns";
const PREFIX: &str = "pulse53-test-";

/// A named network namespace, deleted when dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    fn make(name: String) -> Self {
        // The guard first, so that what a failure leaves half made is deleted.
        let namespace = Self { name };
        succeed(Command::new("ip").args(["netns", "add", &namespace.name]));
        namespace.ip("link set lo up");
        namespace
    }

    /// `ip` inside, with arguments parted by spaces.
    pub fn ip(&self, arguments: &str) -> String {
        succeed(Command::new("ip").args(["-netns", &self.name]).args(arguments.split(' ')))
    }

    /// A command that runs inside and does not outlive the thread that starts it.
    ///
    /// Not by `ip netns exec`, which hides the BPF file system.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display()));
        command.args(["setpriv", "--pdeathsig", "KILL"]).arg(program);
        command
    }

    /// Does something inside, on a thread of its own; sockets and links made there stay there.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(self.path()).expect("the namespace is there");
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("the namespace can be entered");
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn path(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        try_quietly(Command::new("ip").args(["netns", "delete", &self.name]));
    }
}

/// Both namespaces and the pair between them.
#[derive(Debug)]
pub struct Network {
    /// Who asks.
    pub client: Namespace,
    /// Who answers.
    pub server: Namespace,
}

impl Network {
    /// A network no other test has; `id` begins with the id of this process and a hyphen.
    pub fn make(id: &str) -> Self {
        let client = Namespace::make(format!("{PREFIX}{id}-client"));
        let server = Namespace::make(format!("{PREFIX}{id}-server"));
        succeed(Command::new("ip").args(["link", "add", "name", INTERFACE, "netns", &client.name]).args([
            "type",
            "veth",
            "peer",
            "name",
            INTERFACE,
            "netns",
            &server.name,
        ]));
        for (namespace, v4, v6) in [(&client, CLIENT_V4, CLIENT_V6), (&server, SERVER_V4, SERVER_V6)] {
            namespace.ip(&format!("address add {v4}/24 dev {INTERFACE}"));
            // Without duplicate detection the address can be used at once.
            namespace.ip(&format!("address add {v6}/64 dev {INTERFACE} nodad"));
            namespace.ip(&format!("link set {INTERFACE} up"));
        }
        // Clients may have any address.
        server.ip(&format!("route add default via {CLIENT_V4}"));
        server.ip(&format!("-6 route add default via {CLIENT_V6}"));
        Self { client, server }
    }
}

/// Deletes the namespaces of test runs that were killed.
pub fn sweep() {
    for entry in std::fs::read_dir(DIRECTORY).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().and_then(|name| name.strip_prefix(PREFIX)).is_some_and(|id| !is_alive(id)) {
            try_quietly(Command::new("ip").args(["netns", "delete"]).arg(name));
        }
    }
}

/// Whether the process still exists that made what has this id; true of ids that are none of ours.
pub fn is_alive(id: &str) -> bool {
    let process = id.split('-').next().and_then(|process| process.parse::<u32>().ok());
    process.is_none_or(|process| Path::new("/proc").join(process.to_string()).exists())
}
