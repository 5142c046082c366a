//! NSD or Knot DNS on a loopback port, with its files in a directory of its own.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pulse53_tests::frame::Query;
use pulse53_tests::peers::{self, ZoneFile};
use pulse53_tests::programs;

use crate::zones::RandomZone;

/// Another authoritative server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// NLnet Labs' NSD.
    Nsd,
    /// CZ.NIC's Knot DNS.
    Knot,
}

/// Looks for readiness, and how long one waits for a reply.
const LOOKS: usize = 200;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// After this time a query counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);

impl Program {
    fn binary(self) -> &'static str {
        match self {
            Self::Nsd => "nsd",
            Self::Knot => "knotd",
        }
    }

    /// What this machine lacks to run it, if anything.
    pub fn lacking(self) -> Option<String> {
        programs::find(self.binary()).is_none().then(|| format!("{}: run `cargo xtask setup`", self.binary()))
    }

    fn configuration(self, directory: &Path, address: SocketAddr, zones: &[RandomZone]) -> String {
        let files: Vec<String> = zones.iter().map(|zone| file_name(&zone.apex)).collect();
        let zones: Vec<ZoneFile<'_>> =
            zones.iter().zip(&files).map(|(zone, file)| (&*zone.apex, &**file)).collect();
        match self {
            Self::Nsd => peers::nsd(directory, address, &zones),
            Self::Knot => peers::knot(directory, address, None, &zones),
        }
    }

    fn command(self, configuration: &Path) -> Command {
        let mut command = Command::new(programs::find(self.binary()).expect("it was looked for before"));
        match self {
            // In the foreground.
            Self::Nsd => command.arg("-d").arg("-c").arg(configuration),
            Self::Knot => command.arg("-c").arg(configuration),
        };
        command
    }
}

fn file_name(apex: &str) -> String {
    format!("{apex}.zone")
}

/// Killed when dropped, and its directory removed.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    socket: UdpSocket,
    directory: tempfile::TempDir,
}

impl Peer {
    /// Starts a server of these zones and waits until it answers for all of them.
    pub fn start(program: Program, zones: &[RandomZone]) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let file = |name: &str| directory.path().join(name);
        for zone in zones {
            std::fs::write(file(&file_name(&zone.apex)), &zone.text).expect("a file can be written");
        }
        // Given back at once, so another program might take it; then readiness would not come.
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let address = UdpSocket::bind(any).and_then(|socket| socket.local_addr()).expect("a free port");
        let configuration = file("configuration");
        std::fs::write(&configuration, program.configuration(directory.path(), address, zones))
            .expect("a file can be written");
        let log = File::create(file("log")).expect("a file can be made");
        let child = program
            .command(&configuration)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .expect("it can be started");
        let socket = UdpSocket::bind(any).expect("a socket can be made");
        socket.connect(address).expect("there is a route");
        let mut peer = Self { child, socket, directory };
        zones.iter().for_each(|zone| peer.wait_for(zone));
        peer.socket.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        peer
    }

    fn wait_for(&mut self, zone: &RandomZone) {
        const SOA: u16 = 6;
        self.socket.set_read_timeout(Some(BETWEEN_LOOKS)).expect("a timeout can be set");
        for _ in 0..LOOKS {
            let reply = self.try_ask(&Query::new(&zone.apex, SOA).octets());
            if reply.is_ok_and(|reply| reply[3] & 0xF == 0 && reply[7] == 1) {
                return;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        panic!("{} does not come:\n{}\nin\n{}", zone.apex, self.log(), zone.text);
    }

    /// The reply to a query, which must come.
    pub fn ask(&mut self, query: &[u8]) -> Vec<u8> {
        self.try_ask(query).unwrap_or_else(|error| panic!("no reply: {error}; it says\n{}", self.log()))
    }

    fn try_ask(&self, query: &[u8]) -> std::io::Result<Vec<u8>> {
        self.socket.send(query)?;
        let mut reply = vec![0; 4096];
        loop {
            let length = self.socket.recv(&mut reply)?;
            // What comes late belongs to a question that was given up.
            if reply[..2] == query[..2] {
                reply.truncate(length);
                return Ok(reply);
            }
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // NSD's parent ends its children when it is asked to, not when it is killed.
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::TERM,
        );
        let _ = self.child.wait();
    }
}
