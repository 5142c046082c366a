//! From a packet to the octets of its reply: every rule of the DNS specification that needs no socket.
//!
//! [`respond`] is a function of its arguments, so parity tests and fuzzers call it as the sockets do. The kernel writes the same
//! octets (law 1), which fixes the layout: header, question as received, the records of the [`Answer`], OPT last.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Header, HeaderCounts, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{DNSClass, RecordType as WireType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder, EncodedSize};
use pulse53_core::body::{Required, rcode};
use pulse53_core::dnssec::{self, SigningFailed, Wanted};
use pulse53_core::geo::{IPV4_CLIENT_BITS, IPV6_CLIENT_BITS, Network};
use pulse53_core::model::RecordType;
use pulse53_core::resolve::{Answer, Question, Scope, resolve};
use pulse53_core::table::AnswerTable;

use super::cookies::{Cookies, ReplyCookie};
use super::limiter::{Limiter, Ruling};
use super::query::{self, AskedEdns, AskedQuestion, Malformed, Options};

/// Our own advertised UDP size (D-15).
pub const UDP_SIZE_ADVERTISED: u16 = 1232;

/// What a client without EDNS takes (RFC 1035 section 4.2.1).
const UDP_SIZE_PLAIN: u16 = 512;

/// Octets of an OPT record without options (RFC 6891 section 6.1.2).
const OPT_LEN: usize = 11;

/// EDE (RFC 8914), for which the library has no name.
const OPTION_EXTENDED_ERROR: u16 = 15;

/// Why something failed (RFC 8914 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
enum ExtendedError {
    Other = 0,
    Prohibited = 18,
    NotAuthoritative = 20,
    NotSupported = 21,
}

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
    /// Answers the COOKIE option.
    pub cookies: Option<Cookies>,
    /// Limits responses over UDP.
    pub limiter: Option<Arc<Limiter>>,
}

impl Default for ReplySettings {
    fn default() -> Self {
        Self {
            udp_size_max: UDP_SIZE_ADVERTISED,
            tcp_idle_timeout: Duration::from_secs(10),
            identity: None,
            version: None,
            nsid: None,
            cookies: None,
            limiter: None,
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
    /// When it came, as the time since 1970.
    pub at: Duration,
}

/// What was replied, for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replied {
    /// RCODE, extended ones included.
    pub rcode: u16,
    /// Whether the answer did not fit (TC=1).
    pub truncated: bool,
    /// Whether it is empty with TC=1 because the client's prefix has had its share.
    pub slipped: bool,
}

/// Why nothing is replied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// It was no query: too short, or a response (D-1).
    NoQuery,
    /// The client's prefix has had its share.
    Limited,
}

/// Answers one packet into `out`, whose earlier content is discarded.
pub fn respond(
    table: &AnswerTable,
    settings: &ReplySettings,
    received: &Received<'_>,
    draw: u64,
    out: &mut Vec<u8>,
) -> Result<Replied, Silence> {
    out.clear();
    let mut decoder = BinDecoder::new(received.packet);
    let header = Header::read(&mut decoder).map_err(|_| Silence::NoQuery)?;
    if header.message_type == MessageType::Response {
        return Err(Silence::NoQuery);
    }
    let mut reply = Reply {
        request: header.metadata,
        settings,
        transport: received.transport,
        source: received.source,
        at: received.at,
        draw,
        question: None,
        edns: None,
        cookie: None,
        ruling: None,
        out,
    };
    let is_query = header.op_code == OpCode::Query;
    if header.counts.queries != 1 {
        return if is_query { reply.bare(ResponseCode::FormErr) } else { reply.not_implemented() };
    }
    let question = AskedQuestion::read(&mut decoder);
    let edns = question.as_ref().map_err(|_| Malformed).and_then(|_| query::edns(&mut decoder, &header));
    reply.question = question.as_ref().ok();
    let (edns, code) = match edns {
        Ok(edns) => (edns, None),
        Err(Malformed) => (None, Some(ResponseCode::FormErr)),
    };
    reply.edns = edns.as_ref();
    if !is_query {
        return reply.not_implemented();
    }
    let (Ok(question), None) = (&question, code) else {
        return reply.bare(ResponseCode::FormErr);
    };
    if edns.as_ref().is_some_and(|edns| edns.fixed.version() > 0) {
        return reply.bare(ResponseCode::BADVERS);
    }
    let options = edns.as_ref().map(|edns| edns.options(settings.cookies.is_some())).transpose();
    let Ok(options) = options.map(Option::unwrap_or_default) else {
        return reply.bare(ResponseCode::FormErr);
    };
    if let Some((cookies, asked)) = settings.cookies.as_ref().zip(options.cookie.as_ref()) {
        let cookie = ReplyCookie::new(cookies, asked, received.source, received.at.as_secs() as u32);
        reply.cookie = Some(cookie);
        // TCP proves the address as well as a cookie (RFC 7873 section 5.2.3).
        if cookies.required && !cookie.is_valid() && received.transport == Transport::Udp {
            return reply.bare(ResponseCode::BADCOOKIE);
        }
    }
    // RFC 1995 section 3: an IXFR query tells the client's version in its authority section.
    let authorities_max = u16::from(question.qtype == RecordType::IXFR);
    if header.counts.answers != 0 || header.counts.authorities > authorities_max {
        return reply.bare(ResponseCode::FormErr);
    }
    match question.qclass {
        DNSClass::IN => reply.internet(table, question, options),
        DNSClass::CH => reply.chaos(question, options),
        _ => reply.refused(options, ExtendedError::NotSupported),
    }
}

/// A reply in the making.
struct Reply<'a> {
    request: Metadata,
    settings: &'a ReplySettings,
    transport: Transport,
    source: IpAddr,
    at: Duration,
    draw: u64,
    question: Option<&'a AskedQuestion<'a>>,
    edns: Option<&'a AskedEdns<'a>>,
    cookie: Option<ReplyCookie>,
    ruling: Option<Ruling>,
    out: &'a mut Vec<u8>,
}

/// The part of an OPT record that differs between replies.
#[derive(Default)]
struct Opt {
    options: Options,
    scope: u8,
    extended_error: Option<ExtendedError>,
}

/// What stands between question and OPT.
struct Records<F> {
    authoritative: bool,
    /// Number of answer, authority and additional records.
    counts: [u16; 3],
    /// Octets that `write` appends.
    len: usize,
    /// The part without which TC is set.
    required: Required,
    /// Appends all, or what is required.
    write: F,
}

impl Reply<'_> {
    fn internet(
        mut self,
        table: &AnswerTable,
        question: &AskedQuestion<'_>,
        options: Options,
    ) -> Result<Replied, Silence> {
        let qtype = match question.qtype {
            RecordType::OPT => return self.bare(ResponseCode::FormErr),
            qtype if qtype.to_int() == 0 => return self.bare(ResponseCode::FormErr),
            RecordType::TSIG | RecordType::TKEY | RecordType::MAILA | RecordType::MAILB => {
                return self.refused(options, ExtendedError::NotSupported);
            }
            RecordType::AXFR => return self.refused(options, ExtendedError::Prohibited),
            // The current SOA tells a client to come again over TCP (RFC 1995 section 2).
            RecordType::IXFR => {
                let at_apex =
                    table.zone_of(question.qname()).is_some_and(|z| z.apex.as_wire() == question.qname());
                if self.transport == Transport::Tcp || !at_apex {
                    return self.refused(options, ExtendedError::Prohibited);
                }
                RecordType::SOA
            }
            qtype => qtype,
        };
        // the network in the option, or the resolver; never both.
        let client = options.subnet.as_ref().and_then(query::network).unwrap_or_else(|| {
            let address = self.source.to_canonical();
            Network::of_client(address, if address.is_ipv4() { 32 } else { 128 })
        });
        let asked = Question { qname: question.qname(), qtype };
        let answer = resolve(table, &asked, client, self.draw);
        let answer = match table.signed_zone_for(&asked) {
            // It stands in denials, and is no question (RFC 9824 section 3.5).
            Some(_) if qtype == RecordType::NXNAME => return self.bare(ResponseCode::FormErr),
            // Signatures cost too much to be made for those who get nothing.
            Some((zone, signing)) if self.ruling() == Ruling::Send => {
                let signatures = self.edns.is_some_and(|edns| edns.fixed.flags().dnssec_ok);
                let wanted = Wanted { signatures, at: self.at };
                match dnssec::answer(table, zone, signing, &asked, answer, wanted) {
                    Ok(answer) => answer,
                    Err(SigningFailed) => return self.failed(options),
                }
            }
            _ => answer,
        };
        let body = &answer.body;
        let opt = Opt {
            scope: scope(&answer, &options),
            options,
            extended_error: match body.rcode {
                rcode::REFUSED => Some(ExtendedError::NotAuthoritative),
                // A group that could not be compiled; `pulse53 check` tells which and why.
                rcode::SERVFAIL => Some(ExtendedError::Other),
                _ => None,
            },
        };
        let records = Records {
            authoritative: body.authoritative,
            counts: body.counts,
            len: body.len(),
            required: body.required(),
            write: |whole, out: &mut Vec<u8>| {
                if whole {
                    body.write(question.qname_len(), answer.rotation, out);
                } else {
                    body.write_required(question.qname_len(), out);
                }
            },
        };
        self.write(ResponseCode::from(0, body.rcode), records, opt)
    }

    /// The server's own names (RFC 4892).
    fn chaos(self, question: &AskedQuestion<'_>, options: Options) -> Result<Replied, Silence> {
        let text = match question.qname() {
            b"\x02id\x06server\x00" | b"\x08hostname\x04bind\x00" => self.settings.identity.as_deref(),
            b"\x07version\x06server\x00" | b"\x07version\x04bind\x00" => self.settings.version.as_deref(),
            _ => None,
        };
        let asked = matches!(question.qtype, RecordType::TXT | RecordType::ANY);
        let Some(text) = text.filter(|_| asked) else {
            return self.refused(options, ExtendedError::Prohibited);
        };
        let mut record = Vec::new();
        let written = append(&mut record, |encoder| {
            encoder.emit_u16(0xC000 | Header::LEN as u16)?;
            WireType::TXT.emit(encoder)?;
            DNSClass::CH.emit(encoder)?;
            encoder.emit_u32(0)?;
            encoder.emit_u16(text.len() as u16 + 1)?;
            encoder.emit_character_data(text)
        });
        if written.is_err() {
            // More text than a string holds.
            return self.refused(options, ExtendedError::Prohibited);
        }
        let records = Records {
            authoritative: true,
            counts: [1, 0, 0],
            len: record.len(),
            required: Required { counts: [1, 0, 0], len: record.len() },
            write: |_, out: &mut Vec<u8>| out.extend_from_slice(&record),
        };
        self.write(ResponseCode::NoError, records, Opt { options, ..Opt::default() })
    }

    fn refused(self, options: Options, why: ExtendedError) -> Result<Replied, Silence> {
        let opt = Opt { options, extended_error: Some(why), ..Opt::default() };
        self.write(ResponseCode::Refused, nothing(), opt)
    }

    fn failed(self, options: Options) -> Result<Replied, Silence> {
        let opt = Opt { options, extended_error: Some(ExtendedError::Other), ..Opt::default() };
        self.write(ResponseCode::ServFail, nothing(), opt)
    }

    fn not_implemented(self) -> Result<Replied, Silence> {
        let opt = Opt { extended_error: Some(ExtendedError::NotSupported), ..Opt::default() };
        self.write(ResponseCode::NotImp, nothing(), opt)
    }

    /// An RCODE without options, for queries whose options were not read or not readable.
    fn bare(self, code: ResponseCode) -> Result<Replied, Silence> {
        self.write(code, nothing(), Opt::default())
    }

    /// Header and question (D-7, D-8), records, OPT: in this order (law 1).
    fn write<F: FnOnce(bool, &mut Vec<u8>)>(
        mut self,
        code: ResponseCode,
        records: Records<F>,
        opt: Opt,
    ) -> Result<Replied, Silence> {
        let edns = self.edns.map(|asked| self.opt(asked, code, opt));
        let question = self.question.map_or(&[][..], |question| question.octets);
        let around = Header::LEN + question.len() + edns.as_ref().map_or(0, edns_len);
        let room = self.size_max().saturating_sub(around);
        let whole = records.len <= room;
        let slipped = match self.ruling() {
            Ruling::Send => false,
            Ruling::Slip => true,
            Ruling::Drop => return Err(Silence::Limited),
        };
        let truncated = slipped || records.required.len > room;
        let counts = if whole { records.counts } else { records.required.counts };
        let [answers, authorities, additionals] = if truncated { [0; 3] } else { counts };
        let mut metadata = Metadata::response_from_request(&self.request);
        metadata.response_code = code;
        metadata.authoritative = records.authoritative;
        metadata.truncation = truncated;
        let counts = HeaderCounts {
            queries: u16::from(self.question.is_some()),
            answers,
            authorities,
            additionals: additionals + u16::from(edns.is_some()),
        };
        let written = append(self.out, |encoder| {
            Header { metadata, counts }.emit(encoder)?;
            encoder.emit_vec(question)
        })
        .and_then(|()| {
            if !truncated {
                (records.write)(whole, self.out);
            }
            edns.map_or(Ok(()), |edns| append(self.out, |encoder| edns.emit(encoder)))
        });
        // The length was checked before the first octet was written, and nothing else can fail.
        debug_assert!(written.is_ok() && self.out.len() <= self.size_max().max(around));
        Ok(Replied { rcode: code.into(), truncated, slipped })
    }

    /// Whether the client may have another response: asked once. TCP and a valid cookie prove that its address is its own.
    fn ruling(&mut self) -> Ruling {
        let is_proven =
            self.transport == Transport::Tcp || self.cookie.is_some_and(|cookie| cookie.is_valid());
        let rule = || match &self.settings.limiter {
            Some(limiter) if !is_proven => limiter.rule(self.source, self.at.as_nanos() as u64, self.draw),
            _ => Ruling::Send,
        };
        *self.ruling.get_or_insert_with(rule)
    }

    /// The OPT record that answers one (D-15).
    fn opt(&self, asked: &AskedEdns<'_>, code: ResponseCode, opt: Opt) -> Edns {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_SIZE_ADVERTISED)
            .set_rcode_high(code.high())
            .set_dnssec_ok(asked.fixed.flags().dnssec_ok);
        if let Some(mut subnet) = opt.options.subnet {
            subnet.set_scope_prefix(opt.scope);
            edns.options_mut().insert(EdnsOption::Subnet(subnet));
        }
        if let Some(cookie) = self.cookie {
            edns.options_mut().insert(cookie.option());
        }
        if let Some(nsid) = self.settings.nsid.as_deref().filter(|_| opt.options.nsid) {
            edns.options_mut().insert(EdnsOption::Unknown(EdnsCode::NSID.into(), nsid.as_bytes().to_vec()));
        }
        if opt.options.tcp_keepalive && self.transport == Transport::Tcp {
            let tenths = (self.settings.tcp_idle_timeout.as_millis() / 100).min(u128::from(u16::MAX)) as u16;
            let data = tenths.to_be_bytes().to_vec();
            edns.options_mut().insert(EdnsOption::Unknown(EdnsCode::Keepalive.into(), data));
        }
        if let Some(why) = opt.extended_error {
            let data = (why as u16).to_be_bytes().to_vec();
            edns.options_mut().insert(EdnsOption::Unknown(OPTION_EXTENDED_ERROR, data));
        }
        edns
    }

    /// The most octets the reply may have (D-16).
    fn size_max(&self) -> usize {
        let size = match (self.transport, self.edns) {
            (Transport::Tcp, _) => u16::MAX,
            (Transport::Udp, None) => UDP_SIZE_PLAIN,
            (Transport::Udp, Some(edns)) => {
                edns.fixed.max_payload().max(UDP_SIZE_PLAIN).min(self.settings.udp_size_max)
            }
        };
        size.into()
    }
}

/// No records, and no authority.
fn nothing() -> Records<impl FnOnce(bool, &mut Vec<u8>)> {
    let required = Required { counts: [0; 3], len: 0 };
    Records { authoritative: false, counts: [0; 3], len: 0, required, write: |_, _: &mut Vec<u8>| () }
}

/// Appends what an encoder writes.
fn append(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut BinEncoder<'_>) -> Result<(), ProtoError>,
) -> Result<(), ProtoError> {
    let at = out.len() as u32;
    write(&mut BinEncoder::with_offset(out, at))
}

/// Octets of an OPT record.
fn edns_len(edns: &Edns) -> usize {
    let options = edns.options().as_ref().iter().map(|(_, option)| 4 + usize::from(option.len()));
    OPT_LEN + options.sum::<usize>()
}

/// Scope prefix length of the client-subnet option.
fn scope(answer: &Answer<'_>, options: &Options) -> u8 {
    match (answer.scope, &options.subnet) {
        (Scope::Network, Some(subnet)) if subnet.source_prefix() > 0 => {
            if subnet.addr().is_ipv4() {
                IPV4_CLIENT_BITS
            } else {
                IPV6_CLIENT_BITS
            }
        }
        _ => 0,
    }
}

#[cfg(test)]
#[path = "reply_tests.rs"]
pub(super) mod tests;
