//! Signatures, made when they are first needed and kept.
//!
//! A signature is valid from an hour ago, as clocks differ, until the records have left every cache and [`MARGIN`] more. It is taken
//! from those kept as long as half of the margin is left, so that one that is sent outlives what it signs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use pulse53_core::dnssec::{RRset, Signer, SigningFailed, Validity};
use pulse53_core::model::{Name, Rdata, RecordType};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;

use super::key::Key;

/// The most signatures kept, of some 300 octets each. Those asked for again and again outlast a flood of names that are asked once.
const KEPT_MAX: u64 = 65_536;

/// How much longer than its records a signature is valid.
const MARGIN: Duration = Duration::from_secs(2 * 24 * 3600);

/// How far a validator's clock may be behind.
const SKEW: Duration = Duration::from_secs(3600);

/// What was signed by which key.
type Digest = [u8; 32];

/// The RDATA of an RRSIG record.
#[derive(Clone)]
struct Kept {
    rrsig: Rdata,
    validity: Validity,
}

/// The signatures of all zones.
pub struct Signatures {
    kept: Cache<Digest, Kept>,
    random: SystemRandom,
    made: AtomicU64,
    reused: AtomicU64,
}

impl Default for Signatures {
    fn default() -> Self {
        let (made, reused) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { kept: Cache::new(KEPT_MAX), random: SystemRandom::new(), made, reused }
    }
}

impl fmt::Debug for Signatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signatures").field("kept", &self.kept()).finish_non_exhaustive()
    }
}

impl Signatures {
    /// How many were made.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// How often one that was kept was sent.
    pub fn reused(&self) -> u64 {
        self.reused.load(Ordering::Relaxed)
    }

    /// How many are kept.
    pub fn kept(&self) -> u64 {
        self.kept.entry_count()
    }

    /// The RRSIG of a record set by one key.
    fn sign(&self, key: &Key, apex: &Name, rrset: &RRset<'_>, at: Duration) -> Result<Rdata, SigningFailed> {
        let records = rrset.canonical();
        let mut of = [0; 32];
        of.copy_from_slice(digest(&SHA256, &[&*key.dnskey.0, apex.as_wire(), &records].concat()).as_ref());
        let lifetime = Duration::from_secs(rrset.ttl.0.into());
        // A clock may have been set back since.
        let is_good = |Validity { inception, expiration }: Validity| {
            u64::from(inception) <= at.as_secs()
                && u64::from(expiration) >= (at + lifetime + MARGIN / 2).as_secs()
        };
        if let Some(kept) = self.kept.get(&of).filter(|kept| is_good(kept.validity)) {
            self.reused.fetch_add(1, Ordering::Relaxed);
            return Ok(kept.rrsig);
        }
        let validity = Validity {
            inception: at.saturating_sub(SKEW).as_secs() as u32,
            expiration: (at + lifetime + MARGIN).as_secs() as u32,
        };
        let mut rrsig = rrset.rrsig(key.tag, apex, validity);
        let signed = [&rrsig[..], &records].concat();
        let signature = key.pair.sign(&self.random, &signed).map_err(|_| SigningFailed)?;
        rrsig.extend_from_slice(signature.as_ref());
        let rrsig = Rdata(rrsig.into());
        self.made.fetch_add(1, Ordering::Relaxed);
        self.kept.insert(of, Kept { rrsig: rrsig.clone(), validity });
        Ok(rrsig)
    }
}

/// Signs the answers of one zone.
#[derive(Debug)]
pub(super) struct ZoneSigner {
    pub(super) apex: Name,
    /// Signs all but the keys.
    pub(super) zone_key: Key,
    /// Sign the keys.
    pub(super) key_signing_keys: Vec<Key>,
    pub(super) signatures: Arc<Signatures>,
}

impl Signer for ZoneSigner {
    fn sign(&self, rrset: &RRset<'_>, at: Duration) -> Result<Vec<Rdata>, SigningFailed> {
        let keys = match rrset.rtype {
            RecordType::DNSKEY => &self.key_signing_keys[..],
            _ => std::slice::from_ref(&self.zone_key),
        };
        keys.iter().map(|key| self.signatures.sign(key, &self.apex, rrset, at)).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use pulse53_core::dnssec::KeyTag;
    use pulse53_core::model::Ttl;
    use pulse53_core::rdata::from_route53;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::super::{PrivateKey, signing};
    use super::*;

    fn name(text: &str) -> Name {
        Name::from_route53(text).unwrap()
    }

    fn addresses(owner: &Name) -> RRset<'_> {
        let rdatas = vec![Rdata([192, 0, 2, 1].as_slice().into())];
        RRset { owner, rtype: RecordType::A, ttl: Ttl(3600), rdatas: rdatas.into() }
    }

    /// Whether a signature is of this set and key, as a validator would find.
    pub(crate) fn verify(dnskey: &Rdata, rrset: &RRset<'_>, rrsig: &Rdata, apex: &Name) -> bool {
        let number = |at: usize| u32::from_be_bytes(rrsig.0[at..at + 4].try_into().unwrap());
        let validity = Validity { expiration: number(8), inception: number(12) };
        let fields = rrset.rrsig(KeyTag::of(dnskey), apex, validity);
        let (told, signature) = rrsig.0.split_at(fields.len());
        let public = [&[4], &dnskey.0[4..]].concat();
        let signed = [&fields[..], &rrset.canonical()].concat();
        told == fields
            && UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).verify(&signed, signature).is_ok()
    }

    #[test]
    fn the_signature_of_rfc_6605_is_one() {
        let key = "257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==";
        let rrsig = "A 13 3 3600 20100909100439 20100812100439 55648 example.net. qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==";
        let key = from_route53(RecordType::DNSKEY, key).unwrap();
        let rrsig = from_route53(RecordType::RRSIG, rrsig).unwrap();
        let owner = name("www.example.net");
        assert!(verify(&key, &addresses(&owner), &rrsig, &name("example.net")));
        let other = name("ww.example.net");
        assert!(!verify(&key, &addresses(&other), &rrsig, &name("example.net")));
    }

    #[test]
    fn each_kind_of_key_signs_its_part_and_a_signature_is_kept_until_it_grows_old() {
        let apex = name("example.net");
        let [zone_key, first, second] = std::array::from_fn(|_| PrivateKey::generate().unwrap());
        let signatures = Arc::default();
        let signing = signing(&apex, &zone_key, [&first, &second], &signatures).unwrap();
        let flags: Vec<u8> = signing.dnskeys.iter().map(|key| key.0[1]).collect();
        assert_eq!(flags, [1, 1, 0]);
        let sign = |set: &RRset<'_>, at| signing.signer.sign(set, Duration::from_secs(at)).unwrap();

        let start = 1_700_000_000;
        let keys = RRset {
            owner: &apex,
            rtype: RecordType::DNSKEY,
            ttl: Ttl(3600),
            rdatas: signing.dnskeys.to_vec().into(),
        };
        let made = sign(&keys, start);
        assert_eq!(made.len(), 2);
        for (rrsig, key) in made.iter().zip(&*signing.dnskeys) {
            assert!(verify(key, &keys, rrsig, &apex));
        }
        let owner = name("www.example.net");
        let set = addresses(&owner);
        let made = sign(&set, start);
        assert!(made.len() == 1 && verify(&signing.dnskeys[2], &set, &made[0], &apex));
        assert_eq!(sign(&set, start + 86_400), made);
        assert_eq!((signatures.made(), signatures.reused()), (3, 1));
        let renewed = sign(&set, start + 86_401);
        assert!(renewed != made && verify(&signing.dnskeys[2], &set, &renewed[0], &apex));
        let set_back = sign(&set, start - 86_400);
        assert!(set_back != made && set_back != renewed);
        // Other records of the same name are not what was signed.
        let other = RRset { ttl: Ttl(3601), ..set.clone() };
        assert_ne!(sign(&other, start), made);
        assert_eq!(signatures.made(), 6);
    }

    #[test]
    fn a_private_key_is_shown_by_nothing_but_the_store() {
        let key = PrivateKey::generate().unwrap();
        let stored = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<PrivateKey>(&stored).unwrap(), key);
        let signing = signing(&name("example.net"), &key, [&key], &Arc::default()).unwrap();
        let shown = format!("{key:?} {signing:?}");
        let octets = hex::decode(stored.trim_matches('"')).unwrap();
        // The secret number (RFC 5915) lies within; whatever way it were printed, some of it would be seen.
        assert_eq!(octets.len(), 138);
        let secret = &octets[36..68];
        let listed = secret[..4].iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        assert!(!shown.contains(&hex::encode(&secret[..4])) && !shown.contains(&listed), "{shown}");
        let refused = serde_json::from_str::<PrivateKey>("\"0g1337\"").unwrap_err().to_string();
        assert!(!refused.contains("1337"), "{refused}");
    }
}
