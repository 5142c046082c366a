//! A query as it came: the few fields an answer depends on, and the question's own octets.
//!
//! Read with hickory-proto's decoder, piece by piece rather than as one message: the question is echoed octet for octet (D-7) and looked up in
//! wire form, records but OPT are only walked over, and each piece that cannot be read has an RCODE of its own (D-2, D-15, D-17).

use hickory_proto::op::{Edns, EdnsFlags, Header};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsCode};
use hickory_proto::rr::{DNSClass, RecordType as WireType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, DecodeError};
use pulse53_core::geo::Network;
use pulse53_core::model::RecordType;

use super::cookies::AskedCookie;

const NAME_LEN_MAX: usize = 255;

/// The question, with its name folded to lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedQuestion<'p> {
    name: [u8; NAME_LEN_MAX],
    name_len: u8,
    /// QTYPE.
    pub qtype: RecordType,
    /// QCLASS.
    pub qclass: DNSClass,
    /// All of it as it stands in the packet.
    pub octets: &'p [u8],
}

impl<'p> AskedQuestion<'p> {
    /// The name in lower-case wire form.
    pub fn qname(&self) -> &[u8] {
        &self.name[..self.qname_len()]
    }

    /// Octets of the name.
    pub fn qname_len(&self) -> usize {
        usize::from(self.name_len)
    }

    /// Reads the question.
    pub fn read(decoder: &mut BinDecoder<'p>) -> Result<Self, Malformed> {
        let start = decoder.index();
        // Not decoded as a name, which would only have to be encoded again. A pointer could but lead into the header.
        if skip_name(decoder)? != NameEnd::Root {
            return Err(Malformed);
        }
        let qname = decoder.slice_from(start)?;
        let qtype = WireType::read(decoder)?;
        let qclass = DNSClass::read(decoder)?;
        let mut name = [0; NAME_LEN_MAX];
        let folded = name.get_mut(..qname.len()).ok_or(Malformed)?;
        folded.copy_from_slice(qname);
        // Label lengths are below 64 and so no letters.
        folded.make_ascii_lowercase();
        Ok(Self {
            name,
            name_len: qname.len() as u8,
            qtype: RecordType::from_int(qtype.into()),
            qclass,
            octets: decoder.slice_from(start)?,
        })
    }
}

/// What the query's OPT record says (RFC 6891 section 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedEdns<'p> {
    /// Size, version and flags; its options stay unread until the version is known to be ours.
    pub fixed: Edns,
    options: &'p [u8],
}

/// The options that matter here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Client subnet (RFC 7871).
    pub subnet: Option<ClientSubnet>,
    /// Whether NSID is asked for (RFC 5001).
    pub nsid: bool,
    /// Whether the client speaks edns-tcp-keepalive (RFC 7828).
    pub tcp_keepalive: bool,
    /// The client's cookie (RFC 7873).
    pub cookie: Option<AskedCookie>,
}

/// The client's network; none for the opt-out of length 0.
pub fn network(subnet: &ClientSubnet) -> Option<Network> {
    (subnet.source_prefix() > 0).then(|| Network::of_client(subnet.addr(), subnet.source_prefix()))
}

/// Reads a client-subnet option as strictly as R-63 wants it.
fn read_subnet(data: &[u8]) -> Result<ClientSubnet, Malformed> {
    let subnet = ClientSubnet::try_from(data)?;
    let bits_beyond = subnet.source_prefix() % 8;
    let well_formed = usize::from(subnet.len()) == data.len()
        && subnet.scope_prefix() == 0
        && (bits_beyond == 0 || data.last().is_some_and(|last| last << bits_beyond == 0));
    well_formed.then_some(subnet).ok_or(Malformed)
}

impl AskedEdns<'_> {
    /// Reads the options; unknown ones are ignored (D-15), and cookies are unknown unless they are answered.
    pub fn options(&self, cookies: bool) -> Result<Options, Malformed> {
        let mut options = Options::default();
        let mut decoder = BinDecoder::new(self.options);
        while !decoder.is_empty() {
            let code = EdnsCode::from(decoder.read_u16()?.unverified(/* any code may come */));
            let length = decoder.read_u16()?.unverified(/* checked by read_slice */);
            let data = decoder.read_slice(length.into())?.unverified(/* read below */);
            match code {
                EdnsCode::Subnet => {
                    let other = options.subnet.replace(read_subnet(data)?);
                    // Two networks would leave open which of them is the client.
                    other.is_none().then_some(()).ok_or(Malformed)?;
                }
                // RFC 7873 section 5.2: the first counts.
                EdnsCode::Cookie if cookies && options.cookie.is_none() => {
                    options.cookie = Some(AskedCookie::read(data)?);
                }
                EdnsCode::NSID => options.nsid = true,
                EdnsCode::Keepalive => options.tcp_keepalive = true,
                _ => {}
            }
        }
        Ok(options)
    }
}

/// Why a query is refused with FORMERR. What exactly is wrong matters to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl From<DecodeError> for Malformed {
    fn from(_: DecodeError) -> Self {
        Self
    }
}

/// Reads the records behind the question, up to the end of the packet: OPT is wanted, the rest only walked over.
pub fn edns<'p>(decoder: &mut BinDecoder<'p>, header: &Header) -> Result<Option<AskedEdns<'p>>, Malformed> {
    let before = u32::from(header.counts.answers) + u32::from(header.counts.authorities);
    let mut found = None;
    for index in 0..before + u32::from(header.counts.additionals) {
        let owner_start = decoder.index();
        let end = skip_name(decoder)?;
        let owner_is_root = end == NameEnd::Root && decoder.index() == owner_start + 1;
        let rtype = WireType::read(decoder)?;
        let class = decoder.read_u16()?.unverified(/* any class, or size, may come */);
        let ttl = decoder.read_u32()?.unverified(/* any bits may come */);
        let rdata_len = decoder.read_u16()?.unverified(/* checked by read_slice */);
        let rdata =
            decoder.read_slice(rdata_len.into())?.unverified(/* options are read later, others never */);
        if rtype == WireType::OPT {
            let [_, version, flags @ ..] = ttl.to_be_bytes();
            let mut fixed = Edns::new();
            fixed.set_max_payload(class).set_version(version);
            *fixed.flags_mut() = EdnsFlags::from(u16::from_be_bytes(flags));
            let allowed = owner_is_root && index >= before;
            if !allowed || found.replace(AskedEdns { fixed, options: rdata }).is_some() {
                return Err(Malformed);
            }
        }
    }
    if decoder.is_empty() { Ok(found) } else { Err(Malformed) }
}

/// How a name ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameEnd {
    /// With the root label.
    Root,
    /// With a compression pointer.
    Pointer,
}

/// Steps over a name. Pointers are not followed, as a message full of chains of them would cost far more than it is worth.
fn skip_name(decoder: &mut BinDecoder<'_>) -> Result<NameEnd, Malformed> {
    loop {
        match decoder.pop()?.unverified(/* every value has an arm */) {
            0 => return Ok(NameEnd::Root),
            length @ 1..=63 => _ = decoder.read_slice(length.into())?,
            0xC0.. => {
                decoder.pop()?;
                return Ok(NameEnd::Pointer);
            }
            _ => return Err(Malformed),
        }
    }
}
