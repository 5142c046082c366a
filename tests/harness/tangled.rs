//! Zones of few labels at many depths, so that wildcards, empty non-terminals, zone cuts, DNAMEs and CNAMEs meet; and questions at, above, below
//! and beside their names.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use pulse53_core::assemble::{Limits, SnapshotBuilder, ZoneBuilder};
use pulse53_core::model::{Name, Revision, Snapshot, ZoneId};
use pulse53_core::zonefile;

use crate::frame::Query;

/// Labels of names; the last ones are only asked for.
const LABELS: [&str; 7] = ["a", "b", "*", "Longer-Than-A-Node-Holds-All-At-Once", "\\000x", "ns", "nobody"];
const OWNED: usize = 6;

/// The zones: two of them within another.
pub const APEXES: [&str; 4] = ["example.com", "b.example.com", "a.ns.b.example.com", "example.net"];

/// Types in zones, by what they are asked as.
const TYPES: [(&str, u16); 8] =
    [("A", 1), ("AAAA", 28), ("TXT", 16), ("MX", 15), ("CNAME", 5), ("NS", 2), ("DS", 43), ("DNAME", 39)];

/// Types that are asked, beside those in zones: SOA, HTTPS, NSEC, a private one, and in the end those that are no questions for data.
const ASKED: [u16; 4] = [6, 65, 47, 65280];
const META: [u16; 5] = [0, 41, 251, 252, 255];

/// Some owner names with their types.
#[derive(Debug, Clone, Default)]
pub struct Tangled {
    owners: BTreeMap<String, BTreeSet<usize>>,
}

/// A name below one of the apexes.
fn name(random: &mut Rng, labels: &[&str], depth: usize) -> String {
    let mut name = String::new();
    for _ in 0..random.usize(..=depth) {
        name += labels[random.usize(..labels.len())];
        name.push('.');
    }
    name + APEXES[random.usize(..APEXES.len())]
}

impl Tangled {
    /// Zones with so many owners, at most.
    pub fn new(random: &mut Rng, owners: usize) -> Self {
        let mut tangled = Self::default();
        (0..owners).for_each(|_| tangled.add(random));
        tangled
    }

    /// Adds a type to a new name or one that is there.
    fn add(&mut self, random: &mut Rng) {
        let owner = name(random, &LABELS[..OWNED], 4);
        let rtype = match random.usize(..12) {
            kind @ (4..=7) => kind,
            other => other % 4,
        };
        let at_apex = APEXES.contains(&owner.as_str());
        // neither zone cuts nor DNAMEs at wildcards.
        let divides = matches!(TYPES[rtype].0, "NS" | "DS" | "DNAME");
        if divides && owner.starts_with('*') {
            return;
        }
        let types = self.owners.entry(owner).or_default();
        // What a zone may hold: CNAME alone, DS at cuts, DNAME neither with CNAME nor at a cut, no cut at an apex.
        let has = |name: &str| types.iter().any(|&rtype| TYPES[rtype].0 == name);
        let fits = match TYPES[rtype].0 {
            "CNAME" => types.is_empty() && !at_apex,
            "NS" | "DS" => !has("CNAME") && !has("DNAME") && !at_apex,
            "DNAME" => !has("CNAME") && !has("NS"),
            _ => !has("CNAME"),
        };
        if fits {
            types.insert(rtype);
        }
    }

    /// Takes a few types away and adds as many. Without `divide`, those that divide zones stay.
    pub fn change(&mut self, random: &mut Rng, divide: bool) {
        let divides = |rtype: usize| matches!(TYPES[rtype].0, "NS" | "DNAME");
        for _ in 0..random.usize(1..6) {
            let owners: Vec<&String> = self.owners.keys().collect();
            if !owners.is_empty() && random.bool() {
                let owner = owners[random.usize(..owners.len())].clone();
                let types = self.owners.entry(owner).or_default();
                if let Some(&rtype) = types.iter().next()
                    && (divide || !divides(rtype))
                {
                    types.remove(&rtype);
                }
            } else {
                let before = self.clone();
                self.add(random);
                let divided = |tangled: &Self| {
                    tangled.owners.values().flatten().filter(|rtype| divides(**rtype)).count()
                };
                if !divide && divided(self) != divided(&before) {
                    *self = before;
                }
            }
        }
    }

    /// What is declared. The version tells apart what a name is answered.
    pub fn snapshot(&self, version: u8) -> Snapshot {
        let mut builder = SnapshotBuilder::new(Limits::default());
        for (number, apex) in APEXES.into_iter().enumerate() {
            let mut text =
                format!("$TTL 300\n@ SOA ns.{apex}. host 1 7200 900 1209600 {}\n@ NS ns\n", 60 + number);
            for (owner, types) in &self.owners {
                let innermost =
                    APEXES.into_iter().filter(|apex| is_below(owner, apex)).max_by_key(|apex| apex.len());
                // Some names are declared in a zone that they do not belong to, too, and then hidden there.
                let elsewhere =
                    is_below(owner, apex) && owner.len() % 3 == 0 && !APEXES.contains(&owner.as_str());
                if innermost != Some(apex) && !elsewhere {
                    continue;
                }
                for &rtype in types {
                    text += &format!("{owner}. {}\n", record(rtype, owner, version));
                }
            }
            let apex = Name::from_route53(apex).expect("a name");
            let mut zone = ZoneBuilder::new(apex.clone(), Some(ZoneId(format!("Z{number}").as_str().into())));
            let read =
                zonefile::read("tangled.zone", text.as_bytes(), &apex, &mut |_| Err("nothing".to_owned()));
            zone.add_master_file(read);
            builder.add_zone(zone);
        }
        builder.build(Revision(u64::from(version))).unwrap_or_else(|findings| panic!("{findings}")).0
    }

    /// A question at, above, below or beside one of the names, in any case.
    pub fn query(&self, random: &mut Rng) -> Query {
        let text = match random.usize(..4) {
            0 => {
                let owners: Vec<&String> = self.owners.keys().collect();
                if owners.is_empty() {
                    APEXES[0].to_owned()
                } else {
                    owners[random.usize(..owners.len())].clone()
                }
            }
            1 => {
                let owners: Vec<&String> = self.owners.keys().collect();
                let below = LABELS[random.usize(..LABELS.len())];
                if owners.is_empty() {
                    below.to_owned()
                } else {
                    format!("{below}.{}", owners[random.usize(..owners.len())])
                }
            }
            _ => name(random, &LABELS, 6),
        };
        let qtype = match random.usize(..20) {
            0 => META[random.usize(..META.len())],
            1..=4 => ASKED[random.usize(..ASKED.len())],
            _ => TYPES[random.usize(..TYPES.len())].1,
        };
        let mut query = Query::new(&text, qtype);
        if random.bool() {
            query.name.iter_mut().for_each(|octet| {
                if random.bool() {
                    octet.make_ascii_uppercase();
                }
            });
        }
        query
    }
}

fn is_below(name: &str, apex: &str) -> bool {
    name == apex || name.strip_suffix(apex).is_some_and(|prefix| prefix.ends_with('.'))
}

/// Type and data.
fn record(rtype: usize, owner: &str, version: u8) -> String {
    match TYPES[rtype].0 {
        "A" => format!("A 192.0.2.{version}"),
        "AAAA" => format!("AAAA 2001:db8::{version:x}"),
        "TXT" => format!("TXT \"version {version}\""),
        "MX" => format!("MX {version} mail.example.org."),
        "CNAME" => format!("CNAME c{version}.example.org."),
        // Glue below, beside, and elsewhere.
        "NS" => format!("NS ns.{owner}.\n{owner}. NS ns.a.example.com.\n{owner}. NS ns.example.org."),
        "DS" => "DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000".to_owned(),
        other => format!("{other} d.example.org."),
    }
}
