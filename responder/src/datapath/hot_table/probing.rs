//! Open addressing, for slots and for nodes: where an entry goes, and what its removal leaves behind.

use pulse53_abi::entry::{TAG_EMPTY, TAG_REMOVED};
use pulse53_abi::key;
use pulse53_abi::limits::SLOT_PROBES;
use pulse53_abi::shared::Shared;

/// The tags of an array of a power of two of elements.
pub(super) struct Tags<F>(pub(super) F, pub(super) usize);

impl<'m, F: Fn(usize) -> &'m Shared> Tags<F> {
    /// Where an entry with this tag may go, if a search still finds it there.
    pub(super) fn free(&self, tag: u64) -> Option<u32> {
        let mask = self.1 as u32 - 1;
        (0..SLOT_PROBES)
            .map(|probe| key::slot_start(tag).wrapping_add(probe) & mask)
            .find(|&index| (self.0)(index as usize).load() <= TAG_REMOVED)
    }

    /// Marks an element as removed.
    pub(super) fn remove(&self, index: u32) {
        (self.0)(index as usize).store(TAG_REMOVED);
    }

    /// Takes that mark away again where no search goes on, and from the removed elements right before.
    pub(super) fn tidy(&self, index: u32) {
        let mask = self.1 - 1;
        let tag = |index: usize| (self.0)(index & mask);
        let mut index = index as usize;
        while tag(index + 1).load() == TAG_EMPTY && tag(index).load() == TAG_REMOVED {
            tag(index).store(TAG_EMPTY);
            index = index.wrapping_sub(1) & mask;
        }
    }
}
