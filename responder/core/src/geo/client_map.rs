//! Which class every client network belongs to, in an array that a few reads answer from.
//!
//! The array is plain numbers in a fixed order, copied as they are into what the kernel half reads.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::network::Network;
use super::trie;

/// The classified client space. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientMap {
    words: Arc<[u32]>,
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
        Self { words: trie::build(v4, v6).into(), shorter: Arc::new(shorter) }
    }

    /// The class of the client network, of 24 or 48 bits, that an address is in.
    pub fn class_of(&self, address: IpAddr) -> u16 {
        trie::class_of(&self.words, address)
    }

    /// The class of a client that may have named a shorter network than 24 or 48 bits: it is that of its first address
    /// unless the map says otherwise.
    pub fn class_of_network(&self, network: Network) -> u16 {
        self.shorter.get(&network).copied().unwrap_or_else(|| self.class_of(network.address()))
    }

    /// The short networks whose class is not that of their first address: a CIDR block begins there that does not contain
    /// them entirely. Who only has the words must not answer for these.
    pub fn shorter(&self) -> &BTreeMap<Network, u16> {
        &self.shorter
    }

    /// The words of the tries of both families, whole nodes of [`pulse53_abi::client::NODE_ENTRIES`]. A word with
    /// [`pulse53_abi::client::CLASS_FLAG`] holds the class in its low 16 bits; any other is the number of the node to go on in.
    pub fn words(&self) -> &[u32] {
        &self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uniform_map_is_the_roots_alone() {
        let map = ClientMap::uniform(9);
        assert_eq!(map.class_of("255.255.255.255".parse().unwrap()), 9);
        assert_eq!(map.class_of("ffff::".parse().unwrap()), 9);
        assert_eq!(map.words().len(), 2 << 16);
        assert_eq!(map, ClientMap::uniform(9));
        assert_ne!(map, ClientMap::uniform(8));
    }
}
