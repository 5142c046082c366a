//! Access to one frame: every bounds check that the verifier wants happens here.

use pulse53_abi::shared::Shared;

use crate::route::Route;

/// An unsigned integer of one to eight octets, as it stands in memory.
pub trait Word: Copy {
    /// Reads the integer from the front of a slice.
    fn read(octets: &[u8]) -> Option<Self>;
    /// Writes the integer to the front of a slice.
    fn write(self, octets: &mut [u8]) -> Option<()>;
    /// Reads the integer at an offset that the compiler knows, and proves to lie inside.
    fn at<const AT: usize, const N: usize>(octets: &[u8; N]) -> Self;
    /// Writes the integer at such an offset.
    fn put<const AT: usize, const N: usize>(self, octets: &mut [u8; N]);
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

            #[inline(always)]
            fn at<const AT: usize, const N: usize>(octets: &[u8; N]) -> Self {
                const { assert!(AT + size_of::<$word>() <= N) };
                let mut word = [0; size_of::<$word>()];
                word.copy_from_slice(&octets[AT..AT + size_of::<$word>()]);
                Self::from_ne_bytes(word)
            }

            #[inline(always)]
            fn put<const AT: usize, const N: usize>(self, octets: &mut [u8; N]) {
                const { assert!(AT + size_of::<$word>() <= N) };
                octets[AT..AT + size_of::<$word>()].copy_from_slice(&self.to_ne_bytes());
            }
        }
    )*};
}

words!(u8, u16, u32, u64);

/// One frame, from its Ethernet header on. Integers are loaded and stored as they stand in memory, unaligned.
///
/// What is read or written together is proved once: a [`Self::Place`] is a bounded offset, and [`Self::octets`] from there on are one comparison,
/// whatever is done with them.
pub trait Packet {
    /// Somewhere in the frame; good until the frame is resized.
    type Place: Copy;

    /// Length of the frame in octets.
    fn frame_len(&self) -> usize;

    /// The place at an offset, which may lie behind the end.
    fn place(&self, offset: usize) -> Self::Place;

    /// So many octets, beginning `ahead` of a place, by a number that the compiler knows; none if they are not all there. A single octet may be
    /// refused at the very end of the frame.
    fn octets<const N: usize>(&self, place: Self::Place, ahead: usize) -> Option<&[u8; N]>;

    /// The same, to be written.
    fn octets_mut<const N: usize>(&mut self, place: Self::Place, ahead: usize) -> Option<&mut [u8; N]>;

    /// Reads `ahead` of a place, as [`Self::octets`] does.
    fn load<T: Word>(&self, place: Self::Place, ahead: usize) -> Option<T>;

    /// Writes `ahead` of a place.
    fn store<T: Word>(&mut self, place: Self::Place, ahead: usize, value: T) -> Option<()>;

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

    /// Returns its argument, and makes the verifier forget what it knows of it: loops whose exit depends on data would otherwise each leave as
    /// many states behind as they have rounds.
    #[inline(always)]
    fn forget(&self, value: u64) -> u64 {
        value
    }

    /// Makes the verifier forget how much of the frame was proved to be there.
    #[inline(always)]
    fn forget_frame(&mut self) {}
}
