//! What is refused, and in which words: `pulse53 check`, and starts that cannot succeed.

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::harness::agent::{CONFIG, binary, serve};
use crate::harness::command::{run, text};
use crate::harness::network::SERVED;
use crate::harness::site::{Site, ZONE};

#[test]
fn check_tells_each_mistake_with_its_place() {
    let Some(site) = Site::make() else { return };
    let zone = |file: &str| format!("[[zone]]\nname = {ZONE:?}\n{file}\n");
    let check = || run(Command::new(binary()).args(["check", "--config"]).arg(site.place.file(CONFIG)));

    site.serve_zone("", "www IN A 198.51.100.1\n");
    let fine = check();
    assert_eq!((fine.status.code(), fine.stderr.len()), (Some(0), 0), "{}", text(&fine));
    assert!(text(&fine).contains("no errors"), "{}", text(&fine));

    site.write_zone("www IN A 198.51.100.1\nbad IN A 198.51.100.256\n");
    refused(&site, &check(), "zone:7:", &["198.51.100.256"]);

    site.write_zone("");
    site.configure("mod = \"auto\"", &zone("file = \"zone\""));
    refused(&site, &check(), &format!("{CONFIG}:7:1:"), &["mod", "mode"]);

    site.configure("", &zone("file = \"nowhere\""));
    refused(&site, &check(), "", &["nowhere"]);

    let bad_weight = format!(
        "{{\"ResourceRecordSets\": [\n{{\"Name\": \"www.{ZONE}.\", \"Type\": \"A\", \"SetIdentifier\": \"a\",\n\
         \"Weight\": 300, \"TTL\": 5, \"ResourceRecords\": [{{\"Value\": \"198.51.100.1\"}}]}}]}}"
    );
    site.place.write("records.json", bad_weight);
    site.configure("", &zone("record_sets = \"records.json\""));
    refused(&site, &check(), "records.json:", &["300"]);

    site.place.write("records.json", "{\"ResourceRecordSets\": [\n");
    refused(&site, &check(), "records.json:2:1:", &["not JSON"]);

    site.place.write("checks.json", "{\"HealthChecks\": [{\"Id\": \"a\"}]}");
    site.configure("", "[health_checks]\nfile = \"checks.json\"\n");
    refused(&site, &check(), "checks.json:", &[]);

    std::fs::remove_file(site.place.file(CONFIG)).expect("a file can be removed");
    refused(&site, &check(), &format!("{CONFIG}:1:1:"), &[]);
}

#[test]
fn serve_refuses_what_it_cannot_do_in_one_line() {
    let Some(site) = Site::make() else { return };
    let server = &site.network.server;
    site.serve_zone("", "");

    // Without a name for the interface that exists.
    let mut start = serve(server, &site.place);
    refused_start(&site, start.args(["--interfaces", "no-such0"]), &["no-such0", "ip link"]);

    // Without capabilities; a port that needs none.
    let start = |bounding: &str, arguments: &[&str]| {
        let mut start = server.command(Path::new("setpriv"));
        start.args([&format!("--bounding-set=-all{bounding}"), "--inh-caps=-all"]).arg(binary());
        start.args(["serve", "--config"]).arg(site.place.file(CONFIG)).args(arguments);
        start
    };
    let high_port = ["--listen", "10.53.0.53:5353"];
    refused_start(&site, &mut start("", &high_port), &["lacks CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON", "root"]);
    // This one the verifier refuses, as if it could not follow the program.
    refused_start(&site, &mut start(",+bpf,+net_admin", &high_port), &["lacks CAP_PERFMON;"]);
    refused_start(&site, &mut start("", &["--interfaces", ""]), &["10.53.0.53:53", "CAP_NET_BIND_SERVICE"]);

    // What the account that serves may not read.
    site.add("[server]\nuser = \"no-such-account\"\n");
    refused_start(&site, &mut serve(server, &site.place), &["[server] user", "no-such-account", "useradd"]);
    site.serve_zone("", "");
    site.add("[server]\nuser = \"nobody\"\n");
    let only_root = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(site.place.file("zone"), only_root).expect("permissions can be set");
    refused_start(&site, &mut serve(server, &site.place), &["zone", "Permission denied"]);
    site.serve_zone("", "");

    let _taken = server.within(|| UdpSocket::bind(SERVED[0])).expect("the port is free");
    refused_start(&site, &mut serve(server, &site.place), &["10.53.0.53:53", "UDP", "free?"]);
}

/// Exit status 1, and a line that begins with the place, whole, and holds some words.
fn refused(site: &Site, output: &Output, place: &str, words: &[&str]) {
    let said = text(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let directory = format!("{}/", site.place.file("").display().to_string().trim_end_matches('/'));
    let found = said.lines().any(|line| {
        line.strip_prefix(&directory).is_some_and(|line| line.starts_with(place) && has_position(line))
            && words.iter().all(|word| line.contains(word))
    });
    assert!(found, "no line of {place:?} with {words:?} in\n{said}");
}

/// Whether a line begins `file:line:column: `.
fn has_position(line: &str) -> bool {
    let parts: Vec<&str> = line.splitn(4, ':').collect();
    parts.len() == 4
        && parts[1..3].iter().all(|number| number.parse::<u32>().is_ok_and(|number| number > 0))
        && parts[3].starts_with(' ')
}

/// Exit status 1, and one line of error that holds some words; nothing is left behind.
fn refused_start(site: &Site, command: &mut Command, words: &[&str]) {
    let output = run(command);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let errors: Vec<&str> =
        said.lines().filter(|line| words.iter().all(|word| line.contains(word))).collect();
    assert_eq!(errors.len(), 1, "one line with {words:?} in\n{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(site.place.pinned(), Vec::<std::path::PathBuf>::new());
}
