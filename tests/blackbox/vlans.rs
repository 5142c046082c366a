//! VLANs: a query with one tag or two, as IEEE 802.1Q writes them, is answered with the same tags. No interface of the VLAN is needed for that.

use pulse53_core::model::RecordType;
use pulse53_tests::frame::{Query, QueryFrame};

use crate::harness::agent::Agent;
use crate::harness::client::FAMILIES;
use crate::harness::network::{CLIENTS, INTERFACE, SERVED};
use crate::harness::site::Site;
use crate::tap::Tap;

const HOT: &str = "www.example.com";
const RECORDS: &str = "www IN A 198.51.100.1\nwww IN A 198.51.100.2\n";

/// Tag protocols.
const CUSTOMER: u16 = 0x8100;
const SERVICE: u16 = 0x88a8;
/// VLAN 7 with the highest priority, and VLAN 4094.
const INNER: u16 = 0xe007;
const OUTER: u16 = 0x0ffe;

#[test]
fn tagged_queries_are_answered_with_their_tags_in_either_mode() {
    for mode in ["native", "generic"] {
        let Some(site) = Site::make() else { return };
        if !site.network.is_veth() {
            return pulse53_tests::skip("a veth pair: what cards take off of frames is for `doctor` to tell");
        }
        site.serve_zone(&format!("mode = {mode:?}"), RECORDS);
        let agent = Agent::start(&site.network.server, &site.place);
        assert_eq!(agent.status()["interfaces"][0]["mode"], mode);
        let tap = Tap::open(&site.network.client, INTERFACE);
        let server = Tap::open(&site.network.server, INTERFACE).address();
        let message = Query::new(HOT, RecordType::A.to_int()).octets();
        let mut asked = 0;
        for family in FAMILIES {
            let query = QueryFrame {
                macs: [server, tap.address()],
                ..QueryFrame::new((CLIENTS[family], 4242).into(), SERVED[family], message.clone())
            };
            for tags in [
                vec![],
                vec![[CUSTOMER, INNER]],
                vec![[SERVICE, OUTER], [CUSTOMER, INNER]],
                vec![[CUSTOMER, OUTER], [CUSTOMER, INNER]],
            ] {
                let query = QueryFrame { tags, ..query.clone() };
                tap.send(&query.octets());
                let reply = tap.receive(|frame| is_reply(frame, &query));
                let message = QueryFrame::read(&reply).expect("it is DNS").message;
                assert_eq!(message[6..8], [0, 2], "answers");
                // Tags, addresses, lengths and checksums are all there.
                assert_eq!(reply, query.reply_octets(&message), "{mode}, {:x?}", query.tags);
                asked += 1;
                assert_eq!(agent.kernel_replies(), asked);
            }
            // With a third tag it is no query for the kernel half; the network stack knows none of these VLANs.
            let tags = vec![[SERVICE, OUTER], [CUSTOMER, INNER], [CUSTOMER, INNER]];
            tap.send(&QueryFrame { tags, ..query.clone() }.octets());
            tap.send(&query.octets());
            let reply = tap.receive(|frame| is_reply(frame, &query));
            assert_eq!(QueryFrame::read(&reply).expect("it is DNS").tags.len(), 0);
            asked += 1;
            assert_eq!(agent.kernel_replies(), asked);
        }
    }
}

/// Whether a frame goes the way back.
fn is_reply(frame: &[u8], query: &QueryFrame) -> bool {
    QueryFrame::read(frame).is_some_and(|frame| frame.client == query.server && frame.server == query.client)
}
