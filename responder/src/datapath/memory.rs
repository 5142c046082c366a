//! The memory both halves share: arrays of the ABI's structures, mapped from BPF maps, or owned where there is no kernel.
//!
//! All of it is made of [`pulse53_abi::shared::Shared`] words, so references to it are sound although the other half reads at the same
//! time. This is the seam between the hot table and the kernel; over owned memory the very same fast path runs on the host.
#![expect(unsafe_code, reason = "mapped memory is reached through a raw pointer")]

use std::cell::Cell;
use std::ops::Deref;
use std::os::fd::AsRawFd;

use fastpath::Tables;
use memmap2::{MmapOptions, MmapRaw};
use pulse53_abi::client::ClientNode;
use pulse53_abi::draw;
use pulse53_abi::entry::{BodyLarge, BodyMedium, BodySmall, Column, NameRest, Slot};
use pulse53_abi::limits::{RATE_BUCKETS, SERVED_ENTRIES};
use pulse53_abi::live::LiveSettings;
use pulse53_abi::node::{Node, NodesHead};
use pulse53_abi::served::Served;
use pulse53_abi::settings::Settings;
use pulse53_abi::shared::Shared;

use super::hot_table::Sizes;

/// An array of one of the ABI's structures.
#[derive(Debug)]
pub enum Region<T> {
    /// A BPF array map.
    Mapped(MmapRaw, usize, std::marker::PhantomData<T>),
    /// Plain memory.
    Owned(Box<[T]>),
}

/// What may lie in shared memory: made of `Shared` words only.
///
/// # Safety
///
/// Every bit pattern must be a valid value, the alignment at most eight, and every field reachable through a shared reference must be a `Shared` word.
pub unsafe trait SharedLayout {}

// SAFETY: all are `repr(C)` and made of `Shared` words alone.
unsafe impl SharedLayout for Slot {}
// SAFETY: as above.
unsafe impl SharedLayout for Node {}
// SAFETY: as above.
unsafe impl SharedLayout for NodesHead {}
// SAFETY: as above.
unsafe impl SharedLayout for NameRest {}
// SAFETY: as above.
unsafe impl SharedLayout for Column {}
// SAFETY: as above.
unsafe impl SharedLayout for Served {}
// SAFETY: as above.
unsafe impl SharedLayout for ClientNode {}
// SAFETY: as above.
unsafe impl SharedLayout for Shared {}
// SAFETY: as above.
unsafe impl SharedLayout for LiveSettings {}
// SAFETY: as above.
unsafe impl<const WORDS: usize> SharedLayout for pulse53_abi::entry::Body<WORDS> {}

impl<T: SharedLayout> Region<T> {
    /// Maps a BPF array map of `count` elements, created with `BPF_F_MMAPABLE`.
    pub fn map(map: &impl AsRawFd, count: usize) -> std::io::Result<Self> {
        let mapped = MmapOptions::new().len(count * size_of::<T>()).map_raw(map.as_raw_fd())?;
        Ok(Self::Mapped(mapped, count, std::marker::PhantomData))
    }
}

impl<T: Default> Region<T> {
    /// Zeroed memory of its own.
    pub fn owned(count: usize) -> Self {
        Self::Owned((0..count).map(|_| T::default()).collect())
    }
}

impl<T: SharedLayout> Deref for Region<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            // SAFETY: the mapping is `count * size_of::<T>()` octets long and page-aligned, lives as long as `self`, and holds `SharedLayout`
            // structures, which tolerate the other half's access.
            Self::Mapped(mapped, count, _) => unsafe {
                std::slice::from_raw_parts(mapped.as_ptr().cast(), *count)
            },
            Self::Owned(owned) => owned,
        }
    }
}

/// Everything the fast path reads.
#[derive(Debug)]
#[expect(missing_docs, reason = "each is the array of the structure it names")]
pub struct HotMemory {
    pub slots: Region<Slot>,
    pub heat: Region<Shared>,
    pub nodes: Region<Node>,
    pub nodes_head: Region<NodesHead>,
    pub zones: Region<Shared>,
    pub names: Region<NameRest>,
    pub columns: Region<Column>,
    pub variants: Region<Shared>,
    pub small: Region<BodySmall>,
    pub medium: Region<BodyMedium>,
    pub large: Region<BodyLarge>,
    pub served: Region<Served>,
    pub client_nodes: Region<ClientNode>,
    pub partitions: Region<Shared>,
    pub live: Region<LiveSettings>,
    pub buckets: Region<Shared>,
}

impl HotMemory {
    /// Plain memory of these sizes.
    pub fn owned(sizes: Sizes) -> Self {
        Self {
            slots: Region::owned(sizes.slots as usize),
            heat: Region::owned(sizes.slots as usize),
            nodes: Region::owned(sizes.nodes as usize),
            nodes_head: Region::owned(1),
            zones: Region::owned(sizes.zones as usize),
            names: Region::owned(sizes.names as usize),
            columns: Region::owned(sizes.columns as usize),
            variants: Region::owned(sizes.variants as usize),
            small: Region::owned(sizes.small as usize),
            medium: Region::owned(sizes.medium as usize),
            large: Region::owned(sizes.large as usize),
            served: Region::owned(SERVED_ENTRIES as usize),
            client_nodes: Region::owned(sizes.client_nodes as usize),
            partitions: Region::owned(sizes.partition_words as usize),
            live: Region::owned(1),
            buckets: Region::owned(RATE_BUCKETS as usize),
        }
    }

    /// The same memory as the fast path sees it on the host, with a random generator of its own, `now` nanoseconds after the beginning
    /// of 1970.
    pub fn tables(&self, settings: &Settings, random: u64, now: u64) -> HostTables<'_> {
        HostTables { memory: self, settings: *settings, random: Cell::new(random), now }
    }

    /// What may change while the program runs.
    pub fn live(&self) -> &LiveSettings {
        &self.live[0]
    }
}

/// The fast path's tables on the host.
#[derive(Debug)]
pub struct HostTables<'a> {
    memory: &'a HotMemory,
    settings: Settings,
    random: Cell<u64>,
    now: u64,
}

impl HostTables<'_> {
    /// The state of the random generator: another one than at first if a draw was taken.
    pub fn random(&self) -> u64 {
        self.random.get()
    }
}

impl Tables for HostTables<'_> {
    fn seed(&self) -> u64 {
        self.settings.seed
    }

    fn slot_mask(&self) -> u32 {
        self.settings.slot_mask
    }

    fn message_max(&self) -> u16 {
        self.settings.message_max as u16
    }

    fn short_subnets(&self) -> bool {
        self.settings.short_subnets != 0
    }

    fn routes_replies(&self) -> bool {
        self.settings.routes_replies != 0
    }

    fn served(&self, index: u32) -> Option<&Served> {
        self.memory.served.get(index as usize)
    }

    fn slot(&self, index: u32) -> Option<&Slot> {
        self.memory.slots.get(index as usize)
    }

    fn nodes_head(&self) -> Option<&NodesHead> {
        self.memory.nodes_head.first()
    }

    fn node(&self, index: u32) -> Option<&Node> {
        self.memory.nodes.get(index as usize)
    }

    fn zone(&self, number: u32) -> Option<&Shared> {
        self.memory.zones.get(number as usize)
    }

    fn name_rest(&self, index: u32) -> Option<&NameRest> {
        self.memory.names.get(index as usize)
    }

    fn column(&self, index: u32) -> Option<&Column> {
        self.memory.columns.get(index as usize)
    }

    fn variant(&self, index: u32) -> Option<&Shared> {
        self.memory.variants.get(index as usize)
    }

    fn client_node(&self, index: u32) -> Option<&ClientNode> {
        self.memory.client_nodes.get(index as usize)
    }

    fn partition_word(&self, index: u32) -> Option<&Shared> {
        self.memory.partitions.get(index as usize)
    }

    fn body_small(&self, index: u32) -> Option<&BodySmall> {
        self.memory.small.get(index as usize)
    }

    fn body_medium(&self, index: u32) -> Option<&BodyMedium> {
        self.memory.medium.get(index as usize)
    }

    fn body_large(&self, index: u32) -> Option<&BodyLarge> {
        self.memory.large.get(index as usize)
    }

    fn draw(&self) -> u64 {
        self.random.set(draw::next(self.random.get()));
        self.random.get()
    }

    fn live(&self) -> Option<&LiveSettings> {
        self.memory.live.first()
    }

    fn bucket(&self, index: u32) -> Option<&Shared> {
        self.memory.buckets.get(index as usize)
    }

    fn now(&self) -> u64 {
        self.now
    }
}
