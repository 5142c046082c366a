//! Latency routing looks at latencies to regions, measured or else estimated, and at one country.
//!
//! All regions that any arrangement names are put into one order of preference; that of the members of a group is the same, with the other
//! regions left out. Many clients share such an order.

use std::collections::{BTreeSet, HashMap};

use super::aspect::{Finder, Memo};
use crate::compile::policy::latency::{is_in_china, preference, region};
use crate::geo::{Distinct, Latency};

pub(super) struct Latencies<'a> {
    pub(super) finder: Finder<'a>,
    /// All regions, by name.
    regions: Vec<&'a str>,
    /// For each arrangement the region of each member, by number.
    arrangements: Vec<Vec<usize>>,
    /// For each row the latencies to the regions.
    measured: Memo<Box<[Option<Latency>]>>,
    /// For each location the latencies to the regions, and whether it is in China.
    estimated: Memo<(Box<[Option<Latency>]>, bool)>,
    /// By regions in order of preference.
    by_preference: HashMap<Box<[u32]>, u32>,
    /// Where the present order of preference is made.
    preferred: Vec<u32>,
}

impl<'a> Latencies<'a> {
    pub(super) fn new(finder: Finder<'a>) -> Self {
        let members = || finder.groups.iter().map(|group| group.members.iter().map(region));
        let regions: Vec<&str> = members().flatten().collect::<BTreeSet<_>>().into_iter().collect();
        let number = |region| regions.partition_point(|known| *known < region);
        let arrangements = members().map(|regions| regions.map(number).collect()).collect();
        Self {
            finder,
            regions,
            arrangements,
            measured: Memo::default(),
            estimated: Memo::default(),
            by_preference: HashMap::new(),
            preferred: Vec::new(),
        }
    }

    pub(super) fn class(&mut self, client: &Distinct<'_>) -> u32 {
        let Self { finder, regions, arrangements, measured, estimated, by_preference, preferred } = self;
        let measured = measured.get(client.row(), || {
            let client = client.client();
            regions.iter().map(|region| client.measured_latency(region)).collect()
        });
        let (estimated, in_china) = estimated.get(client.location(), || {
            let client = client.client();
            let latencies = regions.iter().map(|region| client.estimated_latency(region));
            (latencies.collect(), is_in_china(&client))
        });
        preferred.clear();
        preferred.extend(0..regions.len() as u32);
        preferred.sort_by_key(|&number| {
            let number = number as usize;
            preference(regions[number], measured[number].or(estimated[number]), *in_china)
        });
        if let Some(&class) = by_preference.get(&**preferred) {
            return class;
        }
        let mut ranks = vec![0; preferred.len()];
        for (rank, &number) in preferred.iter().enumerate() {
            ranks[number as usize] = rank;
        }
        let class = finder.class(arrangements.iter().map(|regions| {
            let mut order: Vec<usize> = (0..regions.len()).collect();
            order.sort_by_key(|&index| ranks[regions[index]]);
            order
        }));
        by_preference.insert(preferred.as_slice().into(), class);
        class
    }
}
