//! The classes of all client networks, as two tries in one flat array of words.
//!
//! The array is a row of *nodes* of [`NODE_ENTRIES`] words each. The root of a family is 65,536 words, one for each value of an address's
//! first 16 bits: IPv4's first, then IPv6's. Every further node resolves the next 8 bits, down to bit 24 or 48. A word with
//! [`CLASS_FLAG`] holds the class in its low 16 bits; any other is the number of the node to go on in. The last 8 bits always end
//! at a class. The kernel half reads the same words.
//!
//! ```text
//! word = words[root of the family + bits 0..16]
//! until word has the flag:  word = words[word * 256 + the next 8 bits]
//! ```

use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use pulse53_abi::client::{CLASS_FLAG, NODE_ENTRIES, ROOT_NODE_V4, ROOT_NODE_V6, ROOT_NODES};

use super::client_map::Run;
use super::space::{Family, key_of};

/// How many words a root has.
const ROOT_ENTRIES: usize = ROOT_NODES as usize * NODE_ENTRIES;

impl Family {
    /// The first word of the root.
    fn root(self) -> usize {
        NODE_ENTRIES
            * match self {
                Self::V4 => ROOT_NODE_V4 as usize,
                Self::V6 => ROOT_NODE_V6 as usize,
            }
    }

    /// Bits of a key behind those that the root resolves.
    fn bits_below_root(self) -> u32 {
        u32::from(self.client_bits()) - 16
    }
}

/// The class of an address.
pub(super) fn class_of(words: &[u32], address: IpAddr) -> u16 {
    let family = Family::of(address);
    let key = key_of(address);
    let mut spare = family.bits_below_root();
    let mut word = words[family.root() + (key >> spare) as usize];
    while word & CLASS_FLAG == 0 {
        spare -= 8;
        word = words[word as usize * NODE_ENTRIES + (key >> spare) as usize % NODE_ENTRIES];
    }
    word as u16
}

/// The tries in which every address has the class of its run.
pub(super) fn build(v4: &[Run], v6: &[Run]) -> Vec<u32> {
    let mut nodes = Nodes { words: vec![0; 2 * ROOT_ENTRIES], known: HashTable::new() };
    for (family, runs) in Family::ALL.into_iter().zip([v4, v6]) {
        let mut root = vec![0; ROOT_ENTRIES];
        nodes.fill(&mut root, 0, family.bits_below_root(), runs);
        nodes.words[family.root()..family.root() + ROOT_ENTRIES].copy_from_slice(&root);
    }
    nodes.words
}

struct Nodes {
    words: Vec<u32>,
    /// Equal nodes are stored once: sparse space looks the same almost everywhere. Numbers of nodes by what is in them.
    known: HashTable<u32>,
}

impl Nodes {
    /// Fills the words of a node that begins at key `start` and each of which stands for 2^`spare` keys. The first run
    /// covers `start`, and all of them begin before the node ends.
    fn fill(&mut self, node: &mut [u32], start: u64, spare: u32, runs: &[Run]) {
        let mut rest = runs;
        for (ordinal, word) in node.iter_mut().enumerate() {
            let begin = start + ((ordinal as u64) << spare);
            let end = begin + (1 << spare);
            while rest.get(1).is_some_and(|next| next.start <= begin) {
                rest = &rest[1..];
            }
            let inside = rest.partition_point(|run| run.start < end);
            *word = self.word(begin, spare, &rest[..inside]);
        }
    }

    /// The word for 2^`spare` keys from `start`: their class, or a node where they differ.
    fn word(&mut self, start: u64, spare: u32, runs: &[Run]) -> u32 {
        if let [run] = runs {
            return CLASS_FLAG | u32::from(run.class);
        }
        let mut node = [0; NODE_ENTRIES];
        self.fill(&mut node, start, spare - 8, runs);
        let Self { words, known } = self;
        let hash = |node: &[u32]| FixedState::default().hash_one(node);
        let of_node = hash(&node);
        if let Some(&number) = known.find(of_node, |&number| *numbered(words, number) == node) {
            return number;
        }
        let number = (words.len() / NODE_ENTRIES) as u32;
        words.extend_from_slice(&node);
        known.insert_unique(of_node, number, |&number| hash(numbered(words, number)));
        number
    }
}

/// The words of a node.
fn numbered(words: &[u32], number: u32) -> &[u32] {
    &words[number as usize * NODE_ENTRIES..][..NODE_ENTRIES]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(runs: &[(u64, u16)]) -> Vec<Run> {
        runs.iter().map(|(start, class)| Run { start: *start, class: *class }).collect()
    }

    #[test]
    fn one_class_is_the_root_alone() {
        let words = build(&runs(&[(0, 7)]), &runs(&[(0, 7)]));
        assert_eq!(words.len(), 2 * ROOT_ENTRIES);
        assert!(words.iter().all(|word| *word == CLASS_FLAG | 7));
    }

    #[test]
    fn one_client_network_takes_a_node_a_level() {
        let key = 0x2001_0db8_0001;
        let v4_key = 0xc0_00_02;
        let words =
            build(&runs(&[(0, 3), (v4_key, 4), (v4_key + 1, 3)]), &runs(&[(0, 1), (key, 2), (key + 1, 1)]));
        assert_eq!(words.len(), 2 * ROOT_ENTRIES + 5 * NODE_ENTRIES);
        let class = |address: &str| class_of(&words, address.parse().unwrap());
        assert_eq!(class("2001:db8:1:ffff::"), 2);
        assert_eq!(class("2001:db8:2::"), 1);
        assert_eq!(class("2001:db8::"), 1);
        assert_eq!(class("::"), 1);
        assert_eq!(class("ffff:ffff:ffff::"), 1);
        assert_eq!(class("192.0.2.255"), 4);
        assert_eq!(class("192.0.3.0"), 3);
        assert_eq!(class("0.0.0.0"), 3);
        assert_eq!(class("255.255.255.255"), 3);
    }

    #[test]
    fn equal_subtrees_are_shared() {
        let even = |high: u64| (0..4).map(move |low| ((high << 8) + low * 64, (low % 2) as u16));
        let alike = runs(&even(0).chain(even(1)).chain([(512, 0)]).collect::<Vec<_>>());
        let uniform = runs(&[(0, 0)]);
        assert_eq!(build(&uniform, &alike).len(), 2 * ROOT_ENTRIES + 4 * NODE_ENTRIES);
        // The families share them too.
        assert_eq!(build(&alike, &alike).len(), 2 * ROOT_ENTRIES + 4 * NODE_ENTRIES);
    }
}
