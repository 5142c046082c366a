//! A server from the distribution's packages: its configuration, started in the server's namespace, stopped when dropped.

use std::fs::File;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pulse53_tests::{peers, programs};
use traffic::question::ZONE;

use crate::harness::network::{INTERFACE, Namespace, SERVED};
use crate::session::OTHER_CPU;

/// Looks for readiness: a million names take some servers a while.
const LOOKS: usize = 1200;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// A server and how it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// CZ.NIC's Knot DNS, through AF_XDP.
    KnotXdp,
    /// The same, through sockets.
    Knot,
    /// NLnet Labs' NSD.
    Nsd,
    /// Brandon Black's gdnsd.
    Gdnsd,
    /// ISC's BIND.
    Bind,
    /// PowerDNS's authoritative server with its BIND back end and its caches on.
    PowerDns,
}

impl Program {
    pub const ALL: [Self; 6] =
        [Self::KnotXdp, Self::Knot, Self::Nsd, Self::Gdnsd, Self::Bind, Self::PowerDns];

    pub fn name(self) -> &'static str {
        match self {
            Self::KnotXdp => "Knot DNS, XDP",
            Self::Knot => "Knot DNS",
            Self::Nsd => "NSD",
            Self::Gdnsd => "gdnsd",
            Self::Bind => "BIND",
            Self::PowerDns => "PowerDNS",
        }
    }

    /// Its program, and the package that holds it.
    fn binary(self) -> (&'static str, &'static str) {
        match self {
            Self::KnotXdp | Self::Knot => ("knotd", "knot"),
            Self::Nsd => ("nsd", "nsd"),
            Self::Gdnsd => ("gdnsd", "gdnsd"),
            Self::Bind => ("named", "bind9"),
            Self::PowerDns => ("pdns_server", "pdns-server and pdns-backend-bind"),
        }
    }

    /// What this machine lacks to run it, if anything.
    pub fn lacking(self) -> Option<String> {
        let (binary, package) = self.binary();
        programs::lacking(binary, package)
    }

    /// Writes its configuration for the zone in `directory/zone`; the arguments to start it in the foreground.
    fn configure(self, directory: &Path) -> Result<Vec<String>> {
        let here = directory.display();
        let (address, port) = (SERVED[0].ip(), SERVED[0].port());
        let mut zone_file = directory.join("zone");
        let text = match self {
            Self::KnotXdp => peers::knot(directory, SERVED[0], Some(INTERFACE), &[(ZONE, "zone")]),
            Self::Knot => peers::knot(directory, SERVED[0], None, &[(ZONE, "zone")]),
            Self::Nsd => peers::nsd(directory, SERVED[0], &[(ZONE, "zone")]),
            Self::Gdnsd => {
                let zones = directory.join("zones");
                std::fs::create_dir_all(&zones).context("a directory for gdnsd")?;
                // gdnsd names the zone by the file.
                std::fs::rename(&zone_file, zones.join(ZONE)).context("moving the zone for gdnsd")?;
                zone_file = zones.join(ZONE);
                format!(
                    "options => {{ listen => {{ {address}:{port} => {{ udp_threads = 1, tcp_threads = 1 }} }}, \
                     run_dir = {here}, state_dir = {here} }}\n"
                )
            }
            Self::Bind => format!(
                "options {{ directory \"{here}\"; listen-on port {port} {{ {address}; }}; listen-on-v6 {{ none; }}; \
                 recursion no; minimal-responses yes; pid-file none; session-keyfile none; dnssec-validation no; \
                 lock-file none; }};\ncontrols {{ }};\nzone \"{ZONE}\" {{ type primary; file \"zone\"; }};\n"
            ),
            Self::PowerDns => {
                let zones =
                    format!("zone \"{ZONE}\" {{ type native; file \"{}\"; }};\n", zone_file.display());
                std::fs::write(directory.join("zones.conf"), zones).context("zones for PowerDNS")?;
                format!(
                    "launch=bind\nbind-config={here}/zones.conf\nlocal-address={address}\nlocal-port={port}\n\
                     socket-dir={here}\nreceiver-threads=1\ndistributor-threads=1\nguardian=no\ndaemon=no\n\
                     security-poll-suffix=\nversion-string=anonymous\n"
                )
            }
        };
        debug_assert!(zone_file.is_file());
        let name = match self {
            Self::Gdnsd => "config",
            Self::PowerDns => "pdns.conf",
            _ => "configuration",
        };
        let file = directory.join(name);
        std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        let file = file.display().to_string();
        let arguments: &[&str] = match self {
            Self::KnotXdp | Self::Knot => &["-c", &file],
            Self::Nsd => &["-d", "-c", &file],
            Self::Gdnsd => &["-c", &here.to_string(), "start"],
            Self::Bind => &["-f", "-n", "1", "-c", &file],
            Self::PowerDns => &[&format!("--config-dir={here}")],
        };
        Ok(arguments.iter().map(ToString::to_string).collect())
    }
}

/// Killed when dropped, and its directory removed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    directory: tempfile::TempDir,
}

impl Server {
    /// Starts it on the zone, on the other CPU, and waits until it answers.
    pub fn start(program: Program, namespace: &Namespace, zone: &str) -> Result<Self> {
        let directory = tempfile::tempdir().context("a directory for a server")?;
        std::fs::write(directory.path().join("zone"), zone).context("writing the zone")?;
        let arguments = program.configure(directory.path())?;
        let log = File::create(directory.path().join("log")).context("a log for a server")?;
        let binary = programs::find(program.binary().0)
            .with_context(|| format!("{} is not installed", program.name()))?;
        let child = namespace
            .command(Path::new("taskset"))
            .args(["-c", &OTHER_CPU.to_string()])
            .arg(binary)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("sharing a log")?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", program.name()))?;
        let mut server = Self { child, directory };
        server.wait(program, namespace)?;
        Ok(server)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All its processes: some serve from a child.
    pub fn processes(&self) -> Vec<u32> {
        let mut found = vec![self.id()];
        let mut next = 0;
        while next < found.len() {
            let children = format!("/proc/{0}/task/{0}/children", found[next]);
            let children = std::fs::read_to_string(children).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            next += 1;
        }
        found
    }

    /// Asks for the zone's SOA until it is there; within the namespace, where its own address is its own.
    fn wait(&mut self, program: Program, namespace: &Namespace) -> Result<()> {
        let socket = namespace.within(|| -> Result<UdpSocket> {
            let socket = UdpSocket::bind((SERVED[0].ip(), 0)).context("a socket to ask a server")?;
            socket.connect(SERVED[0]).context("asking a server")?;
            Ok(socket)
        })?;
        socket.set_read_timeout(Some(BETWEEN_LOOKS)).context("a timeout")?;
        let query = pulse53_tests::frame::Query::new(ZONE, 6).octets();
        let mut reply = [0; 4096];
        for _ in 0..LOOKS {
            let asked = socket.send(&query).and_then(|_| socket.recv(&mut reply));
            // NOERROR, with an answer.
            if asked.is_ok_and(|len| len > 12 && reply[3] & 0xf == 0 && reply[7] == 1) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().context("asking after a server")? {
                bail!("{} has ended ({status}), saying:\n{}", program.name(), self.log());
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        bail!("{} does not answer, saying:\n{}", program.name(), self.log())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked to end: Knot leaves its XDP program behind when it is killed.
        let asked = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::TERM,
        );
        for _ in 0..50 {
            if asked.is_err() || !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
