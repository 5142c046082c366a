//! What health checking measures, as metrics (H-42).

use std::time::Duration;

use pulse53_core::health::{CheckMeasure, Latency};

use crate::health::{Handle, HealthMetricsSnapshot, HistogramSnapshot};
use crate::metrics::{
    ALARM_EVALUATIONS, CHECK_CHILDREN, CHECK_HEALTHY, CHECK_LATENCY, CHECK_LATENCY_ALL, CHECK_PERCENT,
    CHECKS, DETECTION, JOURNAL_WRITES, Metric, PROBE_LATENESS, PROBES, Sample, Source, TRANSITIONS, Value,
};

/// Statuses of checks, and what checking them took.
pub(super) fn health(health: Handle) -> Source {
    Box::new(move || {
        let measures = health.measures_blocking();
        let mut samples = Vec::new();
        let mut by_status = [0u32; 2];
        for measure in &measures {
            by_status[usize::from(measure.healthy)] += 1;
            check(measure, &mut samples);
        }
        for (status, count) in ["unhealthy", "healthy"].iter().zip(by_status) {
            samples.push(Sample::new(&CHECKS, [("status", status)], f64::from(count)));
        }
        whole(&health.metrics(), &mut samples);
        samples
    })
}

fn check(measure: &CheckMeasure, samples: &mut Vec<Sample>) {
    let id = &measure.id;
    let mut tell =
        |metric: &'static Metric, value: f64| samples.push(Sample::new(metric, [("check", id)], value));
    tell(&CHECK_HEALTHY, f64::from(u8::from(measure.healthy)));
    if let Some(percent) = measure.healthy_percent {
        tell(&CHECK_PERCENT, percent);
    }
    if let Some(children) = measure.healthy_children {
        tell(&CHECK_CHILDREN, children as f64);
    }
    for (region, latency) in &measure.latency {
        for (phase, duration) in phases(latency) {
            let labels: [(&str, &dyn std::fmt::Display); 3] =
                [("check", id), ("region", region), ("phase", &phase)];
            samples.push(Sample::new(&CHECK_LATENCY, labels, duration.as_secs_f64()));
        }
    }
    for (phase, duration) in measure.latency_over_all.iter().flat_map(phases) {
        let labels: [(&str, &dyn std::fmt::Display); 2] = [("check", id), ("phase", &phase)];
        samples.push(Sample::new(&CHECK_LATENCY_ALL, labels, duration.as_secs_f64()));
    }
}

/// The phases that were measured (H-17).
fn phases(latency: &Latency) -> impl Iterator<Item = (&'static str, Duration)> + use<> {
    let phases = [
        ("connect", latency.connect),
        ("first_byte", latency.first_byte),
        ("tls_handshake", latency.tls_handshake),
    ];
    phases.into_iter().filter_map(|(phase, duration)| Some((phase, duration?)))
}

fn whole(counted: &HealthMetricsSnapshot, samples: &mut Vec<Sample>) {
    for (result, count) in [
        ("passed", counted.probes_passed),
        ("failed", counted.probes_failed),
        ("not_run", counted.probes_not_run),
    ] {
        samples.push(Sample::new(&PROBES, [("result", &result)], count as f64));
    }
    let evaluated = counted.alarm_evaluations.saturating_sub(counted.alarm_evaluations_missing);
    for (result, count) in [("evaluated", evaluated), ("missing", counted.alarm_evaluations_missing)] {
        samples.push(Sample::new(&ALARM_EVALUATIONS, [("result", &result)], count as f64));
    }
    for (outcome, count) in [("ok", counted.journal_writes), ("failed", counted.journal_errors)] {
        samples.push(Sample::new(&JOURNAL_WRITES, [("outcome", &outcome)], count as f64));
    }
    samples.push(Sample::new(&TRANSITIONS, [], counted.transitions as f64));
    for (metric, HistogramSnapshot { buckets, sum }) in
        [(&PROBE_LATENESS, &counted.lateness), (&DETECTION, &counted.detection)]
    {
        let value = Value::Histogram { buckets: buckets.clone(), sum: sum.as_secs_f64() };
        samples.push(Sample::new(metric, [], value));
    }
}
