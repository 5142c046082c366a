//! Hot entries that tell which version they are, in each form the hot table holds.

use std::sync::Arc;

use pulse53::datapath::Sizes;
use pulse53_abi::client::ROOT_NODES;
use pulse53_abi::limits::{BODY_LARGE, BODY_MEDIUM, BODY_SMALL};
use pulse53_core::body::Body;
use pulse53_core::compile::{Clients, Column};
use pulse53_core::geo::ClientMap;
use pulse53_core::lower::{HotChoice, HotEntry, HotKey};
use pulse53_core::model::{Name, Rdata, RecordType, Ttl};

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
            choices: [
                HotChoice { bodies: [0].into_iter().collect(), columns: None },
                HotChoice { bodies: (0..bodies).map(u32::from).collect(), columns: Some(columns(bodies)) },
                HotChoice { bodies: (1..=bodies).map(u32::from).collect(), columns: Some(columns(bodies)) },
            ]
            .into(),
            variants: [0, 1, 2].into(),
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
fn body(count: u8, octets: usize, version: u32) -> Arc<Body> {
    let rdatas: Vec<Rdata> = (0..count)
        .map(|number| {
            let mut rdata = vec![(octets - 13) as u8, number];
            rdata.resize(octets - 12, version as u8);
            Rdata(rdata.into())
        })
        .collect();
    Arc::new(Body::answer(RecordType::TXT, Ttl(version), &rdatas, None))
}
