//! DNSSEC (RFC 4033 to 4035) as Route 53 has it: answers are signed when they are asked for, from the same finished bodies as all others.
//!
//! A signed zone has two kinds of keys: those of its owner sign the DNSKEY set, and a key of the zone's own signs all else. Here stands
//! which record sets of an answer are signed, over which octets, and how it is proven that something is not there; keys and
//! signatures are made outside, by a [`Signer`], for they take chance and time.
//!
//! - What comes from a wildcard is signed under the name asked, so that nothing need be proven beside it.
//! - What does not exist is denied by the name itself (compact denial, RFC 9824): an NSEC record of the name asked that leaves
//!   out the type, and reaches no further than to the next possible name. To those who ask for signatures every name so exists, and
//!   NXDOMAIN becomes NOERROR; the bit of type NXNAME in the record tells it from an empty non-terminal.
//! - A delegation without DS records is proven to be none that is signed, by an NSEC record of the zone cut.

mod answer;
mod denial;
mod rrset;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use answer::{Wanted, answer};
pub use rrset::{KeyTag, RRset, Validity};

use crate::model::{Name, Rdata, Ttl};

/// The longest time to live of a record of a signed zone.
pub const TTL_MAX: Ttl = Ttl(604_800);

/// The time to live of DNSKEY records.
pub const DNSKEY_TTL: Ttl = Ttl(3600);

/// The flags of a DNSKEY record of a zone's own key (RFC 4034 section 2.1.1).
pub const FLAGS_ZONE_KEY: u16 = 256;

/// The same of a key of its owner, which the parent's DS records name.
pub const FLAGS_KEY_SIGNING_KEY: u16 = 257;

/// ECDSA P-256 with SHA-256 (RFC 6605), the one algorithm of signatures here.
pub const ALGORITHM: u8 = 13;

/// The digest type of DS records: SHA-256 (RFC 4509).
pub const DIGEST_TYPE: u8 = 2;

/// What signs the answers of one zone.
///
/// It stands outside of this crate since a signature takes a random number, and its keys are nobody's business here.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The RDATA of RRSIG records over a record set, which are valid at a time since 1970; one for each key that signs such sets.
    fn sign(&self, rrset: &RRset<'_>, at: Duration) -> Result<Vec<Rdata>, SigningFailed>;
}

/// A signature could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signature could not be made")]
pub struct SigningFailed;

/// That a zone is signed, and how.
#[derive(Debug, Clone)]
pub struct Signing {
    /// Its DNSKEY set.
    pub dnskeys: Arc<[Rdata]>,
    /// Who signs with them.
    pub signer: Arc<dyn Signer>,
}

/// Those with the same public keys sign alike.
impl PartialEq for Signing {
    fn eq(&self, other: &Self) -> bool {
        self.dnskeys == other.dnskeys
    }
}

impl Eq for Signing {}

/// The RDATA of a DNSKEY record (RFC 4034 section 2.1, RFC 6605 section 4): `public` are the coordinates of the point, 64 octets.
pub fn dnskey(flags: u16, public: &[u8]) -> Rdata {
    const PROTOCOL: u8 = 3;
    let mut octets = flags.to_be_bytes().to_vec();
    octets.extend_from_slice(&[PROTOCOL, ALGORITHM]);
    octets.extend_from_slice(public);
    Rdata(octets.into())
}

/// What the digest of a DS record is taken of (RFC 4034 section 5.1.4).
pub fn digested(owner: &Name, dnskey: &Rdata) -> Vec<u8> {
    [owner.as_wire(), &dnskey.0].concat()
}

/// The RDATA of the DS record that names a key by its digest.
pub fn ds(dnskey: &Rdata, digest: &[u8]) -> Rdata {
    let mut octets = KeyTag::of(dnskey).0.to_be_bytes().to_vec();
    octets.extend_from_slice(&[ALGORITHM, DIGEST_TYPE]);
    octets.extend_from_slice(digest);
    Rdata(octets.into())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nobody;

    impl Signer for Nobody {
        fn sign(&self, _: &RRset<'_>, _: Duration) -> Result<Vec<Rdata>, SigningFailed> {
            Err(SigningFailed)
        }
    }

    /// For those who look at no signature.
    pub(crate) fn signed_by_nobody() -> Arc<Signing> {
        let dnskeys = [dnskey(FLAGS_ZONE_KEY, &[7; 64])].into();
        Arc::new(Signing { dnskeys, signer: Arc::new(Nobody) })
    }
}
