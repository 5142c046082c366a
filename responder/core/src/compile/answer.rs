//! One possible answer, and the bodies that stand for it in replies: made when they are first wanted, and kept, since health takes up the same
//! answers again and again.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use smallvec::SmallVec;

use super::distribution::Outcome;
use super::policy::TOGETHER_MAX;
use crate::beside::Beside;
use crate::body::{self, Bodies, Body};
use crate::model::{Rdata, RecordType};

/// A possible answer of groups of one type.
#[derive(Debug)]
pub(super) struct Answer {
    outcome: Outcome,
    /// Decides the order of most answers, of A records for one, without a look at the records.
    prefix: u64,
    /// If nothing is added to positive answers.
    bodies: OnceLock<Bodies>,
}

impl Answer {
    pub(super) fn new(outcome: Outcome) -> Self {
        let prefix = match &outcome {
            Outcome::Set(ttl, rdatas) => {
                let mut first = [0; 4];
                let octets = rdatas.first().map_or(&[][..], |rdata| &rdata.0);
                first.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
                u64::from(ttl.0) << 32 | u64::from(u32::from_be_bytes(first))
            }
            // A TTL has 31 bits, so these are behind all sets.
            Outcome::Choose(..) | Outcome::NoData => u64::MAX,
        };
        Self { outcome, prefix, bodies: OnceLock::new() }
    }

    pub(super) fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Adds the bodies to others. `nodata` gives what [`Outcome::NoData`] answers; `beside` is what positive answers carry that are not minimal.
    pub(super) fn add_bodies<'a>(
        &self,
        rtype: RecordType,
        nodata: impl Fn() -> &'a Arc<Body>,
        beside: Option<&Beside<'_>>,
        bodies: &mut SmallVec<[Arc<Body>; 8]>,
    ) {
        match (&self.outcome, beside) {
            (Outcome::NoData, _) => bodies.push(nodata().clone()),
            (outcome, Some(_)) => bodies.extend(bodies_of(outcome, rtype, beside)),
            (outcome, None) => {
                let kept = self.bodies.get_or_init(|| bodies_of(outcome, rtype, None));
                bodies.extend(kept.iter().cloned());
            }
        }
    }
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        self.prefix == other.prefix && self.outcome == other.outcome
    }
}

impl Eq for Answer {}

impl Ord for Answer {
    fn cmp(&self, other: &Self) -> Ordering {
        self.prefix.cmp(&other.prefix).then_with(|| self.outcome.cmp(&other.outcome))
    }
}

impl PartialOrd for Answer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn bodies_of(outcome: &Outcome, rtype: RecordType, beside: Option<&Beside<'_>>) -> Bodies {
    match outcome {
        Outcome::NoData => Bodies::new(),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Ttl;

    fn outcome() -> impl Strategy<Value = Outcome> {
        let rdata = prop::collection::vec(0..3u8, 0..6).prop_map(|octets| Rdata(octets.into()));
        let set = prop::collection::vec(rdata, 0..3);
        prop_oneof![
            4 => (0..2u32, set.clone()).prop_map(|(ttl, set)| Outcome::Set(Ttl(ttl), set.into())),
            1 => (0..2u32, prop::collection::vec(set, 0..3)).prop_map(|(ttl, sets)| {
                Outcome::Choose(Ttl(ttl), sets.into_iter().map(Arc::from).collect())
            }),
            1 => Just(Outcome::NoData),
        ]
    }

    proptest! {
        #[test]
        fn answers_are_in_the_order_of_their_outcomes(a in outcome(), b in outcome()) {
            let (first, second) = (Answer::new(a.clone()), Answer::new(b.clone()));
            prop_assert_eq!(first.cmp(&second), a.cmp(&b));
            prop_assert_eq!(first == second, a == b);
        }
    }
}
