//! An interface with several receive queues: the program answers on each of them.

use std::path::Path;

use pulse53_core::model::RecordType;
use pulse53_tests::frame::Query;
use pulse53_tests::programs::has;

use crate::harness::client::FAMILIES;
use crate::harness::command::succeed;
use crate::harness::network::INTERFACE;
use crate::harness::site::Site;

/// Sockets of each family, each a flow of its own. That all of them meet one of two queues comes once in 2^127.
const FLOWS: usize = 64;

#[test]
fn every_queue_answers() {
    if !has("ethtool", "ethtool") {
        return;
    }
    let Some(site) = Site::make() else { return };
    site.serve_zone("", "www IN A 198.51.100.1\n");
    let agent = site.start();
    let before = sent(&site);
    if before.len() < 2 {
        return pulse53_tests::skip("an interface with several queues");
    }
    for _ in 0..FLOWS {
        let mut client = site.client();
        for family in FAMILIES {
            let reply = client.ask(family, &Query::new("www.example.com", RecordType::A.to_int()));
            assert_eq!(reply.rcode, 0);
        }
    }
    let here: Vec<u64> = sent(&site).iter().zip(&before).map(|(now, before)| now - before).collect();
    assert!(here.iter().all(|sent| *sent > 0), "replies by queue: {here:?}");
    assert_eq!(here.iter().sum::<u64>(), agent.kernel_replies(), "replies by queue: {here:?}");
}

/// Frames that the program has sent back, by queue, as the driver counts them: `rx_queue_0_xdp_tx: 5`, or `rx0_xdp_tx: 5` with
/// their sum as `rx_xdp_tx: 5`.
fn sent(site: &Site) -> Vec<u64> {
    let said = succeed(site.network.server.command(Path::new("ethtool")).args(["-S", INTERFACE]));
    said.lines()
        .filter_map(|line| line.trim().strip_prefix("rx")?.split_once("_xdp_tx: "))
        .filter(|(queue, _)| queue.ends_with(|last: char| last.is_ascii_digit()))
        .map(|(_, count)| count.parse().expect("a count"))
        .collect()
}
