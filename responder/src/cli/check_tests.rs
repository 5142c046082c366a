//! What `pulse53 check` tells, about a configuration in a directory of its own.

use super::*;

fn args(file: PathBuf) -> CheckArgs {
    CheckArgs { config: file, all: false, json: false, what_if: false, down: Vec::new(), up: Vec::new() }
}

/// A zone of `count` checked addresses in one weighted group, and as many names with an alias each that does not look.
fn site(count: usize) -> (tempfile::TempDir, Config) {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(directory.path().join(name), text).unwrap();
    let mut sets = Vec::new();
    for at in 0..count {
        sets.push(format!(
            r#"{{"Name": "pool.example.com", "Type": "A", "SetIdentifier": "{at}", "Weight": 1, "TTL": 90, "HealthCheckId": "c{}",
            "ResourceRecords": [{{"Value": "192.0.2.{at}"}}]}}"#,
            at % 2
        ));
        sets.push(format!(
            r#"{{"Name": "n{at:02}.example.com", "Type": "A", "AliasTarget": {{"HostedZoneId": "Z1", "DNSName": "pool.example.com", "EvaluateTargetHealth": false}}}}"#
        ));
    }
    write("r.json", format!("[{}]", sets.join(",\n")));
    let check = |at: usize| {
        format!(r#"{{"Id": "c{at}", "HealthCheckConfig": {{"Type": "HTTP", "IPAddress": "192.0.2.1"}}}}"#)
    };
    write("h.json", format!("[{},\n{}]", check(0), check(1)));
    let toml = "[[zone]]\nname = \"example.com\"\nid = \"Z1\"\nrecord_sets = \"r.json\"\n[health_checks]\nfile = \"h.json\"\n";
    write("pulse53.toml", toml.to_owned());
    let config = Config::read(&directory.path().join("pulse53.toml"), &Overrides::default()).unwrap();
    (directory, config)
}

fn text(config: &Config, args: &CheckArgs) -> String {
    let loaded = declared::load(config, &Snapshot::default());
    let (snapshot, geo) = loaded.declared.unwrap();
    let checked = Checked::new(&snapshot, &geo, loaded.warnings, config, args).unwrap();
    let directory = config.file.parent().unwrap().display().to_string() + "/";
    checked.text(args).replace(&directory, "")
}

#[test]
fn warnings_are_counted_by_kind_and_the_first_of_them_shown() {
    let (_directory, config) = site(12);
    let args = args(config.file.clone());
    let told = text(&config, &args);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(
        lines[0],
        "warning: aliases with EvaluateTargetHealth off: they lead to their target also when it is down (12)"
    );
    assert_eq!(
        lines[1],
        "  r.json:3:1: n00.example.com. A: AliasTarget.EvaluateTargetHealth is false towards pool.example.com. (R-52)"
    );
    assert_eq!(lines[11], "  and 2 more; --all shows them");
    assert!(lines[12].starts_with("warning: health-checked record sets with a TTL above 60 s"), "{told}");
    assert_eq!(lines[24], "slowest detection of a failure, to which the TTL is added:");
    assert_eq!(lines[25], "  c0: 102 s");
    assert_eq!(lines.last(), Some(&"pulse53.toml: no errors; zones: 1, record sets: 26, health checks: 2"));
    let all = text(&config, &CheckArgs { all: true, ..args });
    assert_eq!(all.matches("EvaluateTargetHealth is false").count(), 12);
}

#[test]
fn what_if_lists_the_names_that_change() {
    let (_directory, config) = site(2);
    let each = CheckArgs { what_if: true, ..args(config.file.clone()) };
    let told = text(&config, &each);
    assert!(
        told.contains(
            "what if c0 down: 3 names change their answers or come to last resort\n  \
             n00.example.com. A: 192.0.2.0 (50 %), 192.0.2.1 (50 %) → 192.0.2.1\n  \
             n01.example.com. A: 192.0.2.0 (50 %), 192.0.2.1 (50 %) → 192.0.2.1\n  \
             pool.example.com. A: 192.0.2.0 (50 %), 192.0.2.1 (50 %) → 192.0.2.1\n\
             what if c1 down: 3 names"
        ),
        "{told}"
    );
    let both = CheckArgs { down: vec!["c0".to_owned(), "c1".to_owned()], ..each };
    let told = text(&config, &both);
    assert!(
        told.contains(
            "what if c0, c1 down: 3 names change their answers or come to last resort\n  \
             n00.example.com. A: the same answer, by last resort\n"
        ),
        "{told}"
    );
}

#[test]
fn json_holds_every_warning_with_its_place() {
    let (_directory, config) = site(12);
    let args = CheckArgs { what_if: true, ..args(config.file.clone()) };
    let loaded = declared::load(&config, &Snapshot::default());
    let (snapshot, geo) = loaded.declared.unwrap();
    let checked = Checked::new(&snapshot, &geo, loaded.warnings, &config, &args).unwrap();
    let report = checked.json(&args);
    let warnings = report["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 24);
    assert_eq!((&warnings[0]["topic"], &warnings[0]["line"]), (&json!("target-health-off"), &json!(3)));
    assert_eq!(report["detection"][0], json!({ "check": "c0", "worst_case_ms": 102_000 }));
    assert_eq!(report["what_if"][0]["down"], json!(["c0"]));
    assert_eq!(report["what_if"][0]["names"].as_array().unwrap().len(), 13);
}
