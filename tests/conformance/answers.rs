//! Every engine gives one of the expected answers, and hot questions are answered in the kernel.

use std::net::{IpAddr, SocketAddr};

use pulse53_core::lower::{self, HotEntry, HotKey};
use pulse53_core::model::Snapshot;
use pulse53_tests::cases;
use pulse53_tests::engines::{Engines, SERVED};
use pulse53_tests::frame::{Opt, Query, QueryFrame};
use pulse53_tests::reply::Reply;

/// Draws a query.
const DRAWS: u16 = 64;

#[test]
fn every_engine_gives_an_expected_answer() {
    let Some(mut engines) = Engines::of(&Snapshot::default(), &|_| true) else { return };
    let mut in_kernel = 0;
    for (case, snapshot) in cases::valid() {
        for query in &case.queries {
            // One unit for all: the next query's entries take the place of this one's, as on a reload.
            engines.declare(&snapshot, &query.client.geo(), &|check| case.is_healthy(check));
            let key = HotKey { name: query.name(), qtype: query.qtype() };
            let told = format!("{}: {} {}", case.name, key.name, key.qtype);
            let subnet = query.client.subnet_option();
            let lowered = lower::lower(engines.table()).find(|(found, _)| *found == key);
            let by_client = matches!(lowered, Some((_, Ok(HotEntry::ByClient { .. }))));
            let hot = lowered.is_some_and(|(_, entry)| entry.is_ok())
                && !(by_client && query.client.subnet_is_short() && !engines.short_subnets());
            let possible = query.possible();
            let (client, server) = endpoints(query.client.address());
            for id in 0..DRAWS {
                let mut message = Query::of_wire(key.name.as_wire(), key.qtype.to_int());
                message.id = id;
                if let Some(option) = &subnet {
                    message.edns =
                        Some(Opt { size: 1232, dnssec_ok: false, options: vec![(8, option.clone())] });
                }
                let agreed = engines.agree(&QueryFrame::new(client, server, message.octets()));
                let reply = Reply::read(&agreed.message.expect("a query is answered"));
                assert_eq!(agreed.in_kernel, hot, "{told}");
                assert_eq!((reply.id, reply.rcode, reply.truncated), (id, query.rcode(), false), "{told}");
                assert!(reply.authoritative, "{told}");
                assert_eq!(reply.scope.is_some(), subnet.is_some(), "{told}: the option is repeated (R-64)");
                if let Some(scope) = query.scope() {
                    assert_eq!(reply.scope, Some(scope), "{told}");
                }
                assert!(
                    possible.iter().any(|possible| possible.is(reply.answer.as_ref())),
                    "{told}: {reply:?}"
                );
                in_kernel += usize::from(agreed.in_kernel);
            }
        }
    }
    assert!(in_kernel > 50 * usize::from(DRAWS), "only {in_kernel} answers came from the kernel");
}

/// A client, and the served address of its family.
fn endpoints(ip: IpAddr) -> (SocketAddr, SocketAddr) {
    let client = SocketAddr::new(ip, 4242);
    let server = SERVED[usize::from(client.is_ipv6())].parse().expect("an address");
    (client, server)
}
