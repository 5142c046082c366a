//! Clients that people have: boto3, the AWS CLI, certbot's and octoDNS's plugins, in the scripts of `tests/clients`.
//!
//! They run in the server's namespace, with the environment that `cargo xtask setup` makes for them.

use std::path::{Path, PathBuf};
use std::process::Command;

use pulse53_tests::programs::has;

use crate::harness::agent::{Agent, binary};
use crate::harness::command::{run, text};
use crate::harness::network::SERVED;
use crate::harness::site::Site;

/// Names the environment with the clients.
const CLIENTS: &str = "PULSE53_CLIENTS";

/// What requests are signed with; most nodes here do not look at it.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG";

/// What zones made through the API get, and what the scripts expect.
const SECTIONS: &str =
    "[api]\nname_servers = [\"ns1.example.org\", \"ns2.example.org\"]\n[checker]\nname = \"here\"\n";

/// The environment's Python, unless it is not there; then the test counts as skipped.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os(CLIENTS).map(|place| Path::new(&place).join("bin/python"));
    let python = python.filter(|python| python.is_file());
    if python.is_none() {
        pulse53_tests::skip("the clients of Route 53 from PyPI, which `cargo xtask test` installs");
    }
    python
}

/// Gives a command what it needs to find the node.
fn point(command: &mut Command) -> &mut Command {
    command
        .env("AWS_ENDPOINT_URL_ROUTE_53", "http://127.0.0.1:5380")
        .env("AWS_ACCESS_KEY_ID", "pulse53")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("PULSE53_TEST_DNS", SERVED[0].ip().to_string())
        .env("PULSE53_BIN", binary())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/clients"))
}

/// Runs one of the scripts against a node of its own.
fn script(name: &str) {
    script_with(name, "");
}

/// The same, with something behind the end of the configuration, which is within `[checker]`.
fn script_with(name: &str, more: &str) {
    let Some(python) = python() else { return };
    let Some(site) = Site::make() else { return };
    if !has("dig", "bind9-dnsutils") {
        return;
    }
    site.place.write("file.json", "{\"ResourceRecordSets\": []}");
    site.place.write("secret", SECRET);
    site.configure("", &format!("{SECTIONS}{more}"));
    let agent = Agent::start(&site.network.server, &site.place);
    let mut command = site.network.server.command(&python);
    point(&mut command).env("PULSE53_TEST_LOGS", site.place.file("logs"));
    let done = run(command.args(["-m", "unittest", "-v", name]));
    drop(agent);
    assert!(done.status.success(), "{}", text(&done));
}

#[test]
fn zones_with_boto3() {
    script("test_zones");
}

#[test]
fn records_and_collections_with_boto3() {
    script("test_records");
}

#[test]
fn health_checks_and_failover_with_boto3() {
    script("test_health_checks");
}

#[test]
fn every_list_to_the_last_page_with_boto3() {
    script("test_pages");
}

#[test]
fn every_error_code_with_boto3() {
    // Limits that a test reaches, a zone that the API does not own, addresses that are not probed, a log that cannot be written.
    script_with(
        "test_errors",
        "deny = [\"203.0.113.0/24\"]\n\
         [limits]\nhosted_zones = 12\nhealth_checks = 8\ndelegation_sets = 3\ncidr_collections = 3\n\
         record_sets_per_zone = 60\n\
         [[zone]]\nname = \"file.example\"\nrecord_sets = \"file.json\"\n\
         [[query_log.group]]\nname = \"nowhere\"\nfile = \"no-such-directory/a.log\"\n",
    );
}

#[test]
fn signatures_of_botocore() {
    script_with(
        "test_auth",
        "[[api.credential]]\naccess_key_id = \"pulse53\"\nsecret_access_key_file = \"secret\"\n",
    );
}

#[test]
fn routing_controls_with_boto3() {
    const PANEL: &str = "arn:aws:route53-recovery-control::123456789012:controlpanel";
    let control = |panel: &str, number: u8, name: &str, rest: &str| {
        format!(
            "[[routing_control]]\narn = \"{PANEL}/{panel}/routingcontrol/{number}\"\nname = {name:?}\n{rest}\n"
        )
    };
    let controls = [
        control("aa", 1, "fra", "panel = \"cells\"\nstate = \"on\""),
        control("aa", 2, "iad", ""),
        control("aa", 3, "nrt", ""),
        control("bb", 1, "other", ""),
    ];
    script_with("test_recovery", &controls.concat());
}

#[test]
fn query_logs_with_boto3() {
    script_with("test_query_logs", "[query_log]\ndirectory = \"logs\"\n");
}

#[test]
fn signed_zones_with_boto3_and_delv() {
    if has("delv", "bind9-dnsutils") {
        script("test_dnssec");
    }
}

#[test]
fn command_line_and_plugins() {
    script("test_cli");
}

#[test]
fn export_and_import() {
    script("test_move");
}
