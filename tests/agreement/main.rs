//! What NSD and Knot DNS say about the same zones: random ones, asked at random, answers compared after an independent library has read
//! them.
//!
//! Where pulse53 differs on purpose, [`Told::without_differences`] says so, and nothing else may differ.

mod peer;
mod zones;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Record, RecordType};
use pulse53::serve::reply::{Received, ReplySettings, Transport, respond};
use pulse53_core::compile::Compiler;
use pulse53_core::table::{AnswerTable, Generation};
use pulse53_tests::frame::{Opt, Query};
use pulse53_tests::{seed, zone};

use peer::{Peer, Program};
use zones::RandomZone;

/// Zones a run, all loaded at once.
const ZONES: usize = 24;

/// Questions a zone.
const QUESTIONS: usize = 60;

/// One record, comparable: owner in lower case, type, TTL, data as text.
type ToldRecord = (String, String, u32, String);

/// What a reply says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    code: ResponseCode,
    authoritative: bool,
    truncated: bool,
    answers: BTreeSet<ToldRecord>,
    authorities: BTreeSet<ToldRecord>,
    additionals: BTreeSet<ToldRecord>,
}

impl Told {
    fn read(reply: &[u8]) -> Self {
        let message = Message::from_vec(reply).unwrap_or_else(|error| panic!("{error}: {reply:02x?}"));
        let section = |records: &[Record]| records.iter().map(told).collect();
        Self {
            code: message.metadata.response_code,
            authoritative: message.metadata.authoritative,
            truncated: message.metadata.truncation,
            answers: section(&message.answers),
            authorities: section(&message.authorities),
            additionals: section(&message.additionals),
        }
    }

    /// The reply without what servers may decide for themselves, or decide otherwise than pulse53 does:
    ///
    /// - a CNAME, also one that a DNAME makes, is not followed, so whatever follows it, and the code that this ends with, is left out;
    /// - a positive answer carries no more than the answer;
    /// - of a referral, addresses beyond those of servers at or below the cut are a courtesy (RFC 9471 section 3.2), and those that only a
    ///   wildcard gives are none at all: it is the child's.
    fn without_differences(mut self, qname: &str, qtype: RecordType, zone: &RandomZone) -> Self {
        let is_cname = |record: &ToldRecord| record.0 == qname && record.1 == "CNAME";
        let follows = qtype != RecordType::CNAME && self.answers.iter().any(is_cname);
        if follows {
            self.answers
                .retain(|record| is_cname(record) || record.1 == "DNAME" && is_below(qname, &record.0));
            self.code = ResponseCode::NoError;
        }
        if !self.answers.is_empty() {
            self.authorities.clear();
            self.additionals.clear();
        }
        let cuts: Vec<String> = self
            .authorities
            .iter()
            .filter(|record| record.1 == "NS" && !self.authoritative)
            .map(|record| record.0.clone())
            .collect();
        self.additionals.retain(|record| {
            zone.has(&record.0) && cuts.iter().any(|cut| is_below(&record.0, cut) || record.0 == *cut)
        });
        self
    }
}

fn told(record: &Record) -> ToldRecord {
    let data = record.data.to_string().to_ascii_lowercase();
    (record.name.to_string().to_ascii_lowercase(), record.record_type().to_string(), record.ttl, data)
}

fn is_below(name: &str, ancestor: &str) -> bool {
    name.strip_suffix(ancestor).is_some_and(|rest| rest.ends_with('.'))
}

/// Our own reply.
fn ours(table: &AnswerTable, query: &[u8]) -> Vec<u8> {
    let received = Received {
        packet: query,
        source: Ipv4Addr::LOCALHOST.into(),
        transport: Transport::Udp,
        at: Duration::ZERO,
    };
    let mut reply = Vec::new();
    respond(table, &ReplySettings::default(), &received, 0, &mut reply).expect("a reply");
    reply
}

fn agree_with(program: Program) {
    if let Some(lacking) = program.lacking() {
        pulse53_tests::skip(&lacking);
        return;
    }
    let mut random = seed::random();
    let zones: Vec<RandomZone> = (0..ZONES).map(|index| RandomZone::new(index, &mut random)).collect();
    let mut peer = Peer::start(program, &zones);
    let mut kinds = BTreeSet::new();
    for zone in &zones {
        let snapshot = zone::snapshot(&zone.apex, &zone.text, "");
        let table = Compiler::new(&snapshot, &|_| true, Generation(1)).table().clone();
        for _ in 0..QUESTIONS {
            let (qname, qtype) = zone.question(&mut random);
            let edns = Opt { size: 1232, dnssec_ok: false, options: Vec::new() };
            let mut query = Query::new(&qname, qtype.into()).with_edns(edns);
            query.id = random.u16(..);
            let read = |reply: &[u8]| Told::read(reply).without_differences(&qname, qtype, zone);
            let (ours, theirs) = (read(&ours(&table, &query.octets())), read(&peer.ask(&query.octets())));
            assert_eq!(ours, theirs, "{qname} {qtype} from {program:?} (right) in\n{}", zone.text);
            kinds.insert((ours.code.to_string(), ours.authoritative, ours.answers.len().min(2)));
        }
    }
    // The zones hold what they are meant to: answers, NODATA, NXDOMAIN, referrals, and answers of two records.
    assert!(kinds.len() >= 5, "{kinds:?}");
}

#[test]
fn nsd_says_the_same() {
    agree_with(Program::Nsd);
}

#[test]
fn knot_says_the_same() {
    agree_with(Program::Knot);
}
