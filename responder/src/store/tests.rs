//! The store over restarts, and what it refuses.

use pulse53_core::assemble::Limits;
use pulse53_core::change::{Action, Change, NewZone, apply, create_zone, zone_of_record_sets};
use pulse53_core::model::{Name, ZoneId};
use pulse53_core::route53::{ResourceRecord, ResourceRecordSet};

use super::*;
use crate::dnssec::{self, PrivateKey};

fn name(text: &str) -> Name {
    Name::from_route53(text).unwrap()
}

fn make_zone(store: &Store, id: &str, apex: &str) -> Revision {
    let new = NewZone {
        id: ZoneId(id.into()),
        apex: name(apex),
        name_servers: &[name("ns1.example.org")],
        mailbox: &name("hostmaster.example.org"),
    };
    let (zone, edits) = create_zone(new).unwrap();
    let row = ZoneRow {
        name: zone.apex.to_string(),
        caller_reference: "r".into(),
        comment: None,
        name_servers: vec!["ns1.example.org".into()],
        delegation_set: None,
    };
    let made = store.change(|_, commit| {
        commit.put(&[id], &row)?;
        commit.declare_zone(Arc::new(zone), &edits)
    });
    made.unwrap().1
}

fn create_a(store: &Store, zone: &str, owner: &str) {
    let set = ResourceRecordSet {
        name: owner.into(),
        record_type: "A".into(),
        ttl: Some(60),
        resource_records: Some(vec![ResourceRecord { value: "192.0.2.1".into() }]),
        ..ResourceRecordSet::default()
    };
    let done = store.change(|reading, commit| {
        let declared = reading.declared();
        let zone = declared.zones[&ZoneId(zone.into())].clone();
        let change = Change { action: Action::Create, set };
        let applied = apply(declared, &zone, &[change], &Limits::default()).unwrap();
        commit.declare_zone(applied.zone, &applied.edits)
    });
    done.unwrap();
}

fn listed(store: &Store, zone: &str, from: &str, max: usize) -> Vec<String> {
    let sets = store.read().unwrap().record_sets(zone, from, max).unwrap();
    sets.into_iter().map(|set| format!("{} {}", set.name, set.record_type)).collect()
}

#[test]
fn what_was_committed_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(make_zone(&store, "Z1", "example.com"), Revision(1));
    make_zone(&store, "Z11", "example.net");
    for owner in ["a-b.example.com", "a.example.com", "*.example.com", "b.a.example.com"] {
        create_a(&store, "Z1", owner);
    }
    let expected = [
        "example.com. NS",
        "example.com. SOA",
        "\\052.example.com. A",
        "a-b.example.com. A",
        "a.example.com. A",
        "b.a.example.com. A",
    ];
    assert_eq!(listed(&store, "Z1", "", 300), expected);
    assert_eq!(listed(&store, "Z1", "com.example.a.", 1), ["a.example.com. A"]);
    drop(store);

    let store = Store::open(directory.path()).unwrap();
    assert_eq!(listed(&store, "Z1", "", 300), expected);
    let declared = store.watch().borrow().clone();
    assert_eq!(declared.revision, Revision(6));
    assert_eq!(declared.zones[&ZoneId("Z1".into())].groups.len(), 6);
    assert_eq!(declared.zones[&ZoneId("Z11".into())].groups.len(), 2);

    let zone = declared.zones[&ZoneId("Z1".into())].clone();
    let dropped: Result<_, StoreError> = store.change(|_, commit| {
        commit.drop_zone(&zone);
        commit.remove::<ZoneRow>(&["Z1"]);
        Ok(())
    });
    dropped.unwrap();
    assert!(listed(&store, "Z1", "", 300).is_empty());
    assert_eq!(listed(&store, "Z11", "", 300).len(), 2);
}

#[test]
fn a_refused_change_leaves_everything_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let refused: Result<((), _), StoreError> = store.change(|_, commit| {
        commit.put(&["reference"], &Reference { id: "x".into() })?;
        Err(StoreError::Stale { expected: Revision(0), current: Revision(0) })
    });
    refused.unwrap_err();
    assert!(store.read().unwrap().row::<Reference>(&["reference"]).unwrap().is_none());
    assert_eq!(store.watch().borrow().revision, Revision(0));
}

#[test]
fn a_commit_judged_at_an_older_revision_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let commit = Commit::new(Revision(1));
    make_zone(&store, "Z1", "example.com");
    assert!(matches!(store.commit(Revision(0), commit), Err(StoreError::Stale { .. })));
    assert_eq!(store.commit(Revision(1), Commit::new(Revision(2))).unwrap(), Revision(2));
}

#[test]
fn a_name_has_one_owner() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let of_files = |id: &str, apex: &str| {
        let zone = zone_of_record_sets(ZoneId(id.into()), name(apex), []).unwrap();
        Snapshot { zones: [(zone.id.clone(), Arc::new(zone))].into(), ..Snapshot::default() }
    };
    make_zone(&store, "Z1", "example.com");
    let refused = |files| match store.declare_files(files).unwrap_err() {
        Refused::Owned(problems) => problems[0].to_string(),
        Refused::Store(error) => panic!("{error}"),
    };
    assert!(refused(of_files("Z2", "example.com")).contains("made through the API as Z1"));
    assert!(refused(of_files("Z1", "example.net")).contains("has the id Z1"));
    let all = store.declare_files(of_files("Z2", "example.net")).unwrap();
    assert_eq!((all.zones.len(), all.revision), (2, Revision(2)));
    // The next reading of files replaces the first.
    let all = store.declare_files(of_files("Z3", "example.org")).unwrap();
    assert_eq!(all.zones.keys().map(|id| &*id.0).collect::<Vec<_>>(), ["Z1", "Z3"]);
    assert_eq!(store.written().zones.len(), 1);
}

#[test]
fn a_second_process_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let _store = Store::open(directory.path()).unwrap();
    let error = Store::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("store.redb") && error.contains("another pulse53"), "{error}");
}

#[test]
fn what_is_written_can_be_looked_at_beside_the_writer_and_after_it_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    assert!(written(directory.path()).unwrap().is_none());
    let store = Store::open(directory.path()).unwrap();
    make_zone(&store, "Z1", "example.com");
    let names = |snapshot: Option<Snapshot>| -> Vec<String> {
        snapshot.unwrap().zones.values().map(|zone| zone.apex.to_string()).collect()
    };
    assert_eq!(names(written(directory.path()).unwrap()), ["example.com."]);
    // Whoever has looked hinders nobody, and a writer there is but one.
    make_zone(&store, "Z2", "example.net");
    assert_eq!(names(written(directory.path()).unwrap()), ["example.com.", "example.net."]);
    assert!(matches!(Store::open(directory.path()), Err(StoreError::Open { .. })));
    // A process that was killed has left the file as it is now.
    let killed = tempfile::tempdir().unwrap();
    std::fs::copy(directory.path().join(FILE_NAME), killed.path().join(FILE_NAME)).unwrap();
    assert_eq!(names(written(killed.path()).unwrap()), ["example.com.", "example.net."]);
    drop(store);
    assert_eq!(names(written(directory.path()).unwrap()), ["example.com.", "example.net."]);
    Store::open(killed.path()).unwrap();
}

#[test]
fn queries_are_logged_again_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let arn = "arn:aws:logs:us-east-1:123456789012:log-group:a";
    {
        let store = Store::open(directory.path()).unwrap();
        make_zone(&store, "Z1", "example.com");
        let logged = store.change(|_, commit| {
            let row = QueryLogRow { zone: "Z1".into(), log_group_arn: arn.into() };
            commit.put(&["config"], &row)?;
            commit.log_queries(ZoneId("Z1".into()), Some("a".into()));
            Ok::<_, StoreError>(())
        });
        logged.unwrap();
        assert_eq!(store.watch().borrow().query_logs[&ZoneId("Z1".into())], "a".into());
    }
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.watch().borrow().query_logs[&ZoneId("Z1".into())], "a".into());
    // Files that are read anew change nothing about it.
    store.declare_files(Snapshot::default()).unwrap();
    assert_eq!(store.watch().borrow().query_logs.len(), 1);
}

#[test]
fn keys_are_there_after_opening_again_and_nobody_else_reads_them() {
    let directory = tempfile::tempdir().unwrap();
    let zone = ZoneId("Z1".into());
    let key = |active| SigningKeyRow {
        caller_reference: "k".into(),
        kms_arn: "arn:aws:kms:us-east-1:123456789012:key/a".into(),
        active,
        created_at_ms: 1,
        modified_at_ms: 1,
        key: PrivateKey::generate().unwrap(),
    };
    let path = directory.path().join(FILE_NAME);
    // As one of an earlier version would be.
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let before = {
        let store = Store::open(directory.path()).unwrap();
        make_zone(&store, "Z1", "example.com");
        let (active, idle) = (key(true), key(false));
        let row = SigningRow { zone_key: PrivateKey::generate().unwrap() };
        let signing =
            dnssec::signing(&name("example.com"), &row.zone_key, [&active.key], store.signatures()).unwrap();
        let signed = store.change(|_, commit| {
            commit.put(&["Z1", "active"], &active)?;
            commit.put(&["Z1", "idle"], &idle)?;
            commit.put(&["Z1"], &row)?;
            commit.sign(zone.clone(), Some(Arc::new(signing)));
            Ok::<_, StoreError>(())
        });
        signed.unwrap();
        store.watch().borrow().signing[&zone].clone()
    };
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let store = Store::open(directory.path()).unwrap();
    let after = store.watch().borrow().signing[&zone].clone();
    assert_eq!(before.dnskeys.len(), 2);
    assert_eq!(after, before, "those that are active, and the zone's own");
    // Files that are read anew change nothing about it.
    assert_eq!(store.declare_files(Snapshot::default()).unwrap().signing[&zone], before);
    drop(store);
    assert_eq!(written(directory.path()).unwrap().unwrap().signing[&zone], before);
}
