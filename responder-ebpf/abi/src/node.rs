//! Which names exist: what the kernel half must know to answer for those that do not (RFC 8020, RFC 4592), and for those that are delegated.
//!
//! Every name of a zone has a [`Node`], empty non-terminals included, but for what lies below a zone cut or a DNAME: of those the cut decides. The
//! closest node at or above a name that is asked, by labels, is the name itself or its closest encloser, and says what follows.
//!
//! Nodes, the words of zones, and slots that are removed change only while [`NodesHead::version`] is odd. A reader looks at all it needs between two
//! equal, even versions, or passes: what is absent is absent from one table (law 4).

use crate::entry::Link;
use crate::shared::Shared;

/// The programs that the first one goes on in, by their places in the map that leads to them.
pub const REST_PROGRAMS: [&str; 2] = ["pulse53_search", "pulse53_found"];
/// Place of the program that looks for what answers in place of a hot entry.
pub const REST_SEARCH: u32 = 0;
/// Place of the program that answers with it.
pub const REST_FOUND: u32 = 1;

/// Octets of a name held in its node; longer ones continue in a [`crate::entry::NameRest`].
pub const NODE_NAME_INLINE: usize = 40;

/// The type that a name is hashed with to find its node: no question has it.
pub const NODE_TYPE: u16 = 0;

/// A name that exists. Tags are those of slots: [`crate::entry::TAG_EMPTY`], [`crate::entry::TAG_REMOVED`], or the hash of the name
/// with [`NODE_TYPE`].
#[repr(C)]
#[derive(Debug, Default)]
pub struct Node {
    /// The name's hash.
    pub tag: Shared,
    /// [`NodeHead`].
    pub head: Shared,
    /// [`NodeAnswer`].
    pub answer: Shared,
    /// The first octets of the name in lower-case wire form, zero-padded, as little-endian words.
    pub name: [Shared; NODE_NAME_INLINE / 8],
}

/// What is at a name, packed into one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeHead {
    /// Octets of the name in wire form, 1 to 255.
    pub name_len: u8,
    /// `NODE_…`
    pub flags: u8,
    /// How many owner names of the referral stand at even offsets, and how many at odd ones.
    pub even: u8,
    /// See `even`.
    pub odd: u8,
    /// Index of the [`crate::entry::NameRest`] of a name longer than [`NODE_NAME_INLINE`]; its words count from there.
    pub rest: u32,
}

/// `NodeHead::flags`: a zone cut, and so answered by a referral, as is what lies below; but for DS.
pub const NODE_CUT: u8 = 1;
/// `NodeHead::flags`: of names below that have no node, only userspace knows the answer.
pub const NODE_OPAQUE_BELOW: u8 = 2;
/// `NodeHead::flags`: there is a wildcard right below; it has a node, too.
pub const NODE_WILDCARD_BELOW: u8 = 4;
/// `NodeHead::flags`: a CNAME answers every type, and is held under its own.
pub const NODE_ALIAS: u8 = 8;
/// `NodeHead::flags`: some types that exist here are not in the hot table, so that a miss says nothing.
pub const NODE_PARTIAL: u8 = 16;

impl NodeHead {
    /// As a word.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        self.name_len as u64
            | (self.flags as u64) << 8
            | (self.odd as u64) << 16
            | (self.even as u64) << 24
            | (self.rest as u64) << 32
    }

    /// From a word.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        Self {
            name_len: word as u8,
            flags: (word >> 8) as u8,
            odd: (word >> 16) as u8,
            even: (word >> 24) as u8,
            rest: (word >> 32) as u32,
        }
    }
}

/// Where a name's answers are, packed into one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeAnswer {
    /// The number of its zone.
    pub zone: u32,
    /// The body of the referral, if it is a zone cut whose referral is held; else [`Link::INLINE`].
    pub referral: Link,
}

impl NodeAnswer {
    /// As a word.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        self.zone as u64 | (self.referral.0 as u64) << 32
    }

    /// From a word.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        Self { zone: word as u32, referral: Link((word >> 32) as u32) }
    }
}

/// What is answered for names of a zone that do not exist and types that a name has not: the zone's word. Zero if nothing is, because
/// some name of the zone has no node, or the word belongs to no zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneWord {
    /// The body with the SOA; never [`Link::INLINE`].
    pub negative: Link,
    /// Octets of the zone's apex in wire form.
    pub apex_len: u8,
}

impl ZoneWord {
    /// As a word.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        self.negative.0 as u64 | (self.apex_len as u64) << 32
    }

    /// From a word; none if it is zero.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Option<Self> {
        if word == 0 {
            return None;
        }
        Some(Self { negative: Link(word as u32), apex_len: (word >> 32) as u8 })
    }
}

/// What concerns all nodes.
#[repr(C)]
#[derive(Debug, Default)]
pub struct NodesHead {
    /// Odd while nodes, zones and what they depend on are being written.
    pub version: Shared,
    /// No node's name has more labels: what is longer need not be looked for.
    pub labels_max: Shared,
    /// Number of nodes there is room for less one, a power of two less one.
    pub mask: Shared,
}

const _: () = assert!(size_of::<Node>() == 64);
const _: () = assert!(size_of::<NodesHead>() == 24);
