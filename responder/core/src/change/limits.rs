//! Bounds of one request and of one zone.

use super::{Action, Change, ChangeError, Edit};
use crate::assemble::Limits;
use crate::model::Zone;

/// Most values in one request; each counts twice in an UPSERT.
const RECORDS_MAX: usize = 1000;
/// Most characters of all values in one request; each counts twice in an UPSERT.
const CHARACTERS_MAX: usize = 32_000;

/// Bounds of the request.
pub(super) fn check(changes: &[Change]) -> Result<(), ChangeError> {
    if changes.is_empty() {
        let what = "Invalid request: Expected at least one Change in the ChangeBatch, but found none";
        return Err(ChangeError::InvalidInput(what.into()));
    }
    let (mut records, mut characters) = (0, 0);
    for change in changes {
        let times = if change.action == Action::Upsert { 2 } else { 1 };
        let values = change.set.resource_records.as_deref().unwrap_or_default();
        // An alias weighs as much as one record, lest a batch of aliases have no bound at all.
        records += times * values.len().max(1);
        characters += times * values.iter().map(|record| record.value.chars().count()).sum::<usize>();
    }
    let mut messages = Vec::new();
    if records > RECORDS_MAX {
        messages.push(format!("Number of records limit of {RECORDS_MAX} exceeded."));
    }
    if characters > CHARACTERS_MAX {
        messages.push(format!("Number of characters limit of {CHARACTERS_MAX} exceeded."));
    }
    if messages.is_empty() { Ok(()) } else { Err(ChangeError::InvalidChangeBatch(messages)) }
}

/// Bounds of the zone; one that is beyond them already may still shrink.
pub(super) fn check_zone(zone: &Zone, edits: &[Edit], bounds: &Limits) -> Result<(), ChangeError> {
    let count: usize = zone.groups.values().map(|group| group.members.len()).sum();
    if count <= bounds.record_sets_per_zone || edits.iter().all(|edit| edit.set.is_none()) {
        return Ok(());
    }
    let what = format!("Number of record sets limit of {} per zone exceeded.", bounds.record_sets_per_zone);
    Err(ChangeError::InvalidChangeBatch(vec![what]))
}
