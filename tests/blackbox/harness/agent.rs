//! `pulse53 serve` in the server's namespace, and what it says of itself.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::command::succeed;
use super::eventually;
use super::network::Namespace;
use super::place::Place;

/// The configuration's name in its place.
pub const CONFIG: &str = "pulse53.toml";

/// Waits of 200 ms for readiness: a debug build fills BPF maps on a busy machine.
const READY_WAITS: usize = 900;

/// How much of the log a failed test shows.
const LOG_TAIL_LINES: usize = 40;

/// The program under test, as `cargo xtask build` leaves it; of the same profile as this.
pub fn binary() -> PathBuf {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let default = || format!("{}/../target/{profile}/pulse53", env!("CARGO_MANIFEST_DIR")).into();
    std::env::var_os("PULSE53_BIN").map_or_else(default, PathBuf::from)
}

/// Killed when dropped; when a test has failed, its log is shown then.
#[derive(Debug)]
pub struct Agent<'a> {
    child: Child,
    server: &'a Namespace,
    log: PathBuf,
}

impl<'a> Agent<'a> {
    /// Starts it and waits until it is ready, as systemd would.
    pub fn start(server: &'a Namespace, place: &Place) -> Self {
        let path = place.file("notify");
        let _ = std::fs::remove_file(&path);
        let notify = UnixDatagram::bind(&path).expect("a socket can be made");
        // Whoever the agent becomes may speak to it, as with systemd's.
        let everybody = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(&path, everybody).expect("permissions can be set");
        // An agent that has ended says nothing any more: it is looked after between waits.
        notify.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout can be set");
        let log = place.file("log");
        let output = File::options().create(true).append(true).open(&log).expect("a log can be made");
        let child = serve(server, place)
            .env("NOTIFY_SOCKET", &path)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            .spawn()
            .expect("nsenter is there");
        let mut agent = Self { child, server, log };
        let mut message = [0; 1024];
        for _ in 0..READY_WAITS {
            let ready = notify.recv(&mut message).is_ok_and(|length| {
                message[..length].split(|octet| *octet == b'\n').any(|line| line == b"READY=1")
            });
            if ready {
                return agent;
            }
            let ended = agent.child.try_wait().expect("a child can be asked after");
            assert!(ended.is_none(), "pulse53 has ended: {ended:?}");
        }
        panic!("pulse53 does not become ready");
    }

    /// What `pulse53 status --json` says.
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.pulse53(&["status", "--json"])).expect("status is JSON")
    }

    /// What a command says that speaks to it.
    pub fn pulse53(&self, arguments: &[&str]) -> String {
        succeed(self.server.command(&binary()).args(arguments))
    }

    /// Replies the kernel has sent.
    pub fn kernel_replies(&self) -> u64 {
        self.status()["replies"]["kernel"].as_u64().expect("status counts the kernel's replies")
    }

    /// Replies sent by anyone.
    pub fn replies(&self) -> u64 {
        let status = self.status();
        let by = |path| status["replies"][path].as_u64().expect("status counts replies");
        by("kernel") + by("userspace")
    }

    /// The value of a metric without labels.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.exposition();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("no metric {name} in\n{text}"));
        value.parse().expect("a number")
    }

    /// All metrics, as Prometheus reads them.
    pub fn exposition(&self) -> String {
        self.exchange(9553, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    }

    /// Sends the API one request under its version's path; the status and the whole response. `headers` end in CRLF each.
    pub fn api(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let head =
            format!("{method} /2013-04-01/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        let text = self.exchange(5380, &format!("{head}{headers}Content-Length: {length}\r\n\r\n{body}"));
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("no status in\n{text}")), text)
    }

    /// Whether all that is declared now is answered from, by the kernel too. It explains nothing before.
    pub fn is_in_force(&self, zone: &str) -> bool {
        let body = format!("{{\"name\": {zone:?}, \"type\": \"SOA\"}}");
        let head = "POST /pulse53/v1/explain HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                    Content-Type: application/json\r\nContent-Length: ";
        let text = self.exchange(5380, &format!("{head}{}\r\n\r\n{body}", body.len()));
        text.starts_with("HTTP/1.1 200")
    }

    fn exchange(&self, port: u16, request: &str) -> String {
        let mut stream =
            self.server.within(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port))).expect("a listener");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
        stream.write_all(request.as_bytes()).expect("a request is taken");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("responses are text");
        text
    }

    /// Asks it to read its files, and waits until `is_done`.
    pub fn reload_until(&self, what: &str, mut is_done: impl FnMut(&Self) -> bool) {
        self.signal(Signal::HUP);
        eventually(what, || is_done(self).then_some(()).ok_or("the state before"));
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// The most memory it has held at once, in KiB.
    pub fn memory_peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the kernel tells the peak");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it without a chance to clean up.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a child can be waited for");
    }

    /// Asks it to end, and waits for that.
    pub fn terminate(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let child = &mut self.child;
        eventually("the end", || child.try_wait().expect("a child can be waited for").ok_or("it runs"))
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n");
            eprintln!("the log of pulse53 ends:\n{tail}");
        }
    }
}

/// `pulse53 serve` with the place's configuration.
pub fn serve(server: &Namespace, place: &Place) -> Command {
    let mut command = server.command(&binary());
    command.args(["serve", "--config"]).arg(place.file(CONFIG));
    command
}
