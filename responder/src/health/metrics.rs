//! What the health module counts about itself. Exposition is another module's job: it reads [`HealthMetrics::snapshot`].

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the buckets of [`HealthMetricsSnapshot::lateness`], in milliseconds; one more bucket has no bound.
pub const LATENESS_BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/// Counters that probes and the actor raise.
#[derive(Debug, Default)]
pub struct HealthMetrics {
    probes_passed: AtomicU64,
    probes_failed: AtomicU64,
    probes_not_run: AtomicU64,
    alarm_evaluations: AtomicU64,
    alarm_evaluations_missing: AtomicU64,
    transitions: AtomicU64,
    journal_writes: AtomicU64,
    journal_errors: AtomicU64,
    lateness: [AtomicU64; LATENESS_BOUNDS_MS.len() + 1],
    lateness_micros: AtomicU64,
}

/// The counters at one moment. All rise from the start of the process and never fall.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// Probe starts by how late they were, a bucket for each of [`LATENESS_BOUNDS_MS`] and one above them; not cumulative.
    pub lateness: [u64; LATENESS_BOUNDS_MS.len() + 1],
    /// The lateness of all probe starts together.
    pub lateness_sum: Duration,
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
            lateness: std::array::from_fn(|bucket| self.lateness[bucket].load(Relaxed)),
            lateness_sum: Duration::from_micros(self.lateness_micros.load(Relaxed)),
        }
    }

    pub(super) fn probe_started(&self, late: Duration) {
        let bucket = LATENESS_BOUNDS_MS.partition_point(|&bound| Duration::from_millis(bound) < late);
        self.lateness[bucket].fetch_add(1, Relaxed);
        self.lateness_micros.fetch_add(late.as_micros().try_into().unwrap_or(u64::MAX), Relaxed);
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

    pub(super) fn transitions(&self, count: usize) {
        self.transitions.fetch_add(count as u64, Relaxed);
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
        assert_eq!((snapshot.lateness[0], snapshot.lateness[1]), (2, 1));
        assert_eq!((snapshot.lateness[11], snapshot.lateness[12]), (1, 1));
        assert_eq!(snapshot.lateness_sum, Duration::from_micros(10_002_002));
    }
}
