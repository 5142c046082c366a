//! Tables that expire: the loaded program answers up to the deadline and then passes, each packet counted (D-25).

use std::net::SocketAddr;

use pulse53::datapath::{self, LoadError, LoadOptions, Loaded, Sizes};
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_core::compile::Compiler;
use pulse53_core::table::Generation;
use pulse53_tests::engines::SERVED;
use pulse53_tests::frame::{Query, QueryFrame};
use pulse53_tests::zone;

const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;

#[test]
fn answers_are_good_until_the_deadline() {
    let snapshot =
        zone::snapshot("example.com", "$TTL 60\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\nwww A 192.0.2.1\n", "");
    let compiler = Compiler::new(&snapshot, &|_| true, Generation(1));
    let table = compiler.table();
    let sizes = Sizes::needed(table).with_headroom(u32::MAX);
    let options = LoadOptions { expires: true, ..LoadOptions::default() };
    let mut kernel = match Loaded::load_with(sizes, table.clients(), UDP_PAYLOAD_MAX, 0, &options) {
        Ok(kernel) => kernel,
        Err(error @ (LoadError::NoObject | LoadError::NotPermitted(_))) => {
            return pulse53_tests::skip(&error.to_string());
        }
        Err(error) => panic!("{error:?}"),
    };
    let served: Vec<SocketAddr> = SERVED.iter().map(|address| address.parse().expect("an address")).collect();
    kernel.hot_table_mut().serve(&served);
    datapath::fill(kernel.hot_table_mut(), table);
    let query = Query::new("www.example.com", 1).octets();
    let hot = QueryFrame::new("198.51.100.1:4242".parse().expect("an address"), served[0], query).octets();
    let mut stale = 0;
    // The first without any deadline set: a table that nobody vouches for.
    for (deadline, action) in
        [(None, XDP_PASS), (Some(u64::MAX), XDP_TX), (Some(1), XDP_PASS), (Some(u64::MAX), XDP_TX)]
    {
        deadline.into_iter().for_each(|moment| kernel.set_deadline(moment));
        let (found, out) = kernel.test_run(&hot).expect("the program runs");
        assert_eq!(found, action, "deadline {deadline:?}");
        assert_eq!(out == hot, action == XDP_PASS, "a packet that is passed is untouched");
        stale += u64::from(action == XDP_PASS);
        let counters = kernel.counters().expect("counters can be read");
        assert!(counters.contains(&("stale", stale)), "{counters:?}");
    }
}
