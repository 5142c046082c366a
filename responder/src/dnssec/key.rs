//! Private keys: made here, and told only by what is public of them.

use std::fmt;

use pulse53_core::dnssec::{self, FLAGS_KEY_SIGNING_KEY, KeyTag};
use pulse53_core::model::{Name, Rdata};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A private key for ECDSA P-256, as PKCS #8 (RFC 5208, RFC 5915).
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(Box<[u8]>);

/// A key could not be made, or is none.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system gave no random octets.
    #[error("no key could be made")]
    Made,
    /// Octets that are no key.
    #[error("a private key is damaged: {0}")]
    Damaged(ring::error::KeyRejected),
}

impl PrivateKey {
    /// Makes one.
    pub fn generate() -> Result<Self, KeyError> {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Ok(Self(made.map_err(|_| KeyError::Made)?.as_ref().into()))
    }
}

/// Nothing of it.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

/// Hexadecimal, for the store.
impl Serialize for PrivateKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for PrivateKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The text itself would be told by an error of the library.
        let octets = hex::decode(text).map_err(|_| serde::de::Error::custom("a key is not hexadecimal"))?;
        Ok(Self(octets.into()))
    }
}

/// A key that signs.
pub(super) struct Key {
    pub(super) pair: EcdsaKeyPair,
    pub(super) dnskey: Rdata,
    pub(super) tag: KeyTag,
}

impl Key {
    pub(super) fn read(key: &PrivateKey, flags: u16) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.0, &random);
        let pair = pair.map_err(KeyError::Damaged)?;
        // An octet that says how the point is written stands before its coordinates (SEC 1 section 2.3.3).
        let dnskey = dnssec::dnskey(flags, &pair.public_key().as_ref()[1..]);
        Ok(Self { tag: KeyTag::of(&dnskey), pair, dnskey })
    }
}

/// What is public of it.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.tag).finish()
    }
}

/// The DNSKEY record of a key-signing key.
pub fn key_signing_dnskey(key: &PrivateKey) -> Result<Rdata, KeyError> {
    Ok(Key::read(key, FLAGS_KEY_SIGNING_KEY)?.dnskey)
}

/// The DS record that names a key of a zone.
pub fn ds_of(apex: &Name, dnskey: &Rdata) -> Rdata {
    dnssec::ds(dnskey, digest(&SHA256, &dnssec::digested(apex, dnskey)).as_ref())
}
