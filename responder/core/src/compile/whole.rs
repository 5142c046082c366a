//! Whole numbers in proportion to probabilities, of a width that may overflow.
//!
//! The arithmetic is written once: for machine words, which hold nearly all there is, and for big integers where words overflow. Both
//! are exact, so which one it was cannot be seen.

use num_integer::Integer;
use num_traits::{CheckedAdd, CheckedMul, ToPrimitive};

/// Machine words, and big integers, for which nothing overflows.
pub(super) trait Whole: Integer + CheckedAdd + CheckedMul + Clone + From<u64> + ToPrimitive {}

impl<T: Integer + CheckedAdd + CheckedMul + Clone + From<u64> + ToPrimitive> Whole for T {}

/// The sum, unless it overflows.
pub(super) fn sum<'a, T: Whole + 'a>(numbers: impl IntoIterator<Item = &'a T>) -> Option<T> {
    numbers.into_iter().try_fold(T::zero(), |sum, number| sum.checked_add(number))
}

/// The least common multiple of numbers above zero, unless it overflows.
pub(super) fn common_multiple<'a, T: Whole + 'a>(numbers: impl IntoIterator<Item = &'a T>) -> Option<T> {
    numbers.into_iter().try_fold(T::one(), |multiple, number| {
        if multiple.is_multiple_of(number) {
            return Some(multiple);
        }
        let factor = number.clone() / multiple.gcd(number);
        multiple.checked_mul(&factor)
    })
}
