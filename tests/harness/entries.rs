//! Hot entries that tell which version they are, in each form the hot table holds.

use std::sync::Arc;

use pulse53::datapath::Sizes;
use pulse53_abi::client::ROOT_NODES;
use pulse53_abi::entry::{BodyHead, FLAG_AUTHORITATIVE, FLAG_ROTATES};
use pulse53_abi::key;
use pulse53_abi::limits::{BODY_LARGE, BODY_MEDIUM, BODY_SMALL};
use pulse53_core::compile::{Clients, Column};
use pulse53_core::geo::ClientMap;
use pulse53_core::lower::{HotBody, HotEntry, HotKey, HotVariant};
use pulse53_core::model::{Name, RecordType};

use crate::reply::Reply;

/// How an entry is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Records in the slot.
    Inline,
    /// One body of up to so many octets.
    Body(usize),
    /// Several bodies, by lot.
    ByWeight(u16),
    /// Three variants by client: one body, then two of these several by lot.
    ByClient(u16),
}

/// One of each form, and each class of body.
pub const FORMS: [Form; 8] = [
    Form::Inline,
    Form::Body(BODY_SMALL),
    Form::ByWeight(2),
    Form::Body(BODY_MEDIUM),
    Form::ByWeight(7),
    Form::Body(BODY_LARGE - 64),
    Form::ByClient(1),
    Form::ByClient(3),
];

/// What tells clients apart: all are of one class, which has the last of three variants.
pub fn clients() -> Arc<Clients> {
    Arc::new(Clients { map: ClientMap::uniform(0), partitions: vec![[0].into(), [2, 0, 1].into()] })
}

/// The sizes that [`clients`] wants.
pub const CLIENT_SIZES: Sizes = Sizes {
    slots: 0,
    nodes: 1,
    zones: 1,
    names: 0,
    columns: 0,
    variants: 0,
    small: 0,
    medium: 0,
    large: 0,
    client_nodes: 2 * ROOT_NODES,
    partition_words: 2,
};

/// A question for TXT.
pub fn key(name: &str) -> HotKey {
    HotKey { name: Name::from_route53(name).expect("a name"), qtype: RecordType::TXT }
}

/// An entry of which every record says `version`: as its TTL, and in every octet of its text.
pub fn entry(form: Form, version: u32) -> HotEntry {
    match form {
        Form::Inline => HotEntry::Fixed(body(3, 20, version)),
        Form::Body(octets) => HotEntry::Fixed(body((octets / 48) as u8, 48, version)),
        Form::ByWeight(bodies) => HotEntry::ByWeight {
            bodies: (0..bodies).map(|index| body(1 + index as u8, 48, version)).collect(),
            columns: columns(bodies),
        },
        Form::ByClient(bodies) => HotEntry::ByClient {
            partition: 1,
            bodies: (0..=bodies).map(|index| body(1 + index as u8, 48, version)).collect(),
            variants: [
                HotVariant { bodies: [0].into(), columns: None },
                HotVariant { bodies: (0..bodies).map(u32::from).collect(), columns: Some(columns(bodies)) },
                HotVariant { bodies: (1..=bodies).map(u32::from).collect(), columns: Some(columns(bodies)) },
            ]
            .into(),
        },
    }
}

/// The version that a reply says; every record must say the same.
pub fn version(reply: &Reply) -> u32 {
    let given = reply.answer.as_ref().expect("records");
    let octet = given.ttl.0 as u8;
    for rdata in &given.rdatas {
        // A length, the record's number, and then the version.
        assert!(rdata.0[2..].iter().all(|found| *found == octet), "torn: {given:?}");
    }
    given.ttl.0
}

fn columns(bodies: u16) -> Arc<[Column]> {
    let count = bodies.next_power_of_two();
    let column =
        |index: u16| Column { threshold: 1 << 31, first: index % bodies, second: (index + 1) % bodies };
    (0..count).map(column).collect()
}

/// So many TXT records of so many octets each.
fn body(count: u8, octets: usize, version: u32) -> HotBody {
    let mut records = Vec::new();
    for number in 0..count {
        records.extend([0xC0, 12, 0, 16, 0, 1]);
        records.extend(version.to_be_bytes());
        records.extend([0, (octets - 12) as u8, (octets - 13) as u8, number]);
        records.resize(octets * (usize::from(number) + 1), version as u8);
    }
    let rotates = count > 1 && records.len() <= BODY_SMALL;
    let flags = FLAG_AUTHORITATIVE | if rotates { FLAG_ROTATES } else { 0 };
    let head = BodyHead {
        len: records.len() as u16,
        sum: sum(&records),
        answers: count,
        flags,
        ..BodyHead::default()
    };
    HotBody { head, octets: records.into() }
}

/// Ones' complement sum in the machine's order (RFC 1071).
pub(crate) fn sum(octets: &[u8]) -> u16 {
    let words = octets.chunks(8).map(key::word).flat_map(|word| [word & 0xffff_ffff, word >> 32]);
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
