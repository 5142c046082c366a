//! Why the store could not do what was asked.

use std::io;
use std::path::PathBuf;

use pulse53_core::model::Revision;

/// The store failed, or refused.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data directory cannot be made.
    #[error("cannot make the data directory {}: {source}; mend its permissions or change data_dir", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be opened.
    #[error("cannot open the store {}: {source}; is another pulse53 using it, and may this one write there?", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: redb::Error,
    },
    /// The file cannot be looked at.
    #[error("the store {} cannot be read", path.display())]
    Unread {
        /// Which.
        path: PathBuf,
        /// Why.
        source: redb::Error,
    },
    /// The file is of a version that this program does not know.
    #[error("the store {} has format {found}, and this version knows another; use the version that wrote it", path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// What it says.
        found: u64,
    },
    /// A row cannot be understood.
    #[error("the store is damaged: {table} {key:?}: {what}; restore it from a backup")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// Something was committed since the change was judged.
    #[error("the store is at revision {}, not {}; judge the change again", current.0, expected.0)]
    Stale {
        /// What the change was judged at.
        expected: Revision,
        /// What is in force.
        current: Revision,
    },
    /// Reading or writing failed.
    #[error("the store failed: {0}")]
    Failed(#[from] redb::Error),
}

macro_rules! from_redb {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Failed(error.into())
            }
        })*
    };
}

from_redb!(TransactionError, TableError, StorageError, CommitError);
