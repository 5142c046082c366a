//! An XDP program of somebody else's: found, told, and never replaced, however it was attached; sockets answer meanwhile (law 9).

use crate::harness::agent::Agent;
use crate::harness::client::FAMILIES;
use crate::harness::network::INTERFACE;
use crate::harness::peer::Peer;
use crate::harness::site::Site;

const WWW: &str = "www.example.com";
const ADDRESS: [u8; 4] = [198, 51, 100, 1];

#[test]
fn a_program_of_somebody_else_stays_and_sockets_answer() {
    let Some(site) = Site::make() else { return };
    let other = Peer::attach(&site.network.server);
    is_left_alone(&site);
    drop(other);
    is_free(&site);
    let agent = {
        site.serve_zone("", "www IN A 198.51.100.1\n");
        site.start()
    };
    assert_eq!(site.client().address(0, WWW), Some(ADDRESS));
    assert_eq!(agent.kernel_replies(), 1);
}

#[test]
fn a_program_without_a_link_stays_too() {
    let Some(site) = Site::make() else { return };
    // As `ip link set dev … xdp` and other loaders attach: by netlink, and held by no link.
    let pin = site.place.pins().with_file_name("other");
    Peer::pin(&pin);
    site.network.server.ip(&format!("link set dev {INTERFACE} xdpdrv pinned {}", pin.display()));
    is_left_alone(&site);
    site.network.server.ip(&format!("link set dev {INTERFACE} xdpdrv off"));
}

/// In every mode: the program before is the program afterwards.
fn is_left_alone(site: &Site) {
    let before = attached(site).expect("a program is attached");
    for mode in ["auto", "native", "generic"] {
        site.serve_zone(&format!("mode = {mode:?}"), "www IN A 198.51.100.1\n");
        let agent = Agent::start(&site.network.server, &site.place);
        let status = agent.status();
        let problem = status["kernel_problem"].as_str().expect("the problem is told");
        assert!(problem.contains("another XDP program") && problem.contains(INTERFACE), "{mode}: {problem}");
        assert_eq!(status["interfaces"].as_array().map(Vec::len), Some(0), "{mode}: {status:#}");
        let mut client = site.client();
        for family in FAMILIES {
            assert_eq!(client.address(family, WWW), Some(ADDRESS), "{mode}");
        }
        assert_eq!(agent.kernel_replies(), 0, "{mode}");
        assert_eq!(attached(site), Some(before.clone()), "{mode}, while it runs");
        assert!(agent.terminate().success());
        assert_eq!(attached(site), Some(before.clone()), "{mode}, after it has stopped");
        assert!(site.place.pinned().is_empty(), "{mode}: {:?}", site.place.pinned());
    }
}

fn is_free(site: &Site) {
    crate::harness::eventually("an interface without XDP", || attached(site).map_or(Ok(()), Err));
}

/// The id of the program on the served interface, as `ip` tells it: `prog/xdp id 7 name …`.
fn attached(site: &Site) -> Option<String> {
    let link = site.network.server.ip(&format!("link show dev {INTERFACE}"));
    let id = link.split_once("prog/xdp id ")?.1.split_whitespace().next()?;
    Some(id.to_owned())
}
