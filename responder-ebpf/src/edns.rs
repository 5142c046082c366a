//! EDNS (RFC 6891): the OPT record behind the question, if there is one.

use pulse53_abi::limits::{OPTIONS_MAX, UDP_PAYLOAD_MAX, UDP_PAYLOAD_PLAIN};
use pulse53_abi::verdict::{PassReason, Verdict};

use crate::dns::Query;
use crate::udp::Datagram;
use crate::{Packet, Step};

/// Octets of an OPT record without options.
const OPT_LEN: usize = 11;
const TYPE_OPT: u16 = 41;
/// The DO bit, in the first octet of the flags (RFC 3225).
const DO: u8 = 0x80;

/// Options that userspace answers: NSID (RFC 5001) and client subnet (RFC 7871). Others are ignored (D-15).
const NSID: u16 = 3;
const CLIENT_SUBNET: u16 = 8;

/// What the query's EDNS says.
pub(crate) struct Edns {
    /// Whether the query has OPT.
    pub(crate) present: bool,
    /// The octet with the DO bit.
    dnssec_ok: u8,
    /// Octets the reply's message may have (D-16).
    pub(crate) message_max: u16,
}

#[inline(always)]
pub(crate) fn parse(
    packet: &mut impl Packet,
    datagram: &Datagram,
    query: &Query,
    reply_max: u16,
) -> Step<Edns> {
    let message_end = datagram.payload_at + datagram.payload_len;
    if !query.has_additional {
        if query.end != message_end {
            return Err(Verdict::Pass(PassReason::NotPlainQuery));
        }
        return Ok(Edns { present: false, dnssec_ok: 0, message_max: UDP_PAYLOAD_PLAIN.min(reply_max) });
    }
    let bad = Verdict::Pass(PassReason::BadOpt);
    let at = query.end;
    // Owner, type, size, extended RCODE, version, DO | flags, length of the options.
    let first: u64 = packet.load(at).ok_or(bad)?;
    let options_len = usize::from(u16::from_be(packet.load(at + 9).ok_or(bad)?));
    let owner = first as u8;
    let rtype = u16::from_be((first >> 8) as u16);
    let size = u16::from_be((first >> 24) as u16);
    let version = (first >> 48) as u8;
    if owner != 0 || rtype != TYPE_OPT || version != 0 || at + OPT_LEN + options_len != message_end {
        return Err(bad);
    }
    if options_len != 0 {
        check_options(packet, at + OPT_LEN, message_end)?;
    }
    Ok(Edns {
        present: true,
        dnssec_ok: (first >> 56) as u8 & DO,
        message_max: size.max(UDP_PAYLOAD_PLAIN).min(reply_max),
    })
}

/// Walks the options: all must be whole, and none may need more than to be ignored.
#[inline(always)]
fn check_options(packet: &mut impl Packet, start: usize, end: usize) -> Step<()> {
    let bad = Verdict::Pass(PassReason::BadOpt);
    let mut at = start;
    for _ in 0..OPTIONS_MAX {
        if at == end {
            return Ok(());
        }
        let head: u32 = packet.load(at).ok_or(bad)?;
        let code = u16::from_be(head as u16);
        if code == NSID || code == CLIENT_SUBNET {
            return Err(Verdict::Pass(PassReason::Option));
        }
        at += 4 + usize::from(u16::from_be((head >> 16) as u16));
        if at > end {
            return Err(bad);
        }
        at = packet.forget(at as u64) as usize;
    }
    if at == end { Ok(()) } else { Err(bad) }
}

impl Edns {
    /// Octets of the reply's OPT.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        if self.present { OPT_LEN } else { 0 }
    }

    /// The reply's OPT as two words, octets 0 to 7 and 7 to 10: the record ends with the frame, where a single octet
    /// cannot be stored.
    #[inline(always)]
    fn words(&self) -> (u64, u32) {
        let flags = self.dnssec_ok as u64;
        let first = (TYPE_OPT.to_be() as u64) << 8 | (UDP_PAYLOAD_MAX.to_be() as u64) << 24 | flags << 56;
        (first, flags as u32)
    }

    /// Ones' complement sum of the reply's OPT, as if from an even offset.
    #[inline(always)]
    pub(crate) fn sum(&self) -> u64 {
        if self.present { crate::ip::halves(self.words().0) } else { 0 }
    }

    /// Writes the reply's OPT.
    #[inline(always)]
    pub(crate) fn write_reply(&self, packet: &mut impl Packet, at: usize) -> Option<()> {
        let (first, last) = self.words();
        packet.store(at, first)?;
        packet.store(at + 7, last)
    }
}
