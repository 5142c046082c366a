//! Which class every client network belongs to, in arrays that one or a few reads answer from.
//!
//! Both arrays are plain numbers in a fixed order, copied as they are into what the kernel half reads.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::network::Network;
use super::space::{Family, key_of};
use super::trie;

/// How many client networks a chunk of the IPv4 array has.
pub const CHUNK_ENTRIES: usize = 4096;
/// Classes of consecutive IPv4 client networks.
pub type Ipv4Chunk = [u16; CHUNK_ENTRIES];

/// The classified client space. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientMap {
    ipv4: Ipv4Classes,
    ipv6: Arc<[u32]>,
    shorter: Arc<BTreeMap<Network, u16>>,
}

/// From `start` on, up to the next run, client networks have this class. Neighbors differ; the first starts at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: u64,
    pub(super) class: u16,
}

impl ClientMap {
    /// All clients in one class.
    pub fn uniform(class: u16) -> Self {
        let runs = [Run { start: 0, class }];
        Self::of_runs(&runs, &runs, BTreeMap::new())
    }

    pub(super) fn of_runs(v4: &[Run], v6: &[Run], shorter: BTreeMap<Network, u16>) -> Self {
        Self { ipv4: Ipv4Classes::of_runs(v4), ipv6: trie::build(v6).into(), shorter: Arc::new(shorter) }
    }

    /// The class of the client network, of 24 or 48 bits, that an address is in.
    pub fn class_of(&self, address: IpAddr) -> u16 {
        match address {
            IpAddr::V4(v4) => self.ipv4.class_of(v4),
            IpAddr::V6(v6) => trie::class_of(&self.ipv6, v6),
        }
    }

    /// The class of a client that may have named a shorter network than 24 or 48 bits: it is that of its first address
    /// unless the map says otherwise.
    pub fn class_of_network(&self, network: Network) -> u16 {
        self.shorter.get(&network).copied().unwrap_or_else(|| self.class_of(network.address()))
    }

    /// The short networks whose class is not that of their first address: a CIDR block begins there that does not contain
    /// them entirely. Who only has the arrays must not answer for these.
    pub fn shorter(&self) -> &BTreeMap<Network, u16> {
        &self.shorter
    }

    /// The classes of IPv4 client networks.
    pub fn ipv4(&self) -> &Ipv4Classes {
        &self.ipv4
    }

    /// The classes of IPv6 client networks: the words of a trie with [`super::ROOT_ENTRIES`] in the root and
    /// [`super::NODE_ENTRIES`] in every further node. A word with [`super::CLASS_FLAG`] holds the class in its low 16 bits;
    /// any other is the number `n` of the node at words `n * 256 ..`, counted from the start of the array.
    pub fn ipv6(&self) -> &[u32] {
        &self.ipv6
    }
}

/// The class of every IPv4 client network, in address order, by chunks. Chunks of one class alone are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipv4Classes {
    chunks: Arc<[Arc<Ipv4Chunk>]>,
}

impl Ipv4Classes {
    fn of_runs(runs: &[Run]) -> Self {
        let mut uniform: HashMap<u16, Arc<Ipv4Chunk>> = HashMap::new();
        let mut rest = runs;
        let chunks = (0..Family::V4.keys()).step_by(CHUNK_ENTRIES).map(|begin| {
            let end = begin + CHUNK_ENTRIES as u64;
            while rest.get(1).is_some_and(|next| next.start <= begin) {
                rest = &rest[1..];
            }
            let inside = &rest[..rest.partition_point(|run| run.start < end)];
            if let [run] = inside {
                return uniform
                    .entry(run.class)
                    .or_insert_with(|| Arc::new([run.class; CHUNK_ENTRIES]))
                    .clone();
            }
            let mut chunk = Box::new([0; CHUNK_ENTRIES]);
            for run in inside {
                // Each run overwrites what the one before it left for the rest of the chunk.
                chunk[run.start.saturating_sub(begin) as usize..].fill(run.class);
            }
            Arc::from(chunk)
        });
        Self { chunks: chunks.collect() }
    }

    /// The class of the client network that an address is in.
    pub fn class_of(&self, address: Ipv4Addr) -> u16 {
        let key = key_of(address.into()) as usize;
        self.chunks[key / CHUNK_ENTRIES][key % CHUNK_ENTRIES]
    }

    /// The array of all 2^24 client networks, piece by piece. Equal pointers are equal pieces.
    pub fn chunks(&self) -> &[Arc<Ipv4Chunk>] {
        &self.chunks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uniform_map_is_small() {
        let map = ClientMap::uniform(9);
        assert_eq!(map.class_of("255.255.255.255".parse().unwrap()), 9);
        assert_eq!(map.class_of("ffff::".parse().unwrap()), 9);
        assert_eq!(map.ipv4().chunks().len() * CHUNK_ENTRIES, 1 << 24);
        assert!(map.ipv4().chunks().iter().all(|chunk| Arc::ptr_eq(chunk, &map.ipv4().chunks()[0])));
        assert_eq!(map, ClientMap::uniform(9));
        assert_ne!(map, ClientMap::uniform(8));
    }

    #[test]
    fn runs_fill_chunks_across_their_borders() {
        let run = |start, class| Run { start, class };
        let runs = [run(0, 1), run(4095, 2), run(4097, 3), run(12288, 1)];
        let map = Ipv4Classes::of_runs(&runs);
        let class = |key: u32| map.class_of(Ipv4Addr::from(key << 8));
        let classes = [0, 4094, 4095, 4096, 4097, 12287, 12288, (1 << 24) - 1].map(class);
        assert_eq!(classes, [1, 1, 2, 2, 3, 3, 1, 1]);
        // Only the two chunks with a border inside are on their own.
        assert!(Arc::ptr_eq(&map.chunks()[3], &map.chunks()[4095]));
    }
}
