//! Writes files in MaxMind's database format, for tests and benchmarks: 24-bit search tree, data section, metadata.

use std::collections::HashMap;
use std::net::IpAddr;

use pulse53_core::geo::Network;

/// A value of the data section.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(&'static str),
    Double(f64),
    Unsigned16(u16),
    Unsigned32(u32),
    Unsigned64(u64),
    Map(Vec<(&'static str, Value)>),
    Array(Vec<Value>),
}

/// Where one bit of an address leads.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Child {
    Nothing,
    Node(usize),
    /// An offset in the data section.
    Data(usize),
}

/// A database in the making.
pub(super) struct Writer {
    ip_version: u16,
    nodes: Vec<[Child; 2]>,
    data: Vec<u8>,
    /// Where each record stands: equal ones stand once.
    known: HashMap<Vec<u8>, usize>,
}

impl Writer {
    /// Of IP version 4 or 6; the latter holds IPv4 networks in `::/96`.
    pub(super) fn new(ip_version: u16) -> Self {
        Self { ip_version, nodes: vec![[Child::Nothing; 2]], data: Vec::new(), known: HashMap::new() }
    }

    /// Says something about a network; wider ones come first, since a later word replaces earlier ones inside.
    pub(super) fn insert(&mut self, network: &str, value: &Value) -> &mut Self {
        let mut record = Vec::new();
        encode(value, &mut record);
        let offset = *self.known.entry(record).or_insert_with_key(|record| {
            self.data.extend(record);
            self.data.len() - record.len()
        });
        let bits = self.bits(network);
        self.set(&bits, Child::Data(offset));
        self
    }

    /// Leads one network to where another one is kept.
    pub(super) fn alias(&mut self, from: &str, to: &str) -> &mut Self {
        let (from, to) = (self.bits(from), self.bits(to));
        let target = to.iter().fold(Child::Node(0), |at, bit| match at {
            Child::Node(node) => self.nodes[node][*bit],
            leaf => leaf,
        });
        assert!(matches!(target, Child::Node(_)), "an alias leads to a part of the tree");
        self.set(&from, target);
        self
    }

    /// The bits of a network's address that the tree branches by.
    fn bits(&self, network: &str) -> Vec<usize> {
        let network: Network = network.parse().unwrap();
        let (bits, width, length) = match (network.address(), self.ip_version) {
            (IpAddr::V4(v4), 4) => (u128::from(u32::from(v4)), 32, network.length()),
            (IpAddr::V4(v4), _) => (u128::from(u32::from(v4)), 128, network.length() + 96),
            (IpAddr::V6(v6), _) => (u128::from(v6), 128, network.length()),
        };
        (0..length).map(|bit| (bits >> (width - 1 - bit) & 1) as usize).collect()
    }

    fn set(&mut self, bits: &[usize], leaf: Child) {
        let (last, before) = bits.split_last().expect("the whole tree is no network");
        let mut node = 0;
        for bit in before {
            node = match self.nodes[node][*bit] {
                Child::Node(next) => next,
                // What was said about all of it holds for both halves.
                whole => {
                    self.nodes.push([whole; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[node][*bit] = Child::Node(next);
                    next
                }
            };
        }
        self.nodes[node][*last] = leaf;
    }

    /// The octets of the file.
    pub(super) fn finish(&self, database_type: &'static str) -> Vec<u8> {
        let count = self.nodes.len();
        let mut file = Vec::new();
        for child in self.nodes.iter().flatten() {
            let number = match child {
                Child::Node(node) => *node,
                Child::Nothing => count,
                Child::Data(offset) => count + 16 + offset,
            };
            file.extend(&u32::try_from(number).unwrap().to_be_bytes()[1..]);
        }
        file.extend([0; 16]);
        file.extend(&self.data);
        file.extend(b"\xab\xcd\xefMaxMind.com");
        let metadata = Value::Map(vec![
            ("binary_format_major_version", Value::Unsigned16(2)),
            ("binary_format_minor_version", Value::Unsigned16(0)),
            ("build_epoch", Value::Unsigned64(53)),
            ("database_type", Value::Text(database_type)),
            ("description", Value::Map(Vec::new())),
            ("ip_version", Value::Unsigned16(self.ip_version)),
            ("languages", Value::Array(Vec::new())),
            ("node_count", Value::Unsigned32(u32::try_from(count).unwrap())),
            ("record_size", Value::Unsigned16(24)),
        ]);
        encode(&metadata, &mut file);
        file
    }
}

fn encode(value: &Value, octets: &mut Vec<u8>) {
    // The type in the upper three bits, or past seven in an octet of its own; the size in the lower five.
    let mut control = |kind: u8, size: usize| {
        let (kind, extended) = if kind > 7 { (0, Some(kind - 7)) } else { (kind, None) };
        assert!(size < 29 + 256, "no test needs more");
        let (size, more) = if size < 29 { (size as u8, None) } else { (29, Some((size - 29) as u8)) };
        octets.push(kind << 5 | size);
        octets.extend(extended.into_iter().chain(more));
    };
    match value {
        Value::Text(text) => {
            control(2, text.len());
            octets.extend(text.as_bytes());
        }
        Value::Double(number) => {
            control(3, 8);
            octets.extend(number.to_be_bytes());
        }
        Value::Unsigned16(number) => {
            control(5, 2);
            octets.extend(number.to_be_bytes());
        }
        Value::Unsigned32(number) => {
            control(6, 4);
            octets.extend(number.to_be_bytes());
        }
        Value::Unsigned64(number) => {
            control(9, 8);
            octets.extend(number.to_be_bytes());
        }
        Value::Map(entries) => {
            control(7, entries.len());
            for (key, value) in entries {
                encode(&Value::Text(key), octets);
                encode(value, octets);
            }
        }
        Value::Array(values) => {
            control(11, values.len());
            values.iter().for_each(|value| encode(value, octets));
        }
    }
}
