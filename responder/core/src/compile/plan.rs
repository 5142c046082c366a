//! From exact probabilities to a decision that one draw takes.

use std::sync::Arc;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::ToPrimitive;

use super::distribution::{Distribution, Outcome};
use super::policy::TOGETHER_MAX;
use crate::beside::Beside;
use crate::body::{self, Body};
use crate::model::{Rdata, RecordType};

/// The decision left after health: finished answers, and how one is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Always the same records.
    Fixed(Arc<Body>),
    /// By lot.
    ByWeight(Weights),
    /// By where the client is; each variant is one of the others.
    ByClient {
        /// Which of the partitions in [`super::Clients`] divides the clients.
        partition: u32,
        /// What the clients of each part are answered.
        variants: Box<[Plan]>,
    },
}

/// An alias table (Walker, Vose) with a power of two of columns: the draw picks a column, and in it one of two bodies.
///
/// Columns are equally likely, so rounding a threshold to 32 bits moves an answer by less than `2^-32` in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    /// The possible answers.
    pub bodies: Box<[Arc<Body>]>,
    /// A power of two of columns.
    pub columns: Arc<[Column]>,
}

/// One column of an alias table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// `first` answers if the draw's low 32 bits are below this.
    pub threshold: u32,
    /// Index of a body.
    pub first: u16,
    /// Index of a body.
    pub second: u16,
}

/// The most answers one group may choose among: a draw has 16 bits for the column ([`pulse53_abi::draw`]).
pub const ANSWERS_MAX: usize = 1 << 16;

impl Plan {
    /// The body that a client gets under this draw. Its variant under a partition is asked for only if it matters.
    pub fn choose(&self, variant: impl FnOnce(u32) -> usize, draw: u64) -> &Arc<Body> {
        match self {
            Self::ByClient { partition, variants } => variants[variant(*partition)].drawn(draw),
            _ => self.drawn(draw),
        }
    }

    /// The body this draw leads to, for the first variant where clients differ.
    fn drawn(&self, draw: u64) -> &Arc<Body> {
        match self {
            Self::Fixed(body) => body,
            Self::ByClient { variants, .. } => variants[0].drawn(draw),
            Self::ByWeight(weights) => {
                let mask = (weights.columns.len() - 1) as u32;
                let column = weights.columns[pulse53_abi::draw::column(draw, mask) as usize];
                let first = pulse53_abi::draw::takes_first(draw, column.threshold);
                &weights.bodies[usize::from(if first { column.first } else { column.second })]
            }
        }
    }

    /// Prepares the answers of a distribution for records of one type. `nodata` is what [`Outcome::NoData`] answers.
    /// `beside` is what positive answers carry that are not minimal. None if there are more possible answers than [`ANSWERS_MAX`].
    pub(super) fn prepare(
        distribution: &Distribution,
        rtype: RecordType,
        nodata: &Arc<Body>,
        beside: Option<&Beside<'_>>,
    ) -> Option<Self> {
        let mut weighted: Vec<(Arc<Body>, BigRational)> = Vec::new();
        for (outcome, probability) in distribution.outcomes() {
            let mut bodies = bodies_of(outcome, rtype, nodata, beside);
            match (distribution.outcomes(), bodies.len()) {
                // Most groups, most of the time: no arithmetic for them.
                ([_], 1) => return bodies.pop().map(Self::Fixed),
                (_, 1) => weighted.extend(bodies.into_iter().map(|body| (body, probability.clone()))),
                (_, several) => {
                    let each = probability / BigInt::from(several);
                    weighted.extend(bodies.into_iter().map(|body| (body, each.clone())));
                }
            }
        }
        match weighted.as_slice() {
            [(body, _)] => Some(Self::Fixed(body.clone())),
            _ if weighted.len() > ANSWERS_MAX => None,
            _ => Some(Self::ByWeight(Weights::new(weighted))),
        }
    }
}

/// The bodies that stand for one outcome, each as likely as the others.
fn bodies_of(
    outcome: &Outcome,
    rtype: RecordType,
    nodata: &Arc<Body>,
    beside: Option<&Beside<'_>>,
) -> Vec<Arc<Body>> {
    match outcome {
        Outcome::NoData => vec![nodata.clone()],
        Outcome::Set(ttl, rdatas) => body::rotated_answers(rtype, *ttl, rdatas, beside),
        // Prepared sets: window i holds members i to i + 7 of the circle, so that each member stands in 8 of n.
        Outcome::Choose(ttl, members) => (0..members.len())
            .map(|first| {
                let window = (first..first + TOGETHER_MAX).map(|index| &members[index % members.len()]);
                let mut rdatas: Vec<&Rdata> = window.flat_map(|member| member.iter()).collect();
                rdatas.sort_unstable();
                rdatas.dedup();
                Arc::new(Body::answer(rtype, *ttl, rdatas, beside))
            })
            .collect(),
    }
}

impl Weights {
    /// Builds the table for answers with these probabilities, which sum to one.
    fn new(weighted: Vec<(Arc<Body>, BigRational)>) -> Self {
        let count = weighted.len().next_power_of_two();
        let units = integer_units(&weighted, count);
        let mut columns = vec![Column { threshold: 0, first: 0, second: 0 }; count];
        // Vose's method: a column with too little is filled up by one with too much.
        const FULL: u64 = 1 << 32;
        let (mut small, mut large): (Vec<_>, Vec<_>) = (0..count)
            .map(|index| (index, units.get(index).copied().unwrap_or(0)))
            .partition(|&(_, units)| units < FULL);
        while let Some((index, units)) = small.pop() {
            // Units sum to `count * FULL`, so while one column lacks some, another has too many.
            let Some((donor, excess)) = large.pop() else { break };
            columns[index] = Column {
                threshold: units as u32,
                first: index.min(weighted.len() - 1) as u16,
                second: donor as u16,
            };
            let left = excess - (FULL - units);
            if left < FULL { small.push((donor, left)) } else { large.push((donor, left)) }
        }
        for (index, _) in large {
            columns[index] = Column { threshold: 0, first: index as u16, second: index as u16 };
        }
        Self { bodies: weighted.into_iter().map(|(body, _)| body).collect(), columns: columns.into() }
    }
}

/// Probabilities as multiples of `2^-32 / columns`, rounded so that they still sum to one: rounded down, and what is left
/// goes to those that lost most.
fn integer_units(weighted: &[(Arc<Body>, BigRational)], columns: usize) -> Vec<u64> {
    let scale = BigInt::from(columns as u64) << 32u32;
    let scaled: Vec<BigRational> = weighted.iter().map(|(_, probability)| probability * &scale).collect();
    let mut units: Vec<u64> =
        scaled.iter().map(|exact| exact.to_integer().to_u64().unwrap_or(u64::MAX)).collect();
    let missing = ((columns as u64) << 32) - units.iter().sum::<u64>();
    let mut by_loss: Vec<usize> = (0..units.len()).collect();
    by_loss.sort_by_key(|&index| std::cmp::Reverse(scaled[index].fract()));
    for &index in by_loss.iter().take(missing as usize) {
        units[index] += 1;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ttl;
    use num_traits::{One, Zero};
    use proptest::prelude::*;

    fn body(octet: u16) -> Arc<Body> {
        let rdata = Rdata(octet.to_be_bytes().as_slice().into());
        Arc::new(Body::answer(RecordType::TXT, Ttl(1), [&rdata], None))
    }

    /// The probability each body really has.
    fn realized(weights: &Weights) -> Vec<BigRational> {
        let mut realized = vec![BigRational::zero(); weights.bodies.len()];
        let column_share = BigRational::new(BigInt::one(), weights.columns.len().into());
        for column in weights.columns.iter() {
            let first = BigRational::new(column.threshold.into(), BigInt::one() << 32u32);
            realized[usize::from(column.second)] += (BigRational::one() - &first) * &column_share;
            realized[usize::from(column.first)] += first * &column_share;
        }
        realized
    }

    proptest! {
        /// within 2^-24 of the exact probability, and never what has none.
        #[test]
        fn rounding_stays_within_bounds(weights in prop::collection::vec(0u32..=255, 2..300)) {
            let total: u32 = weights.iter().sum();
            prop_assume!(total > 0);
            let exact: Vec<_> = weights.iter().map(|&w| BigRational::new(w.into(), total.into())).collect();
            let table = Weights::new(
                exact.iter().enumerate().map(|(index, p)| (body(index as u16), p.clone())).collect());
            let bound = BigRational::new(BigInt::one(), BigInt::one() << 24u32);
            for (exact, realized) in exact.iter().zip(realized(&table)) {
                let error = if exact > &realized { exact - &realized } else { &realized - exact };
                prop_assert!(error < bound);
                prop_assert!(!exact.is_zero() || realized.is_zero());
            }
        }
    }
}
