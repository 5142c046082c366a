//! Replies as a client reads them: strictly, since whatever is odd in one is a mistake of ours.

use pulse53_core::model::{Rdata, RecordType, Ttl};

use crate::cases::Given;

/// The parts of a reply that tests compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Message id.
    pub id: u16,
    /// RCODE, without the extended part.
    pub rcode: u8,
    /// TC.
    pub truncated: bool,
    /// AA.
    pub authoritative: bool,
    /// The answer section; none: it is empty.
    pub answer: Option<Given>,
    /// The answer record that comes first.
    pub first: Option<Rdata>,
    /// The scope prefix length, if the reply has a client-subnet option (RFC 7871).
    pub scope: Option<u8>,
}

impl Reply {
    /// Reads a reply to one question. Answer records must be owned by the question's name, through the pointer 0xC00C (D-13), and form one
    /// RRset without duplicates.
    pub fn read(message: &[u8]) -> Self {
        let word = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
        let flags = word(2);
        assert!(flags & 0x8000 != 0, "QR is set: {message:02x?}");
        assert_eq!(word(4), 1, "one question: {message:02x?}");
        let mut at = 12;
        while message[at] != 0 {
            at += 1 + usize::from(message[at]);
        }
        at += 5;
        let mut answer: Option<Given> = None;
        for _ in 0..word(6) {
            assert_eq!(word(at), 0xC00C, "the owner is the question's name: {message:02x?}");
            assert_eq!(word(at + 4), 1, "class IN: {message:02x?}");
            let rtype = RecordType::from_int(word(at + 2));
            let ttl = Ttl(u32::from(word(at + 6)) << 16 | u32::from(word(at + 8)));
            let rdata_at = at + 12;
            at = rdata_at + usize::from(word(at + 10));
            let rdata = Rdata(message[rdata_at..at].into());
            let given = answer.get_or_insert(Given { rtype, ttl, rdatas: Vec::new() });
            assert_eq!((given.rtype, given.ttl), (rtype, ttl), "one RRset: {message:02x?}");
            assert!(!given.rdatas.contains(&rdata), "no record twice: {message:02x?}");
            given.rdatas.push(rdata);
        }
        let first = answer.as_ref().and_then(|answer| answer.rdatas.first()).cloned();
        if let Some(answer) = &mut answer {
            answer.rdatas.sort_unstable();
        }
        let mut scope = None;
        for _ in 0..word(8) + word(10) {
            at = behind_name(message, at);
            let rtype = word(at);
            let rdata_at = at + 10;
            at = rdata_at + usize::from(word(at + 8));
            if RecordType::from_int(rtype) == RecordType::OPT {
                scope = scope_of(&message[rdata_at..at]);
            }
        }
        assert_eq!(at, message.len(), "nothing is left over: {message:02x?}");
        Self {
            id: word(0),
            rcode: (flags & 0xF) as u8,
            truncated: flags & 0x0200 != 0,
            authoritative: flags & 0x0400 != 0,
            answer,
            first,
            scope,
        }
    }
}

/// Where a name ends that may end in a compression pointer.
fn behind_name(message: &[u8], mut at: usize) -> usize {
    loop {
        match message[at] {
            0 => return at + 1,
            length if length >= 0xC0 => return at + 2,
            length => at += 1 + usize::from(length),
        }
    }
}

/// The scope in the client-subnet option among EDNS options.
fn scope_of(mut options: &[u8]) -> Option<u8> {
    while let [code_high, code_low, len_high, len_low, rest @ ..] = options {
        let (data, behind) = rest.split_at(usize::from(u16::from_be_bytes([*len_high, *len_low])));
        if u16::from_be_bytes([*code_high, *code_low]) == 8 {
            return Some(data[3]);
        }
        options = behind;
    }
    None
}
