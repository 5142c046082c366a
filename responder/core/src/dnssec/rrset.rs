//! Record sets in the form in which they are signed (RFC 4034 section 6).

use std::borrow::Cow;

use super::ALGORITHM;
use crate::model::{Name, Rdata, RecordType, Ttl};
use crate::rdata::canonical;

/// Tells keys apart, not always (RFC 4034 appendix B).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyTag(pub u16);

impl KeyTag {
    /// The tag of a key, by its DNSKEY record.
    pub fn of(dnskey: &Rdata) -> Self {
        let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u32::from);
        let sum: u32 = dnskey.0.chunks(2).map(word).sum();
        Self((sum + (sum >> 16)) as u16)
    }
}

/// When a signature is valid, in seconds since 1970 as RRSIG records count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From when on.
    pub inception: u32,
    /// Until when.
    pub expiration: u32,
}

/// Records of one owner and type.
#[derive(Debug, Clone)]
pub struct RRset<'a> {
    /// Who owns them.
    pub owner: &'a Name,
    /// Their type.
    pub rtype: RecordType,
    /// Their lifetime.
    pub ttl: Ttl,
    /// Their data.
    pub rdatas: Cow<'a, [Rdata]>,
}

impl RRset<'_> {
    /// The records as they are signed: without compression, in order, each once, names of older types in lower case (RFC 4034 section
    /// 6.2 and 6.3, RFC 6840 section 5.1).
    pub fn canonical(&self) -> Vec<u8> {
        let of_record = |rdata| match has_folded_names(self.rtype) {
            true => canonical(self.rtype, rdata),
            false => Cow::Borrowed(&*rdata.0),
        };
        let mut rdatas: Vec<Cow<'_, [u8]>> = self.rdatas.iter().map(of_record).collect();
        rdatas.sort_unstable();
        rdatas.dedup();
        let mut octets = Vec::new();
        for rdata in rdatas {
            octets.extend_from_slice(self.owner.as_wire());
            octets.extend_from_slice(&self.rtype.to_int().to_be_bytes());
            octets.extend_from_slice(&1u16.to_be_bytes());
            octets.extend_from_slice(&self.ttl.0.to_be_bytes());
            octets.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
            octets.extend_from_slice(&rdata);
        }
        octets
    }

    /// The RDATA of an RRSIG record over this set up to the signature itself (RFC 4034 section 3.1). This and [`Self::canonical`], one
    /// behind the other, are what is signed.
    pub fn rrsig(&self, key: KeyTag, zone: &Name, validity: Validity) -> Vec<u8> {
        // RFC 4034 section 3.1.3: neither the root nor the asterisk of a wildcard counts.
        let labels = self.owner.label_count() - usize::from(self.owner.is_wildcard());
        let mut octets = self.rtype.to_int().to_be_bytes().to_vec();
        octets.extend_from_slice(&[ALGORITHM, labels as u8]);
        octets.extend_from_slice(&self.ttl.0.to_be_bytes());
        octets.extend_from_slice(&validity.expiration.to_be_bytes());
        octets.extend_from_slice(&validity.inception.to_be_bytes());
        octets.extend_from_slice(&key.0.to_be_bytes());
        octets.extend_from_slice(zone.as_wire());
        octets
    }
}

/// The types whose names compare without case in signatures; names of later ones are signed as they stand.
fn has_folded_names(rtype: RecordType) -> bool {
    use RecordType as T;
    matches!(
        rtype,
        T::NS
            | T::MD
            | T::MF
            | T::CNAME
            | T::SOA
            | T::MB
            | T::MG
            | T::MR
            | T::PTR
            | T::MINFO
            | T::MX
            | T::RP
            | T::AFSDB
            | T::RT
            | T::SIG
            | T::PX
            | T::NAPTR
            | T::KX
            | T::SRV
            | T::DNAME
            | T::RRSIG
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dnssec::{digested, dnskey, ds};
    use crate::rdata::{from_route53, to_route53};

    fn name(text: &str) -> Name {
        Name::from_route53(text).unwrap()
    }

    const KEY: &str =
        "257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==";

    #[test]
    fn the_key_of_rfc_6605_has_its_tag_and_ds() {
        let key = from_route53(RecordType::DNSKEY, KEY).unwrap();
        assert_eq!(KeyTag::of(&key), KeyTag(55_648));
        assert_eq!(dnskey(257, &key.0[4..]), key);
        assert_eq!(digested(&name("example.net"), &key)[..13], b"\x07example\x03net\x00"[..]);
        let text = "55648 13 2 B4C8C1FE2E7477127B27115656AD6256F424625BF5C1E2770CE6D6E37DF61D17";
        let record = from_route53(RecordType::DS, text).unwrap();
        assert_eq!(ds(&key, &record.0[4..]), record);
        assert_eq!(to_route53(RecordType::DS, &record), text);
    }

    #[test]
    fn records_are_ordered_folded_and_told_once() {
        let owner = name("Example.com");
        let read = |rtype, text: &str| from_route53(rtype, text).unwrap();
        let rdatas = |rtype, texts: &[&str]| -> Vec<Rdata> {
            let set = RRset {
                owner: &owner,
                rtype,
                ttl: Ttl(60),
                rdatas: texts.iter().map(|text| read(rtype, text)).collect::<Vec<_>>().into(),
            };
            let octets = set.canonical();
            let mut rest = &octets[..];
            let mut found = Vec::new();
            while let Some(record) = rest.strip_prefix(owner.as_wire()) {
                assert_eq!(&record[2..8], b"\x00\x01\x00\x00\x00\x3c");
                let (rdata, behind) = record[10..].split_at(usize::from(record[9]));
                found.push(Rdata(rdata.into()));
                rest = behind;
            }
            assert!(rest.is_empty());
            found
        };
        let mx = ["20 Mail.Example.com", "10 b.example.com", "20 mail.example.com"];
        let folded = [read(RecordType::MX, "10 b.example.com"), read(RecordType::MX, "20 mail.example.com")];
        assert_eq!(rdatas(RecordType::MX, &mx), folded);
        let service = ["1 Svc.example.com", "1 other.example.com"];
        let kept = [read(RecordType::HTTPS, service[0]), read(RecordType::HTTPS, service[1])];
        assert_eq!(rdatas(RecordType::HTTPS, &service), kept, "names of later types are signed as they are");
    }

    #[test]
    fn labels_leave_the_asterisk_out() {
        let labels = |owner: &str| {
            let owner = name(owner);
            let rdatas = Cow::Owned(Vec::new());
            let set = RRset { owner: &owner, rtype: RecordType::A, ttl: Ttl(1), rdatas };
            set.rrsig(KeyTag(1), &name("com"), Validity { inception: 1, expiration: 2 })[3]
        };
        assert_eq!([labels("a.example.com"), labels("*.example.com"), labels("a.*.com")], [3, 2, 3]);
    }
}
