//! A second wire between the two, a veth pair whatever the first one is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;

use super::command::{run, text};
use super::network::Namespace;
use super::peer::Peer;

/// Both ends of it.
pub const SECOND: &str = "wire1";
/// Addresses of the client's end, IPv4 first.
pub const SECOND_CLIENT: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 54, 0, 1)), IpAddr::V6(Ipv6Addr::new(0xfd54, 0, 0, 0, 0, 0, 0, 1))];
/// Addresses of the server's end.
pub const SECOND_SERVER: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 54, 0, 53)), IpAddr::V6(Ipv6Addr::new(0xfd54, 0, 0, 0, 0, 0, 0, 0x53))];

/// The wire, with what its client end needs.
#[derive(Debug)]
pub struct Second {
    _peer: Peer,
}

impl Second {
    /// Lays the wire, with addresses.
    pub fn join(client: &Namespace, server: &Namespace) -> Self {
        client.ip(&format!("link add name {SECOND} type veth peer name {SECOND}-server"));
        let told = run(Command::new("ip")
            .args(["-netns", client.name(), "link", "set", &format!("{SECOND}-server")])
            .args(["netns", server.name(), "name", SECOND]));
        assert!(told.status.success(), "{}", text(&told));
        let peer = Peer::attach_to(client, SECOND);
        for (namespace, addresses) in [(client, SECOND_CLIENT), (server, SECOND_SERVER)] {
            give(namespace, SECOND, addresses);
        }
        Self { _peer: peer }
    }
}

/// Addresses of both families, and up.
pub fn give(namespace: &Namespace, interface: &str, [v4, v6]: [IpAddr; 2]) {
    namespace.ip(&format!("address add {v4}/24 dev {interface}"));
    namespace.ip(&format!("address add {v6}/64 dev {interface} nodad"));
    namespace.ip(&format!("link set {interface} up"));
}
