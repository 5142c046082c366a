//! The queries by which public compliance checks judge how a server treats EDNS (RFC 6891), over UDP in both families with and without
//! the kernel half, and over TCP. Written and read with an independent library.

use hickory_proto::op::{Edns, Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RecordType};

use crate::harness::agent::{Agent, CONFIG};
use crate::harness::client::{Client, FAMILIES};
use crate::harness::network::SERVED;
use crate::harness::site::{Site, ZONE};

/// An option that nobody has defined, with data.
const UNKNOWN_OPTION: u16 = 100;

/// A flag that nobody has defined.
const UNKNOWN_FLAG: u16 = 0x0080;

/// One query of the checks, and what a server that knows EDNS version 0 alone answers.
struct Check {
    /// As the public checks call it.
    name: &'static str,
    query: Message,
    code: ResponseCode,
    /// Whether the SOA comes back; else the answer is empty.
    is_answered: bool,
}

impl Check {
    /// A question for the zone's SOA, which is answered.
    fn new(name: &'static str, edns: Option<Edns>) -> Self {
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_ascii(format!("{ZONE}.")).unwrap(), RecordType::SOA));
        if let Some(edns) = edns {
            query.set_edns(edns);
        }
        Self { name, query, code: ResponseCode::NoError, is_answered: true }
    }

    /// The same, with a code instead of an answer.
    fn refused(self, code: ResponseCode) -> Self {
        Self { code, is_answered: false, ..self }
    }

    #[track_caller]
    fn check(&self, path: &str, reply: &[u8]) {
        let told = format!("{} {path}", self.name);
        let message = Message::from_vec(reply).unwrap_or_else(|error| panic!("{told}: {error}"));
        let asked = self.query.edns.as_ref();
        // Two codes have the number 16; the library's reader takes the other one.
        assert_eq!(u16::from(message.metadata.response_code), u16::from(self.code), "{told}");
        assert_eq!(message.queries, self.query.queries, "{told}");
        assert_eq!(message.metadata.authoritative, self.is_answered, "{told}");
        assert!(!message.metadata.recursion_available && !message.metadata.authentic_data, "{told}");
        let types: Vec<RecordType> = message.answers.iter().map(|record| record.record_type()).collect();
        assert_eq!(types, if self.is_answered { vec![RecordType::SOA] } else { vec![] }, "{told}");
        let Some(edns) = &message.edns else {
            assert!(asked.is_none(), "{told}: OPT answers OPT");
            return;
        };
        let asked = asked.unwrap_or_else(|| panic!("{told}: OPT without being asked"));
        assert_eq!((edns.version(), edns.max_payload(), edns.flags().z), (0, 1232, 0), "{told}");
        assert_eq!(edns.flags().dnssec_ok, asked.flags().dnssec_ok, "{told}: DO is copied (RFC 3225)");
        assert_eq!(
            edns.option(EdnsCode::from(UNKNOWN_OPTION)),
            None,
            "{told}: unknown options are not echoed"
        );
    }
}

fn edns(version: u8) -> Edns {
    let mut edns = Edns::new();
    edns.set_version(version).set_max_payload(4096);
    edns
}

fn with_option(mut edns: Edns, code: u16, data: &[u8]) -> Edns {
    edns.options_mut().insert(EdnsOption::Unknown(code, data.to_vec()));
    edns
}

fn with_flag(mut edns: Edns) -> Edns {
    edns.flags_mut().z = UNKNOWN_FLAG;
    edns
}

fn dnssec(mut edns: Edns) -> Edns {
    edns.set_dnssec_ok(true);
    edns
}

/// The checks, those of plain DNS first.
fn checks() -> Vec<Check> {
    let unknown = |version| with_option(edns(version), UNKNOWN_OPTION, b"what?");
    let mut small = dnssec(edns(0));
    small.set_max_payload(512);
    // NSID, client subnet opting out, EXPIRE, a cookie.
    let list = [(3, &[][..]), (8, &[0, 1, 0, 0]), (9, &[]), (10, &[1, 2, 3, 4, 5, 6, 7, 8])]
        .into_iter()
        .fold(edns(0), |edns, (code, data)| with_option(edns, code, data));
    let mut checks = vec![
        Check::new("dns", None),
        Check::new("edns", Some(edns(0))),
        Check::new("ednsopt", Some(unknown(0))),
        Check::new("ednsflags", Some(with_flag(edns(0)))),
        Check::new("do", Some(dnssec(edns(0)))),
        Check::new("doopt", Some(dnssec(unknown(0)))),
        Check::new("doflags", Some(dnssec(with_flag(edns(0))))),
        Check::new("edns@512", Some(small)),
        Check::new("optlist", Some(list)),
        Check::new("subnet", Some(with_option(edns(0), 8, &[0, 1, 24, 0, 192, 0, 2]))),
        Check::new("padding", Some(with_option(edns(0), 12, &[0; 128]))),
    ];
    // A later version is refused, whatever else there is (RFC 6891 section 6.1.3).
    let later = [
        ("edns1", edns(1)),
        ("edns1opt", unknown(1)),
        ("edns1flags", with_flag(edns(1))),
        ("edns1do", dnssec(edns(1))),
        ("edns1all", dnssec(with_flag(unknown(1)))),
        ("edns100", edns(100)),
        ("edns255", edns(255)),
    ];
    checks.extend(later.map(|(name, edns)| Check::new(name, Some(edns)).refused(ResponseCode::BADVERS)));
    // Bits of the header that mean nothing here, and opcodes and types nobody has defined.
    let mut bits = Check::new("ad, cd, rd", None);
    bits.query.metadata.authentic_data = true;
    bits.query.metadata.checking_disabled = true;
    bits.query.metadata.recursion_desired = true;
    let mut opcode = Check::new("opcode", None).refused(ResponseCode::NotImp);
    opcode.query.metadata.op_code = OpCode::Unknown(15);
    let mut opcode_edns = Check::new("opcodeedns", Some(edns(0))).refused(ResponseCode::NotImp);
    opcode_edns.query.metadata.op_code = OpCode::Unknown(15);
    checks.extend([bits, opcode, opcode_edns]);
    checks
}

/// Every check over every transport, and cookies that come back. So many of these queries the kernel half answers, where there is one.
fn run(client: &mut Client<'_>) -> u64 {
    let mut answered = 0;
    for check in checks() {
        let query = check.query.to_vec().expect("a query can be written");
        for family in FAMILIES {
            check.check(&format!("UDP to {}", SERVED[family]), &client.exchange(family, &query));
            check.check(&format!("TCP to {}", SERVED[family]), &client.exchange_over_tcp(family, &query));
            answered += u64::from(check.is_answered);
        }
    }
    // A cookie that the server has made is kept (RFC 9018 section 4.3).
    let mut ask = |family, cookie: &[u8]| {
        let query = Check::new("cookie", Some(with_option(edns(0), 10, cookie))).query;
        let reply = Message::from_vec(&client.exchange(family, &query.to_vec().unwrap())).unwrap();
        let cookie = reply.edns.as_ref().and_then(|edns| edns.option(EdnsCode::Cookie)).expect("a cookie");
        Vec::try_from(cookie).expect("octets")
    };
    for family in FAMILIES {
        let cookie = ask(family, &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((&cookie[..9], cookie.len()), (&[1, 2, 3, 4, 5, 6, 7, 8, 1][..], 24));
        assert_eq!(ask(family, &cookie), cookie);
        answered += 2;
    }
    answered
}

/// A type nobody has defined is NODATA.
fn ask_unknown_type(client: &mut Client<'_>) {
    let mut unknown_type = Check::new("type1000", Some(edns(0))).query;
    unknown_type.queries[0].set_query_type(RecordType::Unknown(1000));
    let reply = Message::from_vec(&client.exchange(0, &unknown_type.to_vec().unwrap())).unwrap();
    assert_eq!((reply.metadata.response_code, reply.answers.len()), (ResponseCode::NoError, 0));
}

#[test]
fn d15_edns_is_compliant_with_the_kernel_half() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("", "www IN A 192.0.2.1\n");
    let agent = site.start();
    let mut client = site.client();
    let answered = run(&mut client);
    assert_eq!(agent.kernel_replies(), answered, "whatever is answered over UDP, the kernel answers");
    ask_unknown_type(&mut client);
}

#[test]
fn d15_edns_is_compliant_without_the_kernel_half() {
    let Some(site) = Site::make() else { return };
    site.write_zone("www IN A 192.0.2.1\n");
    let listen = SERVED.map(|address| address.to_string());
    site.place.write(
        CONFIG,
        format!(
            "data_dir = {:?}\n[dns]\nlisten = {listen:?}\n[[zone]]\nname = {ZONE:?}\nfile = \"zone\"\n",
            site.place.file("data")
        ),
    );
    let agent = Agent::start(&site.network.server, &site.place);
    let mut client = site.client();
    run(&mut client);
    ask_unknown_type(&mut client);
    assert_eq!(agent.kernel_replies(), 0);
}
