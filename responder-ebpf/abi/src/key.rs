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

/// The octets of a word up to and including its first zero octet, counted 1 to 8; 0 if there is none.
#[inline(always)]
pub fn through_zero(word: u64) -> u32 {
    let zeros = word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080;
    if zeros == 0 {
        return 0;
    }
    // The lowest set bit is exact: borrows only run upwards.
    let lowest = zeros & zeros.wrapping_neg();
    // 0x80 << 8n: a De Bruijn-free way without count-trailing-zeros, which the machine lacks.
    let mut octet = 1;
    if lowest & 0x0000_0000_ffff_ffff == 0 {
        octet += 4;
    }
    if lowest & 0x0000_ffff_0000_ffff == 0 {
        octet += 2;
    }
    if lowest & 0x00ff_00ff_00ff_00ff == 0 {
        octet += 1;
    }
    octet
}

/// Keeps the first `count` octets of a word, 0 to 8, and zeroes the others.
#[inline(always)]
pub fn keep(word: u64, count: u32) -> u64 {
    if count >= 8 { word } else { word & !(u64::MAX << (8 * count)) }
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
        assert_eq!(through_zero(u64::MAX), 0);
        for at in 0..8 {
            for other in [1u8, 0x7f, 0x80, 0xff] {
                let mut octets = [other; 8];
                octets[at] = 0;
                assert_eq!(through_zero(u64::from_le_bytes(octets)), at as u32 + 1, "{octets:?}");
                octets[7] = 0;
                assert_eq!(through_zero(u64::from_le_bytes(octets)), at as u32 + 1, "{octets:?}");
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
