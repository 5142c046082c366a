//! One word of memory that both halves touch at once.

use core::sync::atomic::AtomicU64;
#[cfg(not(target_arch = "bpf"))]
use core::sync::atomic::Ordering;

/// A 64-bit word that one half stores and the other loads, never torn.
///
/// Loads and stores keep their order among each other: on the host by acquire and release, in the kernel half because loads
/// are volatile and x86-64 does not reorder loads with loads. (On arm64 the kernel half would need barriers that BPF lacks.)
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct Shared(AtomicU64);

impl Shared {
    /// A word that holds this value.
    pub const fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// Reads the word.
    #[inline(always)]
    pub fn load(&self) -> u64 {
        // The BPF back end has no atomic loads, but an aligned 64-bit load is one instruction.
        #[cfg(target_arch = "bpf")]
        #[expect(unsafe_code, reason = "the target lacks atomic loads")]
        // SAFETY: the pointer comes from a reference, so it is aligned and valid; the load is a single instruction.
        return unsafe { self.0.as_ptr().read_volatile() };
        #[cfg(not(target_arch = "bpf"))]
        self.0.load(Ordering::Acquire)
    }

    /// Reads four octets: the half with this index in a run of words, each of which has two; none beyond the end.
    #[inline(always)]
    pub fn load_half(words: &[Self], index: usize) -> Option<u32> {
        if index >= 2 * words.len() {
            return None;
        }
        let index = at_most(index, 2 * words.len() - 1);
        // Read as such: shifted out of a whole word, the word's offset would be masked, which the verifier overestimates.
        #[cfg(target_arch = "bpf")]
        #[expect(unsafe_code, reason = "as in `load`")]
        // SAFETY: the index lies within the words, which the target holds with their lower half first.
        return Some(unsafe { words.as_ptr().cast::<u32>().add(index).read_volatile() });
        #[cfg(not(target_arch = "bpf"))]
        words.get(index / 2).map(|word| (word.load() >> (32 * (index & 1))) as u32)
    }

    /// Reads eight octets from any offset, which may be torn; the last eight if there are none.
    #[inline(always)]
    pub fn load_at<const WORDS: usize>(words: &[Self; WORDS], offset: usize) -> u64 {
        let offset = at_most(offset, 8 * WORDS - 8);
        #[cfg(target_arch = "bpf")]
        #[expect(unsafe_code, reason = "as in `load`")]
        // SAFETY: eight octets from the offset on lie within the words.
        return unsafe { words.as_ptr().byte_add(offset).cast::<u64>().read_unaligned() };
        #[cfg(not(target_arch = "bpf"))]
        {
            let (index, bits) = (offset / 8, 8 * (offset as u32 & 7));
            let first = words[index].load();
            // The next word counts if the octets do not begin with one.
            let second = words.get(index + 1).map_or(0, Self::load);
            first >> bits | second << 1 << (63 - bits)
        }
    }

    /// Writes the word. The kernel half does so to none but rate-limit buckets, where one of two writes at once may be lost.
    #[inline(always)]
    pub fn store(&self, value: u64) {
        #[cfg(target_arch = "bpf")]
        #[expect(unsafe_code, reason = "the target lacks atomic stores")]
        // SAFETY: the pointer comes from a reference, so it is aligned and valid; the store is a single instruction.
        unsafe {
            self.0.as_ptr().write_volatile(value);
        }
        #[cfg(not(target_arch = "bpf"))]
        self.0.store(value, Ordering::Release);
    }
}

/// The lesser of two numbers, settled in the very register that is used next: where an index was compared once and is
/// then loaded again, older kernels' verifiers do not carry the bound over.
#[inline(always)]
pub fn at_most(value: usize, max: usize) -> usize {
    #[cfg(target_arch = "bpf")]
    #[expect(unsafe_code, reason = "the compiler would compare one copy of the number and use another")]
    {
        let mut value = value;
        // SAFETY: a comparison and a move on two registers.
        unsafe {
            core::arch::asm!(
                "if {value} < {max} goto +1",
                "{value} = {max}",
                max = in(reg) max,
                value = inout(reg) value,
                options(pure, nomem, nostack)
            );
        }
        value
    }
    #[cfg(not(target_arch = "bpf"))]
    value.min(max)
}
