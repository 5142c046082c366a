//! Where a client belongs: from its network to its class, and from the class to the variant of an answer.
//!
//! Client networks, /24 in IPv4 and /48 in IPv6, are looked up in tries made of [`ClientNode`]s: each family's first 16
//! bits lead to a word of its root, and every further node resolves the next 8 bits. A word with [`CLASS_FLAG`] holds the class in
//! its low 16 bits; any other is the number of the node to go on in. A *partition* then tells the variant of every class: 16-bit
//! numbers, four to a word. Both are written before the program is attached, and never change under it.

use crate::shared::Shared;

/// Set in a word that holds a class.
pub const CLASS_FLAG: u32 = 1 << 31;
/// Words of a node, for one octet of an address.
pub const NODE_ENTRIES: usize = 256;
/// Nodes of a root, for the first octet of an address.
pub const ROOT_NODES: u32 = 256;
/// The first node of the root of IPv4 networks.
pub const ROOT_NODE_V4: u32 = 0;
/// The first node of the root of IPv6 networks.
pub const ROOT_NODE_V6: u32 = ROOT_NODE_V4 + ROOT_NODES;

/// Octets of an IPv4 client network.
pub const CLIENT_OCTETS_V4: u32 = 3;
/// Octets of an IPv6 client network.
pub const CLIENT_OCTETS_V6: u32 = 6;

/// One node of the tries.
#[repr(C)]
#[derive(Debug)]
pub struct ClientNode {
    /// Two entries a word, the lower half first.
    pub entries: [Shared; NODE_ENTRIES / 2],
}

impl Default for ClientNode {
    fn default() -> Self {
        Self { entries: [const { Shared::new(0) }; NODE_ENTRIES / 2] }
    }
}

/// Classes in a word of a partition.
pub const CLASSES_PER_WORD: u32 = 4;

/// The variant of a class, from the word of the partition that holds it.
#[inline(always)]
pub const fn variant_in(word: u64, class: u16) -> u16 {
    (word >> (16 * (class as u32 % CLASSES_PER_WORD))) as u16
}

/// A choice by class, packed into one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByClass {
    /// The first of the variants, each of them a [`crate::entry::Choice`].
    pub variants: u32,
    /// The first word of the partition.
    pub partition: u32,
}

impl ByClass {
    /// As a word.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        self.variants as u64 | (self.partition as u64) << 32
    }

    /// From a word.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        Self { variants: word as u32, partition: (word >> 32) as u32 }
    }
}

const _: () = assert!(size_of::<ClientNode>() == 1024);
