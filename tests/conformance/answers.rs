//! Every engine gives one of the expected answers, and what the kernel has is answered there.

use std::net::{IpAddr, SocketAddr};

use pulse53_core::lower::{self, HotEntry, HotKey, NotHot};
use pulse53_core::model::{RecordType, Snapshot};
use pulse53_core::nodes;
use pulse53_core::resolve::{Question, owner_of};
use pulse53_core::table::AnswerTable;
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
            let question = Question { qname: key.name.as_wire(), qtype: key.qtype };
            let entry = entry_of(engines.table(), &question);
            let by_client = matches!(entry, Some(Ok(HotEntry::ByClient { .. })));
            let is_known = match entry {
                Some(entry) => {
                    entry.is_ok()
                        && !(by_client && query.client.subnet_is_short() && !engines.short_subnets())
                }
                None => nodes::answered(engines.table(), &question).is_ok(),
            };
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
                assert_eq!(agreed.in_kernel, is_known, "{told}");
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

/// What the kernel is given of the records that answer: the name's own, a wildcard's, or their CNAME.
fn entry_of(table: &AnswerTable, question: &Question<'_>) -> Option<Result<HotEntry, NotHot>> {
    let (_, owner) = owner_of(table, question)?;
    [question.qtype, RecordType::CNAME].into_iter().find_map(|qtype| {
        let found = lower::lower(table).find(|lowered| lowered.name == owner && lowered.qtype == qtype);
        found.map(|lowered| lowered.entry)
    })
}

/// A client, and the served address of its family.
fn endpoints(ip: IpAddr) -> (SocketAddr, SocketAddr) {
    let client = SocketAddr::new(ip, 4242);
    let server = SERVED[usize::from(client.is_ipv6())].parse().expect("an address");
    (client, server)
}
