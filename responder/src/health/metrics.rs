//! What the health module counts about itself. Exposition is another module's job: it reads [`HealthMetrics::snapshot`].

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use pulse53_core::health::{HealthStatus, Transition, TransitionReason};

/// Upper bounds of the buckets of [`HealthMetricsSnapshot::lateness`]; one more bucket has no bound.
const LATENESS_BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/// Upper bounds of the buckets of [`HealthMetricsSnapshot::detection`]; one more bucket has no bound.
const DETECTION_BOUNDS_MS: [u64; 15] =
    [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000];

/// Durations counted by size.
#[derive(Debug)]
struct Histogram<const N: usize> {
    bounds_ms: [u64; N],
    /// Not cumulative.
    counts: [AtomicU64; N],
    /// Those above the last bound.
    above: AtomicU64,
    sum_micros: AtomicU64,
}

/// A histogram at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistogramSnapshot {
    /// Upper bound and count of each bucket, not cumulative; the last bound is infinite. In seconds.
    pub buckets: Vec<(f64, u64)>,
    /// All durations together.
    pub sum: Duration,
}

impl HistogramSnapshot {
    /// How many durations there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

impl<const N: usize> Histogram<N> {
    fn new(bounds_ms: [u64; N]) -> Self {
        let counts = std::array::from_fn(|_| AtomicU64::new(0));
        Self { bounds_ms, counts, above: AtomicU64::new(0), sum_micros: AtomicU64::new(0) }
    }

    fn observe(&self, duration: Duration) {
        let bucket = self.bounds_ms.partition_point(|&bound| Duration::from_millis(bound) < duration);
        self.counts.get(bucket).unwrap_or(&self.above).fetch_add(1, Relaxed);
        self.sum_micros.fetch_add(duration.as_micros().try_into().unwrap_or(u64::MAX), Relaxed);
    }

    fn snapshot(&self) -> HistogramSnapshot {
        let bounds = self.bounds_ms.iter().map(|&bound| Duration::from_millis(bound).as_secs_f64());
        let counts = self.counts.iter().chain([&self.above]).map(|count| count.load(Relaxed));
        HistogramSnapshot {
            buckets: bounds.chain([f64::INFINITY]).zip(counts).collect(),
            sum: Duration::from_micros(self.sum_micros.load(Relaxed)),
        }
    }
}

/// Counters that probes and the actor raise.
#[derive(Debug)]
pub struct HealthMetrics {
    probes_passed: AtomicU64,
    probes_failed: AtomicU64,
    probes_not_run: AtomicU64,
    alarm_evaluations: AtomicU64,
    alarm_evaluations_missing: AtomicU64,
    transitions: AtomicU64,
    journal_writes: AtomicU64,
    journal_errors: AtomicU64,
    lateness: Histogram<{ LATENESS_BOUNDS_MS.len() }>,
    detection: Histogram<{ DETECTION_BOUNDS_MS.len() }>,
}

impl Default for HealthMetrics {
    fn default() -> Self {
        Self {
            probes_passed: AtomicU64::new(0),
            probes_failed: AtomicU64::new(0),
            probes_not_run: AtomicU64::new(0),
            alarm_evaluations: AtomicU64::new(0),
            alarm_evaluations_missing: AtomicU64::new(0),
            transitions: AtomicU64::new(0),
            journal_writes: AtomicU64::new(0),
            journal_errors: AtomicU64::new(0),
            lateness: Histogram::new(LATENESS_BOUNDS_MS),
            detection: Histogram::new(DETECTION_BOUNDS_MS),
        }
    }
}

/// The counters at one moment. All rise from the start of the process and never fall.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HealthMetricsSnapshot {
    /// Probes that passed.
    pub probes_passed: u64,
    /// Probes that failed, through the endpoint's fault.
    pub probes_failed: u64,
    /// Probes this node could not send for want of descriptors, ports or memory. Should never be anything but 0.
    pub probes_not_run: u64,
    /// Evaluations of alarms, missing ones included.
    pub alarm_evaluations: u64,
    /// Evaluations that were missing (H-27).
    pub alarm_evaluations_missing: u64,
    /// Changes of final status.
    pub transitions: u64,
    /// Times the journal was written.
    pub journal_writes: u64,
    /// Times the journal could not be written.
    pub journal_errors: u64,
    /// Probe starts, by how late they were.
    pub lateness: HistogramSnapshot,
    /// Verdicts of this node's checker that changed a check's status, by the time from the start of the first probe of the run
    /// that decided to the end of its last (H-19).
    pub detection: HistogramSnapshot,
}

impl HealthMetrics {
    /// All counters now. They are read one by one: a probe ending meanwhile may show in some and not in others.
    pub fn snapshot(&self) -> HealthMetricsSnapshot {
        HealthMetricsSnapshot {
            probes_passed: self.probes_passed.load(Relaxed),
            probes_failed: self.probes_failed.load(Relaxed),
            probes_not_run: self.probes_not_run.load(Relaxed),
            alarm_evaluations: self.alarm_evaluations.load(Relaxed),
            alarm_evaluations_missing: self.alarm_evaluations_missing.load(Relaxed),
            transitions: self.transitions.load(Relaxed),
            journal_writes: self.journal_writes.load(Relaxed),
            journal_errors: self.journal_errors.load(Relaxed),
            lateness: self.lateness.snapshot(),
            detection: self.detection.snapshot(),
        }
    }

    pub(super) fn probe_started(&self, late: Duration) {
        self.lateness.observe(late);
    }

    pub(super) fn probe_ended(&self, passed: bool) {
        let counter = if passed { &self.probes_passed } else { &self.probes_failed };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn probe_not_run(&self) {
        self.probes_not_run.fetch_add(1, Relaxed);
    }

    pub(super) fn alarm_evaluated(&self, missing: bool) {
        self.alarm_evaluations.fetch_add(1, Relaxed);
        self.alarm_evaluations_missing.fetch_add(missing.into(), Relaxed);
    }

    pub(super) fn transitions(&self, transitions: &[Transition]) {
        for transition in transitions {
            // What is not declared any more has no status, and what it had did not change.
            if transition.to == HealthStatus::Unknown {
                continue;
            }
            self.transitions.fetch_add(1, Relaxed);
            if let TransitionReason::Observed { detection: Some(detection), .. } = &transition.reason {
                self.detection.observe(*detection);
            }
        }
    }

    pub(super) fn journal_written(&self, written: bool) {
        let counter = if written { &self.journal_writes } else { &self.journal_errors };
        counter.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_falls_into_the_bucket_that_bounds_it() {
        let metrics = HealthMetrics::default();
        for micros in [0, 1000, 1001, 5_000_000, 5_000_001] {
            metrics.probe_started(Duration::from_micros(micros));
        }
        let snapshot = metrics.snapshot();
        let counts: Vec<u64> = snapshot.lateness.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        let bounds: Vec<f64> = snapshot.lateness.buckets.iter().map(|(bound, _)| *bound).collect();
        assert_eq!((bounds[0], bounds[11], bounds[12]), (0.001, 5.0, f64::INFINITY));
        assert_eq!(snapshot.lateness.sum, Duration::from_micros(10_002_002));
        assert_eq!(snapshot.lateness.count(), 5);
    }
}
