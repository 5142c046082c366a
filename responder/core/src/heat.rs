//! Which questions are worth a place in the kernel where there is no room for all: the busiest, by measured heat, without thrash.
//!
//! The heat of a question is how often it was asked lately: each [`HALF_LIFE`] halves what was before. It is measured by samples, of the
//! kernel's replies for questions that are held, and of userspace's for those that are not; [`exchange`] takes into account how uncertain that
//! makes it. A question that was clearly hotter takes the place of the coldest, so many a round at most: the noise of a steady load moves
//! nothing, and a burst moves little.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::lower::HotKey;

/// Of the kernel's replies to a question, so many are counted as one sample; a power of two.
pub const HITS_ONE_IN: u32 = 64;
/// Of userspace's replies, which are rarer.
pub const MISSES_ONE_IN: u32 = 8;

/// The time in which heat halves.
pub const HALF_LIFE: Duration = Duration::from_secs(300);

/// Questions that are counted at once among those without a place.
pub const COUNTED_MAX: usize = 4096;
/// Questions without a place whose heat is remembered.
const CANDIDATES_MAX: usize = 2 * COUNTED_MAX;

/// Questions that change places in a round.
pub const EXCHANGED_MAX: usize = 256;

/// A newcomer must be this much hotter than who makes room.
const HOTTER: f64 = 1.25;
/// Both are judged at so many standard deviations from what was measured: over a hundred thousand questions it is the extremes that meet.
const DEVIATIONS: f64 = 4.0;

/// The share of heat that is left after some time.
pub fn kept(passed: Duration) -> f64 {
    0.5_f64.powf(passed.as_secs_f64() / HALF_LIFE.as_secs_f64())
}

/// Counts in bounded memory: what is asked often enough is among the counted, and nothing is counted more often than it was asked (Misra and Gries).
///
/// Of `n` keys that were added, a count is at most `n / (max + 1)` too low.
#[derive(Debug)]
pub struct Sketch<K> {
    counts: HashMap<K, u64>,
    max: usize,
}

impl<K: Eq + Hash> Sketch<K> {
    /// One that counts so many keys.
    pub fn new(max: usize) -> Self {
        Self { counts: HashMap::new(), max }
    }

    /// Counts a key once.
    pub fn add(&mut self, key: K) {
        if let Some(count) = self.counts.get_mut(&key) {
            *count += 1;
        } else if self.counts.len() < self.max {
            self.counts.insert(key, 1);
        } else {
            // One of each is set off against this one. What that costs, as many additions have paid for.
            self.counts.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    /// What has been counted since the last time.
    pub fn take(&mut self) -> HashMap<K, u64> {
        std::mem::take(&mut self.counts)
    }
}

/// Questions without a place, and their heat.
#[derive(Debug, Default)]
pub struct Candidates {
    heats: HashMap<HotKey, f64>,
}

impl Candidates {
    /// Lets time pass, and takes up what was counted meanwhile.
    pub fn follow(&mut self, kept: f64, counted: impl IntoIterator<Item = (HotKey, u64)>) {
        self.heats.values_mut().for_each(|heat| *heat *= kept);
        for (key, count) in counted {
            *self.heats.entry(key).or_default() += (count * u64::from(MISSES_ONE_IN)) as f64;
        }
        // What a single sample has left behind.
        self.heats.retain(|_, heat| *heat >= 1.0);
        if self.heats.len() > CANDIDATES_MAX {
            let mut heats: Vec<f64> = self.heats.values().copied().collect();
            let (_, &mut least, _) =
                heats.select_nth_unstable_by(CANDIDATES_MAX, |one, other| other.total_cmp(one));
            self.heats.retain(|_, heat| *heat > least);
        }
    }

    /// Remembers a question that has lost its place with this heat.
    pub fn insert(&mut self, key: HotKey, heat: f64) {
        self.heats.insert(key, heat);
    }

    /// Forgets a question that has found a place, and tells its heat.
    pub fn remove(&mut self, key: &HotKey) -> f64 {
        self.heats.remove(key).unwrap_or_default()
    }

    /// Forgets those that want no place any more.
    pub fn retain(&mut self, wanted: impl Fn(&HotKey) -> bool) {
        self.heats.retain(|key, _| wanted(key));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.heats.clear();
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&HotKey, f64)> {
        self.heats.iter().map(|(key, &heat)| (key, heat))
    }
}

/// Who changes places in a round.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Those that get a place, the hottest first.
    pub admitted: Vec<HotKey>,
    /// Those that make room for them.
    pub evicted: Vec<HotKey>,
}

/// Who of those outside gets a place: the hottest, where there is `free` room, and in place of the coldest that are held if clearly hotter.
pub fn exchange<'k>(
    free: usize,
    held: impl Iterator<Item = (&'k HotKey, f64)>,
    outside: impl Iterator<Item = (&'k HotKey, f64)>,
) -> Exchange {
    type Measured<'k> = (&'k HotKey, f64);
    // Of two alike it does not matter which, but it must be the same one each time.
    let colder = |one: &Measured<'_>, other: &Measured<'_>| -> Ordering {
        one.1.total_cmp(&other.1).then_with(|| one.0.cmp(other.0))
    };
    let mut outside: Vec<Measured<'k>> = outside.collect();
    outside.sort_unstable_by(|one, other| colder(other, one));
    let newcomers = outside.split_off(free.min(EXCHANGED_MAX).min(outside.len()));
    let mut exchange =
        Exchange { admitted: outside.into_iter().map(|(key, _)| key.clone()).collect(), evicted: Vec::new() };
    let Some(hottest) = newcomers.first() else { return exchange };
    // Nearly all are hotter than the hottest newcomer, or nearly so.
    let mut held: Vec<Measured<'k>> = held.filter(|(_, heat)| is_clearly_hotter(hottest.1, *heat)).collect();
    if held.len() > EXCHANGED_MAX {
        held.select_nth_unstable_by(EXCHANGED_MAX, colder);
        held.truncate(EXCHANGED_MAX);
    }
    held.sort_unstable_by(colder);
    for (newcomer, coldest) in newcomers.into_iter().zip(held).take(EXCHANGED_MAX) {
        if !is_clearly_hotter(newcomer.1, coldest.1) {
            break;
        }
        exchange.admitted.push(newcomer.0.clone());
        exchange.evicted.push(coldest.0.clone());
    }
    exchange
}

/// Whether a question without a place is asked more often than one that is held, however both samples have fallen.
fn is_clearly_hotter(newcomer: f64, held: f64) -> bool {
    let deviation = |heat: f64, one_in: u32| (heat * f64::from(one_in)).sqrt();
    let at_least = newcomer - DEVIATIONS * deviation(newcomer, MISSES_ONE_IN);
    // Of what was not sampled even once nobody knows that it was not asked.
    let unseen = DEVIATIONS * DEVIATIONS * f64::from(HITS_ONE_IN);
    let at_most = held + DEVIATIONS * deviation(held, HITS_ONE_IN) + unseen;
    at_least > HOTTER * at_most
}

#[cfg(test)]
mod tests;
