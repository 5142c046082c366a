//! Every rule of the DNS specification that a reply shows, by number; replies are read with an independent library.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use fastpath::cookie::Secret;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr;
use hickory_proto::rr::rdata::opt::EdnsCode;
use pulse53_core::compile::Compiler;
use pulse53_core::model::{
    Name, RRsetGroup, Rdata, RecordData, RecordSet, RoutingPolicy, Snapshot, Ttl, Zone, ZoneId,
};
use pulse53_core::table::Generation;

use super::*;
use crate::serve::limiter::RateLimit;

fn name(text: &str) -> Name {
    Name::from_route53(text).unwrap()
}

/// example.com: SOA, NS, addresses at `www`, a wildcard, a delegation, a large TXT set.
pub(crate) fn table() -> AnswerTable {
    compiled(false)
}

fn compiled(full_responses: bool) -> AnswerTable {
    let snapshot = Snapshot { full_responses, ..declared() };
    Compiler::new(&snapshot, &|_| true, Generation(1)).table().clone()
}

/// The same as it is declared.
pub(crate) fn declared() -> Snapshot {
    let mut groups = BTreeMap::new();
    let mut add = |owner: &str, rtype, rdatas: Vec<Vec<u8>>| {
        let data = RecordData::Values {
            ttl: Ttl(300),
            rdatas: rdatas.into_iter().map(|octets| Rdata(octets.into())).collect(),
        };
        let member =
            RecordSet { set_id: None, policy: RoutingPolicy::Simple, check: None, data, source: None };
        groups.insert((name(owner), rtype), Arc::new(RRsetGroup { members: vec![member] }));
    };
    let wire = |text: &str| name(text).as_wire().to_vec();
    let numbers = [1u32, 7200, 900, 1_209_600, 86400].map(u32::to_be_bytes).concat();
    add(
        "example.com",
        RecordType::SOA,
        vec![[wire("ns.example.com"), wire("admin.example.com"), numbers].concat()],
    );
    add("example.com", RecordType::NS, vec![wire("ns.example.com")]);
    add("www.example.com", RecordType::A, vec![vec![192, 0, 2, 1]]);
    add("*.wild.example.com", RecordType::A, vec![vec![192, 0, 2, 2]]);
    add("a.b.example.com", RecordType::A, vec![vec![192, 0, 2, 3]]);
    add("sub.example.com", RecordType::NS, vec![wire("ns.sub.example.com")]);
    add("ns.sub.example.com", RecordType::A, vec![vec![192, 0, 2, 4]]);
    let long = |index: u8| {
        let mut text = vec![200];
        text.extend([b'a' + index; 200]);
        text
    };
    add("big.example.com", RecordType::TXT, (0..4).map(long).collect());
    add("huge.example.com", RecordType::TXT, (0..20).map(long).collect());
    // A DNAME, with a name below it that it hides, and a delegation to servers within, beside and outside the zone.
    add("moved.example.com", RecordType::DNAME, vec![wire("new.place.example.net")]);
    add("hidden.moved.example.com", RecordType::A, vec![vec![192, 0, 2, 5]]);
    add("wide.example.com", RecordType::NS, vec![wire("ns1.wide.example.com"), wire("sibling.example.com")]);
    add("wide.example.com", RecordType::DS, vec![vec![0, 1, 13, 2, 9, 9]]);
    add("ns1.wide.example.com", RecordType::A, (0..20).map(|last| vec![192, 0, 2, 100 + last]).collect());
    add("sibling.example.com", RecordType::AAAA, (0..20).map(|last| vec![last; 16]).collect());
    add("*.cname.example.com", RecordType::CNAME, vec![wire("www.example.com")]);
    add("new.example.com", RecordType::from_int(65280), vec![vec![1, 2, 3]]);
    add("mx.example.com", RecordType::MX, vec![[vec![0, 10], wire("www.example.com")].concat()]);
    let zone = Zone { id: ZoneId("Z1".into()), apex: name("example.com"), groups };
    Snapshot { zones: [(zone.id.clone(), Arc::new(zone))].into(), ..Snapshot::default() }
}

/// A query as octets, to be bent.
pub(crate) struct Query {
    header: [u8; 12],
    question: Vec<u8>,
    rest: Vec<u8>,
}

impl Query {
    pub(crate) fn new(qname: &str, qtype: u16) -> Self {
        let mut question: Vec<u8> = Vec::new();
        for label in qname.split('.').filter(|label| !label.is_empty()) {
            question.push(label.len() as u8);
            question.extend_from_slice(label.as_bytes());
        }
        question.push(0);
        Self::of_wire(&question, qtype)
    }

    /// The same with the name in wire form.
    pub(crate) fn of_wire(qname: &[u8], qtype: u16) -> Self {
        let mut question = qname.to_vec();
        question.extend_from_slice(&qtype.to_be_bytes());
        question.extend_from_slice(&[0, 1]);
        Self { header: [0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], question, rest: Vec::new() }
    }

    fn class(mut self, class: u16) -> Self {
        let at = self.question.len() - 2;
        self.question[at..].copy_from_slice(&class.to_be_bytes());
        self
    }

    pub(crate) fn header(mut self, at: usize, octet: u8) -> Self {
        self.header[at] = octet;
        self
    }

    pub(crate) fn edns(mut self, size: u16, version: u8, flags: u8, options: &[u8]) -> Self {
        self.header[11] += 1;
        self.rest.extend_from_slice(&[0, 0, 41]);
        self.rest.extend_from_slice(&size.to_be_bytes());
        self.rest.extend_from_slice(&[0, version, flags, 0]);
        self.rest.extend_from_slice(&(options.len() as u16).to_be_bytes());
        self.rest.extend_from_slice(options);
        self
    }

    pub(crate) fn octets(&self) -> Vec<u8> {
        [&self.header[..], &self.question, &self.rest].concat()
    }
}

/// When queries come.
const NOW: Duration = Duration::from_secs(1_559_731_985);

fn ask_octets(packet: &[u8], transport: Transport, settings: &ReplySettings) -> Option<(Vec<u8>, Replied)> {
    let mut out = vec![1, 2, 3];
    let received = Received { packet, source: Ipv4Addr::LOCALHOST.into(), transport, at: NOW };
    let replied = respond(&table(), settings, &received, 7, &mut out).ok()?;
    Some((out, replied))
}

fn ask(query: &Query) -> (Message, Vec<u8>) {
    let (octets, replied) =
        ask_octets(&query.octets(), Transport::Udp, &ReplySettings::default()).expect("a reply");
    let message = Message::from_vec(&octets).expect("a reply another library can read");
    let low = u16::from(message.metadata.response_code.low());
    assert_eq!(low, replied.rcode & 0xF);
    assert_eq!(octets[2] & 0x80, 0x80, "QR");
    assert_eq!(octets[3] & 0xE0, 0, "RA, Z, AD (D-8)");
    (message, octets)
}

fn check_code(query: &Query, code: ResponseCode) -> Vec<u8> {
    let (message, octets) = ask(query);
    assert_eq!(message.metadata.response_code, code);
    assert!(message.answers.is_empty());
    octets
}

#[test]
fn d1_responses_and_scraps_get_silence() {
    let silence =
        |packet: &[u8]| assert!(ask_octets(packet, Transport::Udp, &ReplySettings::default()).is_none());
    silence(&Query::new("www.example.com", 1).header(2, 0x80).octets());
    silence(&[]);
    silence(&[0; 11]);
}

#[test]
fn d2_other_opcodes_are_not_implemented() {
    let octets = check_code(&Query::new("www.example.com", 1).header(2, 0x28), ResponseCode::NotImp);
    assert_eq!(octets[2] >> 3 & 0xF, 5, "opcode copied");
    assert_eq!(octets[4..6], [0, 1], "question echoed");
    let mut update = Query::new("www.example.com", 1).header(2, 0x28);
    update.question.truncate(3);
    assert_eq!(check_code(&update, ResponseCode::NotImp).len(), 12);
}

#[test]
fn d2_malformed_queries_are_told_so() {
    let good = || Query::new("www.example.com", 1);
    let mut cut = good();
    cut.question.pop();
    assert_eq!(check_code(&cut, ResponseCode::FormErr).len(), 12);
    let mut pointer = good();
    pointer.question = vec![0xC0, 0, 0, 1, 0, 1];
    assert_eq!(check_code(&pointer, ResponseCode::FormErr).len(), 12);
    for count in [0, 2] {
        assert_eq!(check_code(&good().header(5, count), ResponseCode::FormErr).len(), 12);
    }
    let mut trailing = good();
    trailing.rest.push(0);
    check_code(&trailing, ResponseCode::FormErr);
    check_code(&good().header(11, 1), ResponseCode::FormErr);
    check_code(&good().edns(1232, 0, 0, &[]).edns(1232, 0, 0, &[]), ResponseCode::FormErr);
    let mut owned = good().edns(1232, 0, 0, &[]);
    owned.rest.splice(0..1, [1, b'x', 0]);
    check_code(&owned, ResponseCode::FormErr);
    // One record that is whole, but in the answer or authority section.
    for at in [7, 9] {
        let mut record = good();
        record.header[at] = 1;
        record.rest = vec![0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0];
        check_code(&record, ResponseCode::FormErr);
    }
}

#[test]
fn d3_what_is_not_served_is_refused() {
    let octets = check_code(&Query::new("www.example.org", 1), ResponseCode::Refused);
    assert_eq!(octets[2] & 0x04, 0, "AA");
    assert_eq!(octets[6..12], [0; 6]);
    check_code(&Query::new("www.example.com", 1).class(255), ResponseCode::Refused);
    check_code(&Query::new("version.bind", 16).class(3), ResponseCode::Refused);
    let (_, octets) = ask(&Query::new("www.example.org", 1).edns(1232, 0, 0, &[]));
    assert_eq!(octets[octets.len() - 8..], [0, 6, 0, 15, 0, 2, 0, 20], "EDE 20");
}

#[test]
fn d3_the_server_names_itself_when_told_to() {
    let settings = ReplySettings { identity: Some("fra1".into()), ..ReplySettings::default() };
    let query = Query::new("ID.server", 16).class(3).octets();
    let (octets, _) = ask_octets(&query, Transport::Udp, &settings).unwrap();
    assert!(octets.ends_with(b"\x00\x05\x04fra1"));
    Message::from_vec(&octets).unwrap();
    let query = Query::new("version.bind", 16).class(3).octets();
    assert_eq!(ask_octets(&query, Transport::Udp, &settings).unwrap().1.rcode, 5);
}

#[test]
fn d4_any_is_answered_with_hinfo() {
    let (message, octets) = ask(&Query::new("www.example.com", 255));
    assert_eq!(message.answers.len(), 1);
    assert_eq!(message.answers[0].record_type(), rr::RecordType::HINFO);
    assert!(octets.ends_with(b"\x07RFC8482\x00"));
    check_code(&Query::new("no.example.com", 255), ResponseCode::NXDomain);
}

#[test]
fn d5_transfers_are_refused() {
    check_code(&Query::new("example.com", 252), ResponseCode::Refused);
    let (message, _) = ask(&Query::new("example.com", 251));
    assert_eq!(message.answers[0].record_type(), rr::RecordType::SOA);
    let mut with_version = Query::new("example.com", 251).header(9, 1);
    with_version.rest = vec![0xC0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, 0];
    assert_eq!(ask(&with_version).0.answers.len(), 1);
    check_code(&Query::new("www.example.com", 251), ResponseCode::Refused);
    let over_tcp = ask_octets(&with_version.octets(), Transport::Tcp, &ReplySettings::default()).unwrap();
    assert_eq!(over_tcp.1.rcode, 5);
}

#[test]
fn d6_types_that_are_no_question_get_an_answer_all_the_same() {
    for qtype in [0, 41] {
        check_code(&Query::new("www.example.com", qtype), ResponseCode::FormErr);
    }
    for qtype in [249, 250, 253, 254] {
        check_code(&Query::new("www.example.com", qtype), ResponseCode::Refused);
    }
}

#[test]
fn d7_the_question_comes_back_as_it_went() {
    let query = Query::new("wWw.ExAmple.COM", 1);
    let (message, octets) = ask(&query);
    assert_eq!(octets[12..12 + query.question.len()], query.question);
    assert_eq!(message.answers.len(), 1);
}

#[test]
fn d8_header() {
    let (_, octets) = ask(&Query::new("www.example.com", 1).header(2, 0x01).header(3, 0x70));
    assert_eq!(octets[..4], [0x12, 0x34, 0x85, 0x10], "id; QR AA RD; CD");
    let (_, octets) = ask(&Query::new("www.example.com", 1).header(2, 0x06));
    assert_eq!(octets[2], 0x84, "AA and TC of a query mean nothing");
}

#[test]
fn d9_positive_answers_are_minimal_and_d13_compressed() {
    let (_, octets) = ask(&Query::new("www.example.com", 1));
    assert_eq!(octets[4..12], [0, 1, 0, 1, 0, 0, 0, 0]);
    assert_eq!(octets[33..], [0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1]);
}

#[test]
fn d10_negative_answers_carry_the_soa() {
    for (qname, code) in [
        ("no.example.com", ResponseCode::NXDomain),
        ("b.example.com", ResponseCode::NoError),
        ("example.com", ResponseCode::NoError),
    ] {
        let (message, _) = ask(&Query::new(qname, 28));
        assert_eq!(message.metadata.response_code, code, "{qname}");
        assert!(message.metadata.authoritative && message.answers.is_empty());
        assert_eq!(message.authorities[0].name.to_string(), "example.com.");
        assert_eq!(message.authorities[0].ttl, 300);
    }
    let (message, _) = ask(&Query::new("x.y.wild.example.com", 1));
    assert_eq!(message.answers[0].name.to_string(), "x.y.wild.example.com.");
}

#[test]
fn d11_delegations_are_referred() {
    let (message, _) = ask(&Query::new("www.sub.example.com", 1).edns(1232, 0, 0, &[]));
    assert!(!message.metadata.authoritative && message.answers.is_empty());
    assert_eq!(message.authorities[0].name.to_string(), "sub.example.com.");
    assert_eq!(message.additionals[0].name.to_string(), "ns.sub.example.com.");
}

#[test]
fn d10_wildcards_answer_below_existing_names_alone() {
    let answers = |qname: &str| ask(&Query::new(qname, 1)).0.answers.len();
    assert_eq!([answers("a.cname.example.com"), answers("a.b.cname.example.com")], [1, 1]);
    let (message, _) = ask(&Query::new("x.cname.example.com", 28));
    assert_eq!(message.answers[0].record_type(), rr::RecordType::CNAME);
    // The wildcard's own name is asked like any other, and what lies above it exists (RFC 4592 section 2.2.2).
    assert_eq!(answers("*.cname.example.com"), 1);
    check_code(&Query::new("cname.example.com", 1), ResponseCode::NoError);
    check_code(&Query::new("x.www.example.com", 1), ResponseCode::NXDomain);
}

#[test]
fn d11_glue_that_is_required_and_does_not_fit_sets_tc() {
    let refer = |size| {
        let query = Query::new("a.wide.example.com", 1).edns(size, 0, 0, &[]);
        let (message, octets) = ask(&query);
        assert!(octets.len() <= usize::from(size));
        let kinds: std::collections::BTreeSet<String> =
            message.additionals.iter().map(|record| record.record_type().to_string()).collect();
        (
            message.metadata.truncation,
            message.authorities.len(),
            kinds.into_iter().collect::<Vec<_>>().join(" "),
        )
    };
    assert_eq!(refer(1232), (false, 2, "A".to_owned()), "siblings only where all of them fit");
    assert_eq!(refer(512), (true, 0, String::new()));
    let query = Query::new("wide.example.com", 2).octets();
    let (octets, _) = ask_octets(&query, Transport::Tcp, &ReplySettings::default()).unwrap();
    assert_eq!(octets[6..12], [0, 0, 0, 2, 0, 40]);
}

#[test]
fn d11_ds_at_the_cut_is_answered_by_the_parent() {
    let (message, _) = ask(&Query::new("wide.example.com", 43));
    assert!(message.metadata.authoritative);
    assert_eq!(message.answers[0].record_type().to_string(), "DS");
    let (message, _) = ask(&Query::new("sub.example.com", 43));
    assert!(message.metadata.authoritative && message.answers.is_empty(), "no DS is NODATA");
    assert_eq!(message.authorities[0].record_type(), rr::RecordType::SOA);
    let (message, _) = ask(&Query::new("below.wide.example.com", 43).edns(1232, 0, 0, &[]));
    assert!(!message.metadata.authoritative, "below the cut it is the child's");
}

#[test]
fn d11_what_lies_below_a_cut_is_no_answer() {
    for qtype in [1, 2, 255] {
        let (message, _) = ask(&Query::new("ns.sub.example.com", qtype));
        assert!(message.answers.is_empty() && !message.metadata.authoritative);
    }
}

#[test]
fn d12_names_below_a_dname_are_redirected() {
    let (message, _) = ask(&Query::new("A.b.Moved.example.com", 1));
    assert!(message.metadata.authoritative);
    let owners: Vec<String> = message.answers.iter().map(|record| record.name.to_string()).collect();
    assert_eq!(owners, ["Moved.example.com.", "A.b.Moved.example.com."]);
    assert_eq!(message.answers[0].record_type().to_string(), "DNAME");
    assert_eq!(message.answers[1].data.to_string(), "a.b.new.place.example.net.");
    assert!(message.answers.iter().all(|record| record.ttl == 300));
    // What the zone has below it is hidden, and the name itself is not redirected (RFC 6672 sections 2.3 and 2.4).
    assert_eq!(ask(&Query::new("hidden.moved.example.com", 1)).0.answers.len(), 2);
    assert_eq!(ask(&Query::new("moved.example.com", 39)).0.answers.len(), 1);
    let (message, _) = ask(&Query::new("moved.example.com", 1));
    assert!(message.answers.is_empty() && message.authorities.len() == 1);
}

#[test]
fn d12_a_name_that_grows_too_long_is_yxdomain() {
    let label = "a".repeat(59);
    let fits = format!("{label}.{label}.{label}.{}.moved.example.com", "b".repeat(55));
    let (message, _) = ask(&Query::new(&fits, 1));
    assert_eq!((message.metadata.response_code, message.answers.len()), (ResponseCode::YXDomain, 1));
}

#[test]
fn d9_full_responses_carry_servers_and_addresses_where_they_fit() {
    let table = compiled(true);
    let counts = |qname: &str, qtype, size| {
        let packet = Query::new(qname, qtype).edns(size, 0, 0, &[]).octets();
        let source = Ipv4Addr::LOCALHOST.into();
        let received = Received { packet: &packet, source, transport: Transport::Udp, at: NOW };
        let mut out = Vec::new();
        let replied = respond(&table, &ReplySettings::default(), &received, 7, &mut out).unwrap();
        let message = Message::from_vec(&out).unwrap();
        assert_eq!(message.authorities.len(), usize::from(out[9]));
        (replied.truncated, out[7], out[9], out[11])
    };
    // The apex NS set, and OPT.
    assert_eq!(counts("www.example.com", 1, 1232), (false, 1, 1, 1));
    assert_eq!(counts("example.com", 2, 1232), (false, 1, 0, 1));
    assert_eq!(counts("mx.example.com", 15, 1232), (false, 1, 1, 2));
    // Not a reason to truncate.
    assert_eq!(counts("big.example.com", 16, 923), (false, 4, 0, 1));
    assert_eq!(counts("big.example.com", 16, 924), (false, 4, 1, 1));
    assert_eq!(counts("big.example.com", 16, 895), (true, 0, 0, 1));
}

#[test]
fn d14_unknown_types_are_served_opaquely() {
    let (message, octets) = ask(&Query::new("new.example.com", 65280));
    assert_eq!(message.answers[0].record_type(), rr::RecordType::Unknown(65280));
    assert!(octets.ends_with(&[0, 3, 1, 2, 3]));
    check_code(&Query::new("new.example.com", 65281), ResponseCode::NoError);
}

#[test]
fn d15_opt_answers_opt() {
    let (message, octets) = ask(&Query::new("www.example.com", 1));
    assert!(message.edns.is_none());
    assert_eq!(octets[11], 0);
    // An unknown option and unknown flags are not echoed.
    let (_, octets) = ask(&Query::new("www.example.com", 1).edns(4096, 0, 0xFF, &[0xFF, 0, 0, 1, 9]));
    assert_eq!(octets[11], 1);
    assert_eq!(octets[octets.len() - 11..], [0, 0, 41, 0x04, 0xD0, 0, 0, 0x80, 0, 0, 0]);
}

#[test]
fn d15_later_versions_are_bad_whatever_the_question() {
    for qname in ["www.example.com", "www.example.org"] {
        let query = Query::new(qname, 1).edns(1232, 1, 0, &[]);
        let (octets, replied) =
            ask_octets(&query.octets(), Transport::Udp, &ReplySettings::default()).unwrap();
        assert_eq!(replied.rcode, 16);
        assert_eq!(octets[3] & 0xF, 0);
        assert_eq!(octets[octets.len() - 11..], [0, 0, 41, 0x04, 0xD0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(octets[7], 0);
    }
}

#[test]
fn d16_what_does_not_fit_is_truncated() {
    let check = |query: &Query, transport, fits: bool| {
        let (octets, replied) = ask_octets(&query.octets(), transport, &ReplySettings::default()).unwrap();
        let message = Message::from_vec(&octets).unwrap();
        assert_eq!(message.metadata.truncation, !fits);
        assert_eq!(replied.truncated, !fits);
        assert_eq!(message.answers.is_empty(), !fits);
    };
    let big = |size| Query::new("big.example.com", 16).edns(size, 0, 0, &[]);
    check(&Query::new("big.example.com", 16), Transport::Udp, false);
    check(&Query::new("big.example.com", 16), Transport::Tcp, true);
    check(&big(0), Transport::Udp, false);
    check(&big(800), Transport::Udp, false);
    check(&big(1232), Transport::Udp, true);
    let huge = Query::new("huge.example.com", 16).edns(65535, 0, 0, &[]);
    check(&huge, Transport::Udp, false);
    check(&huge, Transport::Tcp, true);
    // OPT outlives the answer.
    let (octets, _) = ask_octets(&huge.octets(), Transport::Udp, &ReplySettings::default()).unwrap();
    assert_eq!(octets[4..12], [0, 1, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn d16_a_reply_may_be_exactly_as_long_as_allowed() {
    let query = |size| Query::new("big.example.com", 16).edns(size, 0, 0, &[]);
    let (whole, _) = ask_octets(&query(1232).octets(), Transport::Udp, &ReplySettings::default()).unwrap();
    let len = whole.len() as u16;
    let ask = |size| ask_octets(&query(size).octets(), Transport::Udp, &ReplySettings::default()).unwrap().1;
    assert!(!ask(len).truncated);
    assert!(ask(len - 1).truncated);
}

#[test]
fn d17_failures_say_why() {
    let error = |query: &Query, transport| {
        let (octets, _) = ask_octets(&query.octets(), transport, &ReplySettings::default()).unwrap();
        let edns = Message::from_vec(&octets).unwrap().edns.expect("OPT");
        let option = edns.option(EdnsCode::Unknown(15)).map(|option| Vec::try_from(option).unwrap());
        option.map(|data| u16::from_be_bytes([data[0], data[1]]))
    };
    let ask = |qname, qtype| Query::new(qname, qtype).edns(1232, 0, 0, &[]);
    assert_eq!(error(&ask("www.example.com", 1), Transport::Udp), None);
    assert_eq!(error(&ask("no.example.com", 1), Transport::Udp), None);
    assert_eq!(error(&ask("www.example.org", 1), Transport::Udp), Some(20));
    assert_eq!(error(&ask("example.com", 252), Transport::Tcp), Some(18));
    assert_eq!(error(&ask("example.com", 251), Transport::Tcp), Some(18));
    assert_eq!(error(&ask("www.example.com", 250), Transport::Udp), Some(21));
    assert_eq!(error(&ask("www.example.com", 1).class(4), Transport::Udp), Some(21));
    assert_eq!(error(&ask("version.bind", 16).class(3), Transport::Udp), Some(18));
    assert_eq!(error(&ask("www.example.com", 1).header(2, 0x28), Transport::Udp), Some(21));
}

#[test]
fn d17_nsid_if_configured_and_asked() {
    let settings = ReplySettings { nsid: Some("fra1".into()), ..ReplySettings::default() };
    let asked = Query::new("www.example.com", 1).edns(1232, 0, 0, &[0, 3, 0, 0]).octets();
    let (octets, _) = ask_octets(&asked, Transport::Udp, &settings).unwrap();
    assert!(octets.ends_with(b"\x00\x08\x00\x03\x00\x04fra1"));
    let (octets, _) = ask_octets(&asked, Transport::Udp, &ReplySettings::default()).unwrap();
    assert!(octets.ends_with(&[0, 0]));
}

#[test]
fn d17_keepalive_is_told_over_tcp_alone() {
    let asked = Query::new("www.example.com", 1).edns(1232, 0, 0, &[0, 11, 0, 0]).octets();
    let (octets, _) = ask_octets(&asked, Transport::Tcp, &ReplySettings::default()).unwrap();
    assert!(octets.ends_with(&[0, 6, 0, 11, 0, 2, 0, 100]));
    let (octets, _) = ask_octets(&asked, Transport::Udp, &ReplySettings::default()).unwrap();
    assert!(octets.ends_with(&[0, 0]));
}

/// The secret and the client of RFC 9018 appendix A.1, at [`NOW`], but for the address.
const SECRET: [u8; 16] = 0xe5e9_73e5_a6b2_a43f_48e7_dc84_9e37_bfcf_u128.to_be_bytes();
const CLIENT_COOKIE: [u8; 8] = 0x2464_c4ab_cf10_c957_u64.to_be_bytes();

fn with_cookies(required: bool) -> ReplySettings {
    let cookies = Cookies { secrets: [Secret::new(SECRET), Secret::new([7; 16])], required };
    ReplySettings { cookies: Some(cookies), ..ReplySettings::default() }
}

/// Asks with a cookie from the client's address; gives the RCODE, how many answers there are, and the reply's cookie.
fn ask_cookie(cookie: &[u8], transport: Transport, settings: &ReplySettings) -> (u16, u8, Vec<u8>) {
    let option = [&[0, 10, 0, cookie.len() as u8], cookie].concat();
    let packet = Query::new("www.example.com", 1).edns(1232, 0, 0, &option).octets();
    let source = Ipv4Addr::new(198, 51, 100, 100).into();
    let mut out = Vec::new();
    let received = Received { packet: &packet, source, transport, at: NOW };
    let replied = respond(&table(), settings, &received, 7, &mut out).expect("a reply");
    let message = Message::from_vec(&out).expect("a readable reply");
    let found = message.edns.expect("OPT").option(EdnsCode::Cookie).cloned();
    let data = found.map(|option| Vec::try_from(&option).expect("octets"));
    (replied.rcode, message.answers.len() as u8, data.unwrap_or_default())
}

#[test]
fn d17_a_client_cookie_gets_a_server_cookie() {
    let settings = with_cookies(false);
    let expected =
        [&CLIENT_COOKIE[..], &0x0100_0000_5cf7_9f11_1f81_30c3_eee2_9480_u128.to_be_bytes()].concat();
    for transport in [Transport::Udp, Transport::Tcp] {
        assert_eq!(ask_cookie(&CLIENT_COOKIE, transport, &settings), (0, 1, expected.clone()));
        // Kept while it is fresh, replaced if it is somebody else's, and answered anyway.
        assert_eq!(ask_cookie(&expected, transport, &settings), (0, 1, expected.clone()));
        let foreign = [&CLIENT_COOKIE[..], &[9; 16]].concat();
        assert_eq!(ask_cookie(&foreign, transport, &settings), (0, 1, expected.clone()));
        let short = [&CLIENT_COOKIE[..], &[9; 8]].concat();
        assert_eq!(ask_cookie(&short, transport, &settings), (0, 1, expected.clone()));
    }
    // Without secrets the option is unknown, whatever it holds (D-15).
    assert_eq!(ask_cookie(&[1], Transport::Udp, &ReplySettings::default()), (0, 1, Vec::new()));
}

#[test]
fn d17_cookies_of_a_wrong_length_are_malformed() {
    for length in [0, 1, 7, 9, 15, 41, 64] {
        let settings = with_cookies(false);
        assert_eq!(ask_cookie(&vec![5; length], Transport::Udp, &settings), (1, 0, Vec::new()), "{length}");
    }
    for length in [8, 16, 17, 24, 40] {
        assert_eq!(ask_cookie(&vec![5; length], Transport::Udp, &with_cookies(false)).0, 0, "{length}");
    }
}

#[test]
fn d17_where_cookies_are_required_udp_clients_learn_theirs_first() {
    let settings = with_cookies(true);
    let (rcode, answers, cookie) = ask_cookie(&CLIENT_COOKIE, Transport::Udp, &settings);
    assert_eq!((rcode, answers, cookie.len()), (23, 0, 24));
    assert_eq!(ask_cookie(&cookie, Transport::Udp, &settings), (0, 1, cookie));
    assert_eq!(ask_cookie(&CLIENT_COOKIE, Transport::Tcp, &settings).0, 0);
    // Who does not know cookies is not kept out.
    let query = Query::new("www.example.com", 1).edns(1232, 0, 0, &[]).octets();
    assert_eq!(ask_octets(&query, Transport::Udp, &settings).unwrap().1.rcode, 0);
}

#[test]
fn clients_beyond_their_rate_are_sent_to_tcp_or_get_nothing() {
    let limit = RateLimit {
        responses_per_second: 5,
        burst: 5,
        slip: 2,
        ipv4_prefix: 24,
        ipv6_prefix: 56,
        exempt: Vec::new(),
    };
    let limiter = Some(Arc::new(Limiter::new(limit, 53)));
    let settings = ReplySettings { limiter, ..with_cookies(false) };
    let table = table();
    let ask = |options: &[u8], transport, draw| {
        let packet = Query::new("www.example.com", 1).edns(1232, 0, 0, options).octets();
        let source = Ipv4Addr::new(198, 51, 100, 100).into();
        let received = Received { packet: &packet, source, transport, at: NOW };
        let mut out = Vec::new();
        (respond(&table, &settings, &received, draw, &mut out), out)
    };
    for _ in 0..5 {
        assert_eq!(ask(&[], Transport::Udp, 0).1[7], 1, "within the burst");
    }
    let (replied, slipped) = ask(&[], Transport::Udp, 0);
    assert_eq!(replied, Ok(Replied { rcode: 0, truncated: true, slipped: true }));
    assert_eq!((slipped[2] & 0x02, slipped[7]), (0x02, 0));
    assert_eq!(ask(&[], Transport::Udp, 1), (Err(Silence::Limited), Vec::new()));
    // A client cookie proves nothing yet, the server's answer to it does, and so does TCP.
    let client = [&[0, 10, 0, 8], &CLIENT_COOKIE[..]].concat();
    assert_eq!(ask(&client, Transport::Udp, 1).0, Err(Silence::Limited));
    let cookie = ask_cookie(&CLIENT_COOKIE, Transport::Tcp, &settings).2;
    let whole = [&[0, 10, 0, 24], &cookie[..]].concat();
    assert_eq!(ask(&whole, Transport::Udp, 1).1[7], 1);
    assert_eq!(ask(&[], Transport::Tcp, 1).1[7], 1);
}

fn subnet(data: &[u8]) -> Query {
    let option = [&[0, 8, 0, data.len() as u8], data].concat();
    Query::new("www.example.com", 1).edns(1232, 0, 0, &option)
}

#[test]
fn r64_the_subnet_is_repeated_with_its_scope() {
    for data in [&[0, 1, 24, 0, 192, 0, 2][..], &[0, 2, 20, 0, 0x20, 1, 0x10], &[0, 1, 0, 0]] {
        let (_, octets) = ask(&subnet(data));
        assert!(octets.ends_with(data), "{data:?}");
    }
}

#[test]
fn r63_malformed_subnets_are_told_so() {
    for data in [
        &[0, 3, 0, 0][..],
        &[0, 0, 0, 0],
        &[0, 1, 33, 0, 192, 0, 2, 1, 0],
        &[0, 1, 24, 24, 192, 0, 2],
        &[0, 1, 24, 0, 192, 0],
        &[0, 1, 24, 0, 192, 0, 2, 0],
        &[0, 1, 23, 0, 192, 0, 3],
        &[0, 1, 24],
    ] {
        check_code(&subnet(data), ResponseCode::FormErr);
    }
    // An option longer than the record that holds it.
    check_code(&Query::new("www.example.com", 1).edns(1232, 0, 0, &[0, 9, 0, 4, 1]), ResponseCode::FormErr);
}

#[test]
fn any_octets_get_silence_or_a_readable_reply() {
    let mut random = fastrand::Rng::with_seed(53);
    let seeds = [
        Query::new("www.example.com", 1).edns(1232, 0, 0, &[0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2]).octets(),
        Query::new("huge.example.com", 16).octets(),
    ];
    let table = table();
    let mut out = Vec::new();
    for round in 0..50_000 {
        let mut packet = seeds[round % seeds.len()].clone();
        for _ in 0..random.usize(..4) {
            let at = random.usize(..packet.len());
            packet[at] = random.u8(..);
        }
        packet.truncate(random.usize(..packet.len() + 20));
        let received = Received {
            packet: &packet,
            source: Ipv4Addr::LOCALHOST.into(),
            transport: Transport::Udp,
            at: NOW,
        };
        if respond(&table, &ReplySettings::default(), &received, random.u64(..), &mut out).is_ok() {
            assert!(out.len() <= 1232 && out[..2] == packet[..2], "{packet:?}");
            assert!(
                Message::from_vec(&out).is_ok() || out[12..] == packet[12..out.len()],
                "{packet:?} {out:?}"
            );
        }
    }
}
