//! What arrangements look at in a client. Each policy looks at one aspect, and clients who are alike in it are ordered alike: so an order
//! is found once for each value of an aspect that occurs, and not for each client.

use std::collections::HashMap;

use super::aspect::{Aspect, Finder, Memo};
use super::latencies::Latencies;
use super::proximity::Proximity;
use crate::compile::policy;
use crate::geo::{Distinct, GeoDb, Location};
use crate::model::{PolicyKind, RRsetGroup};

/// How many aspects there are.
pub(super) const ASPECTS: usize = 4;

/// A client's class in each aspect; clients with equal ones belong to one class.
pub(super) type Alike = [u32; ASPECTS];

/// One way in which groups are divided among clients: which aspect it looks at, and its place among those that do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Arrangement {
    pub(super) aspect: usize,
    pub(super) place: usize,
}

/// The aspect that a policy looks at; none: not at the client.
pub(super) fn aspect_of(policy: PolicyKind) -> Option<usize> {
    match policy {
        PolicyKind::Geolocation => Some(0),
        PolicyKind::Geoproximity => Some(1),
        PolicyKind::Latency => Some(2),
        PolicyKind::Cidr => Some(3),
        PolicyKind::Simple | PolicyKind::Weighted | PolicyKind::Failover | PolicyKind::Multivalue => None,
    }
}

/// All aspects while clients are being looked at.
pub(super) struct Aspects<'a> {
    places: Places<'a>,
    proximity: Proximity<'a>,
    latencies: Latencies<'a>,
    blocks: Blocks<'a>,
}

impl<'a> Aspects<'a> {
    /// Those that these arrangements look at, by aspect, a group for each.
    pub(super) fn new(finders: [Finder<'a>; ASPECTS], geo: &GeoDb) -> Self {
        let [places, proximity, latencies, blocks] = finders;
        Self {
            places: Places { finder: places, by_location: Memo::default(), by_place: HashMap::new() },
            proximity: Proximity::new(proximity, geo),
            latencies: Latencies::new(latencies),
            blocks: Blocks { finder: blocks, by_matches: Memo::default() },
        }
    }

    /// A client's class in each aspect.
    pub(super) fn alike(&mut self, client: &Distinct<'_>) -> Alike {
        [
            self.places.class(client),
            self.proximity.class(client),
            self.latencies.class(client),
            self.blocks.class(client),
        ]
    }

    pub(super) fn found(self) -> [Aspect; ASPECTS] {
        let finders = [self.places.finder, self.proximity.finder, self.latencies.finder, self.blocks.finder];
        finders.map(Finder::found)
    }
}

/// Geolocation looks at names of places.
struct Places<'a> {
    finder: Finder<'a>,
    by_location: Memo<u32>,
    /// By location without coordinates.
    by_place: HashMap<Location, u32>,
}

impl Places<'_> {
    fn class(&mut self, client: &Distinct<'_>) -> u32 {
        let Self { finder, by_location, by_place } = self;
        *by_location.get(client.location(), || {
            let client = client.client();
            *by_place
                .entry(client.location().without_coordinates())
                .or_insert_with(|| ordered(finder, |group| policy::order(group, &client)))
        })
    }
}

/// IP-based routing looks at the blocks around a client.
struct Blocks<'a> {
    finder: Finder<'a>,
    by_matches: Memo<u32>,
}

impl Blocks<'_> {
    fn class(&mut self, client: &Distinct<'_>) -> u32 {
        let Self { finder, by_matches } = self;
        *by_matches.get(client.matches(), || {
            let client = client.client();
            ordered(finder, |group| policy::order(group, &client))
        })
    }
}

fn ordered(finder: &mut Finder<'_>, order: impl Fn(&RRsetGroup) -> Vec<usize>) -> u32 {
    let orders: Vec<Vec<usize>> = finder.groups.iter().map(|group| order(group)).collect();
    finder.class(orders)
}
