//! From exact probabilities to the columns that one draw decides by.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use num_bigint::BigUint;
use smallvec::SmallVec;

use super::distribution::Parts;
use super::whole::{Whole, common_multiple, sum};

/// One column of an alias table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Column {
    /// `first` answers if the draw's low 32 bits are below this.
    pub threshold: u32,
    /// Index of a body.
    pub first: u16,
    /// Index of a body.
    pub second: u16,
}

/// What a column holds: a whole draw.
const FULL: u64 = 1 << 32;

/// The columns of choices seen lately. Many groups choose in the same proportions.
#[derive(Debug, Default)]
pub(super) struct Shapes(HashMap<SmallVec<[u64; 16]>, Arc<[Column]>, FixedState>);

/// More are not kept.
const SHAPES_MAX: usize = 4_096;

impl Shapes {
    /// See [`columns`].
    pub(super) fn columns(&mut self, parts: &Parts, bodies: &[u32]) -> Arc<[Column]> {
        let Parts::Words(words) = parts else { return columns(parts, bodies) };
        let counts = bodies.iter().map(|&count| u64::from(count));
        let shape: SmallVec<_> = words.iter().map(|(_, number)| *number).chain(counts).collect();
        if let Some(known) = self.0.get(&shape) {
            return known.clone();
        }
        if self.0.len() >= SHAPES_MAX {
            self.0.clear();
        }
        self.0.entry(shape).or_insert_with(|| columns(parts, bodies)).clone()
    }
}

/// The columns for bodies numbered in the order of the outcomes that they stand for; `bodies` says for each outcome how many, each as likely as
/// the others. There are at most [`super::ANSWERS_MAX`] in all.
fn columns(parts: &Parts, bodies: &[u32]) -> Arc<[Column]> {
    let count = bodies.iter().sum::<u32>() as usize;
    let columns = count.next_power_of_two();
    let units = match parts {
        Parts::Words(parts) => {
            let numbers = || parts.iter().map(|(_, number)| *number);
            units::<u64>(numbers(), bodies, columns)
                .or_else(|| units::<u128>(numbers().map(u128::from), bodies, columns))
                .or_else(|| units::<BigUint>(numbers().map(BigUint::from), bodies, columns))
        }
        Parts::Big(parts) => units(parts.iter().map(|(_, number)| number.clone()), bodies, columns),
    };
    alias_table(&units.expect("big integers do not overflow"), columns)
}

/// Probabilities as multiples of `2^-32 / columns`, rounded so that they still sum to one: rounded down, and what is left goes to
/// those that lost most. None if numbers of this width overflow.
fn units<T: Whole>(numbers: impl Iterator<Item = T>, bodies: &[u32], columns: usize) -> Option<Vec<u64>> {
    let bodies: Vec<T> = bodies.iter().map(|&count| T::from(u64::from(count))).collect();
    let all = common_multiple(&bodies)?;
    let mut exact: Vec<T> = Vec::with_capacity(columns);
    for (number, count) in numbers.zip(bodies) {
        let each = number.checked_mul(&(all.clone() / count.clone()))?;
        exact.resize(exact.len() + count.to_usize()?, each);
    }
    let total = sum(&exact)?;
    let scale = T::from(columns as u64).checked_mul(&FULL.into())?;
    let mut units = Vec::with_capacity(columns);
    let mut losses = Vec::with_capacity(exact.len());
    for (index, number) in exact.iter().enumerate() {
        let (unit, loss) = number.checked_mul(&scale)?.div_rem(&total);
        units.push(unit.to_u64()?);
        losses.push((Reverse(loss), index));
    }
    let missing = (columns as u64 * FULL - units.iter().sum::<u64>()) as usize;
    if missing > 0 {
        losses.sort_unstable();
        losses.iter().take(missing).for_each(|&(_, index)| units[index] += 1);
    }
    Some(units)
}

/// Vose's method: a column with too little is filled up by one with too much. The units sum to `columns * FULL`.
fn alias_table(units: &[u64], columns: usize) -> Arc<[Column]> {
    let mut table = vec![Column { threshold: 0, first: 0, second: 0 }; columns];
    let of_column = |index| units.get(index).copied().unwrap_or(0);
    let (mut small, mut large): (Vec<_>, Vec<_>) =
        (0..columns).map(|index| (index, of_column(index))).partition(|&(_, units)| units < FULL);
    while let Some((index, lacking)) = small.pop() {
        // While one column lacks some, another has too many.
        let Some((donor, excess)) = large.pop() else { break };
        table[index] = Column {
            threshold: lacking as u32,
            first: index.min(units.len() - 1) as u16,
            second: donor as u16,
        };
        let left = excess - (FULL - lacking);
        if left < FULL { small.push((donor, left)) } else { large.push((donor, left)) }
    }
    for (index, _) in large {
        table[index] = Column { threshold: 0, first: index as u16, second: index as u16 };
    }
    table.into()
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use num_traits::{One, ToPrimitive, Zero};
    use proptest::prelude::*;

    use super::*;
    use crate::compile::answer::Answer;
    use crate::compile::distribution::Outcome;

    /// The definition, in fractions.
    fn units_in_fractions(exact: &[BigRational], columns: usize) -> Vec<u64> {
        let scale = BigInt::from(columns as u64) << 32u32;
        let scaled: Vec<BigRational> = exact.iter().map(|probability| probability * &scale).collect();
        let mut units: Vec<u64> = scaled.iter().map(|exact| exact.to_integer().to_u64().unwrap()).collect();
        let missing = ((columns as u64) << 32) - units.iter().sum::<u64>();
        let mut by_loss: Vec<usize> = (0..units.len()).collect();
        by_loss.sort_by_key(|&index| Reverse(scaled[index].fract()));
        by_loss.iter().take(missing as usize).for_each(|&index| units[index] += 1);
        units
    }

    /// The probability that columns really give each body.
    fn realized(table: &[Column], bodies: usize) -> Vec<BigRational> {
        let mut realized = vec![BigRational::zero(); bodies];
        let column_share = BigRational::new(BigInt::one(), table.len().into());
        for column in table {
            let first = BigRational::new(column.threshold.into(), BigInt::one() << 32u32);
            realized[usize::from(column.second)] += (BigRational::one() - &first) * &column_share;
            realized[usize::from(column.first)] += first * &column_share;
        }
        realized
    }

    /// The exact probability of every body.
    fn fractions(parts: &[(u64, u32)]) -> Vec<BigRational> {
        let total = BigInt::from(parts.iter().map(|(number, _)| u128::from(*number)).sum::<u128>());
        let each = |&(number, bodies): &(u64, u32)| {
            let share = BigRational::new(number.into(), &total * BigInt::from(bodies));
            std::iter::repeat_n(share, bodies as usize)
        };
        parts.iter().flat_map(each).collect()
    }

    fn parts() -> impl Strategy<Value = Vec<(u64, u32)>> {
        let number = prop_oneof![4 => 0..256u64, 1 => 0..u64::from(u32::MAX), 1 => 0..u64::MAX / 300];
        let bodies = prop_oneof![4 => Just(1u32), 1 => 1..9u32, 1 => 9..100u32];
        prop::collection::vec((number, bodies), 1..20)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// within 2^-24 of the exact probability, and never what has none; the same whatever numbers it is reckoned in.
        #[test]
        fn rounding_stays_within_bounds(parts in parts()) {
            prop_assume!(parts.iter().any(|(number, _)| *number > 0));
            let exact = fractions(&parts);
            let (numbers, bodies): (Vec<u64>, Vec<u32>) = parts.into_iter().unzip();
            let columns = exact.len().next_power_of_two();
            let expected = units_in_fractions(&exact, columns);
            let words = units::<u64>(numbers.iter().copied(), &bodies, columns);
            let wide = units::<u128>(numbers.iter().map(|&number| number.into()), &bodies, columns);
            let big = units::<BigUint>(numbers.iter().map(|&number| number.into()), &bodies, columns);
            prop_assert!(words.is_none_or(|units| units == expected));
            prop_assert!(wide.is_none_or(|units| units == expected));
            prop_assert_eq!(big.as_ref(), Some(&expected));
            let nodata = Arc::new(Answer::new(Outcome::NoData));
            let parts = Parts::Words(numbers.iter().map(|&number| (nodata.clone(), number)).collect());
            let table = Shapes::default().columns(&parts, &bodies);
            prop_assert_eq!(&table, &alias_table(&expected, columns));
            let bound = BigRational::new(BigInt::one(), BigInt::one() << 24u32);
            for (exact, realized) in exact.iter().zip(realized(&table, exact.len())) {
                let error = if exact > &realized { exact - &realized } else { &realized - exact };
                prop_assert!(error < bound);
                prop_assert!(!exact.is_zero() || realized.is_zero());
            }
        }
    }

    #[test]
    fn usual_weights_are_reckoned_in_words() {
        assert!(units::<u64>([255u64; 100].into_iter(), &[1; 100], 128).is_some());
        assert!(units::<u64>([u64::MAX / 2].into_iter(), &[2], 2).is_none());
    }
}
