//! From exact probabilities to a decision that one draw takes.

use std::sync::Arc;

use smallvec::SmallVec;

use super::columns::{Column, Shapes};
use super::distribution::{Distribution, Parts};
use crate::beside::Beside;
use crate::body::Body;
use crate::model::RecordType;

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
        /// What the clients of each part are answered; those who are answered alike often share a plan.
        variants: Box<[Arc<Plan>]>,
    },
}

/// An alias table (Walker, Vose) with a power of two of columns: the draw picks a column, and in it one of two bodies.
///
/// Columns are equally likely, so rounding a threshold to 32 bits moves an answer by less than `2^-32` in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    /// The possible answers.
    pub bodies: Arc<[Arc<Body>]>,
    /// A power of two of columns.
    pub columns: Arc<[Column]>,
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

    /// The answers of a distribution, prepared for records of one type, which is the same wherever that distribution is of use: so its plan is made
    /// once, unless it depends on the zone. `nodata` gives what [`super::Outcome::NoData`] answers. `beside` is what positive answers carry that are not
    /// minimal. None if there are more possible answers than [`ANSWERS_MAX`].
    pub(super) fn of<'a>(
        distribution: &Distribution,
        rtype: RecordType,
        nodata: impl Fn() -> &'a Arc<Body>,
        beside: Option<&Beside<'_>>,
        shapes: &mut Shapes,
    ) -> Option<Arc<Self>> {
        let of_any_zone = beside.is_none() && !distribution.may_be_nodata();
        let known = distribution.plan.get().filter(|_| of_any_zone);
        if known.is_some() {
            return known.cloned();
        }
        let plan = Arc::new(Self::prepare(distribution.parts(), rtype, nodata, beside, shapes)?);
        if of_any_zone {
            // Who was faster has prepared the same.
            drop(distribution.plan.set(plan.clone()));
        }
        Some(plan)
    }

    fn prepare<'a>(
        parts: &Parts,
        rtype: RecordType,
        nodata: impl Fn() -> &'a Arc<Body>,
        beside: Option<&Beside<'_>>,
        shapes: &mut Shapes,
    ) -> Option<Self> {
        let mut bodies: SmallVec<[Arc<Body>; 8]> = SmallVec::new();
        let mut counts: SmallVec<[u32; 8]> = SmallVec::new();
        for answer in parts.answers() {
            let before = bodies.len();
            answer.add_bodies(rtype, &nodata, beside, &mut bodies);
            counts.push((bodies.len() - before) as u32);
        }
        let count = bodies.len();
        if count == 1 {
            return bodies.pop().map(Self::Fixed);
        }
        if count > ANSWERS_MAX {
            return None;
        }
        let columns = shapes.columns(parts, &counts);
        let mut bodies = bodies.into_iter();
        // A length that is known beforehand: one allocation, and nothing is moved again.
        let bodies = (0..count).map(|_| bodies.next().expect("as many as counted")).collect();
        Some(Self::ByWeight(Weights { bodies, columns }))
    }
}
