//! Access to one frame: every bounds check that the verifier wants happens here.

use pulse53_abi::shared::Shared;

use crate::route::Route;

/// An unsigned integer of one to eight octets, as it stands in memory.
pub trait Word: Copy {
    /// Reads the integer from the front of a slice.
    fn read(octets: &[u8]) -> Option<Self>;
    /// Writes the integer to the front of a slice.
    fn write(self, octets: &mut [u8]) -> Option<()>;
}

macro_rules! words {
    ($($word:ty),*) => {$(
        impl Word for $word {
            #[inline(always)]
            fn read(octets: &[u8]) -> Option<Self> {
                octets.first_chunk().map(|chunk| Self::from_ne_bytes(*chunk))
            }

            #[inline(always)]
            fn write(self, octets: &mut [u8]) -> Option<()> {
                octets.first_chunk_mut().map(|chunk| *chunk = self.to_ne_bytes())
            }
        }
    )*};
}

words!(u8, u16, u32, u64);

/// One frame, from its Ethernet header on. Integers are loaded and stored as they stand in memory, unaligned.
pub trait Packet {
    /// Length of the frame in octets.
    fn frame_len(&self) -> usize;

    /// Reads at an offset; none beyond the end. A single octet may be refused at the very end of the frame.
    fn load<T: Word>(&self, offset: usize) -> Option<T>;

    /// Writes at an offset; none beyond the end. A single octet may be refused at the very end of the frame.
    fn store<T: Word>(&mut self, offset: usize, value: T) -> Option<()>;

    /// Writes the first `len` octets of shared words at an offset; none beyond the end of frame or words, or if `len` is zero.
    fn store_words<const WORDS: usize>(
        &mut self,
        offset: usize,
        words: &[Shared; WORDS],
        len: usize,
    ) -> Option<()>;

    /// Lengthens (or with a negative number shortens) the frame. What the frame holds afterwards is undefined; when
    /// refused, it is as before.
    fn resize(&mut self, growth: i32) -> Option<()>;

    /// Asks the kernel which way a reply to this frame takes; none if there is none by which it could be sent from here.
    #[inline(always)]
    fn find_route(&self, _: &mut Route) -> Option<()> {
        None
    }

    /// Returns its argument, and makes the verifier forget what it knows of it and of the frame: loops whose exit depends
    /// on data would otherwise each leave as many states behind as they have rounds.
    #[inline(always)]
    fn forget(&mut self, value: u64) -> u64 {
        value
    }
}
