//! Finished records: everything behind the question of a reply but OPT, ready to be copied.
//!
//! The owner of every answer record is the query name, written as the compression pointer `0xC00C` (D-13). Authority records belong to
//! an ancestor of the query name, the apex or a zone cut; where its name stands inside the question depends on the
//! query name's length alone, so those pointers are completed when the reply is written.

use std::sync::Arc;

use pulse53_abi::entry::{BodyHead, FLAG_AUTHORITATIVE, FLAG_ROTATES};
use pulse53_abi::key;
use pulse53_abi::limits::BODY_SMALL;
use smallvec::{SmallVec, smallvec};

use crate::beside::Beside;
use crate::model::{Name, Rdata, RecordType, Ttl};
use crate::rdata::name_length;

/// RCODEs used in replies (RFC 1035 section 4.1.1).
pub mod rcode {
    /// No error.
    pub const NOERROR: u8 = 0;
    /// The query could not be read.
    pub const FORMERR: u8 = 1;
    /// The server could not answer.
    pub const SERVFAIL: u8 = 2;
    /// The name does not exist.
    pub const NXDOMAIN: u8 = 3;
    /// An opcode that is not implemented.
    pub const NOTIMP: u8 = 4;
    /// The server does not answer such questions.
    pub const REFUSED: u8 = 5;
    /// A name that a DNAME leads to is too long (RFC 6672 section 2.2).
    pub const YXDOMAIN: u8 = 6;
}

/// Octets that most bodies have room in: a few addresses.
const BODY_USUAL: usize = 64;

/// Octets of the header before the question.
const HEADER: usize = 12;

/// A pointer to the name of the question (D-13).
const QUESTION: [u8; 2] = [0xC0, HEADER as u8];

/// The records of one reply, with what its header must say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Body {
    /// RCODE, 0 to 15.
    pub rcode: u8,
    /// The AA bit.
    pub authoritative: bool,
    /// Number of answer, authority and additional records.
    pub counts: [u16; 3],
    /// Whether the draw decides which answer comes first: all answers have the same length, a multiple of four octets, and
    /// take no more than [`BODY_SMALL`] octets together.
    pub rotates: bool,
    /// What must be sent, or TC set; the rest may be left out (R-70, RFC 9471).
    required: Required,
    /// See [`BodyHead::sum`].
    sum: u16,
    octets: Octets,
    suffixes: Box<[SuffixOwner]>,
}

/// As many octets as most bodies have are not put on a heap of their own.
type Octets = SmallVec<[u8; BODY_USUAL]>;

/// The first records of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Required {
    /// Their octets.
    pub len: usize,
    /// Number of answer, authority and additional records among them.
    pub counts: [u16; 3],
}

/// One record of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyRecord<'b> {
    /// Who owns it.
    pub owner: RecordOwner<'b>,
    /// Its type.
    pub rtype: RecordType,
    /// Its lifetime.
    pub ttl: Ttl,
    /// Its data.
    pub rdata: &'b [u8],
}

/// The owner of a record of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordOwner<'b> {
    /// The query name.
    Question,
    /// The last octets of it, so many.
    Suffix(usize),
    /// This name, in wire form.
    Name(&'b [u8]),
}

/// A record owner that is a suffix of the query name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SuffixOwner {
    /// Where in the octets its compression pointer stands.
    at: u16,
    /// Length of the suffix in wire form.
    length: u8,
}

impl Body {
    /// A body without any record.
    pub fn empty(rcode: u8, authoritative: bool) -> Self {
        BodyWriter::new(rcode, authoritative).finish()
    }

    /// An RRset as the answer section. The records keep the order given; the draw rotates them if they allow it.
    /// `beside` adds what a positive answer that is not minimal carries.
    pub fn answer<'a>(
        rtype: RecordType,
        ttl: Ttl,
        rdatas: impl IntoIterator<Item = &'a Rdata> + Clone,
        beside: Option<&Beside<'_>>,
    ) -> Self {
        let mut writer = BodyWriter::new(rcode::NOERROR, true);
        for rdata in rdatas.clone() {
            writer.answer(rtype, ttl, rdata);
        }
        if let Some(beside) = beside {
            beside.write(&mut writer, rtype, rdatas);
        }
        writer.finish()
    }

    /// Octets of all records.
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// The records that must be sent, or TC set: all, unless some are only there to save a further query.
    pub fn required(&self) -> Required {
        self.required
    }

    /// The octets of all records, as they stand behind every question whose name [has no part in them](Self::depends_on_name).
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// What the kernel half must know of the octets, where their number and that of the records are within its limits.
    pub fn head(&self) -> BodyHead {
        let [answers, authorities, additionals] = self.counts.map(|count| count as u8);
        let flags = self.rcode
            | if self.rotates { FLAG_ROTATES } else { 0 }
            | if self.authoritative { FLAG_AUTHORITATIVE } else { 0 };
        BodyHead { len: self.octets.len() as u16, sum: self.sum, answers, authorities, additionals, flags }
    }

    /// Whether the octets depend on how long the query name is.
    pub(crate) fn depends_on_name(&self) -> bool {
        !self.suffixes.is_empty()
    }

    /// The same records for query names of one length alone.
    pub(crate) fn for_names_of(&self, qname_len: usize) -> Self {
        let mut octets = Vec::with_capacity(self.len());
        self.write(qname_len, 0, &mut octets);
        self.with_octets(octets.into())
    }

    /// The same records with two zero octets for each owner that is an ancestor of the query name, or that name itself.
    pub(crate) fn without_owners(&self) -> Self {
        let mut octets = self.octets.clone();
        self.owner_offsets().for_each(|at| octets[at..at + 2].fill(0));
        self.with_octets(octets)
    }

    fn with_octets(&self, octets: Octets) -> Self {
        let suffixes = Box::default();
        Self { sum: sum(&octets), octets, suffixes, ..*self }
    }

    /// Which answer comes first under this draw.
    pub fn rotation(&self, draw: u64) -> u16 {
        if self.rotates { pulse53_abi::draw::rotation(draw, u32::from(self.counts[0])) as u16 } else { 0 }
    }

    /// Appends the required records alone; none of them is turned.
    pub fn write_required(&self, qname_len: usize, out: &mut Vec<u8>) {
        let start = out.len();
        self.write(qname_len, 0, out);
        out.truncate(start + self.required.len);
    }

    /// The RDATA of every answer record, in order, unturned.
    pub fn answers(&self) -> impl Iterator<Item = (RecordType, Rdata)> {
        let answers = self.records().take(self.counts[0].into());
        answers.map(|record| (record.rtype, Rdata(record.rdata.into())))
    }

    /// Every record, section by section, unturned.
    pub fn records(&self) -> impl Iterator<Item = BodyRecord<'_>> {
        let mut rest = &*self.octets;
        std::iter::from_fn(move || {
            let at = self.octets.len() - rest.len();
            let (owner, behind) = self.owner(at)?;
            // Type, class, TTL, and the length of what follows.
            let (head, behind) = behind.split_at_checked(10)?;
            let octets = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
            let (rdata, next) = behind.split_at_checked(octets(8).into())?;
            rest = next;
            let ttl = Ttl(u32::from(octets(4)) << 16 | u32::from(octets(6)));
            Some(BodyRecord { owner, rtype: RecordType::from_int(octets(0)), ttl, rdata })
        })
    }

    /// The owner of the record that begins at an offset, and what follows it.
    fn owner(&self, at: usize) -> Option<(RecordOwner<'_>, &[u8])> {
        let octets = self.octets.get(at..)?;
        if let Ok(suffix) = self.suffixes.binary_search_by_key(&at, |suffix| suffix.at.into()) {
            return Some((RecordOwner::Suffix(self.suffixes[suffix].length.into()), octets.get(2..)?));
        }
        match octets.strip_prefix(&QUESTION) {
            Some(behind) => Some((RecordOwner::Question, behind)),
            None => {
                let (name, behind) = octets.split_at_checked(name_length(octets)?)?;
                Some((RecordOwner::Name(name), behind))
            }
        }
    }

    /// Where in the octets owner names stand that are ancestors of the query name, or that name itself.
    pub fn owner_offsets(&self) -> impl Iterator<Item = usize> {
        self.suffixes.iter().map(|suffix| usize::from(suffix.at))
    }

    /// The servers that NS records in the authority section name.
    pub fn servers(&self) -> impl Iterator<Item = Name> {
        let of_suffix = |record: &BodyRecord<'_>| matches!(record.owner, RecordOwner::Suffix(_));
        let servers =
            self.records().filter(move |record| record.rtype == RecordType::NS && of_suffix(record));
        servers.filter_map(|record| Name::from_wire(record.rdata).ok())
    }

    /// Appends the records as they follow a question whose name has `qname_len` octets, the answers turned by `rotation`.
    pub fn write(&self, qname_len: usize, rotation: u16, out: &mut Vec<u8>) {
        let start = out.len();
        if rotation == 0 {
            out.extend_from_slice(&self.octets);
        } else {
            let turn = usize::from(rotation) * (self.octets.len() / usize::from(self.counts[0]));
            out.extend_from_slice(&self.octets[turn..]);
            out.extend_from_slice(&self.octets[..turn]);
        }
        for suffix in &self.suffixes {
            let at = start + usize::from(suffix.at);
            let pointer = 0xC000 | (HEADER + qname_len - usize::from(suffix.length)) as u16;
            out[at..at + 2].copy_from_slice(&pointer.to_be_bytes());
        }
    }
}

/// Puts a [`Body`] together, section by section.
#[derive(Debug)]
pub struct BodyWriter {
    rcode: u8,
    authoritative: bool,
    counts: [u16; 3],
    required: Option<Required>,
    octets: Octets,
    suffixes: Vec<SuffixOwner>,
}

impl BodyWriter {
    /// Begins a body.
    pub fn new(rcode: u8, authoritative: bool) -> Self {
        Self {
            rcode,
            authoritative,
            counts: [0; 3],
            required: None,
            octets: Octets::new(),
            suffixes: Vec::new(),
        }
    }

    /// Appends an answer record, owned by the query name.
    pub fn answer(&mut self, rtype: RecordType, ttl: Ttl, rdata: &Rdata) {
        self.counts[0] += 1;
        self.octets.extend_from_slice(&QUESTION);
        self.tail(rtype, ttl, rdata);
    }

    /// Appends an answer record owned by `owner`, an ancestor of the query name.
    pub fn answer_above(&mut self, owner: &Name, rtype: RecordType, ttl: Ttl, rdata: &Rdata) {
        self.counts[0] += 1;
        self.suffix(owner, rtype, ttl, rdata);
    }

    /// Appends an authority record owned by `owner`, which must be the query name or an ancestor of it.
    pub fn authority(&mut self, owner: &Name, rtype: RecordType, ttl: Ttl, rdata: &Rdata) {
        self.counts[1] += 1;
        self.suffix(owner, rtype, ttl, rdata);
    }

    /// From here on records may be left out where they do not fit.
    pub fn optional(&mut self) {
        self.required.get_or_insert(Required { len: self.octets.len(), counts: self.counts });
    }

    fn suffix(&mut self, owner: &Name, rtype: RecordType, ttl: Ttl, rdata: &Rdata) {
        self.suffixes.push(SuffixOwner { at: self.octets.len() as u16, length: owner.as_wire().len() as u8 });
        self.octets.extend_from_slice(&[0xC0, 0]);
        self.tail(rtype, ttl, rdata);
    }

    /// Appends an additional record.
    pub fn additional(&mut self, owner: &Name, rtype: RecordType, ttl: Ttl, rdata: &Rdata) {
        self.counts[2] += 1;
        self.octets.extend_from_slice(owner.as_wire());
        self.tail(rtype, ttl, rdata);
    }

    fn tail(&mut self, rtype: RecordType, ttl: Ttl, rdata: &Rdata) {
        self.octets.extend_from_slice(&rtype.to_int().to_be_bytes());
        self.octets.extend_from_slice(&1u16.to_be_bytes());
        self.octets.extend_from_slice(&ttl.0.to_be_bytes());
        self.octets.extend_from_slice(&(rdata.0.len() as u16).to_be_bytes());
        self.octets.extend_from_slice(&rdata.0);
    }

    /// Ends the body.
    pub fn finish(self) -> Body {
        let answers = usize::from(self.counts[0]);
        let rotates = answers > 1
            && self.counts[1..] == [0, 0]
            && self.suffixes.is_empty()
            && self.octets.len() <= BODY_SMALL
            && self.octets.len().is_multiple_of(4 * answers)
            && records_have_equal_length(&self.octets, self.octets.len() / answers);
        Body {
            rcode: self.rcode,
            authoritative: self.authoritative,
            counts: self.counts,
            rotates,
            required: self.required.unwrap_or(Required { len: self.octets.len(), counts: self.counts }),
            sum: sum(&self.octets),
            octets: self.octets,
            suffixes: self.suffixes.into(),
        }
    }
}

/// Ones' complement sum of 16-bit words as they stand in memory (RFC 1071), the last one zero-padded.
fn sum(octets: &[u8]) -> u16 {
    let halves = octets.chunks(8).map(key::word).map(|word| (word & 0xffff_ffff) + (word >> 32));
    let mut sum: u64 = halves.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Whether answer records, each with its owner as a pointer, all take `length` octets.
fn records_have_equal_length(octets: &[u8], length: usize) -> bool {
    octets.chunks(length).all(|record| {
        record
            .get(10..12)
            .is_some_and(|rdlen| usize::from(u16::from_be_bytes([rdlen[0], rdlen[1]])) + 12 == length)
    })
}

/// Bodies that stand for one answer, each as likely as the others: nearly always one.
pub type Bodies = SmallVec<[Arc<Body>; 1]>;

/// How the records of an RRset that does not rotate can be ordered so that the order varies between replies: up to
/// eight rotations, each a body of its own.
pub fn rotated_answers(rtype: RecordType, ttl: Ttl, rdatas: &[Rdata], beside: Option<&Beside<'_>>) -> Bodies {
    let plain = Body::answer(rtype, ttl, rdatas, beside);
    if plain.rotates || rdatas.len() < 2 {
        return smallvec![Arc::new(plain)];
    }
    const ROTATIONS_MAX: usize = 8;
    (0..rdatas.len().min(ROTATIONS_MAX))
        .map(|first| {
            let turned = rdatas[first..].iter().chain(&rdatas[..first]);
            Arc::new(Body::answer(rtype, ttl, turned, beside))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rdata(octets: &[u8]) -> Rdata {
        Rdata(octets.into())
    }

    #[test]
    fn equal_records_rotate_and_others_become_bodies() {
        let [a, b, c] = [rdata(&[1; 4]), rdata(&[2; 4]), rdata(&[3; 4])];
        let body = Body::answer(RecordType::A, Ttl(60), [&a, &b, &c], None);
        assert!(body.rotates);
        let mut out = Vec::new();
        body.write(5, 2, &mut out);
        assert_eq!((out[12], out[28], out[44]), (3, 1, 2));

        let uneven = [rdata(b"\x01a"), rdata(b"\x02ab")];
        let bodies = rotated_answers(RecordType::TXT, Ttl(60), &uneven, None);
        assert_eq!(bodies.len(), 2);
        assert!(bodies.iter().all(|body| !body.rotates && body.counts == [2, 0, 0]));
        assert_ne!(bodies[0], bodies[1]);
    }

    #[test]
    fn two_lengths_with_a_fitting_total_do_not_rotate() {
        // 4 + 12 octets of RDATA: the total is a multiple of eight, the records are unequal.
        let uneven = [rdata(&[0; 4]), rdata(&[0; 12])];
        assert!(!Body::answer(RecordType::TXT, Ttl(60), &uneven, None).rotates);
    }

    #[test]
    fn authority_owners_point_into_the_question() {
        let mut writer = BodyWriter::new(rcode::NXDOMAIN, true);
        writer.authority(&Name::from_route53("example.com").unwrap(), RecordType::SOA, Ttl(1), &rdata(&[]));
        let mut out = Vec::new();
        writer.finish().write(17, 0, &mut out);
        assert_eq!(&out[..2], &[0xC0, 12 + 17 - 13]);
    }
}
