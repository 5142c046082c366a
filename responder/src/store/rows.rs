//! What is stored: tables of rows, JSON under octet keys.
//!
//! Keys of several parts join them with a zero octet, which no part can hold and which sorts before everything, so that their
//! octet order is the order of the parts.

use std::collections::BTreeMap;

use pulse53_core::change::SetKey;
use pulse53_core::model::{CidrBlockError, CidrCollection, HealthCheck};
use pulse53_core::route53::{HealthCheckConfig, Violation, declare_health_check};
use redb::TableDefinition;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::dnssec::PrivateKey;

/// Raised when an older program would misunderstand the file.
pub(super) const FORMAT: u64 = 1;

/// Numbers about the file itself: `format`, `revision`.
pub(super) const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

/// Record sets: zone id, reversed name, type, set identifier → the record set as it was submitted.
pub(super) const RECORD_SETS: &str = "record_sets";
/// Tags: kind, id, key → value.
pub(super) const TAGS: &str = "tags";

/// Every table but [`META`].
pub(super) const TABLES: [&str; 12] = [
    ZoneRow::TABLE,
    RECORD_SETS,
    TAGS,
    ChangeRow::TABLE,
    Reference::TABLE,
    CheckRow::TABLE,
    CollectionRow::TABLE,
    DelegationSetRow::TABLE,
    ProtectionRow::TABLE,
    QueryLogRow::TABLE,
    SigningKeyRow::TABLE,
    SigningRow::TABLE,
];

/// A table by name.
pub(super) fn table(name: &'static str) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

/// Joins the parts of a key.
pub(super) fn key(parts: &[&str]) -> Vec<u8> {
    parts.join("\0").into_bytes()
}

/// A row under a key of its own table. A new kind of row is an implementation of this and an entry of `TABLES`.
pub trait Row: Serialize + DeserializeOwned {
    /// Its table.
    const TABLE: &'static str;
}

/// A hosted zone, by id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZoneRow {
    /// Its name in listed form.
    pub name: String,
    /// Given by who made it.
    pub caller_reference: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Names of its servers, without the final dot.
    pub name_servers: Vec<String>,
    /// Id of the reusable delegation set it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation_set: Option<String>,
}

impl Row for ZoneRow {
    const TABLE: &'static str = "zones";
}

/// A change, by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRow {
    /// When it was submitted, as Unix time in milliseconds.
    pub submitted_at_ms: u64,
    /// The batch's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// In force where this revision or a later one is published.
    pub revision: u64,
}

impl Row for ChangeRow {
    const TABLE: &'static str = "changes";
}

/// What was once made with a caller reference, by kind and reference; it outlives what was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Id of what was made.
    pub id: String,
}

impl Row for Reference {
    const TABLE: &'static str = "references";
}

/// A health check, by id; its tags are with all tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRow {
    /// Given by who made it.
    pub caller_reference: String,
    /// `HealthCheckVersion`, from 1.
    pub version: u64,
    /// As it was submitted, updates included.
    pub config: HealthCheckConfig,
}

impl Row for CheckRow {
    const TABLE: &'static str = "checks";
}

impl CheckRow {
    /// What it means, with the check's tags.
    pub fn declare(&self, id: &str, tags: BTreeMap<String, String>) -> Result<HealthCheck, Vec<Violation>> {
        declare_health_check(id, self.version, &self.config, None, tags, None)
    }
}

/// A CIDR collection, by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionRow {
    /// For people; no two collections share one.
    pub name: String,
    /// Given by who made it.
    pub caller_reference: String,
    /// `CollectionVersion`, from 1.
    pub version: u64,
    /// Blocks by location; none is empty.
    pub locations: BTreeMap<String, Vec<String>>,
}

impl Row for CollectionRow {
    const TABLE: &'static str = "collections";
}

impl CollectionRow {
    /// What it means.
    pub fn declare(&self, id: &str) -> Result<CidrCollection, CidrBlockError> {
        let parse = |blocks: &Vec<String>| blocks.iter().map(|block| block.parse()).collect::<Result<_, _>>();
        let locations = self.locations.iter().map(|(name, blocks)| Ok((name.clone(), parse(blocks)?)));
        let locations = locations.collect::<Result<_, CidrBlockError>>()?;
        Ok(CidrCollection { id: id.into(), name: self.name.clone(), locations, source: None })
    }
}

/// A reusable delegation set, by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegationSetRow {
    /// Given by who made it.
    pub caller_reference: String,
    /// Names of its servers, without the final dot.
    pub name_servers: Vec<String>,
}

impl Row for DelegationSetRow {
    const TABLE: &'static str = "delegation_sets";
}

/// A protection, by zone id and the key of its name and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectionRow {
    /// In listed form.
    pub name: String,
    /// Type.
    pub record_type: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Row for ProtectionRow {
    const TABLE: &'static str = "protections";
}

/// A query logging configuration, by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryLogRow {
    /// Id of the zone; no other row has it.
    pub zone: String,
    /// Names the log group, as it was submitted.
    pub log_group_arn: String,
}

impl Row for QueryLogRow {
    const TABLE: &'static str = "query_logs";
}

/// A key-signing key, by zone id and name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SigningKeyRow {
    /// Given by who made it.
    pub caller_reference: String,
    /// A label of a key elsewhere, which nobody asks; no two keys of a zone share one.
    pub kms_arn: String,
    /// Whether it signs while the zone is signed.
    pub active: bool,
    /// When it was made, as Unix time in milliseconds.
    pub created_at_ms: u64,
    /// When it was last activated or deactivated, or made, as Unix time in milliseconds.
    pub modified_at_ms: u64,
    /// The key itself.
    pub key: PrivateKey,
}

impl Row for SigningKeyRow {
    const TABLE: &'static str = "signing_keys";
}

/// That a zone is signed, by its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SigningRow {
    /// Signs all but the keys.
    pub zone_key: PrivateKey,
}

impl Row for SigningRow {
    const TABLE: &'static str = "signing";
}

/// What can be tagged, and named by caller references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceKind {
    /// A hosted zone.
    HostedZone,
    /// A health check.
    HealthCheck,
}

impl ResourceKind {
    /// As Route 53 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HostedZone => "hostedzone",
            Self::HealthCheck => "healthcheck",
        }
    }
}

/// A record set's key within its zone; the octet order is the order of listings.
pub fn set_key(set: &SetKey) -> String {
    let set_id = set.set_id.as_ref().map_or("", |id| &id.0);
    format!("{}\0{}\0{set_id}", set.owner.reversed(), set.record_type)
}
