//! Changes: `GetChange`, and the `ChangeInfo` that other operations return.

use jiff::Timestamp;
use pulse53_core::model::Revision;

use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::identifiers;
use crate::api::route::{Reply, Request, Route, route};
use crate::api::xml::Xml;
use crate::store::{ChangeRow, Commit, Reading, StoreError};

pub(super) const ROUTES: &[Route] = &[route("GET", "change/*", "GetChange", get)];

/// How long a change can be asked for: 30 days.
const KEPT_MS: u64 = 30 * 24 * 3600 * 1000;
/// Old changes are looked for once in so many revisions.
const PRUNE_EVERY: u64 = 1024;

/// Puts a change with the commit that makes it; returns its id.
pub(super) fn record(
    reading: &Reading,
    commit: &mut Commit,
    comment: Option<String>,
) -> Result<(String, ChangeRow), StoreError> {
    let id = identifiers::change();
    let submitted_at_ms = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
    let row = ChangeRow { submitted_at_ms, comment, revision: commit.revision().0 };
    commit.put(&[&id], &row)?;
    if commit.revision().0.is_multiple_of(PRUNE_EVERY) {
        forget_old(reading, commit, submitted_at_ms)?;
    }
    Ok((id, row))
}

/// Removes changes that nobody waits for any more.
fn forget_old(reading: &Reading, commit: &mut Commit, now_ms: u64) -> Result<(), StoreError> {
    let oldest = now_ms.saturating_sub(KEPT_MS);
    for (id, row) in reading.rows::<ChangeRow>(&[])? {
        if row.submitted_at_ms < oldest {
            commit.remove::<ChangeRow>(&[&id]);
        }
    }
    Ok(())
}

/// `ChangeInfo`; INSYNC as soon as every answer is from this change or a later one.
pub(super) fn write(xml: &mut Xml, api: &Api, id: &str, row: &ChangeRow) {
    let is_in_force = (api.in_force)() >= Revision(row.revision);
    xml.element("ChangeInfo", |xml| {
        xml.text("Id", format_args!("/change/{id}"));
        xml.text("Status", if is_in_force { "INSYNC" } else { "PENDING" });
        xml.text("SubmittedAt", timestamp(row.submitted_at_ms));
        xml.optional("Comment", row.comment.as_deref());
    });
}

/// `2026-01-02T03:04:05.678Z`
pub(super) fn timestamp(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    format!("{:.3}", time.unwrap_or_default())
}

fn get(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    let row = api.store.read()?.row::<ChangeRow>(&[id])?;
    let row = row.ok_or_else(|| {
        ApiError::not_found("NoSuchChange", format!("Could not find resource with ID: {id}"))
    })?;
    Ok(Reply::ok(|xml| write(xml, api, id, &row)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn changes_are_forgotten_after_a_month() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let now = KEPT_MS * 2;
        let put = store.change(|_, commit| {
            for (id, submitted_at_ms) in [("COLD", now - KEPT_MS - 1), ("CNEW", now - KEPT_MS)] {
                commit.put(&[id], &ChangeRow { submitted_at_ms, comment: None, revision: 1 })?;
            }
            Ok::<_, StoreError>(())
        });
        put.unwrap();
        store.change(|reading, commit| forget_old(reading, commit, now)).unwrap();
        let left = store.read().unwrap().rows::<ChangeRow>(&[]).unwrap();
        assert_eq!(left.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ["CNEW"]);
    }
}
