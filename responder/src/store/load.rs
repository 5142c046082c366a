//! From rows to what they mean: everything is declared at once when the store is opened.

use std::sync::Arc;

use pulse53_core::change::zone_of_record_sets;
use pulse53_core::model::{CidrBlockError, HealthCheck, Name, Snapshot, Zone, ZoneId};

use super::StoreError;
use super::reading::{Reading, read_revision};
use super::rows::{
    CheckRow, CollectionRow, QueryLogRow, ResourceKind, Row, SigningKeyRow, SigningRow, ZoneRow,
};
use crate::dnssec::{self, Signatures};
use crate::query_log::group_of;

/// Reads and declares everything.
pub(super) fn load(reading: &Reading, signatures: &Arc<Signatures>) -> Result<Snapshot, StoreError> {
    let mut all = Snapshot { revision: read_revision(reading)?, ..Snapshot::default() };
    for (id, row) in reading.rows::<ZoneRow>(&[])? {
        let zone = load_zone(reading, &id, &row)?;
        all.zones.insert(zone.id.clone(), Arc::new(zone));
    }
    for (id, row) in reading.rows::<CheckRow>(&[])? {
        let check = load_check(reading, &id, &row)?;
        all.checks.insert(check.id.clone(), Arc::new(check));
    }
    for (id, row) in reading.rows::<CollectionRow>(&[])? {
        let damaged = |error: CidrBlockError| StoreError::Damaged {
            table: CollectionRow::TABLE,
            key: id.clone(),
            what: error.to_string(),
        };
        let collection = row.declare(&id).map_err(damaged)?;
        all.collections.insert(collection.id.clone(), Arc::new(collection));
    }
    for (id, row) in reading.rows::<QueryLogRow>(&[])? {
        let damaged = || StoreError::Damaged {
            table: QueryLogRow::TABLE,
            key: id.clone(),
            what: format!("{:?} names no log group", row.log_group_arn),
        };
        let group = group_of(&row.log_group_arn).ok_or_else(damaged)?;
        all.query_logs.insert(ZoneId(row.zone.as_str().into()), group.into());
    }
    for (id, row) in reading.rows::<SigningRow>(&[])? {
        let damaged = |what: String| StoreError::Damaged { table: SigningRow::TABLE, key: id.clone(), what };
        let zone = ZoneId(id.as_str().into());
        let apex = &all.zones.get(&zone).ok_or_else(|| damaged("there is no such zone".to_owned()))?.apex;
        let keys = reading.rows::<SigningKeyRow>(&[&id])?;
        let active = keys.iter().filter(|(_, key)| key.active).map(|(_, key)| &key.key);
        let signing = dnssec::signing(apex, &row.zone_key, active, signatures);
        let signing = signing.map_err(|error| damaged(error.to_string()))?;
        all.signing.insert(zone, Arc::new(signing));
    }
    Ok(all)
}

fn load_check(reading: &Reading, id: &str, row: &CheckRow) -> Result<HealthCheck, StoreError> {
    let tags = reading.tags(ResourceKind::HealthCheck, id)?.into_iter().collect();
    row.declare(id, tags).map_err(|violations| {
        let what: Vec<String> = violations.into_iter().map(|violation| violation.what).collect();
        StoreError::Damaged { table: CheckRow::TABLE, key: id.to_owned(), what: what.join("; ") }
    })
}

fn load_zone(reading: &Reading, id: &str, row: &ZoneRow) -> Result<Zone, StoreError> {
    let damaged = |what: String| StoreError::Damaged { table: ZoneRow::TABLE, key: id.to_owned(), what };
    let apex = Name::from_route53(&row.name).map_err(|error| damaged(error.to_string()))?;
    let sets = reading.record_sets(id, "", usize::MAX)?;
    zone_of_record_sets(ZoneId(id.into()), apex, sets).map_err(|violations| {
        damaged(violations.into_iter().map(|violation| violation.what).collect::<Vec<_>>().join("; "))
    })
}
