//! What becomes of the answers when the agent dies, stops and starts.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pulse53_core::model::RecordType;
use pulse53_tests::frame::Query;

use crate::harness::client::{Client, FAMILIES};
use crate::harness::eventually;
use crate::harness::network::INTERFACE;
use crate::harness::site::Site;

const HOT: &str = "hot.example.com";
const OLD: [u8; 4] = [198, 51, 100, 1];
const NEW: [u8; 4] = [198, 51, 100, 2];
const OLD_ZONE: &str = "hot IN A 198.51.100.1\n";
const NEW_ZONE: &str = "hot IN A 198.51.100.2\n";
const STAY: &str = "on_stop = \"stay\"";

#[test]
fn a_killed_agent_leaves_the_kernel_answering_and_the_next_takes_over() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("", OLD_ZONE);
    let agent = site.start();
    let mut client = site.client();
    always(&mut client, OLD);
    agent.kill();
    assert!(!site.place.pinned().is_empty(), "what outlives the agent is pinned");
    always(&mut client, OLD);

    site.write_zone(NEW_ZONE);
    let agent = taken_over(&site);
    // What the unit before had answered is not counted again.
    let before = agent.kernel_replies();
    always(&mut client, NEW);
    assert!(agent.kernel_replies() >= before + 2 * DRAWS as u64);

    // A second time, from a unit that took the place of another.
    agent.kill();
    taken_over(&site);
}

#[test]
fn an_orderly_stop_detaches_and_leaves_no_pins() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("", OLD_ZONE);
    let agent = site.start();
    let mut client = site.client();
    always(&mut client, OLD);
    assert!(link(&site).contains("xdp"), "{}", link(&site));
    assert!(agent.terminate().success());
    assert_eq!(site.place.pinned(), Vec::<std::path::PathBuf>::new());
    // The kernel takes a link apart when its last user is gone, which may be a moment later.
    eventually("an interface without XDP", || {
        if link(&site).contains("xdp") { Err(link(&site)) } else { Ok(()) }
    });
    for family in FAMILIES {
        let refused = client.try_ask(family, &question()).expect_err("nobody is there to answer");
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }
}

#[test]
fn an_agent_told_to_stay_goes_on_answering_from_the_kernel() {
    let Some(site) = Site::make() else { return };
    site.serve_zone(STAY, OLD_ZONE);
    let agent = site.start();
    let mut client = site.client();
    always(&mut client, OLD);
    assert!(agent.terminate().success());
    assert!(!site.place.pinned().is_empty());
    always(&mut client, OLD);

    site.serve_zone("", NEW_ZONE);
    let agent = taken_over(&site);
    always(&mut client, NEW);
    assert!(agent.terminate().success());
    assert_eq!(site.place.pinned(), Vec::<std::path::PathBuf>::new());
}

/// Root and an account without privileges take over from each other, in a BPF file system that is root's alone.
#[test]
fn an_agent_of_another_account_takes_over_and_is_taken_over() {
    let Some(site) = Site::make() else { return };
    site.place.hide_pins();
    let [root, nobody] = ["", "[server]\nuser = \"nobody\"\n"];
    let mut zones = [OLD_ZONE, NEW_ZONE].into_iter().cycle();
    let mut serve = |server: &str| {
        site.serve_zone("", zones.next().expect("there is no end to them"));
        site.add(server);
    };
    serve(root);
    site.start().kill();
    // What root has pinned, what the account has, and what root has pinned over that.
    for account in [nobody, nobody, root, nobody] {
        serve(account);
        let new = std::fs::read_to_string(site.place.file("zone")).expect("it was written");
        let agent = site.start();
        let mut client = site.client();
        always(&mut client, if new.contains(NEW_ZONE) { NEW } else { OLD });
        assert!(agent.kernel_replies() >= 2 * DRAWS as u64);
        agent.kill();
        assert!(!site.place.pinned().is_empty());
    }
    serve(nobody);
    let agent = site.start();
    assert!(agent.terminate().success());
    assert_eq!(site.place.pinned(), Vec::<std::path::PathBuf>::new());
}

/// Starts an agent while somebody asks without a pause, who must lose no query, and see old answers and then new ones.
fn taken_over(site: &Site) -> crate::harness::agent::Agent<'_> {
    let done = AtomicBool::new(false);
    let asked = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut client = site.client();
            let mut changed = [false; 2];
            while !done.load(Ordering::SeqCst) {
                for family in FAMILIES {
                    let answer = client.address(family, HOT);
                    changed[family] |= answer == Some(NEW);
                    assert_eq!(answer, Some(if changed[family] { NEW } else { OLD }));
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        let enough = |count: usize| {
            let until = asked.load(Ordering::SeqCst) + count;
            eventually("questions", || {
                let so_far = asked.load(Ordering::SeqCst);
                if so_far >= until || asking.is_finished() { Ok(()) } else { Err(so_far) }
            });
        };
        enough(DRAWS);
        let agent = site.start();
        enough(DRAWS);
        done.store(true, Ordering::SeqCst);
        asking.join().expect("every query is answered");
        agent
    })
}

/// Queries a family.
const DRAWS: usize = 200;

fn always(client: &mut Client<'_>, address: [u8; 4]) {
    for family in FAMILIES {
        for _ in 0..DRAWS {
            assert_eq!(client.address(family, HOT), Some(address));
        }
    }
}

fn question() -> Query {
    Query::new(HOT, RecordType::A.to_int())
}

/// What `ip` says of the served interface.
fn link(site: &Site) -> String {
    site.network.server.ip(&format!("link show dev {INTERFACE}"))
}
