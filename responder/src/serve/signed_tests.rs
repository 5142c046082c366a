//! What a signed zone answers, and that every record set in it is signed as it is sent; replies are read with an independent library.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::Record;
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};
use pulse53_core::change::zone_of_record_sets;
use pulse53_core::compile::Compiler;
use pulse53_core::dnssec::{RRset, Signing};
use pulse53_core::model::{Name, Rdata, RecordData, RecordType, Snapshot, Ttl, ZoneId};
use pulse53_core::rdata::to_route53;
use pulse53_core::route53::{ResourceRecord, ResourceRecordSet};
use pulse53_core::table::{AnswerTable, Generation};

use super::limiter::{Limiter, RateLimit};
use super::reply::tests::{Query, declared};
use super::reply::{Received, ReplySettings, Silence, Transport, respond};
use crate::dnssec::{self, PrivateKey, Signatures, verify};

const DO: u8 = 0x80;
const NOW: Duration = Duration::from_secs(1_700_000_000);
const NSEC: u16 = 47;

fn name(text: &str) -> Name {
    Name::from_route53(text).unwrap()
}

fn uncompressed(part: &impl BinEncodable) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut encoder = BinEncoder::new(&mut octets);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    part.emit(&mut encoder).unwrap();
    octets
}

/// The zone of the reply tests, signed.
struct Signed {
    table: AnswerTable,
    signing: Arc<Signing>,
    signatures: Arc<Signatures>,
    settings: ReplySettings,
}

fn key() -> PrivateKey {
    PrivateKey::generate().unwrap()
}

fn signed(snapshot: Snapshot) -> Signed {
    let signatures = Arc::default();
    let zone = &snapshot.zones[&ZoneId("Z1".into())];
    let signing = Arc::new(dnssec::signing(&zone.apex, &key(), [&key(), &key()], &signatures).unwrap());
    let signing_of = [(zone.id.clone(), signing.clone())].into();
    let snapshot = Snapshot { signing: signing_of, ..snapshot };
    let table = Compiler::new(&snapshot, &|_| true, Generation(1)).table().clone();
    Signed { table, signing, signatures, settings: ReplySettings::default() }
}

/// A reply, its record sets checked and told as `owner TTL type data`, section by section.
#[derive(Debug)]
struct Told {
    message: Message,
    octets: Vec<u8>,
    sections: [Vec<String>; 3],
}

impl Signed {
    fn send(&self, query: &Query, transport: Transport) -> Result<Vec<u8>, Silence> {
        let mut out = Vec::new();
        let packet = &query.octets();
        let received = Received { packet, source: Ipv4Addr::LOCALHOST.into(), transport, at: NOW };
        respond(&self.table, &self.settings, &received, 7, &mut out).map(|_| out)
    }

    fn ask(&self, query: &Query) -> Told {
        let octets = self.send(query, Transport::Udp).unwrap();
        let message = Message::from_vec(&octets).unwrap();
        assert_eq!(octets[3] & 0xE0, 0, "RA, Z, AD (D-8)");
        let sections = [&message.answers, &message.authorities, &message.additionals];
        let sections = sections.map(|records| self.sets(records));
        Told { message, octets, sections }
    }

    fn ask_signed(&self, qname: &str, qtype: u16) -> Told {
        self.ask(&Query::new(qname, qtype).edns(1232, 0, DO, &[]))
    }

    /// The record sets of a section, without their signatures; `!` stands before those that have none.
    fn sets(&self, records: &[Record]) -> Vec<String> {
        let part = |record: &Record| {
            let owner = Name::from_wire(&uncompressed(&record.name)).unwrap();
            let rtype = RecordType::from_int(record.record_type().into());
            (owner, rtype, Ttl(record.ttl), Rdata(uncompressed(&record.data).into()))
        };
        let parts: Vec<_> = records.iter().map(part).collect();
        let mut sets = Vec::new();
        for of_set in parts.chunk_by(|a, b| (&a.0, a.1) == (&b.0, b.1)) {
            let (owner, rtype, ttl, _) = &of_set[0];
            if *rtype == RecordType::RRSIG {
                continue;
            }
            let rdatas: Vec<Rdata> = of_set.iter().map(|(.., rdata)| rdata.clone()).collect();
            let texts: Vec<String> = rdatas.iter().map(|rdata| to_route53(*rtype, rdata)).collect();
            let set = RRset { owner, rtype: *rtype, ttl: *ttl, rdatas: rdatas.into() };
            let over_set = |rdata: &Rdata| rdata.0[..2] == rtype.to_int().to_be_bytes();
            let rrsigs = parts.iter().filter(|(of, rtype, _, rdata)| {
                of == owner && *rtype == RecordType::RRSIG && over_set(rdata)
            });
            let mut is_signed = false;
            for (_, _, rrsig_ttl, rrsig) in rrsigs {
                let keys = &self.signing.dnskeys;
                let mut of_kind = keys.iter().filter(|key| (key.0[1] == 1) == (*rtype == RecordType::DNSKEY));
                assert!(of_kind.any(|key| verify(key, &set, rrsig, &name("example.com"))), "{owner} {rtype}");
                assert_eq!(rrsig_ttl, ttl);
                is_signed = true;
            }
            let mark = if is_signed { "" } else { "!" };
            sets.push(format!("{mark}{owner} {} {rtype} {}", ttl.0, texts.join(", ")));
        }
        sets
    }
}

const SOA: &str = "example.com. 300 SOA ns.example.com. admin.example.com. 1 7200 900 1209600 86400";

#[test]
fn answers_are_signed_under_the_name_asked() {
    let signed = signed(declared());
    let check = |qname: &str, qtype, set: &str| {
        let told = signed.ask_signed(qname, qtype);
        assert_eq!(told.sections[0], [set], "{qname}");
        assert!(told.sections[1].is_empty() && told.octets[2] & 4 != 0, "{told:?}");
    };
    check("www.example.com", 1, "www.example.com. 300 A 192.0.2.1");
    check("WWW.example.COM", 1, "www.example.com. 300 A 192.0.2.1");
    check("a.b.wild.example.com", 1, "a.b.wild.example.com. 300 A 192.0.2.2");
    check("*.wild.example.com", 1, "\\052.wild.example.com. 300 A 192.0.2.2");
    check("x.cname.example.com", 28, "x.cname.example.com. 300 CNAME www.example.com.");
    check("mx.example.com", 15, "mx.example.com. 300 MX 10 www.example.com.");
    check("new.example.com", 65280, "new.example.com. 300 TYPE65280 \\# 3 010203");
    check("wide.example.com", 43, "wide.example.com. 300 DS 1 13 2 0909");
    check("www.example.com", 255, "www.example.com. 3600 HINFO \"RFC8482\" \"\"");
    check("www.example.com", NSEC, "www.example.com. 300 NSEC \\000.www.example.com. A RRSIG NSEC");
    let keys: Vec<String> =
        signed.signing.dnskeys.iter().map(|key| to_route53(RecordType::DNSKEY, key)).collect();
    check("example.com", 48, &format!("example.com. 3600 DNSKEY {}", keys.join(", ")));
    assert_eq!(signed.ask_signed("example.com", 48).message.answers.len(), 5, "each key of the owner signs");
    // Of a DNAME and what is made from it the first is signed.
    let told = signed.ask_signed("a.moved.example.com", 1);
    let [dname, cname] = &told.sections[0][..] else { panic!("{told:?}") };
    assert_eq!(dname, "moved.example.com. 300 DNAME new.place.example.net.");
    assert_eq!(cname, "!a.moved.example.com. 300 CNAME a.new.place.example.net.");
}

#[test]
fn what_is_not_there_is_denied_by_the_name_itself() {
    let signed = signed(declared());
    let check = |qname: &str, qtype, denial: &str| {
        let told = signed.ask_signed(qname, qtype);
        assert_eq!(told.message.metadata.response_code, ResponseCode::NoError, "{qname}");
        assert!(told.message.answers.is_empty() && told.octets[2] & 4 != 0, "{told:?}");
        assert_eq!(told.sections[1], [SOA, &format!("{qname}. 300 NSEC \\000.{qname}. {denial}")]);
    };
    check("www.example.com", 28, "A RRSIG NSEC");
    check("none.example.com", 1, "RRSIG NSEC NXNAME");
    check("none.example.com", NSEC, "RRSIG NSEC NXNAME");
    check("b.example.com", 1, "RRSIG NSEC");
    check("x.wild.example.com", 28, "A RRSIG NSEC");
    check("example.com", 1, "NS SOA RRSIG NSEC DNSKEY");
    check("www.example.com", 48, "A RRSIG NSEC");
    // The addresses at a cut are the child's.
    check("sub.example.com", 43, "NS RRSIG NSEC");
    let code = |query: &Query| signed.ask(query).message.metadata.response_code;
    assert_eq!(code(&Query::new("www.example.com", 128).edns(1232, 0, DO, &[])), ResponseCode::FormErr);
    assert_eq!(code(&Query::new("none.example.com", 1).edns(1232, 0, 0, &[])), ResponseCode::NXDomain);
    assert_eq!(code(&Query::new("none.example.com", 1)), ResponseCode::NXDomain);
}

#[test]
fn a_delegation_tells_whether_the_child_is_signed() {
    let signed = signed(declared());
    let told = signed.ask_signed("www.sub.example.com", 1);
    assert_eq!(
        told.sections[1],
        [
            "!sub.example.com. 300 NS ns.sub.example.com.",
            "sub.example.com. 300 NSEC \\000.sub.example.com. NS RRSIG NSEC"
        ]
    );
    assert_eq!(told.sections[2], ["!ns.sub.example.com. 300 A 192.0.2.4"]);
    assert_eq!(told.octets[2] & 4, 0, "AA");
    // Addresses that are not required are left out.
    let told = signed.ask_signed("www.wide.example.com", 1);
    assert_eq!(told.sections[1][1], "wide.example.com. 300 DS 1 13 2 0909");
    assert!(told.sections[1][0].starts_with("!wide.example.com. 300 NS "), "{told:?}");
    assert!(told.sections[2].len() == 1 && told.sections[2][0].starts_with("!ns1.wide"), "{told:?}");
}

#[test]
fn whoever_asks_for_no_signatures_sees_the_zone_as_before() {
    let (signed, plain) = (signed(declared()), super::reply::tests::table());
    for (qname, qtype) in [
        ("www.example.com", 1),
        ("www.example.com", 28),
        ("none.example.com", 1),
        ("x.wild.example.com", 1),
        ("a.sub.example.com", 1),
        ("sub.example.com", 43),
        ("www.wide.example.com", 1),
        ("big.example.com", 16),
        ("huge.example.com", 16),
        ("example.com", 6),
        ("a.moved.example.com", 1),
        ("www.example.com", 255),
    ] {
        for query in [Query::new(qname, qtype), Query::new(qname, qtype).edns(1232, 0, 0, &[])] {
            let octets = signed.send(&query, Transport::Udp).unwrap();
            let received = Received {
                packet: &query.octets(),
                source: Ipv4Addr::LOCALHOST.into(),
                transport: Transport::Udp,
                at: NOW,
            };
            let mut out = Vec::new();
            respond(&plain, &ReplySettings::default(), &received, 7, &mut out).unwrap();
            assert_eq!(octets, out, "{qname} {qtype}");
        }
    }
    assert_eq!(signed.signatures.made(), 0);
    let told = signed.ask(&Query::new("example.com", 48));
    assert!(
        told.sections[0].len() == 1 && told.sections[0][0].starts_with("!example.com. 3600 DNSKEY 257 3 13")
    );
}

#[test]
fn signatures_that_do_not_fit_are_fetched_over_tcp() {
    let signed = signed(declared());
    let query = Query::new("big.example.com", 16).edns(900, 0, DO, &[]);
    let told = signed.ask(&query);
    assert!(told.message.metadata.truncation && told.message.answers.is_empty());
    let whole = Message::from_vec(&signed.send(&query, Transport::Tcp).unwrap()).unwrap();
    assert_eq!(whole.answers.len(), 5);
    assert!(signed.sets(&whole.answers)[0].starts_with("big.example.com. 300 TXT"));
    // CD is copied (RFC 4035 section 3.2.2).
    let told = signed.ask(&Query::new("www.example.com", 1).header(3, 0x10).edns(1232, 0, DO, &[]));
    assert_eq!(told.octets[3] & 0x30, 0x10);
}

#[test]
fn r71_nothing_lives_longer_than_a_week() {
    let mut snapshot = declared();
    let zone = Arc::make_mut(snapshot.zones.values_mut().next().unwrap());
    for group in zone.groups.values_mut() {
        for member in &mut Arc::make_mut(group).members {
            if let RecordData::Values { ttl, .. } = &mut member.data {
                *ttl = Ttl(604_801);
            }
        }
    }
    let signed = signed(snapshot);
    for flags in [0, DO] {
        let ttl_of = |qname: &str, qtype| {
            let message = signed.ask(&Query::new(qname, qtype).edns(1232, 0, flags, &[])).message;
            [message.answers, message.authorities, message.additionals]
                .concat()
                .iter()
                .map(|record| record.ttl)
                .max()
        };
        assert_eq!(ttl_of("www.example.com", 1), Some(604_800));
        assert_eq!(ttl_of("www.sub.example.com", 1), Some(604_800));
        assert_eq!(ttl_of("www.wide.example.com", 1), Some(604_800));
        assert_eq!(ttl_of("none.example.com", 1), Some(86_400));
    }
}

#[test]
fn nothing_is_signed_for_those_who_get_nothing() {
    let mut signed = signed(declared());
    let limit = RateLimit {
        responses_per_second: 1,
        burst: 1,
        slip: 0,
        ipv4_prefix: 24,
        ipv6_prefix: 56,
        exempt: Vec::new(),
    };
    signed.settings.limiter = Some(Arc::new(Limiter::new(limit, 53)));
    for number in 0..50 {
        let query = Query::new(&format!("n{number}.example.com"), 1).edns(1232, 0, DO, &[]);
        let _ = signed.send(&query, Transport::Udp);
    }
    // Of the SOA, and of the denial of the first name.
    assert_eq!(signed.signatures.made(), 2);
}

#[test]
fn the_parent_answers_for_the_keys_of_a_zone_beside_it() {
    let mut snapshot = declared();
    let set = |name: &str, rtype: &str, value: &str| ResourceRecordSet {
        name: name.into(),
        record_type: rtype.into(),
        ttl: Some(300),
        resource_records: Some(vec![ResourceRecord { value: value.into() }]),
        ..ResourceRecordSet::default()
    };
    for (id, apex) in [("Z2", "wide.example.com"), ("Z3", "child.example.com")] {
        let soa = "ns.example.com. admin.example.com. 1 7200 900 1209600 60";
        let sets = [set(apex, "SOA", soa), set(apex, "NS", "ns.example.com")];
        let zone = zone_of_record_sets(ZoneId(id.into()), name(apex), sets).unwrap();
        snapshot.zones.insert(zone.id.clone(), Arc::new(zone));
    }
    let signed = signed(snapshot);
    let ds = signed.ask_signed("wide.example.com", 43);
    assert_eq!(ds.sections[0], ["wide.example.com. 300 DS 1 13 2 0909"]);
    // A zone that the parent does not delegate to is not signed, either, and exists.
    let none = signed.ask_signed("child.example.com", 43);
    let denial = "child.example.com. 300 NSEC \\000.child.example.com. NS RRSIG NSEC";
    assert_eq!(none.sections[1], [SOA, denial]);
    let plain = signed.ask(&Query::new("child.example.com", 43));
    assert_eq!(plain.message.metadata.response_code, ResponseCode::NoError);
    // All else is the child's.
    assert_eq!(
        signed.ask_signed("child.example.com", 2).sections[0],
        ["!child.example.com. 300 NS ns.example.com."]
    );
}

#[test]
fn whatever_is_asked_each_reply_fits_and_every_signature_in_it_is_good() {
    let signed = signed(declared());
    let mut random = fastrand::Rng::with_seed(53);
    let suffixes = ["example.com", "wild.example.com", "www.example.com", "sub.example.com", "b.example.com"];
    let types = [1, 2, 5, 6, 15, 16, 28, 43, 46, NSEC, 48, 65, 255, 65280];
    let (mut denied, mut longest) = (0, 0);
    for _ in 0..5_000 {
        let mut qname = Vec::new();
        let suffix = name(random.choice(suffixes).unwrap());
        while random.u8(..4) > 0 {
            let label: Vec<u8> = (0..random.usize(1..64)).map(|_| random.u8(..)).collect();
            if qname.len() + label.len() + 1 + suffix.as_wire().len() <= 255 {
                qname.push(label.len() as u8);
                qname.extend(label);
            }
        }
        qname.extend_from_slice(suffix.as_wire());
        longest = longest.max(qname.len());
        let query = Query::of_wire(&qname, *random.choice(&types).unwrap()).edns(1232, 0, DO, &[]);
        let told = signed.ask(&query);
        assert!(told.octets.len() <= 1232);
        assert_ne!(told.message.metadata.response_code, ResponseCode::NXDomain);
        let authoritative = told.octets[2] & 4 != 0;
        let own = |sets: &[String]| sets.iter().all(|set| !set.starts_with('!'));
        assert!(!authoritative || own(&told.sections[0]) && own(&told.sections[1]), "{told:?}");
        if authoritative && told.message.answers.is_empty() && !told.message.metadata.truncation {
            assert!(told.sections[1].iter().any(|set| set.contains(" NSEC ")), "{told:?}");
            denied += 1;
        }
    }
    assert!(denied > 1_000 && longest > 250, "{denied} {longest}");
}
