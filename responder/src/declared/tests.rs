//! Loading whole configurations from a directory.

use std::fs;

use super::*;
use crate::config::Overrides;

const ZONE: &str = "$TTL 300\n@ SOA ns admin 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n";

fn write(directory: &Path, name: &str, text: &str) {
    fs::write(directory.join(name), text).unwrap();
}

fn load_from(directory: &Path, config: &str) -> Loaded {
    write(directory, "p.toml", config);
    let config = Config::read(&directory.join("p.toml"), &Overrides::default()).unwrap();
    load(&config, &Snapshot::default())
}

#[test]
fn a_zone_file_becomes_a_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "a.zone", &format!("{ZONE}$INCLUDE more.zone\n"));
    write(directory.path(), "more.zone", "more A 192.0.2.3\n");
    let loaded = load_from(directory.path(), "[[zone]]\nname = \"example.com\"\nfile = \"a.zone\"\n");
    let (snapshot, _) = loaded.declared.unwrap();
    assert_eq!(snapshot.revision, Revision(0));
    assert_eq!(snapshot.zones.values().map(|zone| record_set_count(zone)).sum::<usize>(), 5);
    let names: Vec<_> = loaded.files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["p.toml", "a.zone", "more.zone"]);
}

#[test]
fn problems_of_all_files_are_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "a.zone", &format!("{ZONE}bad A 1.2.3\n"));
    write(directory.path(), "checks.json", "{");
    let config = "[[zone]]\nname = \"example.com\"\nfile = \"a.zone\"\nrecord_sets = \"none.json\"\n\
                  [health_checks]\nfile = \"checks.json\"\n";
    let loaded = load_from(directory.path(), config);
    let text = loaded.declared.unwrap_err().to_string();
    for part in ["p.toml:4:15: ", "none.json cannot be read", "a.zone:6:", "checks.json:1:"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(loaded.files.len(), 4);
}

#[test]
fn an_include_stays_in_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let zones = directory.path().join("zones");
    fs::create_dir(&zones).unwrap();
    write(directory.path(), "secret", "x A 192.0.2.9\n");
    std::os::unix::fs::symlink("../secret", zones.join("link")).unwrap();
    write(&zones, "a.zone", &format!("{ZONE}$INCLUDE link\n"));
    let loaded = load_from(directory.path(), "[[zone]]\nname = \"example.com\"\nfile = \"zones/a.zone\"\n");
    let text = loaded.declared.unwrap_err().to_string();
    assert!(text.contains("outside the directory"), "{text}");
}

#[test]
fn a_check_follows_a_declared_routing_control_h2_h31() {
    let directory = tempfile::tempdir().unwrap();
    let checks = "[{\"Id\": \"r\", \"HealthCheckConfig\": {\"Type\": \"RECOVERY_CONTROL\", \"RoutingControlArn\": \"arn:a\"}}]";
    write(directory.path(), "checks.json", checks);
    let config = "[health_checks]\nfile = \"checks.json\"\n";
    let text = load_from(directory.path(), config).declared.unwrap_err().to_string();
    assert!(
        text.contains("checks.json:1:2: health check r") && text.contains("[[routing_control]]"),
        "{text}"
    );
    let config = format!("{config}[[routing_control]]\narn = \"arn:a\"\n");
    let (snapshot, _) = load_from(directory.path(), &config).declared.unwrap();
    assert_eq!(snapshot.checks.len(), 1);
}
