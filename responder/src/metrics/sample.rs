//! Values that other parts give when they are asked, and how they become text.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::{ALL, Kind, Metric};

/// One value at one moment.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Of which metric.
    pub metric: &'static Metric,
    /// Label names and values.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: Value,
}

/// The value of a sample.
#[derive(Debug, Clone)]
pub enum Value {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Histogram {
        /// Upper bound and count of each bucket, not cumulative; the last bound is infinite.
        buckets: Vec<(f64, u64)>,
        /// All that was counted together.
        sum: f64,
    },
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl Sample {
    /// A value under labels.
    pub fn new<const N: usize>(
        metric: &'static Metric,
        labels: [(&'static str, &dyn fmt::Display); N],
        value: impl Into<Value>,
    ) -> Self {
        let labels = labels.map(|(name, value)| (name, value.to_string())).to_vec();
        Self { metric, labels, value: value.into() }
    }
}

/// Gives the values of some metrics when asked.
pub type Source = Box<dyn Fn() -> Vec<Sample> + Send + Sync>;

#[derive(Clone, Default)]
pub(super) struct Sources(Arc<Mutex<Vec<Source>>>);

impl Sources {
    pub(super) fn add(&self, source: Source) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(source);
    }
}

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
                Kind::Histogram => MetricType::Histogram,
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
    match (&sample.value, sample.metric.kind) {
        // Counts are whole, and read best without a fraction.
        (Value::Number(number), Kind::Counter) => {
            encoder.encode_counter::<NoLabelSet, u64, f64>(&(*number as u64), None)
        }
        (Value::Number(number), _) => encoder.encode_gauge(number),
        (Value::Histogram { buckets, sum }, _) => {
            let count = buckets.iter().map(|(_, count)| count).sum();
            encoder.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
        }
    }
}
