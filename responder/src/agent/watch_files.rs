//! Notices changed files, so that an edit takes effect without a signal.
//!
//! Directories are watched rather than files, since editors and package managers replace files by renaming. A burst of events
//! is one change, told when it has been quiet for a moment.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// How long it must be quiet before a change is told.
const QUIET: Duration = Duration::from_millis(250);

/// The longest that events may put off the telling.
const PATIENCE: Duration = Duration::from_secs(3);

/// The watched files, shared with the watcher's thread.
#[derive(Debug, Default)]
struct Watched {
    files: BTreeSet<PathBuf>,
    /// Directories in which any event counts, because a watched file there is a link to elsewhere.
    with_links: BTreeSet<PathBuf>,
}

impl Watched {
    fn concerns(&self, path: &Path) -> bool {
        self.files.contains(path) || path.parent().is_some_and(|parent| self.with_links.contains(parent))
    }
}

/// Watches files; without it a reload still happens on SIGHUP.
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: Arc<Mutex<Watched>>,
    directories: BTreeSet<PathBuf>,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    /// Watches nothing yet. Must be called within a tokio runtime.
    pub fn start() -> Self {
        // One waiting event says as much as many.
        let (events_in, events) = mpsc::channel(1);
        let (changes_in, changes) = mpsc::channel(1);
        tokio::spawn(settle(events, changes_in));
        let watched: Arc<Mutex<Watched>> = Arc::default();
        let of_thread = watched.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let Ok(event) = event else { return };
            let watched = of_thread.lock().unwrap_or_else(PoisonError::into_inner);
            let concerns_us = event.paths.iter().any(|path| watched.concerns(path));
            if concerns_us && !matches!(event.kind, EventKind::Access(_)) {
                let _ = events_in.try_send(());
            }
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "cannot watch files; SIGHUP still reloads them"))
            .ok();
        Self { watcher, watched, directories: BTreeSet::new(), changes }
    }

    /// Watches these files from now on, and no others.
    pub fn set_files(&mut self, files: &[PathBuf]) {
        let mut watched = Watched::default();
        let mut directories = BTreeSet::new();
        for file in files.iter().filter_map(|file| std::path::absolute(file).ok()) {
            if let Some(directory) = file.parent() {
                directories.insert(directory.to_owned());
                if file.is_symlink() {
                    watched.with_links.insert(directory.to_owned());
                }
            }
            watched.files.insert(file);
        }
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = watched;
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.directories.difference(&directories) {
            // It may have been removed, and its watch with it.
            let _ = watcher.unwatch(gone);
        }
        // Also those watched already: a directory that was replaced needs a new watch.
        for directory in &directories {
            if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
                let directory = directory.display();
                tracing::warn!(%directory, %error, "cannot watch this directory; SIGHUP still reloads its files");
            }
        }
        self.directories = directories;
    }

    /// Waits for a change. Nothing is lost when the waiting is given up.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Passes on bursts of events as single changes.
async fn settle(mut events: mpsc::Receiver<()>, changes: mpsc::Sender<()>) {
    while events.recv().await.is_some() {
        let patience = Instant::now() + PATIENCE;
        while let Ok(Some(())) = timeout_at(patience.min(Instant::now() + QUIET), events.recv()).await {}
        if changes.send(()).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_told(watch: &mut Watch) -> bool {
        tokio::time::timeout(Duration::from_secs(2), watch.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn replaced_files_are_noticed_and_others_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.zone");
        std::fs::write(&file, "1").unwrap();
        let mut watch = Watch::start();
        watch.set_files(std::slice::from_ref(&file));

        std::fs::write(directory.path().join("new"), "2").unwrap();
        assert!(!is_told(&mut watch).await);
        std::fs::rename(directory.path().join("new"), &file).unwrap();
        assert!(is_told(&mut watch).await);
        std::fs::write(&file, "3").unwrap();
        assert!(is_told(&mut watch).await);
    }
}
