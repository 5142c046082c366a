//! `pulse53 serve` in the server's namespace, and what it says of itself.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::network::Namespace;
use super::place::Place;
use crate::workspace;

/// Relative to the repository's root, which is the agent's working directory.
pub const CONFIG: &str = "examples/demo/pulse53.toml";

/// The default of `[metrics] listen`.
const METRICS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9553);

/// How long a process may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(5);
const LOG_TAIL_LINES: usize = 20;
const RESPONSE_BYTES_MAX: u64 = 4 << 20;

/// Where `cargo xtask build --release` leaves the binary: beside the profile directory that this program lies in.
pub fn binary() -> Result<PathBuf> {
    let this = std::env::current_exe().context("finding this program")?;
    let target = this.ancestors().nth(2).context("this program lies in no target directory")?;
    Ok(target.join("release/pulse53"))
}

/// Ended when dropped.
pub struct Agent<'a> {
    child: Child,
    namespace: &'a Namespace,
    log: PathBuf,
}

/// Queries answered, by path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Served {
    kernel: f64,
    userspace: f64,
}

impl Served {
    fn share(self) -> Option<f64> {
        let all = self.kernel + self.userspace;
        (all > 0.0).then(|| self.kernel / all)
    }

    /// The share of the kernel, for people.
    pub fn told(self) -> String {
        self.share().map_or("unknown".to_owned(), |share| format!("{:.2} %", share * 100.0))
    }
}

/// A reading of the counters, if the agent has them.
pub struct Reading(Option<Served>);

impl Reading {
    /// What was answered between two readings.
    pub fn since(&self, earlier: &Self) -> Option<Served> {
        let (later, earlier) = (self.0?, earlier.0?);
        Some(Served { kernel: later.kernel - earlier.kernel, userspace: later.userspace - earlier.userspace })
    }
}

impl<'a> Agent<'a> {
    pub fn start(namespace: &'a Namespace, place: &Place) -> Result<Self> {
        let log = place.log();
        let output = File::create(&log).with_context(|| format!("making {}", log.display()))?;
        let errors = output.try_clone().context("sharing the agent's log")?;
        let child = namespace
            .command(&binary()?)
            .args(["serve", "--config", CONFIG])
            .env("PULSE53_DATA_DIR", place.data())
            .env("PULSE53_XDP_PIN_DIR", place.pins())
            .current_dir(workspace::root())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .context("starting pulse53 through nsenter and setpriv (package util-linux)")?;
        Ok(Self { child, namespace, log })
    }

    /// Fails, with the end of its log, if it has ended.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait().context("asking after pulse53")? {
            bail!("pulse53 has ended ({status}); its log ends:\n{}", self.log_tail());
        }
        Ok(())
    }

    pub fn log_tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    /// What it has answered so far.
    pub fn served(&self) -> Result<Reading> {
        let metrics =
            self.namespace.within(|| get(METRICS, "/metrics")).context("reading pulse53's metrics")?;
        Ok(Reading(served(&metrics)))
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

fn get(server: SocketAddr, path: &str) -> Result<String> {
    let patience = Duration::from_secs(2);
    let mut stream =
        TcpStream::connect_timeout(&server, patience).with_context(|| format!("connecting to {server}"))?;
    stream.set_read_timeout(Some(patience))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")?;
    let mut response = Vec::new();
    stream.take(RESPONSE_BYTES_MAX).read_to_end(&mut response)?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}

/// Adds up `pulse53_queries_total{…path="kernel"…} 12` and its kin.
fn served(metrics: &str) -> Option<Served> {
    let of_path = |path: &str| {
        let label = format!("path=\"{path}\"");
        let values = metrics
            .lines()
            .filter(|line| line.starts_with("pulse53_queries_total{") && line.contains(&label))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .collect::<Vec<_>>();
        (!values.is_empty()).then(|| values.iter().sum())
    };
    Some(Served { kernel: of_path("kernel")?, userspace: of_path("userspace")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_share_is_read_from_the_metrics() {
        let metrics = "# TYPE pulse53_queries_total counter\n\
                       pulse53_queries_total{path=\"kernel\",family=\"4\"} 900\n\
                       pulse53_queries_total{path=\"kernel\",family=\"6\"} 75\n\
                       pulse53_queries_total{path=\"userspace\"} 25\n";
        let served = served(metrics).unwrap();
        assert_eq!(served, Served { kernel: 975.0, userspace: 25.0 });
        assert_eq!(served.told(), "97.50 %");
        assert_eq!(super::served("pulse53_other 1\n"), None);
    }
}
