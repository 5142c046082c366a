//! From a packet to the octets of its reply: every rule of the DNS specification that needs no socket.
//!
//! [`respond`] is a function of its arguments, so parity tests and fuzzers call it as the sockets do. The kernel writes the same
//! octets (law 1), which fixes the layout: header, question as received, the records of the [`Answer`], OPT last.

use std::net::IpAddr;
use std::time::Duration;

use pulse53_core::body::rcode;
use pulse53_core::geo::Network;
use pulse53_core::model::RecordType;
use pulse53_core::resolve::{Answer, Question, Scope, resolve};
use pulse53_core::table::AnswerTable;

use super::query::{self, AskedQuestion, ClientSubnet, Edns, HEADER_LEN, Header, Options};

/// Our own advertised UDP size (D-15).
pub const UDP_SIZE_ADVERTISED: u16 = 1232;

/// What a client without EDNS takes (RFC 1035 section 4.2.1).
const UDP_SIZE_PLAIN: u16 = 512;

/// BADVERS (RFC 6891 section 9), the one extended RCODE used here.
const BADVERS: u16 = 16;

/// EDE "Not Authoritative" (RFC 8914 section 4.21).
const EDE_NOT_AUTHORITATIVE: u16 = 20;

const OPCODE_QUERY: u8 = 0;
const CLASS_IN: u16 = 1;
const CLASS_CHAOS: u16 = 3;

/// What of the configuration shapes replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplySettings {
    /// The longest UDP response in octets (D-16).
    pub udp_size_max: u16,
    /// Told to TCP clients that ask (RFC 7828).
    pub tcp_idle_timeout: Duration,
    /// Answers CHAOS `id.server` and `hostname.bind`.
    pub identity: Option<String>,
    /// Answers CHAOS `version.server` and `version.bind`.
    pub version: Option<String>,
    /// Answers the NSID option.
    pub nsid: Option<String>,
}

impl Default for ReplySettings {
    fn default() -> Self {
        Self {
            udp_size_max: UDP_SIZE_ADVERTISED,
            tcp_idle_timeout: Duration::from_secs(10),
            identity: None,
            version: None,
            nsid: None,
        }
    }
}

/// What carried the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One datagram each way.
    Udp,
    /// A stream with length prefixes.
    Tcp,
}

/// A packet with what is known about its sender.
#[derive(Debug, Clone, Copy)]
pub struct Received<'p> {
    /// The DNS message, without TCP's length prefix.
    pub packet: &'p [u8],
    /// The client, unless it names another network.
    pub source: IpAddr,
    /// How it came.
    pub transport: Transport,
}

/// What was replied, for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replied {
    /// RCODE, extended ones included.
    pub rcode: u16,
    /// Whether the answer did not fit (TC=1).
    pub truncated: bool,
}

/// Answers one packet into `out`, whose earlier content is discarded; none means silence (D-1).
pub fn respond(
    table: &AnswerTable,
    settings: &ReplySettings,
    received: &Received<'_>,
    draw: u64,
    out: &mut Vec<u8>,
) -> Option<Replied> {
    out.clear();
    let packet = received.packet;
    let header = Header::read(packet)?;
    if header.is_response() {
        return None;
    }
    let mut reply = Reply {
        header,
        packet,
        settings,
        transport: received.transport,
        source: received.source,
        question: None,
        edns: None,
        out,
    };
    if header.counts[0] != 1 {
        let code = if header.opcode() == OPCODE_QUERY { rcode::FORMERR } else { rcode::NOTIMP };
        return Some(reply.bare(code));
    }
    let question = AskedQuestion::read(packet);
    let edns = question.as_ref().map(|question| query::edns(packet, &header, question));
    if header.opcode() != OPCODE_QUERY {
        reply.question = question.as_ref();
        reply.edns = edns.and_then(Result::ok).flatten();
        return Some(reply.bare(rcode::NOTIMP));
    }
    let Some((question, edns)) = question.as_ref().zip(edns) else {
        return Some(reply.bare(rcode::FORMERR));
    };
    reply.question = Some(question);
    let Ok(edns) = edns else {
        return Some(reply.bare(rcode::FORMERR));
    };
    reply.edns = edns;
    if edns.is_some_and(|edns| edns.version > 0) {
        return Some(reply.coded(BADVERS));
    }
    let Some(options) = edns.map_or(Some(Options::default()), |edns| edns.options()) else {
        return Some(reply.bare(rcode::FORMERR));
    };
    // RFC 1995 section 3: an IXFR query tells the client's version in its authority section.
    let authority_max = u16::from(question.qtype == RecordType::IXFR);
    if header.counts[1] != 0 || header.counts[2] > authority_max {
        return Some(reply.bare(rcode::FORMERR));
    }
    Some(match question.qclass {
        CLASS_IN => reply.internet(table, question, &options, draw),
        CLASS_CHAOS => reply.chaos(question, &options),
        _ => reply.refused(&options),
    })
}

/// A reply in the making.
struct Reply<'a> {
    header: Header,
    packet: &'a [u8],
    settings: &'a ReplySettings,
    transport: Transport,
    source: IpAddr,
    question: Option<&'a AskedQuestion>,
    edns: Option<Edns<'a>>,
    out: &'a mut Vec<u8>,
}

/// The part of an OPT record that differs between replies.
#[derive(Default)]
struct Opt<'a> {
    options: Options<'a>,
    scope: u8,
    extended_error: Option<u16>,
}

impl Reply<'_> {
    fn internet(
        mut self,
        table: &AnswerTable,
        question: &AskedQuestion,
        options: &Options<'_>,
        draw: u64,
    ) -> Replied {
        let qtype = match question.qtype {
            RecordType::OPT => return self.bare(rcode::FORMERR),
            qtype if qtype.to_int() == 0 => return self.bare(rcode::FORMERR),
            RecordType::TSIG
            | RecordType::TKEY
            | RecordType::MAILA
            | RecordType::MAILB
            | RecordType::AXFR => {
                return self.refused(options);
            }
            // The current SOA tells a client to come again over TCP (RFC 1995 section 2).
            RecordType::IXFR => {
                let at_apex =
                    table.zone_of(question.qname()).is_some_and(|z| z.apex.as_wire() == question.qname());
                if self.transport == Transport::Tcp || !at_apex {
                    return self.refused(options);
                }
                RecordType::SOA
            }
            qtype => qtype,
        };
        // the network in the option, or the resolver; never both.
        let client = options.subnet.as_ref().and_then(ClientSubnet::network).unwrap_or_else(|| {
            let address = self.source.to_canonical();
            Network::of_client(address, if address.is_ipv4() { 32 } else { 128 })
        });
        let answer = resolve(table, &Question { qname: question.qname(), qtype }, client, draw);
        let opt = Opt {
            options: *options,
            scope: scope(&answer, options.subnet.as_ref()),
            extended_error: (answer.body.rcode == rcode::REFUSED).then_some(EDE_NOT_AUTHORITATIVE),
        };
        self.begin(answer.body.rcode, answer.body.authoritative, answer.body.counts);
        let records_start = self.out.len();
        answer.body.write(question.qname_len(), answer.rotation, self.out);
        let records_end = self.out.len();
        self.opt(0, &opt);
        let truncated = self.out.len() > self.size_max();
        if truncated {
            self.out.drain(records_start..records_end);
            // TC=1, and of all records only OPT is left.
            self.out[2] |= 0x02;
            self.out[6..10].fill(0);
            self.out[10..12].copy_from_slice(&u16::from(self.edns.is_some()).to_be_bytes());
        }
        Replied { rcode: answer.body.rcode.into(), truncated }
    }

    /// The server's own names (RFC 4892).
    fn chaos(mut self, question: &AskedQuestion, options: &Options<'_>) -> Replied {
        let text = match question.qname() {
            b"\x02id\x06server\x00" | b"\x08hostname\x04bind\x00" => self.settings.identity.as_deref(),
            b"\x07version\x06server\x00" | b"\x07version\x04bind\x00" => self.settings.version.as_deref(),
            _ => None,
        };
        let asked = matches!(question.qtype, RecordType::TXT | RecordType::ANY);
        let Some(text) = text.filter(|text| asked && text.len() <= 255) else {
            return self.refused(options);
        };
        self.begin(rcode::NOERROR, true, [1, 0, 0]);
        self.out.extend_from_slice(&[0xC0, HEADER_LEN as u8]);
        self.out.extend_from_slice(&RecordType::TXT.to_int().to_be_bytes());
        self.out.extend_from_slice(&CLASS_CHAOS.to_be_bytes());
        self.out.extend_from_slice(&0u32.to_be_bytes());
        self.out.extend_from_slice(&(text.len() as u16 + 1).to_be_bytes());
        self.out.push(text.len() as u8);
        self.out.extend_from_slice(text.as_bytes());
        self.opt(0, &Opt { options: *options, ..Opt::default() });
        Replied { rcode: rcode::NOERROR.into(), truncated: false }
    }

    fn refused(mut self, options: &Options<'_>) -> Replied {
        self.begin(rcode::REFUSED, false, [0; 3]);
        self.opt(0, &Opt { options: *options, ..Opt::default() });
        Replied { rcode: rcode::REFUSED.into(), truncated: false }
    }

    /// An RCODE without options, for queries whose options were not read or not readable.
    fn bare(self, code: u8) -> Replied {
        self.coded(code.into())
    }

    fn coded(mut self, code: u16) -> Replied {
        self.begin((code & 0xF) as u8, false, [0; 3]);
        self.opt((code >> 4) as u8, &Opt::default());
        Replied { rcode: code, truncated: false }
    }

    /// Header and question (D-7, D-8); the OPT record is counted here and written by [`Self::opt`].
    fn begin(&mut self, code: u8, authoritative: bool, counts: [u16; 3]) {
        let [answers, authority, additional] = counts;
        self.out.extend_from_slice(&self.header.id);
        // QR=1; opcode and RD copied.
        self.out.push(0x80 | self.header.flags_high & 0x79 | u8::from(authoritative) << 2);
        // CD copied; RA, Z and AD are 0.
        self.out.push(self.header.flags_low & 0x10 | code);
        for count in [
            u16::from(self.question.is_some()),
            answers,
            authority,
            additional + u16::from(self.edns.is_some()),
        ] {
            self.out.extend_from_slice(&count.to_be_bytes());
        }
        if let Some(question) = self.question {
            self.out.extend_from_slice(&self.packet[question.range()]);
        }
    }

    /// The OPT record, if the query had one (D-15).
    fn opt(&mut self, code_high: u8, opt: &Opt<'_>) {
        let Some(edns) = self.edns else { return };
        self.out.push(0);
        self.out.extend_from_slice(&RecordType::OPT.to_int().to_be_bytes());
        self.out.extend_from_slice(&UDP_SIZE_ADVERTISED.to_be_bytes());
        self.out.extend_from_slice(&[code_high, 0, u8::from(edns.dnssec_ok) << 7, 0]);
        let length_at = self.out.len();
        self.out.extend_from_slice(&[0, 0]);
        if let Some(subnet) = opt.options.subnet {
            self.option(8, 4 + subnet.address.len());
            self.out.extend_from_slice(&subnet.family.to_be_bytes());
            self.out.extend_from_slice(&[subnet.source_len, opt.scope]);
            self.out.extend_from_slice(subnet.address);
        }
        if let Some(nsid) = self.settings.nsid.as_deref().filter(|_| opt.options.nsid) {
            self.option(3, nsid.len());
            self.out.extend_from_slice(nsid.as_bytes());
        }
        if opt.options.tcp_keepalive && self.transport == Transport::Tcp {
            let tenths = (self.settings.tcp_idle_timeout.as_millis() / 100).min(u128::from(u16::MAX)) as u16;
            self.option(11, 2);
            self.out.extend_from_slice(&tenths.to_be_bytes());
        }
        if let Some(info_code) = opt.extended_error {
            self.option(15, 2);
            self.out.extend_from_slice(&info_code.to_be_bytes());
        }
        let length = (self.out.len() - length_at - 2) as u16;
        self.out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
    }

    fn option(&mut self, code: u16, length: usize) {
        self.out.extend_from_slice(&code.to_be_bytes());
        self.out.extend_from_slice(&(length as u16).to_be_bytes());
    }

    /// The most octets the reply may have (D-16).
    fn size_max(&self) -> usize {
        let size = match (self.transport, self.edns) {
            (Transport::Tcp, _) => u16::MAX,
            (Transport::Udp, None) => UDP_SIZE_PLAIN,
            (Transport::Udp, Some(edns)) => edns.udp_size.max(UDP_SIZE_PLAIN).min(self.settings.udp_size_max),
        };
        size.into()
    }
}

/// Scope prefix length of the client-subnet option.
fn scope(answer: &Answer<'_>, subnet: Option<&ClientSubnet<'_>>) -> u8 {
    match (answer.scope, subnet) {
        (Scope::Network, Some(subnet)) if subnet.source_len > 0 => {
            if subnet.family == 1 {
                24
            } else {
                48
            }
        }
        _ => 0,
    }
}

#[cfg(test)]
#[path = "reply_tests.rs"]
pub(super) mod tests;
