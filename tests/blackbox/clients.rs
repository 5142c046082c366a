//! Clients that people have: boto3, the AWS CLI, certbot's and octoDNS's plugins, in the scripts of `tests/clients`.
//!
//! They run in the server's namespace, with the environment that `cargo xtask setup` makes for them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::agent::binary;
use crate::harness::command::{is_installed, run, text};
use crate::harness::network::SERVED;
use crate::harness::site::Site;

/// Names the environment with the clients.
const CLIENTS: &str = "PULSE53_CLIENTS";

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
        .env("AWS_SECRET_ACCESS_KEY", "pulse53")
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
    let Some(python) = python() else { return };
    let Some(site) = Site::make() else { return };
    if !is_installed("dig") {
        return pulse53_tests::skip("dig (package bind9-dnsutils)");
    }
    site.configure("", SECTIONS);
    let _agent = site.start();
    let mut command = site.network.server.command(&python);
    let done = run(point(&mut command).args(["-m", "unittest", "-v", name]));
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
fn command_line_and_plugins() {
    script("test_cli");
}

#[test]
fn export_and_import() {
    script("test_move");
}
