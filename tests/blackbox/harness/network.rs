//! Two network namespaces joined by a veth pair, or by two interfaces of this machine that are given for it.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::command::{succeed, try_quietly};
use super::eventually;

/// Both ends of the pair: each is alone where it is.
pub const INTERFACE: &str = "wire0";

// None of the addresses for documentation, which zones and clients in tests have.
const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(10, 53, 0, 1);
const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0xfd53, 0, 0, 0, 0, 0, 0, 1);
const SERVER_V4: Ipv4Addr = Ipv4Addr::new(10, 53, 0, 53);
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd53, 0, 0, 0, 0, 0, 0, 0x53);

/// Who asks.
pub const CLIENTS: [IpAddr; 2] = [IpAddr::V4(CLIENT_V4), IpAddr::V6(CLIENT_V6)];

/// The addresses that are served.
pub const SERVED: [SocketAddr; 2] =
    [SocketAddr::new(IpAddr::V4(SERVER_V4), 53), SocketAddr::new(IpAddr::V6(SERVER_V6), 53)];

/// Where `ip netns` keeps the namespaces it names.
const DIRECTORY: &str = "/run/netns";
const PREFIX: &str = "pulse53-test-";

/// Names the client's and the server's interface, `eth0,eth1` say, whose wires meet: in a virtual machine with its own driver,
/// for one. They serve one test at a time.
const GIVEN: &str = "PULSE53_TEST_WIRE";

/// Receive queues at either end of a veth pair.
const QUEUES: usize = 2;

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

    /// Under which `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
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

/// Both namespaces and what joins them.
#[derive(Debug)]
pub struct Network {
    /// Who asks.
    pub client: Namespace,
    /// Who answers.
    pub server: Namespace,
    given: Option<Given>,
}

impl Network {
    /// A network no other test has; `id` begins with the id of this process and a hyphen.
    pub fn make(id: &str) -> Self {
        let given = Given::take();
        let client = Namespace::make(format!("{PREFIX}{id}-client"));
        let server = Namespace::make(format!("{PREFIX}{id}-server"));
        let network = Self { client, server, given };
        network.join();
        network.bring_up();
        network
    }

    /// Takes the wire away and lays another: interfaces of the same names.
    pub fn replace_wire(&self) {
        assert!(self.is_veth(), "interfaces that were given cannot be made again");
        self.server.ip(&format!("link delete {INTERFACE}"));
        self.join();
        self.bring_up();
    }

    /// Addresses, routes, and both ends up; also where some of that is so already.
    pub fn bring_up(&self) {
        for (namespace, v4, v6) in self.ends() {
            namespace.ip(&format!("address replace {v4}/24 dev {INTERFACE}"));
            // Without duplicate detection the address can be used at once.
            namespace.ip(&format!("address replace {v6}/64 dev {INTERFACE} nodad"));
            namespace.ip(&format!("link set {INTERFACE} up"));
        }
        // Clients may have any address.
        self.server.ip(&format!("route replace default via {CLIENT_V4}"));
        self.server.ip(&format!("-6 route replace default via {CLIENT_V6}"));
    }

    /// Whether the ends are a veth pair, which needs a program at both.
    pub fn is_veth(&self) -> bool {
        self.given.is_none()
    }

    fn ends(&self) -> [(&Namespace, Ipv4Addr, Ipv6Addr); 2] {
        [(&self.client, CLIENT_V4, CLIENT_V6), (&self.server, SERVER_V4, SERVER_V6)]
    }

    fn join(&self) {
        if let Some(given) = &self.given {
            for ((namespace, ..), name) in self.ends().iter().zip(&given.names) {
                given.is_free(name);
                succeed(
                    Command::new("ip")
                        .args(["link", "set", name, "netns", &namespace.name])
                        .args(["name", INTERFACE]),
                );
            }
            return;
        }
        let queues = format!("numrxqueues {QUEUES} numtxqueues {QUEUES}");
        let [client, server] = [&self.client.name, &self.server.name];
        succeed(
            Command::new("ip")
                .args(["link", "add", "name", INTERFACE, "netns", client])
                .args(format!("{queues} type veth peer name {INTERFACE} netns {server} {queues}").split(' ')),
        );
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let Some(given) = &self.given else { return };
        for ((namespace, ..), name) in self.ends().iter().zip(&given.names) {
            // Back to where the first process is, under the name it had.
            try_quietly(Command::new("ip").args([
                "-netns",
                &namespace.name,
                "link",
                "set",
                INTERFACE,
                "down",
            ]));
            try_quietly(
                Command::new("ip")
                    .args(["-netns", &namespace.name, "link", "set", INTERFACE])
                    .args(["netns", "1", "name", name]),
            );
        }
    }
}

/// Two interfaces, for one test at a time.
#[derive(Debug)]
struct Given {
    names: [String; 2],
    _alone: MutexGuard<'static, ()>,
}

impl Given {
    fn take() -> Option<Self> {
        static ALONE: Mutex<()> = Mutex::new(());
        let names = std::env::var(GIVEN).ok()?;
        let (client, server) = names.split_once(',').expect("PULSE53_TEST_WIRE names two interfaces");
        // A test that has failed has put them back, too.
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Self { names: [client.to_owned(), server.to_owned()], _alone: alone })
    }

    /// Waits until the program of the test before is gone: the kernel takes a link apart some time after its last user.
    fn is_free(&self, name: &str) {
        eventually("an interface without XDP", || {
            let link = succeed(Command::new("ip").args(["link", "show", "dev", name]));
            if link.contains("xdp") { Err(link) } else { Ok(()) }
        });
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
