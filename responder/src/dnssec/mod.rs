//! Keys and signatures of signed zones: the half of [`pulse53_core::dnssec`] that takes chance and time.
//!
//! A zone's owner makes key-signing keys through the API, and pulse53 makes a key of the zone's own when signing is enabled; both kinds lie in
//! the store, whose file nobody else may read. A signature is made when an answer first needs it, and kept as long as
//! it is good for ([`Signatures`]). Private keys are shown by nothing: neither logs nor exports nor `Debug`.

mod key;
mod signatures;

use std::sync::Arc;

use pulse53_core::dnssec::{FLAGS_KEY_SIGNING_KEY, FLAGS_ZONE_KEY, Signing};
use pulse53_core::model::Name;

pub use key::{KeyError, PrivateKey, ds_of, key_signing_dnskey};
pub use signatures::Signatures;

#[cfg(test)]
pub(crate) use signatures::tests::verify;

use key::Key;
use signatures::ZoneSigner;

/// How a zone is signed with these keys: its own, and those of its owner that are active.
pub fn signing<'k>(
    apex: &Name,
    zone_key: &PrivateKey,
    key_signing_keys: impl IntoIterator<Item = &'k PrivateKey>,
    signatures: &Arc<Signatures>,
) -> Result<Signing, KeyError> {
    let zone_key = Key::read(zone_key, FLAGS_ZONE_KEY)?;
    let read = |key| Key::read(key, FLAGS_KEY_SIGNING_KEY);
    let key_signing_keys: Vec<Key> = key_signing_keys.into_iter().map(read).collect::<Result<_, _>>()?;
    let dnskeys = key_signing_keys.iter().chain([&zone_key]).map(|key| key.dnskey.clone()).collect();
    let signer =
        ZoneSigner { apex: apex.clone(), zone_key, key_signing_keys, signatures: signatures.clone() };
    Ok(Signing { dnskeys, signer: Arc::new(signer) })
}
