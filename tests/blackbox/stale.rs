//! What becomes of the kernel's answers when the agent hangs or dies, and `max_stale` says for how long they are good (D-25).

use pulse53_core::model::RecordType;
use pulse53_tests::frame::Query;
use rustix::process::Signal;

use crate::harness::client::{Client, FAMILIES};
use crate::harness::eventually;
use crate::harness::site::Site;

const NAME: &str = "www.example.com";
const ADDRESS: [u8; 4] = [198, 51, 100, 1];
const STALE: &str = "pulse53_kernel_packets_total{verdict=\"stale\"}";

#[test]
fn a_hanging_agent_is_answered_for_until_its_answers_are_stale() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("max_stale = \"3s\"", "www IN A 198.51.100.1\n");
    let agent = site.start();
    let mut client = site.client();
    // For longer than answers are good without an agent.
    let started = agent.kernel_replies();
    for _ in 0..40 {
        assert_eq!(client.address(0, NAME), Some(ADDRESS));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!((agent.kernel_replies() - started, agent.metric(STALE)), (40, 0.0));

    agent.signal(Signal::STOP);
    assert_eq!(client.address(0, NAME), Some(ADDRESS), "the kernel needs nobody for that");
    until_unanswered(&mut client);
    agent.signal(Signal::CONT);
    eventually("an answer from the kernel", || {
        let before = agent.kernel_replies();
        for family in FAMILIES {
            assert_eq!(client.address(family, NAME), Some(ADDRESS));
        }
        if agent.kernel_replies() > before { Ok(()) } else { Err(before) }
    });
    assert!(agent.metric(STALE) >= 1.0);

    // A dead one as well; and the next takes its place, the kernel answering again.
    agent.kill();
    assert_eq!(client.address(1, NAME), Some(ADDRESS));
    until_unanswered(&mut client);
    let agent = site.start();
    assert_eq!(client.address(1, NAME), Some(ADDRESS));
    assert!(agent.kernel_replies() >= 1);
}

/// Asks until the kernel does not answer any more. Nobody else does, either.
fn until_unanswered(client: &mut Client<'_>) {
    eventually("no answer", || match client.try_ask(0, &Query::new(NAME, RecordType::A.to_int())) {
        Ok(_) => Err("an answer"),
        Err(_) => Ok(()),
    });
}
