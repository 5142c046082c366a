//! Which CIDR blocks contain a client network entirely, for all collections at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::network::Network;
use super::space::Family;
use super::sweep::{Prefix, Ranges, sweep};
use crate::model::CidrCollection;

/// The collections by id, as a snapshot holds them.
pub type CidrCollections = BTreeMap<Arc<str>, Arc<CidrCollection>>;

/// A location of a collection, one of whose blocks contains the client network.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CidrMatch {
    pub(super) collection: Arc<str>,
    pub(super) location: Arc<str>,
}

/// The matches of one network, found block by block: by collection, within one the longest block first, no location twice.
pub(super) fn matches_of(collections: &CidrCollections, network: &Network) -> Arc<[CidrMatch]> {
    let mut found: Vec<CidrMatch> = Vec::new();
    for (id, collection) in collections {
        let mut matching: Vec<(u8, &str)> = Vec::new();
        for (location, blocks) in &collection.locations {
            let containing = blocks.iter().filter(|block| Network::from(**block).contains(network));
            matching
                .extend(containing.map(|block| block.length()).max().map(|longest| (longest, &**location)));
        }
        matching.sort_by_key(|(longest, _)| std::cmp::Reverse(*longest));
        let named =
            |(_, location): (u8, &str)| CidrMatch { collection: id.clone(), location: location.into() };
        found.extend(matching.into_iter().map(named));
    }
    found.into()
}

/// The matches of every client network. Sets of matches are numbered, equal ones once; 0 is the empty one.
pub(super) struct CidrIndex {
    /// Numbers of the innermost block's place in `nested`.
    v4: FamilyBlocks,
    v6: FamilyBlocks,
    /// 0 is outside of all blocks.
    nested: Vec<Nested>,
    sets: Vec<Arc<[CidrMatch]>>,
}

struct FamilyBlocks {
    ranges: Ranges,
    /// Where blocks begin.
    starts: Vec<u64>,
}

/// A network that is a block of some collections.
#[derive(Clone, Copy)]
struct Nested {
    /// The next wider one around it; 0 if there is none.
    wider: u32,
    length: u8,
    /// What matches inside.
    set: u32,
}

impl CidrIndex {
    pub(super) fn new(collections: &CidrCollections) -> Self {
        let mut names = Names { matches: Vec::new(), collections: Vec::new() };
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (ordinal, (id, collection)) in collections.iter().enumerate() {
            for (location, blocks) in &collection.locations {
                let name =
                    names.add(ordinal, CidrMatch { collection: id.clone(), location: (**location).into() });
                for block in blocks {
                    let prefixes = if block.address().is_ipv4() { &mut v4 } else { &mut v6 };
                    prefixes.extend(Prefix::new(&Network::from(*block), name));
                }
            }
        }
        let mut sets = Sets::new(names);
        let mut nested = vec![Nested { wider: 0, length: 0, set: 0 }];
        let mut sweep_blocks = |family, blocks: Vec<Prefix<u32>>| {
            let mut starts: Vec<u64> = blocks.iter().map(Prefix::start).collect();
            starts.sort_unstable();
            starts.dedup();
            let ranges = sweep(family, blocks, |wider, same| {
                let set = sets.within(nested[wider as usize].set, same.iter().map(|block| block.value));
                nested.push(Nested { wider, length: same[0].length(), set });
                (nested.len() - 1) as u32
            });
            FamilyBlocks { ranges, starts }
        };
        let v4 = sweep_blocks(Family::V4, v4);
        let v6 = sweep_blocks(Family::V6, v6);
        Self { v4, v6, nested, sets: sets.named() }
    }

    fn of_family(&self, family: Family) -> &FamilyBlocks {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// For each client network a number that [`CidrIndex::set_of`] understands.
    pub(super) fn ranges(&self, family: Family) -> &Ranges {
        &self.of_family(family).ranges
    }

    /// The set of matches that a number of [`CidrIndex::ranges`] stands for.
    pub(super) fn set_of(&self, number: u32) -> u32 {
        self.nested[number as usize].set
    }

    /// The matches of a set.
    pub(super) fn matches(&self, set: u32) -> &Arc<[CidrMatch]> {
        &self.sets[set as usize]
    }

    /// The networks shorter than a client network that not all blocks over their first address contain, each with its
    /// first client network, its length and the set of those that do.
    ///
    /// A block that covers the first address of a wider network begins there itself, so these are few: at most one for
    /// each block and bit of its length.
    pub(super) fn partly_covered(&self, family: Family) -> Vec<(u64, u8, u32)> {
        let FamilyBlocks { ranges, starts } = self.of_family(family);
        let bits = family.client_bits();
        let mut found = Vec::new();
        for start in starts {
            let mut inner = ranges.at(*start);
            let full = self.set_of(inner);
            let shortest = u32::from(bits).saturating_sub(start.trailing_zeros()) as u8;
            for length in (shortest..bits).rev() {
                while inner != 0 && self.nested[inner as usize].length > length {
                    inner = self.nested[inner as usize].wider;
                }
                let set = self.set_of(inner);
                if set != full {
                    found.push((*start, length, set));
                }
            }
        }
        found
    }
}

/// Locations by number, in the order of the collections.
struct Names {
    matches: Vec<CidrMatch>,
    /// The ordinal of each location's collection.
    collections: Vec<usize>,
}

impl Names {
    fn add(&mut self, collection: usize, name: CidrMatch) -> u32 {
        self.matches.push(name);
        self.collections.push(collection);
        (self.matches.len() - 1) as u32
    }
}

/// Sets of matches as lists of locations by number.
struct Sets {
    names: Names,
    sets: Vec<Vec<u32>>,
    known: HashMap<Vec<u32>, u32>,
}

impl Sets {
    fn new(names: Names) -> Self {
        Self { names, sets: vec![Vec::new()], known: HashMap::from([(Vec::new(), 0)]) }
    }

    /// The set inside a network: its own locations, then those around it that are not among them.
    fn within(&mut self, around: u32, own: impl Iterator<Item = u32>) -> u32 {
        let mut set: Vec<u32> = own.collect();
        set.sort_unstable();
        set.dedup();
        let outer = self.sets[around as usize].iter().filter(|name| !set.contains(name));
        let outer: Vec<u32> = outer.copied().collect();
        set.extend(outer);
        // Stable: the order within a collection stays. That between collections means nothing, and one order makes
        // equal sets look equal.
        set.sort_by_key(|name| self.names.collections[*name as usize]);
        let next = self.sets.len() as u32;
        let number = *self.known.entry(set.clone()).or_insert(next);
        if number == next {
            self.sets.push(set);
        }
        number
    }

    fn named(self) -> Vec<Arc<[CidrMatch]>> {
        let name = |number: &u32| self.names.matches[*number as usize].clone();
        self.sets.iter().map(|set| set.iter().map(name).collect()).collect()
    }
}
