//! `pulse53 serve` in the server's namespace, and what it says of itself.

use std::fs::File;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::network::Namespace;
use super::place::Place;
use crate::build::{self, Profile};
use crate::{process, workspace};

/// Relative to the repository's root, which is the agent's working directory.
pub const CONFIG: &str = "examples/demo/pulse53.toml";

/// How long a process may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(5);
const LOG_TAIL_LINES: usize = 20;

/// The agent, as `cargo xtask build --release` leaves it.
pub fn binary() -> Result<PathBuf> {
    build::binary(Profile::Release)
}

/// Ended when dropped.
pub struct Agent<'a> {
    child: Child,
    namespace: &'a Namespace,
    log: PathBuf,
    notify: UnixDatagram,
    ready: bool,
}

/// Replies sent so far, by who sent them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Replies {
    kernel: u64,
    userspace: u64,
}

impl Replies {
    /// The kernel's share of what was sent since an earlier reading, from 0 to 1.
    pub fn kernel_share_since(self, earlier: Self) -> f64 {
        let kernel = self.kernel.saturating_sub(earlier.kernel);
        let all = kernel + self.userspace.saturating_sub(earlier.userspace);
        if all == 0 { 0.0 } else { kernel as f64 / all as f64 }
    }
}

/// What `pulse53 status` says that the demo tells.
pub struct Status {
    pub replies: Replies,
    /// Where the kernel answers, or why it does not.
    pub datapath: String,
}

impl<'a> Agent<'a> {
    pub fn start(namespace: &'a Namespace, place: &Place) -> Result<Self> {
        let log = place.log();
        let output = File::create(&log).with_context(|| format!("making {}", log.display()))?;
        let errors = output.try_clone().context("sharing the agent's log")?;
        let path = place.notify();
        let notify = UnixDatagram::bind(&path).with_context(|| format!("listening on {}", path.display()))?;
        notify.set_nonblocking(true).context("making a socket non-blocking")?;
        let child = namespace
            .command(&binary()?)
            .args(["serve", "--config", CONFIG])
            .env("PULSE53_DATA_DIR", place.data())
            .env("PULSE53_XDP_PIN_DIR", place.pins())
            .env("NOTIFY_SOCKET", path)
            .current_dir(workspace::root())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .context("starting pulse53 through nsenter and setpriv (package util-linux)")?;
        Ok(Self { child, namespace, log, notify, ready: false })
    }

    /// Fails, with the end of its log, if it has ended.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait().context("asking after pulse53")? {
            bail!("pulse53 has ended ({status}); its log ends:\n{}", self.log_tail());
        }
        Ok(())
    }

    /// Whether it has said, as to systemd, that it is ready: in the kernel, too.
    pub fn is_ready(&mut self) -> bool {
        let mut message = [0; 1024];
        while let Ok(length) = self.notify.recv(&mut message) {
            self.ready |= message[..length].split(|octet| *octet == b'\n').any(|line| line == b"READY=1");
        }
        self.ready
    }

    pub fn log_tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    /// What it says of itself, asked as an operator would.
    pub fn status(&self) -> Result<Status> {
        let said = process::capture(self.namespace.command(&binary()?).args(["status", "--json"]))?;
        status(&said)
            .with_context(|| format!("`pulse53 status --json` says nothing of replies, but:\n{said}"))
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Asks a process to end, and makes it if it does not.
pub fn end(child: &mut Child) {
    let until = Instant::now() + GRACE;
    if matches!(child.try_wait(), Ok(None)) {
        let _ = kill_process(Pid::from_child(child), Signal::TERM);
    }
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn status(said: &str) -> Option<Status> {
    let status: Value = serde_json::from_str(said).ok()?;
    let replies = |path: &str| status["replies"][path].as_u64();
    let interfaces: Vec<String> = status["interfaces"]
        .as_array()?
        .iter()
        .filter_map(|interface| {
            Some(format!("{} ({})", interface["name"].as_str()?, interface["mode"].as_str()?))
        })
        .collect();
    let datapath = match status["kernel_problem"].as_str() {
        // What follows the first line is the verifier's, and in the log.
        Some(problem) => format!("through sockets alone: {}", problem.lines().next().unwrap_or_default()),
        None if interfaces.is_empty() => "through sockets alone".to_owned(),
        None => format!("by XDP on {}", interfaces.join(", ")),
    };
    Some(Status {
        replies: Replies { kernel: replies("kernel")?, userspace: replies("userspace")? },
        datapath,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_share_is_that_of_the_time_between() {
        let earlier = Replies { kernel: 100, userspace: 1000 };
        let later = Replies { kernel: 1075, userspace: 1025 };
        assert_eq!(later.kernel_share_since(earlier), 0.975);
        assert_eq!(later.kernel_share_since(later), 0.0);
    }

    #[test]
    fn a_status_is_understood() {
        let read = |interfaces: &str| {
            status(&format!(r#"{{"replies":{{"kernel":3,"userspace":1}},"interfaces":{interfaces}}}"#))
                .unwrap()
        };
        let status = read(r#"[{"name":"demo0","mode":"native"}]"#);
        assert_eq!(status.replies, Replies { kernel: 3, userspace: 1 });
        assert_eq!(status.datapath, "by XDP on demo0 (native)");
        assert_eq!(read("[]").datapath, "through sockets alone");
        assert!(super::status("{}").is_none());
    }
}
