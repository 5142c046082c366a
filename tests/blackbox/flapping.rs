//! An interface that goes down and up, and one that is taken away and made anew: the kernel answers again, and nothing piles up.

use crate::harness::client::{Client, FAMILIES};
use crate::harness::eventually;
use crate::harness::network::INTERFACE;
use crate::harness::peer::Peer;
use crate::harness::site::Site;

const NAME: &str = "www.example.com";
const ADDRESS: [u8; 4] = [198, 51, 100, 1];

/// Memory that all of this may cost, in KiB.
const MEMORY_KIB_MAX: u64 = 32 << 10;

#[test]
fn a_flapping_interface_is_answered_on_again() {
    let Some(mut site) = Site::make() else { return };
    if !site.network.is_veth() {
        return pulse53_tests::skip("a veth pair, to be taken away");
    }
    site.serve_zone("", "www IN A 198.51.100.1\n");
    let mut peer = site.peer.take();
    let agent = site.start();
    answered_in_kernel(&mut site.client(), &agent);
    let before = agent.memory_peak_kib();

    for _ in 0..10 {
        site.network.server.ip(&format!("link set {INTERFACE} down"));
        site.network.bring_up();
    }
    eventually("answers after the interface came up", || {
        let mut client = site.client();
        FAMILIES.iter().try_for_each(|family| client.try_ask(*family, &question()).map(drop))
    });
    answered_in_kernel(&mut site.client(), &agent);

    for _ in 0..3 {
        drop(peer.take());
        site.network.replace_wire();
        peer = Some(Peer::attach(&site.network.client));
        eventually("the program on the new interface", || {
            let before = agent.kernel_replies();
            let asked = site.client().try_ask(0, &question()).map(drop);
            if agent.kernel_replies() > before { Ok(()) } else { Err(asked) }
        });
        assert_eq!(agent.status()["interfaces"][0]["name"], INTERFACE);
        assert_eq!(agent.status()["interfaces"][0]["mode"], "native");
        answered_in_kernel(&mut site.client(), &agent);
        assert_eq!(links(&site), 1, "{:?}", site.place.pinned());
    }
    let grown = agent.memory_peak_kib().saturating_sub(before);
    assert!(grown < MEMORY_KIB_MAX, "{grown} KiB");
    let log = std::fs::read_to_string(site.place.file("log")).expect("there is a log");
    assert_eq!(log.matches("the interface is back").count(), 3, "{log}");
    assert!(agent.terminate().success());
    assert_eq!(site.place.pinned(), Vec::<std::path::PathBuf>::new());
}

fn question() -> pulse53_tests::frame::Query {
    pulse53_tests::frame::Query::new(NAME, 1)
}

/// Pins of links.
fn links(site: &Site) -> usize {
    site.place.pinned().iter().filter(|pin| pin.to_string_lossy().contains(':')).count()
}

/// Both families, from the kernel; an answer that came by userspace shows itself.
fn answered_in_kernel(client: &mut Client<'_>, agent: &crate::harness::agent::Agent<'_>) {
    let before = agent.kernel_replies();
    for family in FAMILIES {
        assert_eq!(client.address(family, NAME), Some(ADDRESS));
    }
    assert_eq!(agent.kernel_replies() - before, FAMILIES.len() as u64);
}
