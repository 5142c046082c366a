//! Key-signing keys: make, activate, deactivate, delete.
//!
//! The ARN of a KMS key is kept as a label; the key itself is made here. A key that is active is in the DNSKEY set of its zone, and signs
//! it, as long as the zone is signed.

use pulse53_core::model::{Name, Rdata, RecordType, Zone};
use pulse53_core::rdata::to_route53;

use super::changes;
use super::dnssec::{in_parent, now_ms, sign, signing_row};
use super::hosted_zones::find_writable;
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, bare_id, route};
use crate::api::xml::Xml;
use crate::dnssec::{KeyError, PrivateKey, ds_of, key_signing_dnskey};
use crate::store::{Reading, SigningKeyRow, StoreError};

pub(super) const ROUTES: &[Route] = &[
    route("POST", "keysigningkey", "CreateKeySigningKey", create),
    route("POST", "keysigningkey/*/*/activate", "ActivateKeySigningKey", activate),
    route("POST", "keysigningkey/*/*/deactivate", "DeactivateKeySigningKey", deactivate),
    route("DELETE", "keysigningkey/*/*", "DeleteKeySigningKey", delete),
];

/// Most keys of a zone.
const KEYS_MAX: usize = 2;
/// Characters of a name.
const NAME_LENGTHS: std::ops::RangeInclusive<usize> = 3..=128;
/// Most characters of a caller reference.
const REFERENCE_MAX: usize = 128;

/// A key with its name.
pub(super) struct KeySigningKey {
    pub name: String,
    pub row: SigningKeyRow,
}

/// What everybody may know of a key.
pub(super) struct Public {
    dnskey: Rdata,
    ds: Rdata,
}

impl KeySigningKey {
    pub(super) fn public(&self, apex: &Name) -> Result<Public, KeyError> {
        let dnskey = key_signing_dnskey(&self.row.key)?;
        Ok(Public { ds: ds_of(apex, &dnskey), dnskey })
    }

    /// The members of `KeySigningKey`.
    pub(super) fn write(&self, xml: &mut Xml, public: &Public) {
        let dnskey = to_route53(RecordType::DNSKEY, &public.dnskey);
        let ds = to_route53(RecordType::DS, &public.ds);
        // Flags, protocol, algorithm, key; tag, algorithm, digest type, digest.
        let last = |record: &str| record.rsplit(' ').next().unwrap_or_default().to_owned();
        let status = if self.row.active { "ACTIVE" } else { "INACTIVE" };
        xml.text("Name", &self.name);
        xml.text("KmsArn", &self.row.kms_arn);
        xml.text("Flag", pulse53_core::dnssec::FLAGS_KEY_SIGNING_KEY);
        xml.text("SigningAlgorithmMnemonic", "ECDSAP256SHA256");
        xml.text("SigningAlgorithmType", pulse53_core::dnssec::ALGORITHM);
        xml.text("DigestAlgorithmMnemonic", "SHA-256");
        xml.text("DigestAlgorithmType", pulse53_core::dnssec::DIGEST_TYPE);
        xml.text("KeyTag", pulse53_core::dnssec::KeyTag::of(&public.dnskey).0);
        xml.text("DigestValue", last(&ds));
        xml.text("PublicKey", last(&dnskey));
        xml.text("DSRecord", ds);
        xml.text("DNSKEYRecord", dnskey);
        xml.text("Status", status);
        xml.text("CreatedDate", changes::timestamp(self.row.created_at_ms));
        xml.text("LastModifiedDate", changes::timestamp(self.row.modified_at_ms));
    }
}

/// The keys of a zone, by name.
pub(super) fn of_zone(reading: &Reading, zone: &Zone) -> Result<Vec<KeySigningKey>, StoreError> {
    let rows = reading.rows::<SigningKeyRow>(&[&zone.id.0])?;
    Ok(rows.into_iter().map(|(name, row)| KeySigningKey { name, row }).collect())
}

/// Whether a text is `arn:PARTITION:kms:REGION:ACCOUNT:key/ID`.
fn is_kms_arn(text: &str) -> bool {
    let is_word =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let parts: Vec<&str> = text.split(':').collect();
    let ["arn", partition, "kms", region, account, key] = parts[..] else { return false };
    let is_account = account.len() == 12 && account.bytes().all(|octet| octet.is_ascii_digit());
    is_word(partition) && is_word(region) && is_account && key.strip_prefix("key/").is_some_and(is_word)
}

fn create(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let xml = request.xml()?;
    let zone = xml.required("HostedZoneId")?;
    let (reference, arn) = (xml.required("CallerReference")?, xml.required("KeyManagementServiceArn")?);
    let (name, status) = (xml.required("Name")?, xml.required("Status")?);
    if reference.chars().count() > REFERENCE_MAX {
        let what = format!("CallerReference must have 1 to {REFERENCE_MAX} characters");
        return Err(ApiError::invalid_input(what));
    }
    let is_named = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if !NAME_LENGTHS.contains(&name.len()) || !name.chars().all(is_named) {
        let what = format!("The name '{name}' must have 3 to 128 letters, digits or underscores.");
        return Err(ApiError::new("InvalidKeySigningKeyName", what));
    }
    if !is_kms_arn(&arn) {
        let what = format!("'{arn}' is not arn:PARTITION:kms:REGION:ACCOUNT:key/ID.");
        return Err(ApiError::new("InvalidKMSArn", what));
    }
    let active = match status.as_str() {
        "ACTIVE" => true,
        "INACTIVE" => false,
        _ => return Err(invalid_status(format!("Status must be ACTIVE or INACTIVE, not '{status}'."))),
    };
    let now = now_ms();
    let row = SigningKeyRow {
        caller_reference: reference,
        kms_arn: arn,
        active,
        created_at_ms: now,
        modified_at_ms: now,
        key: PrivateKey::generate()?,
    };
    let key = KeySigningKey { name, row };
    let ((change, public), _) = api.store.change(|reading, commit| {
        let (zone, _) = find_writable(reading, bare_id(&zone))?;
        let mut keys = of_zone(reading, &zone)?;
        if keys.iter().any(|other| other.name == key.name || other.row.kms_arn == key.row.kms_arn) {
            let what = "The hosted zone has a key-signing key with this name or this customer managed key.";
            return Err(ApiError::conflict("KeySigningKeyAlreadyExists", what));
        }
        if keys.len() >= KEYS_MAX {
            let what = format!("The hosted zone has {KEYS_MAX} key-signing keys already; delete one.");
            return Err(ApiError::new("TooManyKeySigningKeys", what));
        }
        let public = key.public(&zone.apex)?;
        commit.put(&[&zone.id.0, &key.name], &key.row)?;
        keys.push(KeySigningKey { name: key.name.clone(), row: key.row.clone() });
        let row = signing_row(reading, &zone)?;
        Ok((sign(api, reading, commit, &zone, row.as_ref(), &keys)?, public))
    })?;
    let location = format!("keysigningkey/{}/{}", bare_id(&zone), key.name);
    Ok(Reply::created(location, |xml| {
        changes::write(xml, api, &change.0, &change.1);
        xml.element("KeySigningKey", |xml| key.write(xml, &public));
    }))
}

fn invalid_status(what: impl Into<String>) -> ApiError {
    ApiError::new("InvalidKeySigningKeyStatus", what)
}

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Active,
    Inactive,
    Gone,
}

fn activate(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    turn(api, request, Turn::Active)
}

fn deactivate(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    turn(api, request, Turn::Inactive)
}

fn delete(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    turn(api, request, Turn::Gone)
}

fn turn(api: &Api, request: &Request, to: Turn) -> Result<Reply, ApiError> {
    let (id, name) = (request.parameter(0), request.parameter(1));
    let (change, _) = api.store.change(|reading, commit| {
        let (zone, _) = find_writable(reading, id)?;
        let mut keys = of_zone(reading, &zone)?;
        let at = keys.iter().position(|key| key.name == name).ok_or_else(|| {
            let what = format!("No key-signing key found with name: {name}");
            ApiError::not_found("NoSuchKeySigningKey", what)
        })?;
        let signing = signing_row(reading, &zone)?;
        if to == Turn::Inactive {
            let others = keys.iter().filter(|key| key.row.active && key.name != name).count();
            check_deactivation(reading, &zone, &keys[at], signing.is_some() && others == 0)?;
        }
        match (to, keys[at].row.active) {
            (Turn::Active, true) | (Turn::Inactive, false) => {
                let status = if to == Turn::Active { "ACTIVE" } else { "INACTIVE" };
                return Err(invalid_status(format!("The key-signing key {name} is {status} already.")));
            }
            (Turn::Gone, true) => {
                let what = format!("The key-signing key {name} is ACTIVE; deactivate it first.");
                return Err(invalid_status(what));
            }
            (Turn::Gone, false) => {
                commit.remove::<SigningKeyRow>(&[id, name]);
                keys.remove(at);
            }
            (Turn::Active, false) | (Turn::Inactive, true) => {
                keys[at].row.active = to == Turn::Active;
                keys[at].row.modified_at_ms = now_ms();
                commit.put(&[id, name], &keys[at].row)?;
            }
        }
        sign(api, reading, commit, &zone, signing.as_ref(), &keys)
    })?;
    Ok(Reply::ok(|xml| changes::write(xml, api, &change.0, &change.1)))
}

/// A zone that is signed keeps a key that its parent knows.
fn check_deactivation(
    reading: &Reading,
    zone: &Zone,
    key: &KeySigningKey,
    is_last: bool,
) -> Result<(), ApiError> {
    if is_last && key.row.active {
        let what = format!(
            "{} is the only active key-signing key of a hosted zone that is signed: disable signing, or activate another.",
            key.name
        );
        return Err(ApiError::new("KeySigningKeyInUse", what));
    }
    let ds = key.public(&zone.apex)?.ds;
    // Tag and algorithm: the digest may be of another type.
    let names_key = |record: &[u8]| record.get(..3) == ds.0.get(..3);
    let records = in_parent(reading, zone, RecordType::DS).unwrap_or_default();
    if key.row.active && records.iter().any(|record| names_key(record)) {
        let what = format!(
            "A DS record of the parent of {} names the key-signing key {}: remove it first.",
            zone.apex, key.name
        );
        return Err(ApiError::new("KeySigningKeyInParentDSRecord", what));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_kms_arn;

    #[test]
    fn arns_of_keys() {
        for arn in [
            "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-1234",
        ] {
            assert!(is_kms_arn(arn), "{arn}");
        }
        for arn in [
            "",
            "arn:aws:kms:us-east-1:123456789012:alias/a",
            "arn:aws:kms:us-east-1:123456789012:key/",
            "arn:aws:kms:us-east-1:12345678901x:key/a",
            "arn:aws:kms:us-east-1:12345678901:key/a",
            "arn:aws:s3:us-east-1:123456789012:key/a",
            "arn::kms:us-east-1:123456789012:key/a",
            "arn:aws:kms:us-east-1:123456789012:key/a:b",
        ] {
            assert!(!is_kms_arn(arn), "{arn}");
        }
    }
}
