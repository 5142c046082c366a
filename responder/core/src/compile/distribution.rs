//! Which answers a group may give, and with which exact probability (routing specification, section 9).

use std::sync::{Arc, OnceLock};

use num_bigint::{BigInt, BigUint};
use num_rational::BigRational;
use num_traits::ToPrimitive;
use smallvec::{SmallVec, smallvec};

use super::answer::Answer;
use super::plan::Plan;
use super::whole::{Whole, common_multiple, sum};
use crate::model::{Rdata, Ttl};

/// One possible answer of a group; its type is the group's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// These values together, sorted.
    Set(Ttl, Arc<[Rdata]>),
    /// Exactly eight of these members' values, each member with probability 8/n; the members are sorted.
    Choose(Ttl, Arc<[Arc<[Rdata]>]>),
    /// No answer record.
    NoData,
}

/// Outcomes with exact probabilities that sum to one; equal outcomes are one entry.
#[derive(Debug, Clone)]
pub struct Distribution {
    parts: Parts,
    /// What [`Plan::of`] made of it.
    pub(super) plan: OnceLock<Arc<Plan>>,
}

impl PartialEq for Distribution {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl Eq for Distribution {}

/// Ascending answers with whole numbers in proportion to their probabilities, in lowest terms: equal distributions are equal numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parts {
    /// Numbers whose sum is a word, too.
    Words(SmallVec<[(Arc<Answer>, u64); 1]>),
    /// All others.
    Big(Box<[(Arc<Answer>, BigUint)]>),
}

impl Parts {
    pub(super) fn answers(&self) -> impl DoubleEndedIterator<Item = &Answer> {
        let (words, big) = match self {
            Self::Words(words) => (words.as_slice(), &[][..]),
            Self::Big(big) => (&[][..], &**big),
        };
        words.iter().map(|(answer, _)| &**answer).chain(big.iter().map(|(answer, _)| &**answer))
    }
}

impl Distribution {
    /// One outcome with certainty.
    pub fn certain(outcome: Outcome) -> Self {
        Self::of_parts(Parts::Words(smallvec![(Arc::new(Answer::new(outcome)), 1)]))
    }

    fn of_parts(parts: Parts) -> Self {
        Self { parts, plan: OnceLock::new() }
    }

    /// Whether [`Outcome::NoData`], the last of all outcomes, is among them.
    pub(super) fn may_be_nodata(&self) -> bool {
        self.parts.answers().next_back().is_some_and(|answer| *answer.outcome() == Outcome::NoData)
    }

    /// The parts by integer weights, whose sum must be above zero.
    pub fn mixed<'a>(parts: impl IntoIterator<Item = (&'a Distribution, u32)>) -> Self {
        let parts: SmallVec<[_; FEW]> = parts.into_iter().collect();
        let in_words = |&(part, weight): &(&'a Distribution, u32)| match &part.parts {
            Parts::Words(numbers) => Some((numbers.as_slice(), weight)),
            Parts::Big(_) => None,
        };
        let words: Option<SmallVec<[_; FEW]>> = parts.iter().map(in_words).collect();
        match words.and_then(|parts| mix(&parts)) {
            Some(mixed) => Self::of_parts(Parts::Words(mixed.into_vec().into())),
            None => Self::mixed_big(&parts),
        }
    }

    fn mixed_big(parts: &[(&Distribution, u32)]) -> Self {
        let parts: Vec<_> = parts.iter().map(|(part, weight)| (part.big(), *weight)).collect();
        let parts: Vec<_> = parts.iter().map(|(part, weight)| (&**part, *weight)).collect();
        let mixed: Numbered<BigUint> = mix(&parts).expect("big integers do not overflow");
        // In lowest terms it may be of words again.
        let in_words = |(answer, number): &(Arc<Answer>, BigUint)| Some((answer.clone(), number.to_u64()?));
        let words: Option<SmallVec<_>> = mixed.iter().map(in_words).collect();
        Self::of_parts(match words.filter(|words| sum(words.iter().map(|(_, number)| number)).is_some()) {
            Some(words) => Parts::Words(words),
            None => Parts::Big(mixed.into_vec().into()),
        })
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    fn big(&self) -> Vec<(Arc<Answer>, BigUint)> {
        match &self.parts {
            Parts::Words(words) => {
                words.iter().map(|(answer, number)| (answer.clone(), BigUint::from(*number))).collect()
            }
            Parts::Big(big) => big.to_vec(),
        }
    }

    /// The outcomes with their probabilities.
    pub fn outcomes(&self) -> Vec<(Outcome, BigRational)> {
        let parts = self.big();
        let sum = BigInt::from(parts.iter().map(|(_, number)| number).sum::<BigUint>());
        let probability = |number| BigRational::new(BigInt::from(number), sum.clone());
        parts.into_iter().map(|(answer, number)| (answer.outcome().clone(), probability(number))).collect()
    }
}

/// As many as most groups have; no more are put on the heap.
const FEW: usize = 8;

type Numbered<T> = SmallVec<[(Arc<Answer>, T); FEW]>;

/// A distribution with its weight in a mixture.
type Weighed<'a, T> = (&'a [(Arc<Answer>, T)], u32);

/// The parts by weight, in lowest terms; none on overflow.
fn mix<T: Whole>(parts: &[Weighed<'_, T>]) -> Option<Numbered<T>> {
    let total = |part: &[(Arc<Answer>, T)]| sum(part.iter().map(|(_, number)| number));
    let sums: SmallVec<[T; FEW]> = parts.iter().map(|(part, _)| total(part)).collect::<Option<_>>()?;
    let common = common_multiple(&sums)?;
    let mut terms: SmallVec<[(&Arc<Answer>, T); FEW]> = SmallVec::new();
    for ((part, weight), sum) in parts.iter().zip(sums) {
        let factor = (common.clone() / sum).checked_mul(&u64::from(*weight).into())?;
        for (answer, number) in *part {
            terms.push((answer, number.checked_mul(&factor)?));
        }
    }
    terms.sort_by_key(|(answer, _)| *answer);
    let mut mixed: Numbered<T> = SmallVec::new();
    for (answer, number) in terms {
        match mixed.last_mut() {
            Some((last, sum)) if last == answer => *sum = sum.checked_add(&number)?,
            _ => mixed.push((answer.clone(), number)),
        }
    }
    total(&mixed)?;
    let divisor = mixed.iter().fold(T::zero(), |divisor, (_, number)| divisor.gcd(number));
    for (_, number) in &mut mixed {
        *number = number.clone() / divisor.clone();
    }
    Some(mixed)
}

#[cfg(test)]
mod tests {
    use num_traits::Zero;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    use super::*;

    fn outcome(octet: u8) -> Outcome {
        Outcome::Set(Ttl(1), [Rdata([octet].as_slice().into())].into())
    }

    /// The definition, in fractions.
    fn mixed_in_fractions(parts: &[(&Distribution, u32)]) -> Vec<(Outcome, BigRational)> {
        let total = BigInt::from(parts.iter().map(|(_, weight)| u64::from(*weight)).sum::<u64>());
        let mut sums: BTreeMap<Outcome, BigRational> = BTreeMap::new();
        for (part, weight) in parts {
            for (outcome, probability) in part.outcomes() {
                *sums.entry(outcome).or_insert_with(BigRational::zero) +=
                    probability * BigInt::from(*weight) / &total;
            }
        }
        sums.into_iter().collect()
    }

    /// Mixtures of mixtures: for each level the weights, and for each of them which earlier mixture it is of.
    fn levels() -> impl Strategy<Value = Vec<Vec<(u32, prop::sample::Index)>>> {
        let weight = prop_oneof![1u32..=255, Just(251u32), 1u32..];
        prop::collection::vec(prop::collection::vec((weight, any::<prop::sample::Index>()), 1..6), 1..12)
    }

    proptest! {
        /// exact, whether machine words hold the numbers or not; and numbers that words hold are in words.
        #[test]
        fn mixtures_are_those_of_fractions(levels in levels()) {
            let mut made: Vec<Distribution> = (0..4).map(|at| Distribution::certain(outcome(at))).collect();
            for level in levels {
                let parts: Vec<_> = level.iter().map(|(weight, of)| (of.get(&made), *weight)).collect();
                let mixed = Distribution::mixed(parts.iter().copied());
                prop_assert_eq!(mixed.outcomes(), mixed_in_fractions(&parts));
                prop_assert_eq!(&mixed, &Distribution::mixed_big(&parts));
                made.push(mixed);
            }
        }
    }

    #[test]
    fn what_words_do_not_hold_is_exact() {
        let mut deep = Distribution::certain(outcome(0));
        for level in 1..20 {
            let other = Distribution::certain(outcome(level));
            deep = Distribution::mixed([(&deep, 254), (&other, 1)]);
        }
        assert!(matches!(deep.parts(), Parts::Big(_)));
        let expected = BigRational::new(BigInt::from(254).pow(19), BigInt::from(255).pow(19));
        assert_eq!(deep.outcomes()[0], (outcome(0), expected));
        assert_eq!(Distribution::mixed([(&deep, 1), (&deep, 1)]), deep);
    }
}
