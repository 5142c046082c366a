//! What was counted, and how long replies took.

use std::time::Duration;

use crate::plan::{BUCKET_NS, BUCKETS, count};

/// Counts of all CPUs together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Queries sent.
    pub sent: u64,
    /// Replies: NOERROR with answers.
    pub answered: u64,
    /// NOERROR without.
    pub nodata: u64,
    /// NXDOMAIN.
    pub nxdomain: u64,
    /// Every other reply.
    pub other: u64,
    /// Octets of all reply frames.
    pub octets: u64,
    /// Replies of two versions at once.
    pub torn: u64,
    /// Replies to another question, or not whole.
    pub wrong: u64,
    /// Queries that came back as they went.
    pub reflected: u64,
}

impl Tally {
    /// From the words that the programs count in.
    pub(crate) fn from_words(words: [u64; count::WORDS]) -> Self {
        Self {
            sent: words[count::SENT],
            answered: words[count::ANSWERED],
            nodata: words[count::NODATA],
            nxdomain: words[count::NXDOMAIN],
            other: words[count::OTHER],
            octets: words[count::OCTETS],
            torn: words[count::TORN],
            wrong: words[count::WRONG],
            reflected: words[count::REFLECTED],
        }
    }

    /// Replies of any kind.
    pub fn replies(&self) -> u64 {
        self.answered + self.nodata + self.nxdomain + self.other
    }

    /// What came since.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            answered: self.answered - before.answered,
            nodata: self.nodata - before.nodata,
            nxdomain: self.nxdomain - before.nxdomain,
            other: self.other - before.other,
            octets: self.octets - before.octets,
            torn: self.torn - before.torn,
            wrong: self.wrong - before.wrong,
            reflected: self.reflected - before.reflected,
        }
    }
}

/// How many replies took how long.
#[derive(Debug, Clone)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    pub(crate) fn sum(per_cpu: &[[u64; BUCKETS]]) -> Self {
        Self((0..BUCKETS).map(|bucket| per_cpu.iter().map(|buckets| buckets[bucket]).sum()).collect())
    }

    /// Replies in all.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time within which this share of all replies came, to the end of its bucket; none without replies, or if it lies in the last
    /// bucket, which has no end.
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let wanted = (self.count() as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.0.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        (bucket < BUCKETS - 1).then(|| Duration::from_nanos((bucket as u64 + 1) * BUCKET_NS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_read_off_the_buckets() {
        let mut buckets = [0; BUCKETS];
        buckets[9] = 50;
        buckets[19] = 49;
        let mut late = [0; BUCKETS];
        late[BUCKETS - 1] = 1;
        let latencies = Latencies::sum(&[buckets, late]);
        assert_eq!(latencies.count(), 100);
        assert_eq!(latencies.percentile(0.5), Some(Duration::from_nanos(320)));
        assert_eq!(latencies.percentile(0.99), Some(Duration::from_nanos(640)));
        assert_eq!(latencies.percentile(0.999), None);
        assert_eq!(Latencies::sum(&[]).percentile(0.5), None);
    }
}
