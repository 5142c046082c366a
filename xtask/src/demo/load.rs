//! dnsperf in the client's namespace: its rate while it runs, its own count at the end.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::agent::end;
use super::network::Namespace;
use crate::workspace;

/// How long after its time dnsperf may wait for answers.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Ended when dropped.
pub struct Load {
    child: Child,
    report: Arc<Mutex<Report>>,
    reader: Option<JoinHandle<()>>,
}

/// What dnsperf has said so far.
#[derive(Debug, Default, Clone, PartialEq)]
struct Report {
    latest_rate: Option<u64>,
    sent: Option<u64>,
    lost: Option<u64>,
    per_second: Option<f64>,
    said: Vec<String>,
}

/// dnsperf's count.
pub struct Outcome {
    pub sent: u64,
    pub lost: u64,
    pub answered_per_second: f64,
}

impl Load {
    pub fn start(client: &Namespace, server: SocketAddr, length: Duration, qps: Option<u32>) -> Result<Self> {
        // Half of the processors: server, health checks and watcher need the others.
        let threads = std::thread::available_parallelism().map_or(1, |count| (count.get() / 2).max(1));
        // Into a pipe it would print its rate only when it ends.
        let mut command = client.command(Path::new("stdbuf"));
        command
            .args(["-oL", "dnsperf"])
            .args(["-s", &server.ip().to_string(), "-p", &server.port().to_string()])
            .arg("-d")
            .arg(workspace::root().join("examples/demo/queries.txt"))
            .args(["-l", &length.as_secs().to_string(), "-S", "1", "-W"])
            .args(["-T", &threads.to_string(), "-c", &(threads * 8).to_string()]);
        if let Some(qps) = qps {
            command.args(["-Q", &qps.to_string()]);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("starting dnsperf through nsenter and setpriv")?;
        let report = Arc::new(Mutex::new(Report::default()));
        let shared = Arc::clone(&report);
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                shared.lock().expect("no holder panics").read(&line);
            }
        });
        Ok(Self { child, report, reader: Some(reader) })
    }

    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().context("asking after dnsperf")?.is_some())
    }

    /// Answers per second, as of the last second.
    pub fn latest_rate(&self) -> Option<u64> {
        self.report.lock().expect("no holder panics").latest_rate
    }

    pub fn outcome(mut self) -> Result<Outcome> {
        let status = self.child.wait().context("waiting for dnsperf")?;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let report = self.report.lock().expect("no holder panics").clone();
        match (report.sent, report.lost, report.per_second) {
            (Some(sent), Some(lost), Some(answered_per_second)) if status.success() => {
                Ok(Outcome { sent, lost, answered_per_second })
            }
            _ => bail!("dnsperf failed ({status}), saying:\n{}", report.said.join("\n")),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

impl Report {
    /// Understands `1700000000.123456: 98765.432` each second, and `Queries sent: 123` and its kin at the end.
    fn read(&mut self, line: &str) {
        let line = line.trim();
        let Some((what, value)) = line.split_once(':') else { return };
        let value = value.trim();
        let number = value.split(' ').next().unwrap_or_default();
        match what.trim() {
            "Queries sent" => self.sent = number.parse().ok(),
            "Queries lost" => self.lost = number.parse().ok(),
            "Queries per second" => self.per_second = number.parse().ok(),
            time if time.parse::<f64>().is_ok() => {
                self.latest_rate = number.parse().ok().map(|rate: f64| rate as u64);
                return;
            }
            _ => {}
        }
        // Statistics and complaints, kept for the case that it fails; dnsperf may repeat itself, so boundedly.
        if self.said.len() < 40 {
            self.said.push(line.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dnsperfs_words_are_understood() {
        let mut report = Report::default();
        for line in [
            "[Status] Sending queries (to 192.0.2.53:53)",
            "1763846400.123456: 123456.789",
            "  Queries sent:         1851852",
            "  Queries completed:    1851850 (100.00%)",
            "  Queries lost:         2 (0.00%)",
            "  Queries per second:   123456.654321",
        ] {
            report.read(line);
        }
        assert_eq!(report.latest_rate, Some(123_456));
        assert_eq!((report.sent, report.lost), (Some(1_851_852), Some(2)));
        assert_eq!(report.per_second, Some(123_456.654_321));
    }
}
