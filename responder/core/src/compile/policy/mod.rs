//! Routing policies: which members of the pool answer, and with which share. One file a policy.
//!
//! The pool is what health has left (routing specification, section 4); a policy never sees health itself. A policy that depends on the client
//! orders the applicable members; one that does not takes them all.

mod cidr;
mod failover;
mod geolocation;
pub(super) mod geoproximity;
pub(super) mod latency;
mod multivalue;
mod weighted;

use smallvec::{SmallVec, smallvec};

use crate::geo::Client;
use crate::model::{PolicyKind, RRsetGroup};

/// The members that may answer a client, in order of preference; for policies that do not look at the client, all of them.
pub(crate) fn order(group: &RRsetGroup, client: &Client) -> Vec<usize> {
    match group.policy() {
        PolicyKind::Latency => latency::order(group, client),
        PolicyKind::Geolocation => geolocation::order(group, client),
        PolicyKind::Cidr => cidr::order(group, client),
        PolicyKind::Geoproximity => geoproximity::order(group, client),
        PolicyKind::Simple | PolicyKind::Weighted | PolicyKind::Failover | PolicyKind::Multivalue => {
            (0..group.members.len()).collect()
        }
    }
}

/// Some members of a group by index; few groups have more than fit in place.
pub(crate) type Members = SmallVec<[usize; 8]>;

/// How the pool of a group answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// One member by lot: indices into the group's members with integer weights whose sum is above zero.
    OneOf(SmallVec<[(usize, u32); 8]>),
    /// Up to [`multivalue::TOGETHER_MAX`] of these members together.
    Together(Members),
}

impl Selection {
    /// The members that may answer.
    pub(crate) fn members(&self) -> impl Iterator<Item = usize> {
        let (one_of, together) = match self {
            Self::OneOf(shares) => (shares.as_slice(), &[][..]),
            Self::Together(together) => (&[][..], together.as_slice()),
        };
        one_of.iter().map(|&(index, _)| index).chain(together.iter().copied())
    }
}

pub(crate) use multivalue::TOGETHER_MAX;

/// Applies the group's policy to a pool, which holds at least one index into its members, in order of preference.
pub(crate) fn select(group: &RRsetGroup, pool: &[usize]) -> Selection {
    match group.policy() {
        PolicyKind::Weighted => weighted::select(group, pool),
        PolicyKind::Failover => failover::select(group, pool),
        PolicyKind::Multivalue => multivalue::select(pool),
        // Simple has one member; the ordered policies answer with the first of the pool.
        PolicyKind::Simple
        | PolicyKind::Latency
        | PolicyKind::Geolocation
        | PolicyKind::Cidr
        | PolicyKind::Geoproximity => Selection::OneOf(smallvec![(pool[0], 1)]),
    }
}
