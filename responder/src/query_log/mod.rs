//! Query logs: a line for each reply to a question about a zone with a query logging configuration, in the form of Route 53's.
//!
//! ```text
//! 1.0 2026-01-02T03:04:05.678Z Z123412341234 www.example.com AAAA NOERROR UDP fra1 192.0.2.53 198.51.100.0/24
//! ```
//!
//! that is: version of the form, time, zone id, name, type, RCODE, protocol, this node ([`[checker] name`](crate::config::Checker)), the
//! resolver's address and the client's network if the resolver told it. The log group of a configuration is a file here ([`Sinks`]).
//!
//! Who answers never waits for a disk: lines go through a bounded queue to a thread of their own, and what does not fit is counted as
//! lost. A file is opened for each batch of lines, so that it may be renamed at any time.

mod sinks;

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

pub use sinks::{NoSink, Sinks, group_of};

/// Lines that wait for the disk.
const LINES_WAITING_MAX: usize = 65_536;
/// Octets that are written at once to one file, about.
const BATCH_LEN_MAX: usize = 1 << 20;

/// A line on its way to its file.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The log group.
    pub group: Arc<str>,
    /// With its end.
    pub text: String,
}

enum Message {
    Line(Line),
    /// Everything before this is written when the answer comes.
    Flush(SyncSender<()>),
}

/// Takes lines. Cheap to clone.
#[derive(Debug, Clone)]
pub struct QueryLog {
    messages: SyncSender<Message>,
    lost: Arc<AtomicU64>,
    node: Arc<str>,
}

impl QueryLog {
    /// Starts the thread that writes; it ends with the last clone of this.
    pub fn start(sinks: Sinks, node: &str) -> io::Result<Self> {
        let (messages, incoming) = sync_channel(LINES_WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer { sinks, lost: lost.clone() };
        std::thread::Builder::new().name("query-log".to_owned()).spawn(move || writer.run(&incoming))?;
        // Fields are parted by spaces.
        Ok(Self { messages, lost, node: node.replace(char::is_whitespace, "_").into() })
    }

    /// What this node is called in lines.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Has a line written, unless too many wait already.
    pub fn write(&self, line: Line) {
        match self.messages.try_send(Message::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Lines that could not be written.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Returns when all lines so far are in their files. Blocks.
    pub fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if self.messages.send(Message::Flush(done)).is_ok() {
            // A writer that has ended has nothing left to write.
            let _ = is_done.recv();
        }
    }
}

struct Writer {
    sinks: Sinks,
    lost: Arc<AtomicU64>,
}

/// Lines of one log group.
struct Batch {
    group: Arc<str>,
    text: String,
    lines: u64,
}

impl Writer {
    fn run(&self, incoming: &Receiver<Message>) {
        let mut batches: Vec<Batch> = Vec::new();
        while let Ok(first) = incoming.recv() {
            let mut flushed = Vec::new();
            let mut len = 0;
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Line(line) => {
                        len += line.text.len();
                        add(&mut batches, &line);
                    }
                    Message::Flush(done) => flushed.push(done),
                }
                next = if len < BATCH_LEN_MAX { incoming.try_recv().ok() } else { None };
            }
            for batch in batches.drain(..) {
                if let Err(error) = self.append(&batch) {
                    self.lost.fetch_add(batch.lines, Ordering::Relaxed);
                    tracing::warn!(group = &*batch.group, lines = batch.lines, %error, "query log lines are lost");
                }
            }
            for done in flushed {
                // Whoever has gone does not wait any more.
                let _ = done.send(());
            }
        }
    }

    fn append(&self, batch: &Batch) -> Result<(), NoSink> {
        let mut file: File = self.sinks.open(&batch.group)?;
        file.write_all(batch.text.as_bytes())
            .map_err(|source| NoSink { file: self.sinks.file(&batch.group), source })
    }
}

fn add(batches: &mut Vec<Batch>, line: &Line) {
    let at = batches.iter().position(|batch| batch.group == line.group).unwrap_or_else(|| {
        batches.push(Batch { group: line.group.clone(), text: String::new(), lines: 0 });
        batches.len() - 1
    });
    batches[at].text.push_str(&line.text);
    batches[at].lines += 1;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn write(log: &QueryLog, group: &str, text: &str) {
        log.write(Line { group: group.into(), text: format!("{text}\n") });
    }

    #[test]
    fn lines_come_in_order_and_files_may_be_renamed() {
        let directory = tempfile::tempdir().unwrap();
        let named = BTreeMap::from([("named".to_owned(), directory.path().join("elsewhere/own.log"))]);
        std::fs::create_dir(directory.path().join("elsewhere")).unwrap();
        let sinks = Sinks { directory: directory.path().join("logs"), named };
        let log = QueryLog::start(sinks, "fra1").unwrap();
        write(&log, "/aws/route53/a", "one");
        write(&log, "named", "other");
        write(&log, "/aws/route53/a", "two");
        log.flush();
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(read("logs/aws-route53-a.log"), "one\ntwo\n");
        assert_eq!(read("elsewhere/own.log"), "other\n");
        std::fs::rename(directory.path().join("logs/aws-route53-a.log"), directory.path().join("old"))
            .unwrap();
        write(&log, "/aws/route53/a", "three");
        log.flush();
        assert_eq!((&*read("logs/aws-route53-a.log"), log.lost()), ("three\n", 0));
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a-file");
        std::fs::write(&file, "").unwrap();
        let log = QueryLog::start(Sinks { directory: file, named: BTreeMap::new() }, "fra1").unwrap();
        write(&log, "a", "one");
        write(&log, "a", "two");
        log.flush();
        assert_eq!(log.lost(), 2);
    }
}
