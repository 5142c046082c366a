//! Every metric: its name, its meaning, and how Prometheus reads it.
//!
//! What the agent itself does is kept here. What other parts count stays with them: they are asked at each scrape and answer with
//! [`Sample`]s of the metrics defined here, so no part has to know how metrics are told.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Whether a value only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises; Prometheus sees `_total` behind the name.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A metric that other parts give values for.
#[derive(Debug)]
pub struct Metric {
    /// Without the prefix `pulse53_` and the suffix `_total`.
    pub name: &'static str,
    /// What it tells, as Prometheus shows it.
    pub help: &'static str,
    /// Counter or gauge.
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
    /// Labels: `transport`, `ruling`.
    LIMITED = Counter "limited_responses", "Responses beyond the rate limit; slip was empty with TC=1, drop was not sent";
    /// Labels: `transport`.
    UNSENT = Counter "unsent_replies", "Replies that the network did not take";
    REFUSED_CONNECTIONS = Counter "tcp_refused_connections", "TCP connections closed because of a limit";
    /// Labels: `verdict`.
    KERNEL_VERDICTS = Counter "kernel_packets", "Packets by what the XDP program decided; pass_* went to userspace for that reason";
    /// Labels: `interface`, `mode`.
    KERNEL_INTERFACES = Gauge "kernel_interface", "1 for each interface the XDP program is attached to";
    KERNEL_ENTRIES = Gauge "kernel_entries", "Questions the kernel can answer";
    KERNEL_REFUSED = Gauge "kernel_refused_entries", "Questions left to userspace because the kernel had no room for them";
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
    TRANSITIONS = Counter "health_transitions", "Changes of the final status of health checks";
    /// Labels: `outcome`.
    JOURNAL_WRITES = Counter "health_journal_writes", "Writings of what must survive a restart, by outcome";
}

/// One value at one moment.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Of which metric.
    pub metric: &'static Metric,
    /// Label names and values.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// A value under labels.
    pub fn new<const N: usize>(
        metric: &'static Metric,
        labels: [(&'static str, &dyn fmt::Display); N],
        value: f64,
    ) -> Self {
        Self { metric, labels: labels.map(|(name, value)| (name, value.to_string())).to_vec(), value }
    }
}

/// Gives the values of some metrics when asked.
pub type Source = Box<dyn Fn() -> Vec<Sample> + Send + Sync>;

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
            // 100 µs to 3.3 s.
            flip: Histogram::new((0..16).map(|power| 0.0001 * f64::from(1 << power))),
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
        let version: [(&str, &str); 1] = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "This program", prometheus_client::metrics::info::Info::new(version));
        registry.register_collector(Box::new(metrics.sources.clone()));
        Self { registry: Arc::new(registry), ..metrics }
    }
}

impl Metrics {
    /// Asks `source` at every scrape from now on.
    pub fn add_source(&self, source: Source) {
        self.sources.0.lock().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// Counts a reading of the configuration.
    pub fn count_reload(&self, succeeded: bool) {
        let outcome = if succeeded { "ok" } else { "failed" };
        self.reloads.get_or_create(&[("outcome", outcome)]).inc();
        self.configuration_ok.set(succeeded.into());
        if succeeded {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.configuration_loaded.set(now.as_secs() as i64);
        }
    }

    /// Notes which table answers from now on, and from which declarations it was made.
    pub fn set_published(&self, generation: u64, revision: u64) {
        self.generation.set(generation as i64);
        self.revision.set(revision as i64);
    }

    /// Notes how long answers took to follow a status.
    pub fn observe_flip(&self, latency: Duration) {
        self.flip.observe(latency.as_secs_f64());
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
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[derive(Clone, Default)]
struct Sources(Arc<Mutex<Vec<Source>>>);

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let samples: Vec<Sample> = sources.iter().flat_map(|source| source()).collect();
        for metric in ALL {
            // All samples of a metric stand together, whoever gave them.
            let mut of_metric =
                samples.iter().filter(|sample| std::ptr::eq(sample.metric, *metric)).peekable();
            if of_metric.peek().is_none() {
                continue;
            }
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            let mut family = encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
            for sample in of_metric {
                if sample.labels.is_empty() {
                    encode_value(&mut family, sample)?;
                } else {
                    encode_value(&mut family.encode_family(&sample.labels)?, sample)?;
                }
            }
        }
        Ok(())
    }
}

fn encode_value(encoder: &mut MetricEncoder<'_>, sample: &Sample) -> fmt::Result {
    match sample.metric.kind {
        // Counts are whole, and read best without a fraction.
        Kind::Counter => encoder.encode_counter::<NoLabelSet, u64, f64>(&(sample.value as u64), None),
        Kind::Gauge => encoder.encode_gauge(&sample.value),
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
        metrics.observe_flip(Duration::from_millis(3));
        metrics.set_published(7, 3);
        let text = metrics.text().unwrap();
        for line in [
            "pulse53_replies_total{path=\"kernel\",transport=\"udp\",rcode=\"NOERROR\"} 2",
            "pulse53_replies_total{path=\"userspace\",transport=\"udp\",rcode=\"NOERROR\"} 2",
            "pulse53_reloads_total{outcome=\"failed\"} 1",
            "pulse53_configuration_ok 0",
            "pulse53_generation 7",
            "pulse53_flip_seconds_count 1",
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
