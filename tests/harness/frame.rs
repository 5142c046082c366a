//! Query frames as one reads them, and reply frames checked octet by octet.

use std::net::{IpAddr, SocketAddr};

/// A query on its way to the responder.
#[derive(Debug, Clone)]
pub struct QueryFrame {
    /// Destination and source on the link.
    pub macs: [[u8; 6]; 2],
    /// Where it comes from.
    pub client: SocketAddr,
    /// Where it goes.
    pub server: SocketAddr,
    /// VLAN tags, outermost first: tag protocol and tag.
    pub tags: Vec<[u16; 2]>,
    /// The DNS message.
    pub message: Vec<u8>,
}

const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// The data of a client-subnet option that names so many bits of an address (RFC 7871 section 6).
pub fn subnet_data(address: IpAddr, length: u8) -> Vec<u8> {
    let (family, octets) = match address {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (2, address.octets().to_vec()),
    };
    let mut sent = octets[..usize::from(length).div_ceil(8)].to_vec();
    if !length.is_multiple_of(8)
        && let Some(last) = sent.last_mut()
    {
        *last &= 0xff << (8 - length % 8);
    }
    [vec![0, family, length, 0], sent].concat()
}

impl QueryFrame {
    /// A frame without VLAN tags.
    pub fn new(client: SocketAddr, server: SocketAddr, message: Vec<u8>) -> Self {
        Self { macs: [SERVER_MAC, CLIENT_MAC], client, server, tags: Vec::new(), message }
    }

    /// The same in these VLANs, outermost first.
    pub fn in_vlans(mut self, vlans: &[u16]) -> Self {
        let outer = vlans.len().saturating_sub(1);
        let tag = |(index, &vlan): (usize, &u16)| [if index < outer { SERVICE_VLAN } else { VLAN }, vlan];
        self.tags = vlans.iter().enumerate().map(tag).collect();
        self
    }

    /// Reads a frame that the fast path may answer; none if it is of another kind. Checksums are not looked at.
    pub fn read(octets: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_be_bytes([*octets.get(at)?, *octets.get(at + 1)?]));
        let macs = [octets.get(..6)?.try_into().ok()?, octets.get(6..12)?.try_into().ok()?];
        let mut at = 12;
        let mut tags = Vec::new();
        while matches!(word(at)?, VLAN | SERVICE_VLAN) {
            tags.push([word(at)?, word(at + 2)?]);
            at += 4;
        }
        let ethertype = word(at)?;
        at += 2;
        let (from, to, udp) = match ethertype {
            IPV4 if *octets.get(at)? == 0x45 => {
                let address =
                    |at: usize| Some(IpAddr::from(<[u8; 4]>::try_from(octets.get(at..at + 4)?).ok()?));
                (address(at + 12)?, address(at + 16)?, at + 20)
            }
            IPV6 => {
                let address =
                    |at: usize| Some(IpAddr::from(<[u8; 16]>::try_from(octets.get(at..at + 16)?).ok()?));
                (address(at + 8)?, address(at + 24)?, at + 40)
            }
            _ => return None,
        };
        let message = octets.get(udp + 8..udp + usize::from(word(udp + 4)?))?.to_vec();
        let client = SocketAddr::new(from, word(udp)?);
        Some(Self { macs, client, server: SocketAddr::new(to, word(udp + 2)?), tags, message })
    }

    /// The octets on the wire, checksums filled in.
    pub fn octets(&self) -> Vec<u8> {
        frame(self.macs, &self.tags, self.client, self.server, 64, &self.message)
    }

    /// The octets of the reply that carries this message.
    pub fn reply_octets(&self, message: &[u8]) -> Vec<u8> {
        let [destination, source] = self.macs;
        frame([source, destination], &self.tags, self.server, self.client, 64, message)
    }
}

fn frame(
    macs: [[u8; 6]; 2],
    tags: &[[u16; 2]],
    from: SocketAddr,
    to: SocketAddr,
    hop_limit: u8,
    message: &[u8],
) -> Vec<u8> {
    let mut octets = macs.concat();
    octets.extend(tags.iter().flatten().flat_map(|word| word.to_be_bytes()));
    let udp_len = (8 + message.len()) as u16;
    let mut udp =
        [from.port().to_be_bytes(), to.port().to_be_bytes(), udp_len.to_be_bytes(), [0, 0]].concat();
    udp.extend_from_slice(message);
    let (addresses, pseudo_header) = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let addresses = [from.octets(), to.octets()].concat();
            let pseudo = [addresses.clone(), vec![0, 17], udp_len.to_be_bytes().to_vec()].concat();
            (addresses, pseudo)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let addresses = [from.octets(), to.octets()].concat();
            let pseudo =
                [addresses.clone(), u32::from(udp_len).to_be_bytes().to_vec(), vec![0, 0, 0, 17]].concat();
            (addresses, pseudo)
        }
        _ => panic!("one address family a frame"),
    };
    let udp_checksum = match checksum(&[pseudo_header, udp.clone()].concat()) {
        0 => 0xffff,
        checksum => checksum,
    };
    udp[6..8].copy_from_slice(&udp_checksum.to_be_bytes());
    if from.is_ipv4() {
        octets.extend(IPV4.to_be_bytes());
        let mut header = vec![0x45, 0];
        header.extend((20 + udp_len).to_be_bytes());
        header.extend([0, 0, 0, 0, hop_limit, 17, 0, 0]);
        header.extend(addresses);
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        octets.extend(header);
    } else {
        octets.extend(IPV6.to_be_bytes());
        octets.extend([0x60, 0, 0, 0]);
        octets.extend(udp_len.to_be_bytes());
        octets.extend([17, hop_limit]);
        octets.extend(addresses);
    }
    octets.extend(udp);
    octets
}

/// The Internet checksum (RFC 1071).
fn checksum(octets: &[u8]) -> u16 {
    let mut sum: u32 =
        octets.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// A query message as a stub resolver writes it.
#[derive(Debug, Clone)]
pub struct Query {
    /// QNAME in wire form, in the case to be sent.
    pub name: Vec<u8>,
    /// QTYPE.
    pub qtype: u16,
    /// Message id.
    pub id: u16,
    /// Flags, RD and CD among them.
    pub flags: u16,
    /// EDNS, if any.
    pub edns: Option<Opt>,
}

/// EDNS of a query.
#[derive(Debug, Clone, Default)]
pub struct Opt {
    /// Advertised UDP size.
    pub size: u16,
    /// DO bit.
    pub dnssec_ok: bool,
    /// Options: code and data.
    pub options: Vec<(u16, Vec<u8>)>,
}

impl Query {
    /// A query with RD, without EDNS, for a name given as text of plain labels.
    pub fn new(name: &str, qtype: u16) -> Self {
        let mut wire = Vec::new();
        for label in name.trim_end_matches('.').split('.').filter(|label| !label.is_empty()) {
            wire.push(label.len() as u8);
            wire.extend_from_slice(label.as_bytes());
        }
        wire.push(0);
        Self::of_wire(&wire, qtype)
    }

    /// The same for a name in wire form.
    pub fn of_wire(name: &[u8], qtype: u16) -> Self {
        Self { name: name.to_vec(), qtype, id: 0x1234, flags: 0x0100, edns: None }
    }

    /// The same with EDNS.
    pub fn with_edns(mut self, opt: Opt) -> Self {
        self.edns = Some(opt);
        self
    }

    /// The message in wire form.
    pub fn octets(&self) -> Vec<u8> {
        let additionals = u16::from(self.edns.is_some());
        let mut message: Vec<u8> = [self.id, self.flags, 1, 0, 0, additionals]
            .iter()
            .flat_map(|field| field.to_be_bytes())
            .collect();
        message.extend_from_slice(&self.name);
        message.extend(self.qtype.to_be_bytes());
        message.extend(1u16.to_be_bytes());
        if let Some(opt) = &self.edns {
            message.extend([0, 0, 41]);
            message.extend(opt.size.to_be_bytes());
            message.extend([0, 0, if opt.dnssec_ok { 0x80 } else { 0 }, 0]);
            let options: Vec<u8> = opt
                .options
                .iter()
                .flat_map(|(code, data)| {
                    [&code.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
                })
                .collect();
            message.extend((options.len() as u16).to_be_bytes());
            message.extend(options);
        }
        message
    }
}
