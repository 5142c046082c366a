//! Every metric: its name, its meaning, and how Prometheus reads it.
//!
//! What the agent itself does is kept here. What other parts count stays with them: they are asked at each scrape and answer with
//! [`Sample`]s of the metrics defined here, so no part has to know how metrics are told.

mod sample;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use sample::Sources;
pub use sample::{Sample, Source, Value};

use crate::clock;

/// Whether a value only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises; Prometheus sees `_total` behind the name.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts durations by size.
    Histogram,
}

/// A metric that other parts give values for.
#[derive(Debug)]
pub struct Metric {
    /// Without the prefix `pulse53_` and the suffix `_total`.
    pub name: &'static str,
    /// What it tells, as Prometheus shows it.
    pub help: &'static str,
    /// What its values are.
    pub kind: Kind,
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $id:ident = $kind:ident $name:literal, $help:literal;)*) => {
        $($(#[$doc])* #[doc = $help] pub static $id: Metric = Metric { name: $name, help: $help, kind: Kind::$kind };)*
        /// All of them, in the order they are told.
        pub static ALL: &[&Metric] = &[$(&$id),*];
    };
}

metrics! {
    /// Labels: `path`, `transport`, `rcode`.
    REPLIES = Counter "replies", "Replies sent, by path (kernel, userspace), transport and rcode";
    /// Labels: `transport`.
    TRUNCATED = Counter "truncated_replies", "Replies with TC=1: the answer did not fit, or the client is rate-limited";
    /// Labels: `transport`.
    SILENT = Counter "unanswered_packets", "Packets that get no reply: too short, or themselves responses";
    /// Labels: `path`, `transport`, `ruling`.
    LIMITED = Counter "limited_responses", "Responses beyond the rate limit; slip was empty with TC=1, drop was not sent";
    /// Labels: `transport`.
    UNSENT = Counter "unsent_replies", "Replies that the network did not take";
    LOST_QUERIES = Counter "udp_lost_queries", "Queries that userspace never saw, as its sockets were full";
    QUERY_LOG_LOST = Counter "query_log_lost_lines", "Lines of query logs that were not written: too many at once, or a file that cannot be written";
    /// Labels: `how`.
    SIGNATURES = Counter "signatures", "Signatures of answers of signed zones, by whether each was made for the answer or kept from one before (made, kept)";
    SIGNATURES_KEPT = Gauge "kept_signatures", "Signatures that are kept for further answers";
    REFUSED_CONNECTIONS = Counter "tcp_refused_connections", "TCP connections closed because of a limit";
    DISPLACED_CONNECTIONS = Counter "tcp_displaced_connections", "Idle TCP connections closed early to make room for others";
    /// Labels: `verdict`.
    KERNEL_VERDICTS = Counter "kernel_packets", "Packets by what the XDP program decided; pass_* went to userspace for that reason";
    /// Labels: `interface`, `mode`.
    KERNEL_INTERFACES = Gauge "kernel_interface", "1 for each interface the XDP program is attached to";
    KERNEL_ENTRIES = Gauge "kernel_entries", "Questions the kernel can answer";
    KERNEL_CAPACITY = Gauge "kernel_capacity_entries", "Questions the kernel is to hold at most, as configured";
    KERNEL_REFUSED = Gauge "kernel_refused_entries", "Questions left to userspace because the kernel had no room for them";
    KERNEL_PROMOTED = Counter "kernel_promoted_entries", "Questions that got room in the kernel because they were asked often";
    KERNEL_EVICTED = Counter "kernel_evicted_entries", "Questions whose room in the kernel others got";
    KERNEL_SHARE = Gauge "kernel_hit_share", "Replies that the kernel sent, of all since the start, 0 to 1";
    /// Labels: `outcome`.
    SAMPLES = Counter "kernel_samples", "Kernel answers that userspace gave again: same, different, unsure (something was changing meanwhile) or lost (no room)";
    KERNEL_DISTRUSTED = Gauge "kernel_distrusted_entries", "Questions left to userspace because a kernel answer differed; should never be anything but 0";
    KERNEL_NAMES = Gauge "kernel_names", "Names the kernel knows to exist, empty non-terminals among them";
    KERNEL_ZONES = Gauge "kernel_whole_zones", "Zones all of whose names the kernel knows, so that it answers for those that do not exist";
    ZONES = Gauge "zones", "Zones served";
    FINDINGS = Gauge "compile_findings", "Record set groups that could not be compiled and answer SERVFAIL";
    /// Labels: `check`.
    CHECK_HEALTHY = Gauge "health_check_healthy", "1 while the final status of the health check is healthy";
    /// Labels: `status`.
    CHECKS = Gauge "health_checks", "Health checks by final status; one without a status yet counts as answers see it";
    /// Labels: `result`.
    PROBES = Counter "probes", "Probes by result; not_run should never be anything but 0";
    /// Labels: `result`.
    ALARM_EVALUATIONS = Counter "alarm_evaluations", "Evaluations of alarm checks, by whether data was there";
    /// Labels: `check`.
    CHECK_PERCENT = Gauge "health_check_healthy_percent", "Of the checkers that count, how many in a hundred see the health check's endpoint healthy";
    /// Labels: `check`.
    CHECK_CHILDREN = Gauge "health_check_healthy_children", "Children of the calculated health check whose final status is healthy";
    /// Labels: `check`, `region`, `phase`.
    CHECK_LATENCY = Gauge "health_check_latency_seconds", "Time to connect, to the first byte or for the TLS handshake in the last probe that passed, by checker region";
    /// Labels: `check`, `phase`.
    CHECK_LATENCY_ALL = Gauge "health_check_latency_all_seconds", "The same as the mean over all checkers";
    PROBE_LATENESS = Histogram "probe_lateness_seconds", "How much later than due probes started";
    DETECTION = Histogram "health_detection_seconds", "From the start of the first probe of a new kind to the verdict that changed a status";
    TRANSITIONS = Counter "health_transitions", "Changes of the final status of health checks";
    /// Labels: `outcome`.
    JOURNAL_WRITES = Counter "health_journal_writes", "Writings of what must survive a restart, by outcome";
}

/// How a reload ended, as a label.
type Outcome = [(&'static str, &'static str); 1];

/// The agent's own metrics, and the sources of all others. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    sources: Sources,
    reloads: Family<Outcome, Counter>,
    configuration_ok: Gauge,
    configuration_loaded: Gauge,
    generation: Gauge,
    revision: Gauge,
    flip: Histogram,
    flip_spans: Family<Span, Histogram, fn() -> Histogram>,
}

/// A part of a flip, as a label.
type Span = [(&'static str, &'static str); 1];

/// 10 µs to 5.2 s.
fn flip_histogram() -> Histogram {
    Histogram::new((0..20).map(|power| 0.00001 * f64::from(1 << power)))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("pulse53");
        let metrics = Self {
            registry: Arc::default(),
            sources: Sources::default(),
            reloads: Family::default(),
            configuration_ok: Gauge::default(),
            configuration_loaded: Gauge::default(),
            generation: Gauge::default(),
            revision: Gauge::default(),
            flip: flip_histogram(),
            flip_spans: Family::new_with_constructor(flip_histogram),
        };
        registry.register("reloads", "Readings of the configuration, by outcome", metrics.reloads.clone());
        registry.register(
            "configuration_ok",
            "0 while the files hold an error and an earlier configuration is served",
            metrics.configuration_ok.clone(),
        );
        registry.register(
            "configuration_loaded_seconds",
            "When the configuration in force was read, as Unix time",
            metrics.configuration_loaded.clone(),
        );
        registry.register("generation", "The answer table in force", metrics.generation.clone());
        registry.register("revision", "The version of what is declared", metrics.revision.clone());
        registry.register(
            "flip_seconds",
            "From a change of a health check's status to the answers that follow from it being in force, kernel included",
            metrics.flip.clone(),
        );
        registry.register(
            "flip_span_seconds",
            "The same in parts: verdict, from the observation to the changed status; table, from there to userspace's answers; \
             maps, from there to the kernel's",
            metrics.flip_spans.clone(),
        );
        let version: [(&str, &str); 1] = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "This program", prometheus_client::metrics::info::Info::new(version));
        registry.register_collector(Box::new(metrics.sources.clone()));
        Self { registry: Arc::new(registry), ..metrics }
    }
}

impl Metrics {
    /// Asks `source` at every scrape from now on.
    pub fn add_source(&self, source: Source) {
        self.sources.add(source);
    }

    /// Counts a reading of the configuration.
    pub fn count_reload(&self, succeeded: bool) {
        let outcome = if succeeded { "ok" } else { "failed" };
        self.reloads.get_or_create(&[("outcome", outcome)]).inc();
        self.configuration_ok.set(succeeded.into());
        if succeeded {
            self.configuration_loaded.set(clock::since_1970().as_secs() as i64);
        }
    }

    /// Notes which table answers from now on, and from which declarations it was made.
    pub fn set_published(&self, generation: u64, revision: u64) {
        self.generation.set(generation as i64);
        self.revision.set(revision as i64);
    }

    /// Notes how long answers took to follow a status, in all and by part.
    pub fn observe_flip(&self, total: Duration, spans: &[(&'static str, Duration)]) {
        self.flip.observe(total.as_secs_f64());
        for (name, length) in spans {
            self.flip_spans.get_or_create(&[("span", *name)]).observe(length.as_secs_f64());
        }
    }

    /// All metrics as text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Answers `GET /metrics`.
    pub fn router(&self) -> Router {
        Router::new().route("/metrics", get(tell)).with_state(self.clone())
    }
}

async fn tell(State(metrics): State<Metrics>) -> Response {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    // Sources may wait for other tasks, and thousands of checks are a long text.
    match tokio::task::spawn_blocking(move || metrics.text()).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Ok(Err(fmt::Error)) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_all_sources_stand_under_their_metric() {
        let metrics = Metrics::default();
        for path in ["kernel", "userspace"] {
            metrics.add_source(Box::new(move || {
                vec![
                    Sample::new(
                        &REPLIES,
                        [("path", &path), ("transport", &"udp"), ("rcode", &"NOERROR")],
                        2.0,
                    ),
                    Sample::new(&ZONES, [], 1.0),
                ]
            }));
        }
        metrics.count_reload(true);
        metrics.count_reload(false);
        metrics.observe_flip(Duration::from_millis(3), &[("table", Duration::from_millis(1))]);
        metrics.add_source(Box::new(|| {
            let buckets = vec![(0.5, 2), (1.0, 1), (f64::INFINITY, 4)];
            vec![Sample::new(&DETECTION, [], Value::Histogram { buckets, sum: 9.5 })]
        }));
        metrics.set_published(7, 3);
        let text = metrics.text().unwrap();
        for line in [
            "pulse53_replies_total{path=\"kernel\",transport=\"udp\",rcode=\"NOERROR\"} 2",
            "pulse53_replies_total{path=\"userspace\",transport=\"udp\",rcode=\"NOERROR\"} 2",
            "pulse53_reloads_total{outcome=\"failed\"} 1",
            "pulse53_configuration_ok 0",
            "pulse53_generation 7",
            "pulse53_flip_seconds_count 1",
            "pulse53_flip_span_seconds_count{span=\"table\"} 1",
            "pulse53_health_detection_seconds_sum 9.5",
            "pulse53_health_detection_seconds_count 7",
            "pulse53_health_detection_seconds_bucket{le=\"1.0\"} 3",
            "pulse53_health_detection_seconds_bucket{le=\"+Inf\"} 7",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert_eq!(text.matches("# TYPE pulse53_replies counter").count(), 1);
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<&str> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
