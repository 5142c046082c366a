//! The zones that are measured: made up, of a given size, the same every time; and how durations are told.

pub mod percentiles;

use std::fmt::Write;

use pulse53_core::assemble::{Limits, SnapshotBuilder, ZoneBuilder};
use pulse53_core::model::{Name, Revision, Snapshot, ZoneId};
use pulse53_core::{route53, zonefile};

/// A zone of `names` owners with two A records each.
pub fn plain(names: usize) -> Snapshot {
    let mut text =
        String::from("$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n");
    for name in 0..names {
        let (high, low) = (name / 256 % 256, name % 256);
        writeln!(text, "host-{name} A 198.51.{high}.{low}\nhost-{name} A 203.0.{high}.{low}")
            .expect("memory");
    }
    let apex = Name::from_route53("example.com").expect("a name");
    let mut zone = ZoneBuilder::new(apex.clone(), None);
    zone.add_master_file(zonefile::read("plain.zone", &text, &apex, &mut |_| {
        Err("nothing is included".to_owned())
    }));
    build(zone)
}

/// A zone of `groups` weighted groups of four members; every member has the check `shared`.
pub fn weighted(groups: usize) -> Snapshot {
    let mut sets = Vec::new();
    for group in 0..groups {
        for member in 0..4 {
            sets.push(format!(
                r#"{{"Name": "g{group}.example.com.", "Type": "A", "SetIdentifier": "m{member}", "Weight": {weight},
                "TTL": 60, "ResourceRecords": [{{"Value": "198.51.100.{member}"}}], "HealthCheckId": "shared"}}"#,
                weight = 10 * (member + 1)
            ));
        }
    }
    let mut zone = ZoneBuilder::new(Name::from_route53("example.com").expect("a name"), None);
    zone.add_record_sets(route53::read_record_sets("weighted.json", &format!("[{}]", sets.join(","))));
    build(zone)
}

/// A zone of `groups` groups whose answers all change with the check `shared`.
pub fn flipping(policy: Flipping, groups: usize) -> Snapshot {
    let mut sets = Vec::new();
    for group in 0..groups {
        let (high, low) = (group / 256 % 256, group % 256);
        let values = |member| {
            let check = if member == 0 { r#", "HealthCheckId": "shared""# } else { "" };
            format!(r#""TTL": 60, "ResourceRecords": [{{"Value": "10.{member}.{high}.{low}"}}]{check}"#)
        };
        let mut add = |name: &str, routing: &str, data: &str| {
            sets.push(format!(r#"{{"Name": "{name}.example.com.", "Type": "A", {routing}{data}}}"#));
        };
        let member = |number| format!(r#""SetIdentifier": "m{number}", "#);
        match policy {
            Flipping::Failover => {
                for (number, role) in ["PRIMARY", "SECONDARY"].into_iter().enumerate() {
                    let routing = format!(r#"{}"Failover": "{role}", "#, member(number));
                    add(&format!("g{group}"), &routing, &values(number));
                }
            }
            Flipping::Weighted => {
                for number in 0..4 {
                    let routing = format!(r#"{}"Weight": {}, "#, member(number), 10 * (number + 1));
                    add(&format!("g{group}"), &routing, &values(number));
                }
            }
            Flipping::Multivalue => {
                for number in 0..4 {
                    let routing = format!(r#"{}"MultiValueAnswer": true, "#, member(number));
                    add(&format!("g{group}"), &routing, &values(number));
                }
            }
            Flipping::Alias => {
                // One group answers for all.
                if group == 0 {
                    for number in 0..4 {
                        let routing = format!(r#"{}"Weight": {}, "#, member(number), 10 * (number + 1));
                        add("target", &routing, &values(number));
                    }
                }
                let target =
                    r#""HostedZoneId": "Z1", "DNSName": "target.example.com.", "EvaluateTargetHealth": true"#;
                add(&format!("g{group}"), "", &format!(r#""AliasTarget": {{{target}}}"#));
            }
        }
    }
    let name = Name::from_route53("example.com").expect("a name");
    let mut zone = ZoneBuilder::new(name, Some(ZoneId("Z1".into())));
    zone.add_record_sets(route53::read_record_sets("flipping.json", &format!("[{}]", sets.join(","))));
    build(zone)
}

/// What the groups of [`flipping`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flipping {
    /// Pairs of primary and secondary; the check is the primary's.
    Failover,
    /// Four weighted members each, of which one has the check.
    Weighted,
    /// Four members each that answer together, of which one has the check.
    Multivalue,
    /// Aliases to a group of four weighted members, which changes with them.
    Alias,
}

impl Flipping {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Failover, Self::Weighted, Self::Multivalue, Self::Alias];

    /// How many groups change, given the number asked for.
    pub fn changing(self, groups: usize) -> usize {
        groups + usize::from(self == Self::Alias)
    }
}

fn build(zone: ZoneBuilder) -> Snapshot {
    // More record sets than Route 53 takes are the point here.
    let limits = Limits { record_sets_per_zone: usize::MAX, ..Limits::default() };
    let mut builder = SnapshotBuilder::new(limits);
    builder.add_zone(zone);
    builder.build(Revision(1)).unwrap_or_else(|findings| panic!("{findings}")).0
}
