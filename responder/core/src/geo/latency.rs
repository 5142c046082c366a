//! How long the way to a region takes: measured rows of a table, and an estimate where there is none.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::distance::distance_km;
use super::location::Coordinates;

/// A round-trip time, in whole microseconds so that equal ones are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Latency {
    micros: u32,
}

/// Round trips in fiber take about 1 ms per 100 km on the straight line; real paths are about half as long again.
const ESTIMATE_MS_PER_KM: f64 = 1.5 / 100.0;
/// Access networks and machines at both ends.
const ESTIMATE_MS_MIN: f64 = 5.0;

impl Latency {
    /// The longest there is: about 71 minutes.
    pub const MAX: Self = Self { micros: u32::MAX };

    /// A latency in milliseconds; none unless it is from 0 to [`Latency::MAX`].
    pub fn from_ms(ms: f64) -> Option<Self> {
        let micros = (ms * 1000.0).round();
        (0.0..=f64::from(u32::MAX)).contains(&micros).then_some(Self { micros: micros as u32 })
    }

    /// In milliseconds.
    pub fn as_ms(self) -> f64 {
        f64::from(self.micros) / 1000.0
    }

    /// A guess by distance. It only orders regions for clients that nobody measured; further is never less.
    pub fn estimate(client: Coordinates, region: Coordinates) -> Self {
        let ms = ESTIMATE_MS_MIN + distance_km(client, region) * ESTIMATE_MS_PER_KM;
        Self::from_ms(ms).unwrap_or(Self::MAX)
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.as_ms())
    }
}

/// The rows that hold for a network: its own, and around them those of the next wider network that has any.
///
/// Linked instead of merged: a table may say little about each of many networks inside one about which it says much.
#[derive(Debug)]
pub(super) struct LatencyRow {
    /// By region; they hide those of wider networks.
    own: Box<[(Arc<str>, Latency)]>,
    wider: Option<Arc<LatencyRow>>,
}

impl LatencyRow {
    /// `own` is sorted by region, each of which is in it once.
    pub(super) fn new(own: Box<[(Arc<str>, Latency)]>, wider: Option<Arc<LatencyRow>>) -> Self {
        debug_assert!(own.is_sorted_by(|a, b| a.0 < b.0));
        Self { own, wider }
    }

    /// The row of the longest prefix that has one for this region.
    pub(super) fn get(&self, region: &str) -> Option<Latency> {
        let mut row = Some(self);
        while let Some(LatencyRow { own, wider }) = row {
            if let Ok(at) = own.binary_search_by(|(known, _)| (**known).cmp(region)) {
                return Some(own[at].1);
            }
            row = wider.as_deref();
        }
        None
    }

    /// Every region with a row, in order.
    pub(super) fn all(&self) -> Vec<(Arc<str>, Latency)> {
        let mut all = Vec::new();
        let mut row = Some(self);
        while let Some(LatencyRow { own, wider }) = row {
            all.extend(own.iter().cloned());
            row = wider.as_deref();
        }
        // Stable: of one region the longest prefix stays in front and is the one kept.
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all.dedup_by(|later, first| later.0.cmp(&first.0) == Ordering::Equal);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(own: &[(&str, f64)], wider: Option<Arc<LatencyRow>>) -> Arc<LatencyRow> {
        let own = own.iter().map(|(region, ms)| (Arc::from(*region), Latency::from_ms(*ms).unwrap()));
        Arc::new(LatencyRow::new(own.collect(), wider))
    }

    #[test]
    fn milliseconds_are_bounded() {
        for bad in [-0.1, f64::NAN, f64::INFINITY, 4_294_968.0] {
            assert_eq!(Latency::from_ms(bad), None, "{bad}");
        }
        assert_eq!(Latency::from_ms(12.3456).unwrap().to_string(), "12.346 ms");
        assert!(Latency::from_ms(9.5) < Latency::from_ms(10.0));
    }

    #[test]
    fn the_longest_prefix_with_a_row_for_the_region_counts() {
        let wide = row(&[("a", 10.0), ("b", 20.0)], None);
        let narrow = row(&[("b", 5.0), ("c", 7.0)], Some(wide));
        let ms = |region| narrow.get(region).map(Latency::as_ms);
        assert_eq!([ms("a"), ms("b"), ms("c"), ms("d")], [Some(10.0), Some(5.0), Some(7.0), None]);
        let all: Vec<_> =
            narrow.all().iter().map(|(region, latency)| format!("{region} {latency}")).collect();
        assert_eq!(all, ["a 10 ms", "b 5 ms", "c 7 ms"]);
    }

    proptest! {
        #[test]
        fn further_is_never_estimated_less(
            near in 0.0..=180.0_f64, more in 0.0..=180.0_f64, latitude in -90.0..=90.0_f64,
        ) {
            let far = (near + more).min(180.0);
            let client = Coordinates::new(latitude, 0.0).unwrap();
            let estimate = |longitude| Latency::estimate(client, Coordinates::new(latitude, longitude).unwrap());
            prop_assert!(estimate(near) <= estimate(far));
            prop_assert!(estimate(near).as_ms() >= ESTIMATE_MS_MIN);
        }
    }
}
