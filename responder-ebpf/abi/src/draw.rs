//! How the one random number of a query is spent, identically in the kernel and in userspace.
//!
//! Bits 0-31 are compared with a column's threshold, bits 32-47 pick the column, bits 48-63 the rotation, so the three are
//! independent of each other.

/// The column of an alias table with `mask + 1` columns, a power of two up to 65,536.
#[inline(always)]
pub fn column(draw: u64, mask: u32) -> u32 {
    (draw >> 32) as u32 & mask & 0xffff
}

/// Whether the draw falls below a column's threshold and so takes its first answer.
#[inline(always)]
pub fn takes_first(draw: u64, threshold: u32) -> bool {
    (draw as u32) < threshold
}

/// Which of `count` records comes first in the answer, 0 to `count - 1`.
#[inline(always)]
pub fn rotation(draw: u64, count: u32) -> u32 {
    ((draw >> 48) as u32).wrapping_mul(count) >> 16
}

/// The next state of a xorshift generator, whose states are the draws. A state of zero stays zero: seed it with anything else.
#[inline(always)]
pub fn next(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^ (state << 17)
}
