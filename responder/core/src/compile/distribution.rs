//! Which answers a group may give, and with which exact probability (routing specification, section 9).

use std::collections::BTreeMap;
use std::sync::Arc;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution(Vec<(Outcome, BigRational)>);

impl Distribution {
    /// One outcome with certainty.
    pub fn certain(outcome: Outcome) -> Self {
        Self(vec![(outcome, BigRational::one())])
    }

    /// The parts by integer weights, whose sum must be above zero.
    pub fn mixed<'a>(parts: impl IntoIterator<Item = (&'a Distribution, u32)>) -> Self {
        let mut sums: BTreeMap<&Outcome, BigRational> = BTreeMap::new();
        let mut total = BigInt::zero();
        for (part, weight) in parts {
            total += weight;
            for (outcome, probability) in &part.0 {
                *sums.entry(outcome).or_insert_with(BigRational::zero) += probability * BigInt::from(weight);
            }
        }
        Self(sums.into_iter().map(|(outcome, sum)| (outcome.clone(), sum / &total)).collect())
    }

    /// The outcomes with their probabilities.
    pub fn outcomes(&self) -> &[(Outcome, BigRational)] {
        &self.0
    }
}
