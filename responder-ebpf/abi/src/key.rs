//! The hash of a question, derived word by word so that both halves compute it the same way.

use crate::entry::TAG_REMOVED;

/// Folds one word of the name, zero-padded little-endian octets, into the hash.
///
/// Setting bit 5 of every octet makes the hash blind to case; it also makes it blind to a few other differences, so
/// equality is always decided on the name itself.
#[inline(always)]
pub fn mix(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ (word | 0x2020_2020_2020_2020)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

/// Ends the hash with the type. Never [`crate::entry::TAG_EMPTY`] nor [`TAG_REMOVED`].
#[inline(always)]
pub fn finish(hash: u64, qtype: u16) -> u64 {
    let mixed = (hash ^ qtype as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (mixed ^ (mixed >> 29)) | (TAG_REMOVED + 1)
}

/// The slot where the search for a hash begins, before masking.
#[inline(always)]
pub fn slot_start(tag: u64) -> u32 {
    (tag >> 24) as u32
}

/// Lower-cases the ASCII letters among eight octets.
#[inline(always)]
pub fn fold(word: u64) -> u64 {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let low = word & !HIGH;
    // Bit 7 of each octet: at or above 'A', and not at or above 'Z' + 1. Octets above 127 are no letters.
    let at_least_a = low + (0x80 - b'A' as u64) * 0x0101_0101_0101_0101;
    let above_z = low + (0x80 - (b'Z' as u64 + 1)) * 0x0101_0101_0101_0101;
    word | ((at_least_a & !above_z & !word & HIGH) >> 2)
}

/// Marks the first zero octet of a word with its highest bit, and perhaps some behind it; zero if there is none.
#[inline(always)]
pub fn zeros(word: u64) -> u64 {
    // The lowest set bit is exact: borrows only run upwards.
    word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080
}

/// The octets of a word up to and including the first marked one, counted 1 to 8; 0 without a mark.
#[inline(always)]
pub fn through(zeros: u64) -> u64 {
    // A mark in octet k moves octet 7 - k of the factor to the top.
    ((zeros & zeros.wrapping_neg()) >> 7).wrapping_mul(0x0102_0304_0506_0708) >> 56
}

/// A word without what lies at or behind the first marked octet.
#[inline(always)]
pub fn before(word: u64, zeros: u64) -> u64 {
    // All bits up to the lowest one that is set: those of the marked octet itself are zero.
    word & (zeros ^ zeros.wrapping_sub(1))
}

/// The hash of a whole question: `name` in wire form, in any case, root label included.
pub fn hash(seed: u64, name: &[u8], qtype: u16) -> u64 {
    let hash = name.chunks(8).fold(seed, |hash, chunk| mix(hash, word(chunk)));
    finish(hash, qtype)
}

/// Up to eight octets as a zero-padded little-endian word.
pub fn word(octets: &[u8]) -> u64 {
    let mut padded = [0; 8];
    padded[..octets.len()].copy_from_slice(octets);
    u64::from_le_bytes(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fold_lowers_letters_and_nothing_else() {
        for octet in 0..=255u8 {
            let word = u64::from_le_bytes([b'z', octet, octet, 0, octet, b'A', 255, octet]);
            let low = octet.to_ascii_lowercase();
            assert_eq!(fold(word).to_le_bytes(), [b'z', low, low, 0, low, b'a', 255, low]);
        }
    }

    #[test]
    fn the_first_zero_octet_is_found() {
        assert_eq!(zeros(u64::MAX), 0);
        assert_eq!(through(0), 0);
        for at in 0..8 {
            for other in [1u8, 0x7f, 0x80, 0xff] {
                let mut octets = [other; 8];
                octets[at] = 0;
                let mut kept = [0; 8];
                kept[..at].fill(other);
                for octets in [octets, [&octets[..7], &[0]].concat().try_into().unwrap()] {
                    let word = u64::from_le_bytes(octets);
                    assert_eq!(through(zeros(word)), at as u64 + 1, "{octets:?}");
                    assert_eq!(before(word, zeros(word)).to_le_bytes(), kept, "{octets:?}");
                }
            }
        }
    }

    #[test]
    fn the_hash_is_blind_to_case_only_where_it_may_be() {
        assert_eq!(hash(7, b"\x03WwW\x00", 1), hash(7, b"\x03www\x00", 1));
        assert_ne!(hash(7, b"\x03www\x00", 1), hash(7, b"\x03www\x00", 28));
        assert_ne!(hash(7, b"\x03www\x00", 1), hash(8, b"\x03www\x00", 1));
    }
}
