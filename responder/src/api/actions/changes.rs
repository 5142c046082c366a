//! Changes: `GetChange`, and the `ChangeInfo` that other operations return.

use jiff::Timestamp;
use pulse53_core::model::Revision;

use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::identifiers;
use crate::api::route::{Reply, Request, Route, route};
use crate::api::xml::Xml;
use crate::store::{ChangeRow, Commit, StoreError};

pub(super) const ROUTES: &[Route] = &[route("GET", "change/*", "GetChange", get)];

/// Puts a change with the commit that makes it; returns its id.
pub(super) fn record(
    commit: &mut Commit,
    comment: Option<String>,
) -> Result<(String, ChangeRow), StoreError> {
    let id = identifiers::change();
    let submitted_at_ms = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
    let row = ChangeRow { submitted_at_ms, comment, revision: commit.revision().0 };
    commit.put(&[&id], &row)?;
    Ok((id, row))
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
