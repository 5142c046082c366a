//! What health and policy make of one group for one client: the one place where the two meet (routing specification, section 9).

use std::sync::Arc;

use smallvec::SmallVec;

use super::distribution::{Distribution, Outcome};
use super::policy::{self, Members, Selection, TOGETHER_MAX};
use crate::model::{CheckId, RRsetGroup, Rdata, RecordData, RecordSet, Ttl};

/// Which members may answer, and with which shares.
#[derive(Debug)]
pub(crate) struct Decision {
    /// If not, and there is a pool, the group is in last resort.
    pub(crate) healthy: bool,
    /// The members the policy chooses from, in order of preference; none if none is applicable.
    pub(crate) pool: Members,
    /// How they answer; by lot among none if there is no pool.
    pub(crate) selection: Selection,
}

/// Whether a member is healthy. `target_healthy` is asked if that of an alias counts.
pub(crate) fn is_healthy(
    member: &RecordSet,
    target_healthy: impl FnOnce() -> bool,
    health: impl FnOnce(&CheckId) -> bool,
) -> bool {
    member.check.as_ref().is_none_or(health)
        && match &member.data {
            RecordData::Alias(alias) if alias.evaluate_target_health => target_healthy(),
            _ => true,
        }
}

impl Decision {
    /// Decides for a group of which these members are applicable, in order of preference; `healthy` tells which [are](is_healthy).
    pub(crate) fn of(group: &RRsetGroup, applicable: &[usize], healthy: impl Fn(usize) -> bool) -> Self {
        let mut pool: Members = applicable.iter().copied().filter(|&index| healthy(index)).collect();
        let healthy = !pool.is_empty();
        if !healthy {
            pool = applicable.into(); // last resort, R-56
        }
        let selection =
            if pool.is_empty() { Selection::OneOf(SmallVec::new()) } else { policy::select(group, &pool) };
        Self { healthy, pool, selection }
    }

    /// Whether all members failed and count nevertheless.
    pub(crate) fn is_last_resort(&self) -> bool {
        !self.healthy && !self.pool.is_empty()
    }

    /// What comes of it, given what the members come to: see [`of_values`]; an alias to what its target does, or to
    /// NODATA.
    pub(crate) fn distribution(
        &self,
        group: &RRsetGroup,
        of_member: &impl Fn(usize) -> Option<Arc<Distribution>>,
    ) -> Arc<Distribution> {
        let of_member = |index: usize| {
            of_member(index).unwrap_or_else(|| Arc::new(Distribution::certain(Outcome::NoData)))
        };
        match &self.selection {
            //
            Selection::OneOf(shares) if shares.is_empty() => Arc::new(Distribution::certain(Outcome::NoData)),
            Selection::OneOf(shares) => match shares.as_slice() {
                [(only, _)] => of_member(*only),
                _ => {
                    let parts: SmallVec<[_; 8]> =
                        shares.iter().map(|&(index, weight)| (of_member(index), weight)).collect();
                    Arc::new(Distribution::mixed(parts.iter().map(|(part, weight)| (&**part, *weight))))
                }
            },
            Selection::Together(together) => {
                Arc::new(Distribution::certain(answer_together(&group.members, together)))
            }
        }
    }
}

/// What a member with values comes to; none for an alias.
pub(crate) fn of_values(member: &RecordSet) -> Option<Arc<Distribution>> {
    let (ttl, rdatas) = values(member)?;
    Some(Arc::new(Distribution::certain(Outcome::Set(ttl, sorted(rdatas)))))
}

/// The records of a member that is no alias.
fn values(member: &RecordSet) -> Option<(Ttl, &Arc<[Rdata]>)> {
    match &member.data {
        RecordData::Values { ttl, rdatas } => Some((*ttl, rdatas)),
        RecordData::Alias(_) => None,
    }
}

/// The members of a multivalue group that answer together.
fn answer_together(members: &[RecordSet], together: &[usize]) -> Outcome {
    // Validation refuses aliases, R-43.
    let ttl = members.iter().filter_map(values).map(|(ttl, _)| ttl).min().unwrap_or(Ttl(0));
    let sets = together.iter().filter_map(|&index| values(&members[index])).map(|(_, rdatas)| rdatas);
    if together.len() <= TOGETHER_MAX {
        let mut union: SmallVec<[&Rdata; 16]> = sets.flat_map(|set| set.iter()).collect();
        union.sort_unstable();
        union.dedup();
        Outcome::Set(ttl, union.iter().map(|&rdata| rdata.clone()).collect())
    } else {
        let mut sets: Vec<_> = sets.map(sorted).collect();
        sets.sort_unstable();
        Outcome::Choose(ttl, sets.into())
    }
}

/// Answers are compared as sets: one order for all.
fn sorted(rdatas: &Arc<[Rdata]>) -> Arc<[Rdata]> {
    if rdatas.is_sorted() {
        return rdatas.clone();
    }
    let mut sorted = rdatas.to_vec();
    sorted.sort_unstable();
    sorted.into()
}
