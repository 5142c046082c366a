//! One transaction: rows, and what they mean.

use std::sync::Arc;

use pulse53_core::change::Edit;
use pulse53_core::dnssec::Signing;
use pulse53_core::model::{CheckId, CidrCollection, HealthCheck, Revision, Snapshot, Zone, ZoneId};
use redb::Database;

use super::StoreError;
use super::rows::{META, RECORD_SETS, ResourceKind, Row, TABLES, TAGS, key, set_key, table};

/// A row put, or removed.
#[derive(Debug, Clone)]
struct RowEdit {
    table: &'static str,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

/// What one transaction changes.
#[derive(Debug)]
pub struct Commit {
    revision: Revision,
    rows: Vec<RowEdit>,
    zones: Vec<(ZoneId, Option<Arc<Zone>>)>,
    checks: Vec<(CheckId, Option<Arc<HealthCheck>>)>,
    collections: Vec<(Arc<str>, Option<Arc<CidrCollection>>)>,
    query_logs: Vec<(ZoneId, Option<Arc<str>>)>,
    signing: Vec<(ZoneId, Option<Arc<Signing>>)>,
}

impl Commit {
    pub(super) fn new(revision: Revision) -> Self {
        Self {
            revision,
            rows: Vec::new(),
            zones: Vec::new(),
            checks: Vec::new(),
            collections: Vec::new(),
            query_logs: Vec::new(),
            signing: Vec::new(),
        }
    }

    /// The revision that it makes.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && !self.is_declared()
    }

    /// Whether answers can change with it.
    pub(super) fn is_declared(&self) -> bool {
        !self.zones.is_empty()
            || !self.checks.is_empty()
            || !self.collections.is_empty()
            || !self.query_logs.is_empty()
            || !self.signing.is_empty()
    }

    /// Puts a row in place of any under the same key.
    pub fn put<R: Row>(&mut self, parts: &[&str], row: &R) -> Result<(), StoreError> {
        let value = serde_json::to_vec(row).map_err(|error| StoreError::Damaged {
            table: R::TABLE,
            key: parts.join(" "),
            what: error.to_string(),
        })?;
        self.rows.push(RowEdit { table: R::TABLE, key: key(parts), value: Some(value) });
        Ok(())
    }

    /// Removes a row, if it is there.
    pub fn remove<R: Row>(&mut self, parts: &[&str]) {
        self.rows.push(RowEdit { table: R::TABLE, key: key(parts), value: None });
    }

    /// Puts a tag, or removes it.
    pub fn tag(&mut self, kind: ResourceKind, id: &str, name: &str, value: Option<&str>) {
        let key = key(&[kind.as_str(), id, name]);
        self.rows.push(RowEdit { table: TAGS, key, value: value.map(|value| value.as_bytes().to_vec()) });
    }

    /// Puts a zone in force, with what changes of its record sets.
    pub fn declare_zone(&mut self, zone: Arc<Zone>, edits: &[Edit]) -> Result<(), StoreError> {
        for edit in edits {
            let key = key(&[&zone.id.0, &set_key(&edit.key)]);
            let value = edit.set.as_ref().map(serde_json::to_vec).transpose();
            let value = value.map_err(|error| StoreError::Damaged {
                table: RECORD_SETS,
                key: edit.key.owner.to_string(),
                what: error.to_string(),
            })?;
            self.rows.push(RowEdit { table: RECORD_SETS, key, value });
        }
        self.zones.push((zone.id.clone(), Some(zone)));
        Ok(())
    }

    /// Takes a zone out of force, with its record sets.
    pub fn drop_zone(&mut self, zone: &Zone) {
        for ((owner, record_type), group) in &zone.groups {
            for set in &group.members {
                let set_id = set.set_id.clone();
                let set =
                    pulse53_core::change::SetKey { owner: owner.clone(), record_type: *record_type, set_id };
                let key = key(&[&zone.id.0, &set_key(&set)]);
                self.rows.push(RowEdit { table: RECORD_SETS, key, value: None });
            }
        }
        self.zones.push((zone.id.clone(), None));
    }

    /// Puts a health check in force; its rows go with [`Self::put`] and [`Self::tag`].
    pub fn declare_check(&mut self, check: Arc<HealthCheck>) {
        self.checks.push((check.id.clone(), Some(check)));
    }

    /// Takes a health check out of force.
    pub fn drop_check(&mut self, id: CheckId) {
        self.checks.push((id, None));
    }

    /// Puts a CIDR collection in force; its row goes with [`Self::put`].
    pub fn declare_collection(&mut self, collection: Arc<CidrCollection>) {
        self.collections.push((collection.id.clone(), Some(collection)));
    }

    /// Takes a CIDR collection out of force.
    pub fn drop_collection(&mut self, id: Arc<str>) {
        self.collections.push((id, None));
    }

    /// Has the queries for a zone logged, or no longer; the row of a configuration goes with [`Self::put`].
    pub fn log_queries(&mut self, zone: ZoneId, group: Option<Arc<str>>) {
        self.query_logs.push((zone, group));
    }

    /// Has a zone signed so, or not at all; the rows of its keys go with [`Self::put`].
    pub fn sign(&mut self, zone: ZoneId, signing: Option<Arc<Signing>>) {
        self.signing.push((zone, signing));
    }

    /// Writes the rows; they are on disk when this returns.
    pub(super) fn write(&self, database: &Database) -> Result<(), StoreError> {
        let transaction = database.begin_write()?;
        transaction.open_table(META)?.insert("revision", self.revision.0)?;
        for name in TABLES {
            let mut rows = self.rows.iter().filter(|row| row.table == name).peekable();
            if rows.peek().is_none() {
                continue;
            }
            let mut table = transaction.open_table(table(name))?;
            for RowEdit { key, value, .. } in rows {
                match value {
                    Some(value) => drop(table.insert(key.as_slice(), value.as_slice())?),
                    None => drop(table.remove(key.as_slice())?),
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// What is declared with it.
    pub(super) fn apply(self, before: &Snapshot) -> Snapshot {
        let mut after = Snapshot { revision: self.revision, ..before.clone() };
        for (id, zone) in self.zones {
            match zone {
                Some(zone) => drop(after.zones.insert(id, zone)),
                None => drop(after.zones.remove(&id)),
            }
        }
        for (id, check) in self.checks {
            match check {
                Some(check) => drop(after.checks.insert(id, check)),
                None => drop(after.checks.remove(&id)),
            }
        }
        for (id, collection) in self.collections {
            match collection {
                Some(collection) => drop(after.collections.insert(id, collection)),
                None => drop(after.collections.remove(&id)),
            }
        }
        for (zone, group) in self.query_logs {
            match group {
                Some(group) => drop(after.query_logs.insert(zone, group)),
                None => drop(after.query_logs.remove(&zone)),
            }
        }
        for (zone, signing) in self.signing {
            match signing {
                Some(signing) => drop(after.signing.insert(zone, signing)),
                None => drop(after.signing.remove(&zone)),
            }
        }
        after
    }
}
