//! What is declared, kept over restarts and crashes: the embedded store of what the API writes, joined with what files say.
//!
//! ```text
//!   API ── change(closure) ──► Commit ── commit(at an expected revision) ──► redb file, one transaction, on disk
//!   files ── declare_files ──────────────────┐                                   │
//!                                            └──► Snapshot@revision ◄────────────┘ ──► watch
//! ```
//!
//! One sequence of revisions covers both, and only rises (law 5): a reload of files takes one, as every commit does. A change
//! is in force where the published table is of its revision or a later one, also after a restart.
//!
//! A commit is a list of rows, plain octets by table and key, together with what they mean in the model. The rows alone say
//! all; the model goes with them so that one record's change does not cost reading a zone back. A process that is
//! killed leaves either all rows of a commit or none.

mod commit;
mod error;
mod load;
mod look;
mod reading;
mod rows;

#[cfg(test)]
mod tests;

use std::fs::{File, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use pulse53_core::model::{Problem, Revision, Snapshot};
use redb::{ConcurrencyMode, Database, ReadableDatabase, ReadableTable};
use tokio::sync::watch;

pub use commit::Commit;
pub use error::StoreError;
pub use look::written;
pub use reading::Reading;
pub use rows::{
    ChangeRow, CheckRow, CollectionRow, DelegationSetRow, ProtectionRow, QueryLogRow, Reference,
    ResourceKind, Row, SigningKeyRow, SigningRow, ZoneRow, set_key,
};

use crate::dnssec::Signatures;
use load::load;
use rows::{FORMAT, TABLES, table};

/// The file's name in the data directory.
const FILE_NAME: &str = "store.redb";

/// All that is written there.
pub const FILES: [&str; 1] = [FILE_NAME];

/// Octets of the file kept in memory; the model is in memory anyway, so pages are read for listings alone.
const CACHE_OCTETS: usize = 32 << 20;

/// The store. One a data directory; a second process that opens it is refused, while any may look at what is written ([`written`]).
#[derive(Debug)]
pub struct Store {
    database: Database,
    state: Mutex<State>,
    /// The same as `State::all`, for readers, who do not wait for a commit to reach the disk.
    all: ArcSwap<Snapshot>,
    watch: watch::Sender<Arc<Snapshot>>,
    signatures: Arc<Signatures>,
}

/// What is in force, under the lock that commits are made under.
#[derive(Debug)]
struct State {
    /// What files declare.
    files: Snapshot,
    /// That and what the API wrote.
    all: Arc<Snapshot>,
}

impl Store {
    /// Opens the store of a data directory, or makes it; everything in it is read and declared.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(FILE_NAME);
        let opening = |source: redb::Error| StoreError::Open { path: path.clone(), source };
        std::fs::create_dir_all(data_dir)
            .map_err(|source| StoreError::Directory { path: data_dir.to_owned(), source })?;
        make_private(&path).map_err(|error| opening(error.into()))?;
        let database = builder().create(&path).map_err(|error| opening(error.into()))?;
        let format = create_tables(&database).map_err(opening)?;
        if format != FORMAT {
            return Err(StoreError::Format { path, found: format });
        }
        let signatures = Arc::default();
        let all = Arc::new(load(&Reading::new(database.begin_read()?, Arc::default()), &signatures)?);
        let state = Mutex::new(State { files: Snapshot::default(), all: all.clone() });
        let (all, watch) = (ArcSwap::new(all.clone()), watch::Sender::new(all));
        Ok(Self { database, state, all, watch, signatures })
    }

    /// Where the signatures of signed zones are kept.
    pub fn signatures(&self) -> &Arc<Signatures> {
        &self.signatures
    }

    /// What is declared, now and whenever what can be answered changes.
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.watch.subscribe()
    }

    /// A consistent view of the rows.
    pub fn read(&self) -> Result<Reading, StoreError> {
        // The snapshot first: it may then be older than the rows, and never tells of rows that are not there.
        let all = self.all.load_full();
        Ok(Reading::new(self.database.begin_read()?, all))
    }

    /// Judges a change on what is in force and commits it, alone: nothing else is committed meanwhile.
    ///
    /// The closure's error leaves everything as it is. Returns the closure's value and the revision that holds the change.
    pub fn change<T, E: From<StoreError>>(
        &self,
        judge: impl FnOnce(&Reading, &mut Commit) -> Result<T, E>,
    ) -> Result<(T, Revision), E> {
        let mut state = self.state();
        let reading = Reading::new(self.database.begin_read().map_err(StoreError::from)?, state.all.clone());
        let next = Revision(state.all.revision.0 + 1);
        let mut commit = Commit::new(next);
        let value = judge(&reading, &mut commit)?;
        if commit.is_empty() {
            return Ok((value, state.all.revision));
        }
        self.commit_locked(&mut state, commit)?;
        Ok((value, next))
    }

    /// Commits what was judged at a revision; refused if anything was committed since.
    pub fn commit(&self, expected: Revision, commit: Commit) -> Result<Revision, StoreError> {
        let mut state = self.state();
        let current = state.all.revision;
        if current != expected || commit.revision().0 != expected.0 + 1 {
            return Err(StoreError::Stale { expected, current });
        }
        self.commit_locked(&mut state, commit)
    }

    /// Puts what files declare in place of what they declared before; refused, with every reason, if the API owns any of it.
    pub fn declare_files(&self, files: Snapshot) -> Result<Arc<Snapshot>, Refused> {
        let mut state = self.state();
        let all = join(&files, state.written()).map_err(Refused::Owned)?;
        let commit = Commit::new(Revision(all.revision.0 + 1));
        commit.write(&self.database)?;
        state.all = Arc::new(commit.apply(&all));
        self.all.store(state.all.clone());
        state.files = files;
        self.watch.send_replace(state.all.clone());
        Ok(state.all.clone())
    }

    fn commit_locked(&self, state: &mut State, commit: Commit) -> Result<Revision, StoreError> {
        commit.write(&self.database)?;
        let revision = commit.revision();
        let is_declared = commit.is_declared();
        state.all = Arc::new(commit.apply(&state.all));
        self.all.store(state.all.clone());
        // Nobody answers from tags and comments: whoever watches learns the revision with the next declaration.
        if is_declared {
            self.watch.send_replace(state.all.clone());
        }
        Ok(revision)
    }

    /// What the API wrote, of all that is in force: files are read next to it.
    pub fn written(&self) -> Snapshot {
        self.state().written()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the file if it is not there, and lets nobody else read it: private keys lie in it.
fn make_private(path: &Path) -> std::io::Result<()> {
    const OWNER_ALONE: u32 = 0o600;
    let file = File::options().write(true).create(true).truncate(false).mode(OWNER_ALONE).open(path)?;
    // One of an earlier version may be there.
    if file.metadata()?.permissions().mode() & 0o777 != OWNER_ALONE {
        file.set_permissions(Permissions::from_mode(OWNER_ALONE))?;
    }
    Ok(())
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    // One process writes; others may read beside it.
    builder.set_cache_size(CACHE_OCTETS).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

/// Why files could not be put in force.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// They declare what the API owns.
    #[error("{} declarations belong to the API", .0.len())]
    Owned(Vec<Problem>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl State {
    fn written(&self) -> Snapshot {
        let mut written = (*self.all).clone();
        written.zones.retain(|id, _| !self.files.zones.contains_key(id));
        written.checks.retain(|id, _| !self.files.checks.contains_key(id));
        written.collections.retain(|id, _| !self.files.collections.contains_key(id));
        written
    }
}

/// Adds what files declare to what the API wrote; every reason if both own something.
pub fn join(files: &Snapshot, written: Snapshot) -> Result<Snapshot, Vec<Problem>> {
    let problems = owned_twice(files, &written);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut all = written;
    all.zones.extend(files.zones.clone());
    all.checks.extend(files.checks.clone());
    all.collections.extend(files.collections.clone());
    all.full_responses = files.full_responses;
    Ok(all)
}

/// One name, one owner.
fn owned_twice(files: &Snapshot, written: &Snapshot) -> Vec<Problem> {
    let mut problems = Vec::new();
    for zone in files.zones.values() {
        let same_name = written.zones.values().find(|other| other.apex == zone.apex);
        let same_id = written.zones.get(&zone.id);
        let (apex, id) = (&zone.apex, &zone.id);
        if let Some(other) = same_name {
            let advice = "delete it there, or remove it from the configuration";
            let what = format!(
                "zone {apex} was made through the API as {}: one name, one owner; {advice}",
                other.id
            );
            problems.push(Problem::of_syntax(None, what));
        } else if let Some(other) = same_id {
            let what = format!(
                "zone {apex} has the id {id} of {}, which was made through the API; change it",
                other.apex
            );
            problems.push(Problem::of_syntax(None, what));
        }
    }
    for id in files.checks.keys().filter(|id| written.checks.contains_key(*id)) {
        let what = format!("health check {id} was made through the API; give this one another id");
        problems.push(Problem::of_syntax(None, what));
    }
    for id in files.collections.keys().filter(|id| written.collections.contains_key(*id)) {
        let what = format!("CIDR collection {id} was made through the API; give this one another id");
        problems.push(Problem::of_syntax(None, what));
    }
    problems
}

/// Makes every table, so that reading finds them; returns the format of the file.
fn create_tables(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    for name in TABLES {
        transaction.open_table(table(name))?;
    }
    let format = {
        let mut meta = transaction.open_table(rows::META)?;
        let found = meta.get("format")?.map(|value| value.value());
        if found.is_none() {
            meta.insert("format", FORMAT)?;
        }
        found.unwrap_or(FORMAT)
    };
    transaction.commit()?;
    Ok(format)
}
