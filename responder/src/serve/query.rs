//! A query as it came: the few fields an answer depends on, and the question's own octets.
//!
//! Read by hand rather than by a DNS library, because the question is echoed octet for octet (D-7) and looked up in wire form:
//! nothing is decoded that would have to be encoded again. Tests read the replies with such a library.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use pulse53_core::geo::Network;
use pulse53_core::model::RecordType;

/// Octets of a DNS header.
pub const HEADER_LEN: usize = 12;

/// Offset of the question.
const QUESTION: usize = HEADER_LEN;

const NAME_LEN_MAX: usize = 255;

const TYPE_OPT: u16 = 41;
const OPTION_NSID: u16 = 3;
const OPTION_CLIENT_SUBNET: u16 = 8;
const OPTION_TCP_KEEPALIVE: u16 = 11;

/// The fixed part every message has (RFC 1035 section 4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Copied to the reply.
    pub id: [u8; 2],
    /// QR, opcode, AA, TC, RD.
    pub flags_high: u8,
    /// RA, Z, AD, CD, RCODE.
    pub flags_low: u8,
    /// Numbers of questions, answers, authority and additional records.
    pub counts: [u16; 4],
}

impl Header {
    /// The first twelve octets; none if there are fewer.
    pub fn read(packet: &[u8]) -> Option<Self> {
        let octets: &[u8; HEADER_LEN] = packet.first_chunk()?;
        let count = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
        Some(Self {
            id: [octets[0], octets[1]],
            flags_high: octets[2],
            flags_low: octets[3],
            counts: [count(4), count(6), count(8), count(10)],
        })
    }

    /// Whether the message is itself a response.
    pub fn is_response(&self) -> bool {
        self.flags_high & 0x80 != 0
    }

    /// 0 for QUERY.
    pub fn opcode(&self) -> u8 {
        self.flags_high >> 3 & 0xF
    }
}

/// The question, with its name folded to lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedQuestion {
    name: [u8; NAME_LEN_MAX],
    name_len: u8,
    /// QTYPE.
    pub qtype: RecordType,
    /// QCLASS.
    pub qclass: u16,
}

impl AskedQuestion {
    /// The name in lower-case wire form.
    pub fn qname(&self) -> &[u8] {
        &self.name[..self.qname_len()]
    }

    /// Octets of the name.
    pub fn qname_len(&self) -> usize {
        usize::from(self.name_len)
    }

    /// Where the question's octets stand in the packet.
    pub fn range(&self) -> Range<usize> {
        QUESTION..QUESTION + self.qname_len() + 4
    }

    /// Reads the question; none if it is no uncompressed name, type and class.
    pub fn read(packet: &[u8]) -> Option<Self> {
        let mut at = QUESTION;
        loop {
            let length = usize::from(*packet.get(at)?);
            // A pointer could only lead into the header, so longer values are as wrong as they look.
            if length > 63 {
                return None;
            }
            at += 1 + length;
            if at - QUESTION > NAME_LEN_MAX {
                return None;
            }
            if length == 0 {
                break;
            }
        }
        let octets = packet.get(QUESTION..at)?;
        let fixed: &[u8; 4] = packet.get(at..)?.first_chunk()?;
        let mut name = [0; NAME_LEN_MAX];
        name[..octets.len()].copy_from_slice(octets);
        // Label lengths are below 64 and so no letters.
        name[..octets.len()].make_ascii_lowercase();
        Some(Self {
            name,
            name_len: octets.len() as u8,
            qtype: RecordType::from_int(u16::from_be_bytes([fixed[0], fixed[1]])),
            qclass: u16::from_be_bytes([fixed[2], fixed[3]]),
        })
    }
}

/// What the query's OPT record says (RFC 6891 section 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns<'p> {
    /// The longest UDP response the client takes, as it says.
    pub udp_size: u16,
    /// Version; 0 is the only one there is.
    pub version: u8,
    /// The DO bit.
    pub dnssec_ok: bool,
    options: &'p [u8],
}

/// The options that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options<'p> {
    /// Client subnet (RFC 7871).
    pub subnet: Option<ClientSubnet<'p>>,
    /// Whether NSID is asked for (RFC 5001).
    pub nsid: bool,
    /// Whether the client speaks edns-tcp-keepalive (RFC 7828).
    pub tcp_keepalive: bool,
}

/// A valid client-subnet option of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSubnet<'p> {
    /// 1 for IPv4, 2 for IPv6.
    pub family: u16,
    /// Source prefix length.
    pub source_len: u8,
    /// As many octets as the length needs.
    pub address: &'p [u8],
}

impl ClientSubnet<'_> {
    /// The client's network; none for the opt-out of length 0.
    pub fn network(&self) -> Option<Network> {
        if self.source_len == 0 {
            return None;
        }
        let mut octets = [0; 16];
        octets[..self.address.len()].copy_from_slice(self.address);
        match self.family {
            1 => octets
                .first_chunk::<4>()
                .map(|octets| Network::of_client(Ipv4Addr::from(*octets).into(), self.source_len)),
            _ => Some(Network::of_client(Ipv6Addr::from(octets).into(), self.source_len)),
        }
    }

    /// Reads the option's data; none if it breaks R-63.
    fn read(data: &'_ [u8]) -> Option<ClientSubnet<'_>> {
        let ([family_high, family_low, source_len, scope], address) = data.split_first_chunk()?;
        let family = u16::from_be_bytes([*family_high, *family_low]);
        let bits = match family {
            1 => 32,
            2 => 128,
            _ => return None,
        };
        let well_formed = *source_len <= bits
            && *scope == 0
            && address.len() == usize::from(source_len.div_ceil(8))
            && (source_len % 8 == 0 || address.last().is_some_and(|last| last << (source_len % 8) == 0));
        well_formed.then_some(ClientSubnet { family, source_len: *source_len, address })
    }
}

impl<'p> Edns<'p> {
    /// Reads the options; none if one is malformed, which is answered with FORMERR.
    pub fn options(&self) -> Option<Options<'p>> {
        let mut options = Options::default();
        let mut rest = self.options;
        while !rest.is_empty() {
            let ([code_high, code_low, len_high, len_low], tail) = rest.split_first_chunk()?;
            let (data, tail) =
                tail.split_at_checked(usize::from(u16::from_be_bytes([*len_high, *len_low])))?;
            rest = tail;
            match u16::from_be_bytes([*code_high, *code_low]) {
                OPTION_CLIENT_SUBNET => {
                    let subnet = ClientSubnet::read(data)?;
                    let other = options.subnet.replace(subnet);
                    // Two networks would leave open which of them is the client.
                    other.is_none().then_some(())?;
                }
                OPTION_NSID => options.nsid = true,
                OPTION_TCP_KEEPALIVE => options.tcp_keepalive = true,
                _ => {}
            }
        }
        Some(options)
    }
}

/// Why what follows the question is refused with FORMERR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Reads the records behind the question: OPT is wanted, the rest only walked over.
pub fn edns<'p>(
    packet: &'p [u8],
    header: &Header,
    question: &AskedQuestion,
) -> Result<Option<Edns<'p>>, Malformed> {
    let mut rest = packet.get(question.range().end..).ok_or(Malformed)?;
    let [_, answers, authority, additional] = header.counts.map(u32::from);
    let mut found = None;
    for index in 0..answers + authority + additional {
        let (root, after_owner) = skip_name(rest).ok_or(Malformed)?;
        let (fixed, tail) = after_owner.split_first_chunk::<10>().ok_or(Malformed)?;
        let rdata_len = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let (rdata, tail) = tail.split_at_checked(rdata_len).ok_or(Malformed)?;
        rest = tail;
        if u16::from_be_bytes([fixed[0], fixed[1]]) == TYPE_OPT {
            let allowed = root && index >= answers + authority;
            let edns = Edns {
                udp_size: u16::from_be_bytes([fixed[2], fixed[3]]),
                version: fixed[5],
                dnssec_ok: fixed[6] & 0x80 != 0,
                options: rdata,
            };
            if !allowed || found.replace(edns).is_some() {
                return Err(Malformed);
            }
        }
    }
    if rest.is_empty() { Ok(found) } else { Err(Malformed) }
}

/// Steps over an owner name, perhaps compressed; says whether it was the root.
fn skip_name(mut octets: &[u8]) -> Option<(bool, &[u8])> {
    let root = octets.first() == Some(&0);
    loop {
        let (&length, rest) = octets.split_first()?;
        match length {
            0 => return Some((root, rest)),
            1..=63 => octets = rest.get(usize::from(length)..)?,
            0xC0.. => return Some((false, rest.get(1..)?)),
            _ => return None,
        }
    }
}
