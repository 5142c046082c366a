//! DNSSEC of a hosted zone: whether it is signed, and the switch.

use std::sync::Arc;

use jiff::Timestamp;
use pulse53_core::model::{RecordType, Zone};

use super::changes;
use super::hosted_zones::{find, find_writable};
use super::key_signing_keys::{self, KeySigningKey};
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, route};
use crate::dnssec::{self, KeyError, PrivateKey};
use crate::store::{ChangeRow, Commit, Reading, SigningRow};

pub(super) const ROUTES: &[Route] = &[
    route("GET", "hostedzone/*/dnssec", "GetDNSSEC", get),
    route("POST", "hostedzone/*/enable-dnssec", "EnableHostedZoneDNSSEC", enable),
    route("POST", "hostedzone/*/disable-dnssec", "DisableHostedZoneDNSSEC", disable),
];

/// Whether and with which key a zone is signed.
pub(super) fn signing_row(reading: &Reading, zone: &Zone) -> Result<Option<SigningRow>, ApiError> {
    Ok(reading.row::<SigningRow>(&[&zone.id.0])?)
}

/// Has a zone signed with its key and those keys that are active, or not, and records the change.
pub(super) fn sign(
    api: &Api,
    reading: &Reading,
    commit: &mut Commit,
    zone: &Zone,
    row: Option<&SigningRow>,
    keys: &[KeySigningKey],
) -> Result<(String, ChangeRow), ApiError> {
    let active = || keys.iter().filter(|key| key.row.active).map(|key| &key.row.key);
    let signing = row.map(|row| dnssec::signing(&zone.apex, &row.zone_key, active(), api.store.signatures()));
    commit.sign(zone.id.clone(), signing.transpose()?.map(Arc::new));
    Ok(changes::record(reading, commit, None)?)
}

/// A key that cannot be made or read is our trouble, not the client's.
impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        tracing::error!(%error, "a request failed");
        Self::internal()
    }
}

/// Unix time in milliseconds.
pub(super) fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

/// The records of a zone's name in the zone above it, if that is declared here.
pub(super) fn in_parent(reading: &Reading, zone: &Zone, record_type: RecordType) -> Option<Vec<Box<[u8]>>> {
    let zones = &reading.declared().zones;
    let is_above = |other: &&Arc<Zone>| other.apex != zone.apex && zone.apex.is_at_or_below(&other.apex);
    let parent = zones.values().filter(is_above).max_by_key(|other| other.apex.label_count())?;
    let (_, rdatas) = parent.values(&zone.apex, record_type)?;
    Some(rdatas.iter().map(|rdata| pulse53_core::rdata::canonical(record_type, rdata).into()).collect())
}

fn get(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let reading = api.store.read()?;
    let zone = find(&reading, request.parameter(0))?;
    let keys = key_signing_keys::of_zone(&reading, &zone)?;
    let is_signed = signing_row(&reading, &zone)?.is_some();
    let written = keys.iter().map(|key| key.public(&zone.apex)).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::ok(|xml| {
        let status = if is_signed { "SIGNING" } else { "NOT_SIGNING" };
        xml.element("Status", |xml| xml.text("ServeSignature", status));
        xml.list("KeySigningKeys", keys.iter().zip(&written), |xml, (key, public)| {
            xml.element("member", |xml| key.write(xml, public));
        });
    }))
}

fn enable(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let (change, _) = api.store.change(|reading, commit| {
        let (zone, _) = find_writable(reading, request.parameter(0))?;
        let keys = key_signing_keys::of_zone(reading, &zone)?;
        if !keys.iter().any(|key| key.row.active) {
            let what = "The hosted zone has no key-signing key with status ACTIVE.";
            return Err(ApiError::new("KeySigningKeyWithActiveStatusNotFound", what));
        }
        let own = zone.values(&zone.apex, RecordType::NS).map_or(&[][..], |(_, rdatas)| rdatas);
        let mut own: Vec<Box<[u8]>> =
            own.iter().map(|rdata| pulse53_core::rdata::canonical(RecordType::NS, rdata).into()).collect();
        own.sort_unstable();
        if let Some(mut delegated) = in_parent(reading, &zone, RecordType::NS) {
            delegated.sort_unstable();
            if delegated != own {
                let what = format!(
                    "The name servers of the hosted zone {} are not those that its parent delegates it to.",
                    zone.apex
                );
                return Err(ApiError::new("HostedZonePartiallyDelegated", what));
            }
        }
        // One that is signed already goes on with the key it has.
        let row = match signing_row(reading, &zone)? {
            Some(row) => row,
            None => SigningRow { zone_key: PrivateKey::generate()? },
        };
        commit.put(&[&zone.id.0], &row)?;
        sign(api, reading, commit, &zone, Some(&row), &keys)
    })?;
    Ok(Reply::ok(|xml| changes::write(xml, api, &change.0, &change.1)))
}

fn disable(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let (change, _) = api.store.change(|reading, commit| {
        let (zone, _) = find_writable(reading, request.parameter(0))?;
        if signing_row(reading, &zone)?.is_none() {
            let what = format!("DNSSEC is not enabled for the hosted zone {}.", zone.apex);
            return Err(ApiError::new("DNSSECNotFound", what));
        }
        if in_parent(reading, &zone, RecordType::DS).is_some() {
            let what = format!(
                "The parent of {} holds DS records for it: remove them, and wait until their TTL has passed.",
                zone.apex
            );
            return Err(ApiError::new("KeySigningKeyInParentDSRecord", what));
        }
        commit.remove::<SigningRow>(&[&zone.id.0]);
        sign(api, reading, commit, &zone, None, &[])
    })?;
    Ok(Reply::ok(|xml| changes::write(xml, api, &change.0, &change.1)))
}
