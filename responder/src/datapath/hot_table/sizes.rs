//! How large the arrays must be for a table, and what it means that one has no room.

use std::fmt;

use pulse53_abi::entry::{Link, NAME_INLINE, RECORDS_INLINE};
use pulse53_abi::limits::COLUMNS_MAX;
use pulse53_core::body::Body;
use pulse53_core::lower::{HotEntry, lower};
use pulse53_core::nodes;
use pulse53_core::table::AnswerTable;

use super::answers::class;

/// Elements of each array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each counts the array of the same name")]
pub struct Sizes {
    /// A power of two.
    pub slots: u32,
    /// A power of two.
    pub nodes: u32,
    pub zones: u32,
    pub names: u32,
    pub columns: u32,
    pub variants: u32,
    pub small: u32,
    pub medium: u32,
    pub large: u32,
    /// What tells clients apart takes exactly so much; another table of clients wants another unit.
    pub client_nodes: u32,
    pub partition_words: u32,
}

impl Sizes {
    /// What a table's hot entries and names take, each once; `slots` and `nodes` are their numbers.
    pub fn needed(table: &AnswerTable) -> Self {
        let mut sizes = Self::default();
        let clients = table.clients();
        if clients.fit_kernel() {
            sizes.client_nodes = clients.nodes();
            sizes.partition_words = clients.partition_words() * clients.partitions.len() as u32;
        }
        for lowered in lower(table) {
            let Ok(entry) = lowered.entry else { continue };
            sizes.slots += 1;
            sizes.names += u32::from(lowered.name.as_wire().len() > NAME_INLINE);
            match entry {
                HotEntry::Fixed(body) if body.len() <= RECORDS_INLINE => {}
                HotEntry::Fixed(body) => sizes.count(&body),
                HotEntry::ByWeight { bodies, columns } => {
                    bodies.iter().for_each(|body| sizes.count(body));
                    sizes.columns += columns.len() as u32;
                }
                HotEntry::ByClient { bodies, choices, variants, .. } => {
                    bodies.iter().for_each(|body| sizes.count(body));
                    sizes.variants += variants.len().next_power_of_two() as u32;
                    let columns = choices.iter().filter_map(|choice| choice.columns.as_ref());
                    sizes.columns += columns.map(|columns| columns.len() as u32).sum::<u32>();
                }
            }
        }
        for zone in nodes::zones(table) {
            sizes.zones += 1;
            zone.negative.iter().for_each(|negative| sizes.count(&negative.body));
        }
        let (nodes, long) = nodes::count(table, |referral| sizes.count(referral));
        sizes.nodes = nodes;
        sizes.names += long;
        sizes
    }

    fn count(&mut self, body: &Body) {
        match class(body) {
            Link::SMALL => self.small += 1,
            Link::MEDIUM => self.medium += 1,
            _ => self.large += 1,
        }
    }

    /// Sizes of arrays that hold these counts, with room to grow and for what rests: half of all slots and nodes stay free, so that they are found
    /// within [`pulse53_abi::limits::SLOT_PROBES`].
    pub fn with_headroom(self, capacity: u32) -> Self {
        let doubled = |count: u32, floor: u32| (2 * count).max(floor);
        let hashed = |count: u32, max: u32| {
            let count = count.min(max);
            doubled(count + count / 4, 1024).next_power_of_two()
        };
        Self {
            slots: hashed(self.slots, capacity),
            nodes: hashed(self.nodes, names_max(capacity)),
            zones: doubled(self.zones, 64),
            names: doubled(self.names, 64),
            columns: doubled(self.columns, 4 * COLUMNS_MAX),
            variants: doubled(self.variants, 256),
            small: doubled(self.small, 512),
            medium: doubled(self.medium, 64),
            large: doubled(self.large, 32),
            client_nodes: self.client_nodes.max(1),
            partition_words: self.partition_words.max(1),
        }
    }

    /// Whether these counts fit into arrays of those sizes without crowding them; more entries than `capacity` are not tried for.
    pub fn fit(self, sizes: Self, capacity: u32) -> bool {
        let with_spare = |needed: u32, size: u32| needed + needed / 4 <= size;
        2 * self.slots.min(capacity) <= sizes.slots
            && 2 * self.nodes.min(names_max(capacity)) <= sizes.nodes
            && with_spare(self.zones, sizes.zones)
            && with_spare(self.names, sizes.names)
            && with_spare(self.columns, sizes.columns)
            && with_spare(self.variants, sizes.variants)
            && with_spare(self.small, sizes.small)
            && with_spare(self.medium, sizes.medium)
            && with_spare(self.large, sizes.large)
    }
}

/// The most names that are known where so many questions are held. A name takes half as much memory as a question, and a zone all of whose names
/// are known has its absences and wildcards answered, however few of its questions are held.
pub fn names_max(capacity: u32) -> u32 {
    const NAMES_OF_A_QUESTION: u32 = 4;
    const LEAST: u32 = 1 << 16;
    capacity.saturating_mul(NAMES_OF_A_QUESTION).max(LEAST)
}

/// Which array had no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each names an array")]
pub enum Refused {
    Slots,
    Nodes,
    Zones,
    Names,
    Columns,
    Variants,
    Bodies,
    /// As many questions are held as are to be held at most.
    Capacity,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slots => "no free slot near its hash",
            Self::Nodes => "no room near its hash to say that the name exists",
            Self::Zones => "no room for its zone",
            Self::Names => "no room for a long name",
            Self::Columns => "no room for the columns of a choice",
            Self::Variants => "no room for its variants by client",
            Self::Bodies => "no room for a body",
            Self::Capacity => "as many questions are held as [xdp] capacity says",
        })
    }
}
