//! The first label of every name asked, made of a number without a table; and the addresses that answer for that number.

/// Octets of the label.
pub const LEN: usize = 8;

/// Answers that can be told apart in one reply.
pub const ANSWERS_MAX: u32 = 16;
/// Versions of an answer that can be told apart.
pub const VERSIONS: u32 = 1 << 12;

const LOW: u64 = 0x0101_0101_0101_0101;

/// The label of a number that exists: eight hexadecimal digits, the lowest first, as they stand in a frame.
#[inline(always)]
pub const fn of(number: u32) -> u64 {
    let nibbles = spread(number);
    let is_letter = (nibbles + 6 * LOW) >> 4 & LOW;
    nibbles + (b'0' as u64) * LOW + is_letter * 39
}

/// The label of a number for which no name exists: eight letters from `g` to `v`.
#[inline(always)]
pub const fn absent(number: u32) -> u64 {
    spread(number) + (b'g' as u64) * LOW
}

/// The number that a label [`of`] it was made from.
#[inline(always)]
pub const fn number(label: u64) -> u32 {
    let is_letter = label >> 6 & LOW;
    gather((label & (0x0f * LOW)) + 9 * is_letter)
}

/// The address of one answer in one version: both halves of a torn reply, or the answer to another question, show.
#[inline(always)]
pub const fn address(number: u32, version: u32, answer: u32) -> u32 {
    (stamp(number) as u32) << 16 | (version % VERSIONS) << 4 | (answer % ANSWERS_MAX)
}

/// What all addresses of a number begin with.
#[inline(always)]
pub const fn stamp(number: u32) -> u16 {
    (number.wrapping_mul(0x9e37_79b1) >> 16) as u16
}

/// One nibble to an octet, the lowest first.
#[inline(always)]
const fn spread(number: u32) -> u64 {
    let mut spread = number as u64;
    spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
    spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f
}

/// The reverse of [`spread`].
#[inline(always)]
const fn gather(spread: u64) -> u32 {
    let mut gathered = spread & 0x0f0f_0f0f_0f0f_0f0f;
    gathered = (gathered | gathered >> 4) & 0x00ff_00ff_00ff_00ff;
    gathered = (gathered | gathered >> 8) & 0x0000_ffff_0000_ffff;
    (gathered | gathered >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_hexadecimal_and_read_back() {
        assert_eq!(of(0x9abc_def0).to_le_bytes(), *b"0fedcba9");
        assert_eq!(absent(0xf000_0001).to_le_bytes(), *b"hggggggv");
        for number in [0, 1, 9, 10, 15, 16, 0x1234_5678, 0xffff_ffff, 999_999] {
            assert_eq!(super::number(of(number)), number);
        }
    }

    #[test]
    fn addresses_tell_question_version_and_place() {
        let one = address(7, 1, 0);
        assert_eq!(one >> 16, u32::from(stamp(7)));
        assert_ne!(one, address(8, 1, 0));
        assert_ne!(one, address(7, 2, 0));
        assert_ne!(one, address(7, 1, 1));
    }
}
