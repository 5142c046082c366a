//! A consistent view of the rows.

use std::ops::Bound;
use std::sync::Arc;

use pulse53_core::model::{Revision, Snapshot};
use pulse53_core::route53::ResourceRecordSet;
use redb::{ReadTransaction, ReadableTableMetadata, TableError};
use serde::de::DeserializeOwned;

use super::StoreError;
use super::rows::{META, RECORD_SETS, ResourceKind, Row, TAGS, key, table};

/// Takes the rest of a row's key, its whole key, and its value.
type See<'s> = dyn FnMut(String, &[u8], &[u8]) -> Result<(), StoreError> + 's;

/// The rows at one revision, and what was declared when they were looked at.
pub struct Reading {
    transaction: ReadTransaction,
    declared: Arc<Snapshot>,
}

impl Reading {
    pub(super) fn new(transaction: ReadTransaction, declared: Arc<Snapshot>) -> Self {
        Self { transaction, declared }
    }

    /// All that is declared, by files too.
    pub fn declared(&self) -> &Arc<Snapshot> {
        &self.declared
    }

    /// One row.
    pub fn row<R: Row>(&self, parts: &[&str]) -> Result<Option<R>, StoreError> {
        let table = self.transaction.open_table(table(R::TABLE))?;
        let key = key(parts);
        let found = table.get(key.as_slice())?;
        found.map(|value| parse(R::TABLE, &key, value.value())).transpose()
    }

    /// The rows whose keys begin with these parts (all, for none), by key; each with the rest of its key.
    pub fn rows<R: Row>(&self, parts: &[&str]) -> Result<Vec<(String, R)>, StoreError> {
        self.rows_from(parts, "", usize::MAX)
    }

    /// As [`Self::rows`], from the first whose rest is `from` or greater, at most `max`.
    pub fn rows_from<R: Row>(
        &self,
        parts: &[&str],
        from: &str,
        max: usize,
    ) -> Result<Vec<(String, R)>, StoreError> {
        let mut rows = Vec::new();
        self.scan(R::TABLE, parts, from, max, &mut |rest, key, value| {
            rows.push((rest, parse(R::TABLE, key, value)?));
            Ok(())
        })?;
        Ok(rows)
    }

    /// How many rows there are.
    pub fn count<R: Row>(&self) -> Result<u64, StoreError> {
        Ok(self.transaction.open_table(table(R::TABLE))?.len()?)
    }

    /// Record sets of a zone in the order of listings, from a [`super::set_key`] on.
    pub fn record_sets(
        &self,
        zone: &str,
        from: &str,
        max: usize,
    ) -> Result<Vec<ResourceRecordSet>, StoreError> {
        let mut sets = Vec::new();
        self.scan(RECORD_SETS, &[zone], from, max, &mut |_, key, value| {
            sets.push(parse(RECORD_SETS, key, value)?);
            Ok(())
        })?;
        Ok(sets)
    }

    /// The tags of one thing, by key.
    pub fn tags(&self, kind: ResourceKind, id: &str) -> Result<Vec<(String, String)>, StoreError> {
        let mut tags = Vec::new();
        self.scan(TAGS, &[kind.as_str(), id], "", usize::MAX, &mut |rest, _, value| {
            tags.push((rest, String::from_utf8_lossy(value).into_owned()));
            Ok(())
        })?;
        Ok(tags)
    }

    fn scan(
        &self,
        name: &'static str,
        parts: &[&str],
        from: &str,
        max: usize,
        see: &mut See<'_>,
    ) -> Result<(), StoreError> {
        let mut prefix = key(parts);
        if !parts.is_empty() {
            prefix.push(0);
        }
        let start = [prefix.as_slice(), from.as_bytes()].concat();
        let table = match self.transaction.open_table(table(name)) {
            Ok(table) => table,
            // Written by a version that did not know it, and only looked at since.
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let range = table.range::<&[u8]>((Bound::Included(start.as_slice()), Bound::Unbounded))?;
        for entry in range.take(max) {
            let (key, value) = entry?;
            let Some(rest) = key.value().strip_prefix(prefix.as_slice()) else { break };
            see(String::from_utf8_lossy(rest).into_owned(), key.value(), value.value())?;
        }
        Ok(())
    }
}

impl Reading {
    /// Which format the file has.
    pub(super) fn format(&self) -> Result<u64, StoreError> {
        let meta = self.transaction.open_table(META)?;
        Ok(meta.get("format")?.map_or(0, |value| value.value()))
    }
}

pub(super) fn read_revision(reading: &Reading) -> Result<Revision, StoreError> {
    let meta = reading.transaction.open_table(META)?;
    Ok(Revision(meta.get("revision")?.map_or(0, |value| value.value())))
}

fn parse<T: DeserializeOwned>(table: &'static str, key: &[u8], value: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(value).map_err(|error| StoreError::Damaged {
        table,
        key: String::from_utf8_lossy(key).replace('\0', " "),
        what: error.to_string(),
    })
}
