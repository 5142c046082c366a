//! The zones that are measured: made up, of a given size, the same every time; and how durations are told.

pub mod percentiles;

use std::fmt::Write;

use pulse53_core::assemble::{Limits, SnapshotBuilder, ZoneBuilder};
use pulse53_core::model::{Name, Revision, Snapshot};
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

/// A zone of `groups` groups that all have the check `shared`: pairs of primary and secondary, or four weighted members of which one has it.
pub fn flipping(policy: Flipping, groups: usize) -> Snapshot {
    let mut sets = Vec::new();
    for group in 0..groups {
        let members = if policy == Flipping::Failover { 2 } else { 4 };
        for member in 0..members {
            let routing = match (policy, member) {
                (Flipping::Weighted, _) => format!(r#""Weight": {}"#, 10 * (member + 1)),
                (Flipping::Failover, 0) => r#""Failover": "PRIMARY""#.to_owned(),
                (Flipping::Failover, _) => r#""Failover": "SECONDARY""#.to_owned(),
            };
            let check = if member == 0 { r#", "HealthCheckId": "shared""# } else { "" };
            let (high, low) = (group / 256 % 256, group % 256);
            sets.push(format!(
                r#"{{"Name": "g{group}.example.com.", "Type": "A", "SetIdentifier": "m{member}", {routing}, "TTL": 60,
                "ResourceRecords": [{{"Value": "10.{member}.{high}.{low}"}}]{check}}}"#
            ));
        }
    }
    let mut zone = ZoneBuilder::new(Name::from_route53("example.com").expect("a name"), None);
    zone.add_record_sets(route53::read_record_sets("flipping.json", &format!("[{}]", sets.join(","))));
    build(zone)
}

/// What the groups of [`flipping`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flipping {
    /// Pairs of primary and secondary.
    Failover,
    /// Four members each.
    Weighted,
}

fn build(zone: ZoneBuilder) -> Snapshot {
    // More record sets than Route 53 takes are the point here.
    let limits = Limits { record_sets_per_zone: usize::MAX, ..Limits::default() };
    let mut builder = SnapshotBuilder::new(limits);
    builder.add_zone(zone);
    builder.build(Revision(1)).unwrap_or_else(|findings| panic!("{findings}")).0
}
