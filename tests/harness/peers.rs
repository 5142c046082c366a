//! Configurations of other authoritative servers, so that they run from any directory and as anybody.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

/// A zone's apex, and its master file within the directory.
pub type ZoneFile<'a> = (&'a str, &'a str);

/// NSD with one server, without a rate limit; all its files are in `directory`.
pub fn nsd(directory: &Path, address: SocketAddr, zones: &[ZoneFile<'_>]) -> String {
    let here = directory.display();
    let (ip, port) = (address.ip(), address.port());
    let mut text = format!(
        "server:\n ip-address: {ip}@{port}\n port: {port}\n username: \"\"\n zonesdir: \"{here}\"\n pidfile: \"\"\n \
         database: \"\"\n zonelistfile: \"{here}/zone.list\"\n xfrdfile: \"{here}/xfrd\"\n xfrdir: \"{here}\"\n \
         server-count: 1\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n"
    );
    for (apex, file) in zones {
        writeln!(text, "zone:\n name: {apex}\n zonefile: \"{file}\"").expect("memory");
    }
    text
}

/// Knot DNS with one worker of each kind; all its files are in `directory`. With an interface, it receives through AF_XDP there.
pub fn knot(
    directory: &Path,
    address: SocketAddr,
    interface: Option<&str>,
    zones: &[ZoneFile<'_>],
) -> String {
    let here = directory.display();
    let (ip, port) = (address.ip(), address.port());
    let xdp = interface.map(|interface| format!("xdp:\n listen: {interface}@{port}\n")).unwrap_or_default();
    let mut text = format!(
        "server:\n rundir: \"{here}\"\n listen: {ip}@{port}\n udp-workers: 1\n tcp-workers: 1\n background-workers: 1\n\
         {xdp}log:\n - target: stderr\n   any: warning\ndatabase:\n storage: \"{here}\"\n\
         template:\n - id: default\n   storage: \"{here}\"\n   semantic-checks: off\n   zonefile-sync: -1\n   \
         journal-content: none\nzone:\n"
    );
    for (apex, file) in zones {
        writeln!(text, " - domain: {apex}\n   file: \"{file}\"").expect("memory");
    }
    text
}
