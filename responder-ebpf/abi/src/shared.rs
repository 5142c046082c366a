//! One word of memory that both halves touch at once.

use core::sync::atomic::AtomicU64;
#[cfg(not(target_arch = "bpf"))]
use core::sync::atomic::Ordering;

/// A 64-bit word that userspace stores and the kernel half loads, never torn.
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
        // Checked and used as the same number: the compiler would otherwise advance a pointer whose range is unknown.
        #[cfg(target_arch = "bpf")]
        let index = opaque(index);
        if index >= 2 * words.len() {
            return None;
        }
        // Read as such: shifted out of a whole word, the word's offset would be masked, which the verifier overestimates.
        #[cfg(target_arch = "bpf")]
        #[expect(unsafe_code, reason = "as in `load`")]
        // SAFETY: the index lies within the words, which the target holds with their lower half first.
        return Some(unsafe { words.as_ptr().cast::<u32>().add(index).read_volatile() });
        #[cfg(not(target_arch = "bpf"))]
        words.get(index / 2).map(|word| (word.load() >> (32 * (index & 1))) as u32)
    }

    /// Writes the word; only userspace does.
    #[cfg(not(target_arch = "bpf"))]
    pub fn store(&self, value: u64) {
        self.0.store(value, Ordering::Release);
    }
}

/// Its argument, as a number the compiler knows nothing about.
#[cfg(target_arch = "bpf")]
#[inline(always)]
#[expect(unsafe_code, reason = "assembly, though none is emitted")]
fn opaque(mut value: usize) -> usize {
    // SAFETY: no instruction.
    unsafe { core::arch::asm!("/* {0} */", inout(reg) value, options(pure, nomem, nostack)) };
    value
}
