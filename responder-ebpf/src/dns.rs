//! The DNS header and question (RFC 1035 section 4.1).

use pulse53_abi::key;
use pulse53_abi::verdict::{PassReason, Verdict};

use crate::tables::NAME_WORDS;
use crate::udp::Datagram;
use crate::{Packet, Scratch, Step};

pub(crate) const HEADER: usize = 12;
/// QTYPE and QCLASS.
pub(crate) const QUESTION_TAIL: usize = 4;

const QR: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const AA: u16 = 0x0400;
const TC: u16 = 0x0200;
const RD: u16 = 0x0100;
const CD: u16 = 0x0010;
const CLASS_IN: u16 = 1;

/// A standard query with one question. Its name is in the scratch memory.
pub(crate) struct Query {
    /// As it stands in the header.
    id: u16,
    flags: u16,
    /// Whether one additional record follows the question.
    pub(crate) has_additional: bool,
    /// The hash of name and type.
    pub(crate) tag: u64,
    pub(crate) qtype: u16,
    /// QTYPE and QCLASS as they stand in the packet.
    pub(crate) question_tail: u32,
    /// Octets of the name, 1 to 255.
    pub(crate) name_len: usize,
    /// Ones' complement sum of the name.
    pub(crate) name_sum: u64,
    /// Where the question ends, from the start of the frame.
    pub(crate) end: usize,
}

#[inline(always)]
pub(crate) fn parse(
    packet: &mut impl Packet,
    datagram: &Datagram,
    seed: u64,
    scratch: &mut Scratch,
) -> Step<Query> {
    let short = Verdict::Pass(PassReason::Short);
    let at = datagram.payload_at;
    let header: u64 = packet.load(at).ok_or(short)?;
    let counts: u32 = packet.load(at + 8).ok_or(short)?;
    let flags = u16::from_be((header >> 16) as u16);
    let questions = u16::from_be((header >> 32) as u16);
    let answers = (header >> 48) as u16;
    let authorities = counts as u16;
    let additionals = u16::from_be((counts >> 16) as u16);
    if flags & (QR | OPCODE | TC) != 0
        || questions != 1
        || answers != 0
        || authorities != 0
        || additionals > 1
    {
        return Err(Verdict::Pass(PassReason::NotPlainQuery));
    }

    let name = scan_name(packet, at + HEADER, seed, scratch)?;
    let end = at + HEADER + name.len;
    let question_tail: u32 = packet.load(end).ok_or(short)?;
    let qtype = u16::from_be(question_tail as u16);
    if u16::from_be((question_tail >> 16) as u16) != CLASS_IN {
        return Err(Verdict::Pass(PassReason::NotInternet));
    }
    Ok(Query {
        id: header as u16,
        flags,
        has_additional: additionals == 1,
        tag: key::finish(name.hash, qtype),
        qtype,
        question_tail,
        name_len: name.len,
        name_sum: name.sum,
        end: end + QUESTION_TAIL,
    })
}

/// What one pass over the name gives.
struct ScannedName {
    hash: u64,
    sum: u64,
    len: usize,
}

/// Copies the name to the scratch memory and hashes it, eight octets at a time.
///
/// The name is taken to end at its first zero octet, and labels are not walked: the name only counts if it equals a stored
/// one, which is well-formed and has no other zero octet, and so has the same labels.
#[inline(always)]
fn scan_name(packet: &mut impl Packet, at: usize, seed: u64, scratch: &mut Scratch) -> Step<ScannedName> {
    let short = Verdict::Pass(PassReason::Short);
    // Slots compare four words whatever the name's length. The compiler must not see that these are zeros: it would call a function
    // that writes them octet by octet, which takes longer than reading the whole name.
    let zero = core::hint::black_box(0);
    scratch.name[1] = zero;
    scratch.name[2] = zero;
    scratch.name[3] = zero;
    let mut hash = seed;
    let mut sum = 0;
    let mut len = 0;
    for index in 0..NAME_WORDS {
        let offset = at + 8 * index;
        // QTYPE and QCLASS follow the name, so at the end of the frame at least four octets can be loaded.
        let (word, loaded) = match packet.load::<u64>(offset) {
            Some(word) => (word, 8),
            None => (packet.load::<u32>(offset).ok_or(short)? as u64, 4),
        };
        let end = key::first_zero(word);
        let through = key::through(end);
        if through > loaded || (through == 0 && loaded < 8) {
            return Err(short);
        }
        let kept = key::before(word, end);
        scratch.name[index] = kept;
        hash = key::mix(hash, kept);
        sum += (kept & 0xffff_ffff) + (kept >> 32);
        if through != 0 {
            len = 8 * index + through as usize;
            break;
        }
    }
    if len == 0 || len > 255 {
        return Err(Verdict::Pass(PassReason::BadName));
    }
    let forgotten = packet.forget(sum << 8 | len as u64);
    Ok(ScannedName { hash, sum: forgotten >> 8, len: (forgotten & 0xff) as usize })
}

impl Query {
    /// The reply's header, as two words as they stand in the packet (D-8).
    #[inline(always)]
    pub(crate) fn reply_header(
        &self,
        rcode: u8,
        authoritative: bool,
        truncated: bool,
        counts: [u8; 3],
        opt: bool,
    ) -> (u64, u32) {
        let aa = if authoritative { AA } else { 0 };
        let tc = if truncated { TC } else { 0 };
        let flags = QR | aa | tc | (self.flags & (RD | CD)) | u16::from(rcode & 0xf);
        let additionals = u16::from(counts[2]) + u16::from(opt);
        let first = self.id as u64
            | (flags.to_be() as u64) << 16
            | (1u16.to_be() as u64) << 32
            | (u16::from(counts[0]).to_be() as u64) << 48;
        (first, u16::from(counts[1]).to_be() as u32 | (additionals.to_be() as u32) << 16)
    }
}
