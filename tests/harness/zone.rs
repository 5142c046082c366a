//! Snapshots from text.

use pulse53_core::assemble::{Limits, SnapshotBuilder, ZoneBuilder};
use pulse53_core::model::{Name, Revision, Snapshot, ZoneId};
use pulse53_core::{route53, zonefile};

/// A snapshot of one zone, from a master file and record-set JSON; either may be empty.
pub fn snapshot(apex: &str, master_file: &str, record_sets: &str) -> Snapshot {
    let apex = Name::from_route53(apex).expect("a name");
    let mut zone = ZoneBuilder::new(apex.clone(), Some(ZoneId("ZPULSE53EXAMPLE".into())));
    if !master_file.is_empty() {
        let read = zonefile::read("test.zone", master_file.as_bytes(), &apex, &mut |path| {
            Err(format!("no {path} in tests"))
        });
        zone.add_master_file(read);
    }
    if !record_sets.is_empty() {
        zone.add_record_sets(route53::read_record_sets("test.json", record_sets));
    }
    let mut builder = SnapshotBuilder::new(Limits::default());
    builder.add_zone(zone);
    builder.build(Revision(1)).unwrap_or_else(|findings| panic!("{findings:?}")).0
}
