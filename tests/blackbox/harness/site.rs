//! All that a test needs around the agent, or the reason why it cannot be had.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use pulse53_tests::programs;

use super::agent::{Agent, CONFIG, binary};
use super::client::Client;
use super::network::{self, INTERFACE, Network, SERVED};
use super::peer::{self, Peer};
use super::place::{self, Place};

/// The zone that most tests serve.
pub const ZONE: &str = "example.com";

/// Fields are dropped in order: the peer before the namespace it is in, and all pins before the interfaces they hold.
#[derive(Debug)]
pub struct Site {
    /// XDP on the client's end of a veth pair; taken away by who brings a program of its own.
    pub peer: Option<Peer>,
    /// The directory.
    pub place: Place,
    /// Both namespaces.
    pub network: Network,
    /// Whether the agent is configured to attach a program; sockets alone answer otherwise.
    attaches: bool,
}

impl Site {
    /// A site, or nothing: then the test counts as skipped.
    pub fn make() -> Option<Self> {
        let mut site = Self::without_programs()?;
        site.peer = site.network.is_veth().then(|| Peer::attach(&site.network.client));
        Some(site)
    }

    /// A site where sockets alone answer.
    pub fn of_sockets() -> Option<Self> {
        Some(Self { attaches: false, ..Self::without_programs()? })
    }

    /// A site where no kernel has had to take a program yet.
    pub fn without_programs() -> Option<Self> {
        static SWEPT: Once = Once::new();
        static MADE: AtomicUsize = AtomicUsize::new(0);
        if let Some(lacking) = lacking() {
            pulse53_tests::skip(&lacking);
            return None;
        }
        SWEPT.call_once(|| {
            network::sweep();
            place::sweep();
        });
        let id = format!("{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let network = Network::make(&id);
        Some(Self { peer: None, place: Place::make(&id), network, attaches: true })
    }

    /// Writes the configuration: what every test has, then what it adds to `[xdp]`, then its sections.
    pub fn configure(&self, xdp: &str, sections: &str) {
        self.configure_on(&[INTERFACE], &SERVED, xdp, sections);
    }

    /// The same for other interfaces and addresses.
    pub fn configure_on(&self, interfaces: &[&str], addresses: &[SocketAddr], xdp: &str, sections: &str) {
        let mut text = format!("data_dir = {:?}\n[dns]\nlisten = [", self.place.file("data"));
        for address in addresses {
            write!(text, "\"{address}\", ").expect("memory");
        }
        let interfaces = if self.attaches { interfaces } else { &[] };
        let pins = self.place.pins();
        write!(text, "]\n[xdp]\ninterfaces = {interfaces:?}\npin_dir = {pins:?}\n{xdp}\n").expect("memory");
        text.push_str("[log]\nformat = \"human\"\n");
        text.push_str(sections);
        self.place.write(CONFIG, &text);
    }

    /// The same, for one zone of these records in the form of a master file.
    pub fn serve_zone(&self, xdp: &str, records: &str) {
        self.serve_zone_on(&[INTERFACE], &SERVED, xdp, records);
    }

    /// The same on other interfaces and addresses.
    pub fn serve_zone_on(&self, interfaces: &[&str], addresses: &[SocketAddr], xdp: &str, records: &str) {
        self.write_zone(records);
        let zone = format!("[[zone]]\nname = {ZONE:?}\nfile = \"zone\"\n");
        self.configure_on(interfaces, addresses, xdp, &zone);
    }

    /// Adds sections to the configuration there is.
    pub fn add(&self, sections: &str) {
        let text = std::fs::read_to_string(self.place.file(CONFIG)).expect("it is configured");
        self.place.write(CONFIG, text + sections);
    }

    /// Writes the zone's records anew.
    pub fn write_zone(&self, records: &str) {
        self.place.write("zone", format!("$ORIGIN {ZONE}.\n$TTL 60\n{APEX}{records}"));
    }

    /// The agent, ready, and in the kernel where it is to be.
    pub fn start(&self) -> Agent<'_> {
        let agent = Agent::start(&self.network.server, &self.place);
        let status = agent.status();
        if self.attaches {
            assert_eq!(status["interfaces"][0]["name"], INTERFACE, "{status:#}");
            assert_eq!(status["interfaces"][0]["mode"], "native", "{status:#}");
        } else {
            assert_eq!(status["interfaces"].as_array().map(Vec::len), Some(0), "{status:#}");
        }
        agent
    }

    /// Someone who asks.
    pub fn client(&self) -> Client<'_> {
        Client::new(&self.network.client)
    }
}

const APEX: &str = "@ IN SOA ns1 hostmaster 1 7200 900 1209600 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n";

/// What this machine lacks, if anything.
fn lacking() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("root, to make network namespaces and load BPF programs".to_owned());
    }
    for (program, package) in [("ip", "iproute2"), ("nsenter", "util-linux"), ("setpriv", "util-linux")] {
        if let Some(lacking) = programs::lacking(program, package) {
            return Some(lacking);
        }
    }
    if !peer::is_built() || !binary().is_file() {
        return Some("the program and its BPF object, which `cargo xtask build` makes".to_owned());
    }
    None
}
