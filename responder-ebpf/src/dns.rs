//! The DNS header and question (RFC 1035 section 4.1).

use pulse53_abi::key;
use pulse53_abi::verdict::{PassReason, Verdict};

use crate::ip::halves;
use crate::tables::NAME_WORDS;
use crate::udp::{self, Datagram};
use crate::{Packet, Scratch, Step, Word};

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
pub(crate) fn parse<P: Packet>(
    packet: &mut P,
    datagram: &Datagram<P::Place>,
    seed: u64,
    scratch: &mut Scratch,
) -> Step<Query> {
    let short = Verdict::Pass(PassReason::Short);
    let octets = packet.octets::<HEADER>(datagram.place, udp::HEADER).ok_or(short)?;
    let (header, counts) = (u64::at::<0, HEADER>(octets), u32::at::<8, HEADER>(octets));
    // Flags that no such query has, and its counts: one question, no answer | no authority, and one additional record or none.
    const PLAIN: u64 = ((QR | OPCODE | TC).to_be() as u64) << 16 | 0xffff_ffff << 32;
    const ONE_QUESTION: u64 = (1_u16.to_be() as u64) << 32;
    const ONE_ADDITIONAL: u32 = (1_u16.to_be() as u32) << 16;
    if header & PLAIN != ONE_QUESTION || counts & !ONE_ADDITIONAL != 0 {
        return Err(Verdict::Pass(PassReason::NotPlainQuery));
    }
    let flags = u16::from_be((header >> 16) as u16);

    let name = scan_name(packet, datagram.place, seed, scratch)?;
    let end = datagram.at + udp::HEADER + HEADER + name.len;
    let place = packet.place(end);
    let question_tail: u32 = packet.load(place, 0).ok_or(short)?;
    let qtype = u16::from_be(question_tail as u16);
    if u16::from_be((question_tail >> 16) as u16) != CLASS_IN {
        return Err(Verdict::Pass(PassReason::NotInternet));
    }
    Ok(Query {
        id: header as u16,
        flags,
        has_additional: counts != 0,
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
    /// Ones' complement sum.
    sum: u64,
    len: usize,
}

/// Words that are scanned one after the other: most names have no more, and constant offsets are much cheaper than a loop.
const UNROLLED: usize = 4;

/// Copies the name to the scratch memory and hashes it, eight octets at a time.
///
/// The name is taken to end at its first zero octet, and labels are not walked: the name only counts if it equals a stored
/// one, which is well-formed and has no other zero octet, and so has the same labels.
#[inline(always)]
fn scan_name<P: Packet>(
    packet: &mut P,
    datagram: P::Place,
    seed: u64,
    scratch: &mut Scratch,
) -> Step<ScannedName> {
    // Slots compare four words whatever the name's length. The compiler must not see that these are zeros: it would call a function
    // that writes them octet by octet, which takes longer than reading the whole name.
    let zero = packet.forget(0);
    let words = &mut scratch.name;
    words[1] = zero;
    words[2] = zero;
    words[3] = zero;
    let mut name = ScannedName { hash: seed, sum: 0, len: 0 };
    let has_ended = scan_word(packet, datagram, 0, words, &mut name)?
        || scan_word(packet, datagram, 1, words, &mut name)?
        || scan_word(packet, datagram, 2, words, &mut name)?
        || scan_word(packet, datagram, 3, words, &mut name)?;
    if !has_ended {
        for index in UNROLLED..NAME_WORDS {
            if scan_word(packet, datagram, index, words, &mut name)? {
                break;
            }
        }
        if name.len == 0 || name.len > 255 {
            return Err(Verdict::Pass(PassReason::BadName));
        }
    }
    packet.forget_frame();
    let len = (packet.forget(name.len as u64) & 0xff) as usize;
    // Older verifiers follow each bound of a sum, too.
    Ok(ScannedName { len, sum: packet.forget(name.sum), hash: name.hash })
}

/// Scans one word; whether the name ends in it.
#[inline(always)]
fn scan_word<P: Packet>(
    packet: &P,
    datagram: P::Place,
    index: usize,
    words: &mut [u64; NAME_WORDS],
    name: &mut ScannedName,
) -> Step<bool> {
    let short = Verdict::Pass(PassReason::Short);
    let ahead = udp::HEADER + HEADER + 8 * index;
    let mut word;
    match packet.load::<u64>(datagram, ahead) {
        Some(whole) => word = whole,
        None => {
            // QTYPE and QCLASS follow the name, so at the end of the frame at least four octets can be loaded.
            let half = packet.load::<u32>(datagram, ahead).ok_or(short)?;
            word = u64::from(half);
            if key::through(key::zeros(word)) > 4 {
                return Err(short);
            }
        }
    }
    let zeros = key::zeros(word);
    let ends = zeros != 0;
    if ends {
        word = key::before(word, zeros);
        name.len = 8 * index + key::through(zeros) as usize;
    }
    words[index] = word;
    name.hash = key::mix(name.hash, word);
    name.sum += halves(word);
    Ok(ends)
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
