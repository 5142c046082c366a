//! What UDP cuts short comes whole over TCP.

use pulse53_core::model::RecordType;
use pulse53_tests::frame::{Opt, Query};

use crate::harness::client::FAMILIES;
use crate::harness::site::Site;

/// Records of one name; together too long for 1232 octets.
const RECORDS: usize = 12;

#[test]
fn a_truncated_answer_is_got_whole_over_tcp() {
    let Some(site) = Site::make() else { return };
    let text = |index: usize| format!("{index:0150}");
    let records: Vec<String> =
        (0..RECORDS).map(|index| format!("long IN TXT \"{}\"\n", text(index))).collect();
    site.serve_zone("", &records.concat());
    let agent = site.start();
    let mut client = site.client();
    let plain = Query::new("long.example.com", RecordType::TXT.to_int());
    let opt = Opt { size: 4096, ..Opt::default() };
    for query in [plain.clone(), plain.with_edns(opt)] {
        for family in FAMILIES {
            let cut = client.ask(family, &query);
            assert_eq!((cut.rcode, cut.truncated, &cut.answer), (0, true, &None));
            let whole = client.ask_over_tcp(family, &query);
            assert_eq!((whole.rcode, whole.truncated, whole.authoritative), (0, false, true));
            let answer = whole.answer.expect("the records are there");
            assert_eq!((answer.rtype, answer.rdatas.len()), (RecordType::TXT, RECORDS));
            for (index, rdata) in answer.rdatas.iter().enumerate() {
                assert_eq!((rdata.0[0], &rdata.0[1..]), (150, text(index).as_bytes()));
            }
        }
    }
    assert!(agent.replies() >= 8);
}
