//! What must hold for any octets whatever: one function for each kind of input that comes from outside. Fuzzers (`tests/fuzz`) and the property
//! tests below call the same ones.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use fastpath::Scratch;
use fastpath::cookie::Secret;
use fastpath::host::Frame;
use hickory_proto::op::Message;
use pulse53::config::{Config, Overrides};
use pulse53::datapath::{self, HotMemory, HotTable, Sizes};
use pulse53::publish;
use pulse53::serve::cookies::Cookies;
use pulse53::serve::reply::{Received, ReplySettings, Transport, respond};
use pulse53_abi::draw;
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_core::assemble::{Limits, SnapshotBuilder, ZoneBuilder};
use pulse53_core::compile::Compiler;
use pulse53_core::geo::Network;
use pulse53_core::model::{Name, RecordType, Revision, ZoneId};
use pulse53_core::resolve::{Question, resolve};
use pulse53_core::table::{AnswerTable, Generation};
use pulse53_core::{route53, zonefile};

use crate::engines::SERVED;
use crate::frame::QueryFrame;
use crate::zone;

/// A zone with one of everything that is answered in its own way.
const ZONE: &str = "$TTL 60\n@ SOA ns1 admin 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n\
    www A 192.0.2.1\nwww A 192.0.2.2\nwww AAAA 2001:db8::1\nalias CNAME www\n*.wild TXT \"wild\"\nmoved DNAME example.net.\n\
    cut NS ns.cut\ncut NS ns1\ncut DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000\nns.cut A 192.0.2.54\n\
    a.b.ent MX 10 www\nlong TXT \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n";

/// When all packets come.
const NOW: Duration = Duration::from_secs(53);

struct Served {
    table: AnswerTable,
    hot: HotTable,
    scratch: Scratch,
    random: u64,
}

impl Served {
    fn new() -> Self {
        let table = Compiler::new(&zone::snapshot("example.com", ZONE, ""), &|_| true, Generation(1));
        let table = table.table().clone();
        let sizes = Sizes::needed(&table).with_headroom(u32::MAX);
        let mut hot = HotTable::new(HotMemory::owned(sizes), sizes, 53, table.clients().clone());
        let served: Vec<SocketAddr> =
            SERVED.iter().map(|address| address.parse().expect("an address")).collect();
        hot.serve(&served);
        publish::live(&settings_of_frames()).write(hot.memory().live());
        datapath::fill(&mut hot, &table);
        Self { table, hot, scratch: Scratch::new(), random: 53 }
    }
}

thread_local! {
    static SERVED_HERE: RefCell<Served> = RefCell::new(Served::new());
}

fn cookies() -> Cookies {
    Cookies { secrets: [Secret::new([5; 16]); 2], required: false }
}

/// How frames are answered: as far as the fast path goes.
fn settings_of_frames() -> ReplySettings {
    ReplySettings { cookies: Some(cookies()), ..ReplySettings::default() }
}

/// A DNS message over UDP and TCP: silence, or a reply that another library reads, of no more than the size allowed.
pub fn message(octets: &[u8]) {
    let settings = ReplySettings {
        identity: Some("fuzz".to_owned()),
        nsid: Some("fuzz".to_owned()),
        cookies: Some(cookies()),
        ..ReplySettings::default()
    };
    let mut reply = Vec::new();
    for transport in [Transport::Udp, Transport::Tcp] {
        let received = Received { packet: octets, source: Ipv4Addr::LOCALHOST.into(), transport, at: NOW };
        let replied =
            SERVED_HERE.with_borrow(|served| respond(&served.table, &settings, &received, 53, &mut reply));
        let Ok(replied) = replied else { continue };
        assert!(reply.len() <= if transport == Transport::Udp { 1232 } else { 65_535 });
        assert_eq!(reply[..2], octets[..2], "the id");
        assert_eq!(reply[2] & 0xF8, 0x80 | octets[2] & 0x78, "a response of the same opcode");
        assert_eq!(u16::from(reply[3] & 0xF), replied.rcode & 0xF);
        // NOTIFY and UPDATE, which are not implemented, have sections of other kinds.
        if octets[2] & 0x78 == 0 {
            Message::from_vec(&reply).unwrap_or_else(|error| panic!("{error}: {reply:02x?}"));
        }
    }
}

/// A frame on the host build of the fast path: untouched, or answered with the octets that userspace gives (law 1).
pub fn frame(octets: &[u8]) {
    SERVED_HERE.with_borrow_mut(|served| {
        let Served { table, hot, scratch, random } = served;
        let settings = hot.settings(UDP_PAYLOAD_MAX, 0);
        let tables = hot.memory().tables(&settings, *random, NOW.as_nanos() as u64);
        let mut frame = Frame::new(octets.to_vec());
        if !fastpath::run(&mut frame, &tables, scratch).is_reply() {
            assert_eq!(frame.octets, octets, "what is passed is untouched (law 2)");
            return;
        }
        *random = draw::next(*random);
        let query = QueryFrame::read(octets).expect("only queries are answered");
        let (source, transport) = (query.client.ip(), Transport::Udp);
        let received = Received { packet: &query.message, source, transport, at: NOW };
        let mut message = Vec::new();
        let replied = respond(table, &settings_of_frames(), &received, *random, &mut message);
        assert!(replied.is_ok(), "only the fast path answers {query:?}");
        assert_eq!(frame.octets, query.reply_octets(&message), "{query:?}");
    });
}

/// A master file: mistakes told, or a zone in which every name can be asked for.
pub fn zone_file(octets: &[u8]) {
    let apex = Name::from_route53("example.com").expect("a name");
    let read = zonefile::read("fuzz.zone", octets, &apex, &mut |path| Err(format!("{path} is not there")));
    build(apex, |builder| builder.add_master_file(read));
}

/// Route 53's record sets: mistakes told, or a zone in which every name can be asked for.
pub fn record_sets(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let read = route53::read_record_sets("fuzz.json", text);
    build(Name::from_route53("example.com").expect("a name"), |builder| builder.add_record_sets(read));
}

fn build(apex: Name, add: impl FnOnce(&mut ZoneBuilder)) {
    let mut zone = ZoneBuilder::new(apex, Some(ZoneId("ZPULSE53EXAMPLE".into())));
    add(&mut zone);
    let mut builder = SnapshotBuilder::new(Limits::default());
    builder.add_zone(zone);
    let snapshot = match builder.build(Revision(1)) {
        Ok((snapshot, _)) => snapshot,
        Err(findings) => {
            assert!(!findings.errors.is_empty(), "what is refused is told");
            return;
        }
    };
    let compiler = Compiler::new(&snapshot, &|_| true, Generation(1));
    let table = compiler.table();
    let client = Network::of_client(IpAddr::from(Ipv4Addr::LOCALHOST), 32);
    let mut out = Vec::new();
    for zone in table.zones() {
        for (name, _) in zone.owners() {
            for qtype in [RecordType::A, RecordType::TXT, RecordType::NS, RecordType::ANY] {
                let qname = name.as_wire();
                let answer = resolve(table, &Question { qname, qtype }, client, 53);
                out.clear();
                answer.body.write(qname.len(), answer.rotation, &mut out);
                assert_eq!(out.len(), answer.body.len());
            }
        }
    }
}

/// A configuration file: read, or refused with at least one problem.
pub fn config(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if let Err(problems) = Config::parse(Path::new("fuzz.toml"), text, &Overrides::default()) {
        assert!(!problems.0.is_empty(), "what is refused is told");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The seeds of a fuzz target, damaged in a few places, and octets that were never right.
    fn check(target: &str, holds: fn(&[u8])) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let seeds: Vec<Vec<u8>> = std::fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
            .map(|entry| std::fs::read(entry.expect("an entry").path()).expect("a seed"))
            .collect();
        assert!(!seeds.is_empty());
        seeds.iter().for_each(|seed| holds(seed));
        let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
        let damaged = (prop::sample::select(seeds), damage, any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(mut seed, damage, cut, is_cut)| {
                for (at, octet) in &damage {
                    let at = at.index(seed.len());
                    seed[at] = *octet;
                }
                if is_cut {
                    seed.truncate(cut.index(seed.len() + 1));
                }
                seed
            });
        let octets = prop_oneof![9 => damaged, 1 => prop::collection::vec(any::<u8>(), 0..200)];
        let mut runner = proptest::test_runner::TestRunner::default();
        let held = runner.run(&octets, |octets| {
            holds(&octets);
            Ok(())
        });
        held.unwrap();
    }

    #[test]
    fn any_message_gets_silence_or_a_right_reply() {
        check("message", message);
    }

    #[test]
    fn any_frame_is_passed_untouched_or_answered_right() {
        check("frame", frame);
    }

    #[test]
    fn any_zone_file_is_refused_or_served() {
        check("zone_file", zone_file);
    }

    #[test]
    fn any_record_sets_are_refused_or_served() {
        check("record_sets", record_sets);
    }

    #[test]
    fn any_configuration_is_refused_or_read() {
        check("config", config);
    }
}
