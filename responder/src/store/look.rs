//! Looking at what is written without opening it for writing: commands do, while a node runs or when none does.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use pulse53_core::model::Snapshot;
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, StorageBackend};

use super::reading::Reading;
use super::rows::FORMAT;
use super::{FILE_NAME, StoreError, builder, load};

/// What the API has written into a data directory, also while a node is running there; none if nothing ever wrote.
pub fn written(data_dir: &Path) -> Result<Option<Snapshot>, StoreError> {
    let path = data_dir.join(FILE_NAME);
    let refuse = |source: redb::Error| StoreError::Unread { path: path.clone(), source };
    match std::fs::metadata(&path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(error.into())),
    }
    match builder().open_read_only(&path) {
        Ok(database) => read(&database, &path).map(Some),
        // Nobody has it open, and who had was killed: the next start repairs the file, and here it is left as it is.
        Err(redb::DatabaseError::RepairAborted) => read(&repaired(&path).map_err(refuse)?, &path).map(Some),
        Err(error) => Err(refuse(error.into())),
    }
}

fn read(database: &impl ReadableDatabase, path: &Path) -> Result<Snapshot, StoreError> {
    let reading = Reading::new(database.begin_read()?, Arc::default());
    match reading.format()? {
        FORMAT => load(&reading, &Arc::default()),
        found => Err(StoreError::Format { path: path.to_owned(), found }),
    }
}

/// A copy in memory, repaired.
fn repaired(path: &Path) -> Result<Database, redb::Error> {
    let octets = std::fs::read(path)?;
    let memory = InMemoryBackend::new();
    memory
        .set_len(octets.len() as u64)
        .and_then(|()| memory.write(0, &octets))
        .map_err(redb::StorageError::from)?;
    Ok(Database::builder().create_with_backend(memory)?)
}
