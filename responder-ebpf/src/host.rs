//! A frame in plain memory: what tests, benchmarks and fuzzers run the fast path on.

use alloc::vec::Vec;

use pulse53_abi::shared::Shared;

use crate::{Packet, Word};

/// A frame that grows like one in a driver: in front, and with whatever lay there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// From the Ethernet header on.
    pub octets: Vec<u8>,
    /// Octets the driver left in front.
    pub headroom: usize,
}

impl Frame {
    /// A frame with room for any reply.
    pub fn new(octets: Vec<u8>) -> Self {
        Self { octets, headroom: 2048 }
    }
}

impl Packet for Frame {
    type Place = usize;

    fn frame_len(&self) -> usize {
        self.octets.len()
    }

    fn place(&self, offset: usize) -> usize {
        offset
    }

    fn octets<const N: usize>(&self, place: usize, ahead: usize) -> Option<&[u8; N]> {
        // As in the kernel half, where a check for a single octet proves nothing.
        self.octets.get(place + ahead..place + ahead + N.max(2))?.first_chunk()
    }

    fn octets_mut<const N: usize>(&mut self, place: usize, ahead: usize) -> Option<&mut [u8; N]> {
        self.octets.get_mut(place + ahead..place + ahead + N.max(2))?.first_chunk_mut()
    }

    fn load<T: Word>(&self, place: usize, ahead: usize) -> Option<T> {
        self.octets.get(place + ahead..place + ahead + size_of::<T>().max(2)).and_then(T::read)
    }

    fn store<T: Word>(&mut self, place: usize, ahead: usize, value: T) -> Option<()> {
        value.write(self.octets.get_mut(place + ahead..place + ahead + size_of::<T>().max(2))?)
    }

    fn store_words<const WORDS: usize>(
        &mut self,
        offset: usize,
        words: &[Shared; WORDS],
        len: usize,
    ) -> Option<()> {
        let source: Vec<u8> = words.iter().flat_map(|word| word.load().to_ne_bytes()).collect();
        let source = source.get(..len).filter(|source| !source.is_empty())?;
        self.octets.get_mut(offset..offset + len)?.copy_from_slice(source);
        Some(())
    }

    fn resize(&mut self, growth: i32) -> Option<()> {
        let amount = growth.unsigned_abs() as usize;
        if growth >= 0 {
            self.headroom = self.headroom.checked_sub(amount)?;
            self.octets.splice(..0, core::iter::repeat_n(0xaa, amount));
        } else {
            self.headroom += amount;
            self.octets.drain(..amount.min(self.octets.len()));
        }
        Some(())
    }
}
