//! What health remembers over a restart: one JSON file, replaced whole (H-20, H-31, H-38).
//!
//! Losing it costs a fresh start, not an outage, so a file that cannot be read is a warning. It is written beside the
//! old one and renamed over it: a reader sees the old or the new state, never half of one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pulse53_core::health::{HealthState, StoredHealth};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::metrics::HealthMetrics;

/// The file's name in the data directory.
const FILE_NAME: &str = "health.json";

/// All that is written in the data directory: the file, and the one that replaces it.
pub const FILES: [&str; 2] = [FILE_NAME, "health.json.new"];

/// Raised when an older reader would misunderstand the file.
const FORMAT: u32 = 1;

/// Changes within this time are stored together.
const WRITE_DELAY: Duration = Duration::from_millis(200);

/// After a failed write the next one waits this long.
const WRITE_RETRY: Duration = Duration::from_secs(5);

/// The journal could not be written.
#[derive(Debug, thiserror::Error)]
#[error("writing {path}")]
pub(super) struct JournalError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Where the journal is.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Contents<H> {
    format: u32,
    health: H,
}

impl Journal {
    pub(super) fn in_directory(data_dir: &Path) -> Self {
        Self { path: data_dir.join(FILE_NAME) }
    }

    /// What was stored last; nothing if there is no file, or none that can be understood.
    pub(super) fn load(&self) -> StoredHealth {
        let path = self.path.display();
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return StoredHealth::default(),
            Err(error) => {
                tracing::warn!(%path, %error, "cannot read stored health; starting fresh");
                return StoredHealth::default();
            }
        };
        match serde_json::from_slice(&bytes) {
            Ok(Contents { format: FORMAT, health }) => health,
            Ok(Contents { format, .. }) => {
                tracing::warn!(%path, format, "stored health has an unknown format; starting fresh");
                StoredHealth::default()
            }
            Err(error) => {
                tracing::warn!(%path, %error, "cannot understand stored health; starting fresh");
                StoredHealth::default()
            }
        }
    }

    /// Replaces what is stored. Blocks on the disk.
    pub(super) fn write(&self, health: &StoredHealth) -> Result<(), JournalError> {
        self.replace(health).map_err(|source| JournalError { path: self.path.clone(), source })
    }

    fn replace(&self, health: &StoredHealth) -> io::Result<()> {
        let bytes = serde_json::to_vec(&Contents { format: FORMAT, health })?;
        let beside = self.path.with_file_name(FILES[1]);
        let mut file = File::create(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        // The rename itself must reach the disk too.
        match self.path.parent() {
            Some(directory) => File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// Keeps the journal abreast of the state, off the probes' path and one write at a time.
pub(super) struct JournalWriter {
    journal: Option<Journal>,
    /// The version that is stored or being stored; none after a failure.
    version: Option<u64>,
    /// When the next write starts, if there is something to write.
    due: Option<Instant>,
    writing: Option<JoinHandle<Result<(), JournalError>>>,
    /// Who waits until this version is stored.
    waiting: Vec<(u64, oneshot::Sender<bool>)>,
}

/// What the writer waited for.
pub(super) enum Ready {
    /// It is time to write.
    Due,
    /// A write has ended.
    Written(Result<(), JournalError>),
}

impl JournalWriter {
    pub(super) fn new(journal: Option<Journal>) -> Self {
        Self { journal, version: Some(0), due: None, writing: None, waiting: Vec::new() }
    }

    /// Notices that the state has something new to store.
    pub(super) fn watch(&mut self, state: &HealthState) {
        let idle = self.writing.is_none() && self.due.is_none() && self.journal.is_some();
        if idle && self.version != Some(state.stored_version()) {
            let delay = if self.waiting.is_empty() { WRITE_DELAY } else { Duration::ZERO };
            self.due = Some(Instant::now() + delay);
        }
    }

    /// Stores the state at once, and tells whether that has succeeded; true if nothing is to be stored anywhere.
    pub(super) fn store_now(&mut self, state: &HealthState) -> oneshot::Receiver<bool> {
        let (stored, told) = oneshot::channel();
        let version = state.stored_version();
        let is_stored = self.writing.is_none() && self.version == Some(version);
        if self.journal.is_none() || is_stored {
            // Who asked may have left.
            let _ = stored.send(true);
        } else {
            self.waiting.push((version, stored));
            if self.writing.is_none() {
                self.due = Some(Instant::now());
            }
        }
        told
    }

    /// Tells those who wait for the version that was written, or for an earlier one.
    fn tell(&mut self, version: u64, is_stored: bool) {
        for (_, waiting) in self.waiting.extract_if(.., |(wanted, _)| *wanted <= version) {
            let _ = waiting.send(is_stored);
        }
    }

    /// Waits for something to do; nothing is lost if the wait is given up.
    pub(super) async fn ready(&mut self) -> Ready {
        match (&mut self.writing, self.due) {
            (Some(writing), _) => {
                let result = writing.await;
                self.writing = None;
                // A write that panicked has said so already; it counts as none.
                result.map_or(Ready::Due, Ready::Written)
            }
            (None, Some(due)) => {
                sleep_until(due).await;
                Ready::Due
            }
            (None, None) => std::future::pending().await,
        }
    }

    /// Does what it waited for.
    pub(super) fn act(&mut self, ready: Ready, state: &HealthState, metrics: &HealthMetrics) {
        self.due = None;
        match ready {
            Ready::Due => self.start(state),
            Ready::Written(result) => {
                metrics.journal_written(result.is_ok());
                self.tell(self.version.unwrap_or(0), result.is_ok());
                if let Err(error) = result {
                    tracing::warn!(error = &error as &dyn std::error::Error, "health is not stored");
                    self.version = None;
                    self.due = Some(Instant::now() + WRITE_RETRY);
                }
            }
        }
    }

    /// Stores what is not stored yet, then ends.
    pub(super) async fn finish(mut self, state: &HealthState, metrics: &HealthMetrics) {
        if self.writing.is_some() {
            let ready = self.ready().await;
            self.act(ready, state, metrics);
        }
        if self.writing.is_none() && self.version != Some(state.stored_version()) {
            self.start(state);
        }
        if self.writing.is_some() {
            let ready = self.ready().await;
            if let Ready::Written(_) = ready {
                self.act(ready, state, metrics);
            }
        }
    }

    fn start(&mut self, state: &HealthState) {
        let Some(journal) = self.journal.clone() else { return };
        self.version = Some(state.stored_version());
        let health = state.to_stored();
        self.writing = Some(tokio::task::spawn_blocking(move || journal.write(&health)));
    }
}

#[cfg(test)]
mod tests {
    use pulse53_core::health::RoutingControl;

    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::in_directory(directory.path());
        assert_eq!(journal.load(), StoredHealth::default());
        let mut health = StoredHealth::default();
        health.routing_controls.insert("arn:a".into(), RoutingControl { on: true, version: 7 });
        journal.write(&health).unwrap();
        journal.write(&health).unwrap();
        assert_eq!(journal.load(), health);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_corrupt_or_foreign_file_means_a_fresh_start() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::in_directory(directory.path());
        for text in ["", "{", "[]", r#"{"format":2,"health":{}}"#, r#"{"format":1,"health":{"checks":7}}"#] {
            fs::write(directory.path().join(FILE_NAME), text).unwrap();
            assert_eq!(journal.load(), StoredHealth::default(), "{text}");
        }
    }

    #[test]
    fn a_directory_that_is_gone_is_an_error_that_names_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::in_directory(&directory.path().join("gone"));
        let error = journal.write(&StoredHealth::default()).unwrap_err();
        assert!(error.to_string().ends_with("gone/health.json"));
    }
}
