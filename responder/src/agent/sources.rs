//! What other parts count, as metrics: the one place where their numbers meet the metrics' names.

use std::sync::Arc;

use pulse53_abi::verdict::NoAnswer;

use crate::api::control::ReplyShare;
use crate::dnssec::Signatures;
use crate::metrics::{
    DISPLACED_CONNECTIONS, FINDINGS, KERNEL_CAPACITY, KERNEL_DISTRUSTED, KERNEL_ENTRIES, KERNEL_EVICTED,
    KERNEL_INTERFACES, KERNEL_NAMES, KERNEL_PROMOTED, KERNEL_REFUSED, KERNEL_SHARE, KERNEL_VERDICTS,
    KERNEL_ZONES, LIMITED, LOST_QUERIES, QUERY_LOG_LOST, REFUSED_CONNECTIONS, REPLIES, SAMPLES, SIGNATURES,
    SIGNATURES_KEPT, SILENT, Sample, Source, TRUNCATED, UNSENT, ZONES,
};
use crate::publish::Shared;
use crate::query_log::QueryLog;
use crate::sampler::Counts;
use crate::serve::counters::{Counters, rcode_name};

/// Replies of userspace.
pub(super) fn replies(counters: Counters) -> Source {
    Box::new(move || {
        let mut samples = Vec::new();
        let tcp = counters.tcp_totals();
        samples.push(Sample::new(&REFUSED_CONNECTIONS, [], tcp.refused_connections as f64));
        samples.push(Sample::new(&LOST_QUERIES, [], counters.lost_queries() as f64));
        samples.push(Sample::new(&DISPLACED_CONNECTIONS, [], tcp.displaced_connections as f64));
        for (transport, totals) in [("udp", counters.udp_totals()), ("tcp", tcp)] {
            for (rcode, count) in totals.by_rcode {
                let labels: [(&str, &dyn std::fmt::Display); 3] =
                    [("path", &"userspace"), ("transport", &transport), ("rcode", &rcode_name(rcode))];
                samples.push(Sample::new(&REPLIES, labels, count as f64));
            }
            for (ruling, count) in [("slip", totals.slipped), ("drop", totals.limited)] {
                let labels: [(&str, &dyn std::fmt::Display); 3] =
                    [("path", &"userspace"), ("transport", &transport), ("ruling", &ruling)];
                samples.push(Sample::new(&LIMITED, labels, count as f64));
            }
            for (metric, count) in
                [(&TRUNCATED, totals.truncated), (&SILENT, totals.silent), (&UNSENT, totals.unsent)]
            {
                samples.push(Sample::new(metric, [("transport", &transport)], count as f64));
            }
        }
        samples
    })
}

/// What the query logs have lost.
pub(super) fn query_log(log: QueryLog) -> Source {
    Box::new(move || vec![Sample::new(&QUERY_LOG_LOST, [], log.lost() as f64)])
}

/// Signatures of signed zones.
pub(super) fn signatures(signatures: Arc<Signatures>) -> Source {
    Box::new(move || {
        vec![
            Sample::new(&SIGNATURES, [("how", &"made")], signatures.made() as f64),
            Sample::new(&SIGNATURES, [("how", &"kept")], signatures.reused() as f64),
            Sample::new(&SIGNATURES_KEPT, [], signatures.kept() as f64),
        ]
    })
}

/// The kernel half, and what is published.
pub(super) fn published(shared: Shared, served: Counters) -> Source {
    Box::new(move || {
        let mut samples = vec![
            Sample::new(&FINDINGS, [], shared.findings().len() as f64),
            Sample::new(&ZONES, [], shared.table.load().zones().count() as f64),
        ];
        let counters = kernel_counters(&shared);
        for &(verdict, count) in &counters {
            samples.push(Sample::new(&KERNEL_VERDICTS, [("verdict", &verdict)], count as f64));
            let ruling = match verdict {
                "slip" => "slip",
                "limited" => "drop",
                _ => continue,
            };
            let labels: [(&str, &dyn std::fmt::Display); 3] =
                [("path", &"kernel"), ("transport", &"udp"), ("ruling", &ruling)];
            samples.push(Sample::new(&LIMITED, labels, count as f64));
        }
        if let Some(replies) = kernel_replies(&counters) {
            let share = ReplyShare::new(replies, userspace_replies(&served)).kernel_share;
            samples.extend(share.map(|share| Sample::new(&KERNEL_SHARE, [], share)));
            let nxdomain = NoAnswer::NxDomain.label();
            let absent =
                counters.iter().find(|(verdict, _)| *verdict == nxdomain).map_or(0, |(_, count)| *count);
            for (rcode, count) in [("NOERROR", replies - absent), ("NXDOMAIN", absent)] {
                let labels: [(&str, &dyn std::fmt::Display); 3] =
                    [("path", &"kernel"), ("transport", &"udp"), ("rcode", &rcode)];
                samples.push(Sample::new(&REPLIES, labels, count as f64));
            }
        }
        if let Some(datapath) = shared.datapath().as_ref() {
            for (interface, mode) in datapath.attached() {
                let labels: [(&str, &dyn std::fmt::Display); 2] =
                    [("interface", &interface), ("mode", &mode.as_str())];
                samples.push(Sample::new(&KERNEL_INTERFACES, labels, 1.0));
            }
            let (held, refused) = datapath.occupancy();
            samples.push(Sample::new(&KERNEL_ENTRIES, [], held as f64));
            samples.push(Sample::new(&KERNEL_CAPACITY, [], f64::from(datapath.capacity())));
            samples.push(Sample::new(&KERNEL_REFUSED, [], refused as f64));
            let exchanged = datapath.exchanged();
            samples.push(Sample::new(&KERNEL_PROMOTED, [], exchanged.promoted as f64));
            samples.push(Sample::new(&KERNEL_EVICTED, [], exchanged.evicted as f64));
            samples.push(Sample::new(&KERNEL_DISTRUSTED, [], datapath.distrusted() as f64));
            let (names, (whole, _)) = datapath.names();
            samples.push(Sample::new(&KERNEL_NAMES, [], names as f64));
            samples.push(Sample::new(&KERNEL_ZONES, [], whole as f64));
        }
        samples
    })
}

/// Kernel answers that were given again.
pub(super) fn sampled(counts: Arc<Counts>) -> Source {
    Box::new(move || {
        let sample =
            |(outcome, count): (&str, u64)| Sample::new(&SAMPLES, [("outcome", &outcome)], count as f64);
        counts.by_outcome().into_iter().map(sample).collect()
    })
}

/// Packets by what the kernel half decided; none without it.
pub(super) fn kernel_counters(shared: &Shared) -> Vec<(&'static str, u64)> {
    let counters = shared.datapath().as_ref().map(|datapath| datapath.counters());
    counters
        .transpose()
        .unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read the kernel's counters");
            None
        })
        .unwrap_or_default()
}

/// Replies of userspace, over UDP and TCP.
pub(super) fn userspace_replies(counters: &Counters) -> u64 {
    let totals = [counters.udp_totals(), counters.tcp_totals()];
    totals.iter().flat_map(|totals| &totals.by_rcode).map(|(_, count)| count).sum()
}

/// Replies of the kernel half, those that slipped among them; none without it.
pub(super) fn kernel_replies(counters: &[(&'static str, u64)]) -> Option<u64> {
    let no_answer = |verdict: &str| NoAnswer::ALL.iter().any(|kind| kind.label() == verdict);
    let replies =
        counters.iter().filter(|(verdict, _)| ["reply", "slip"].contains(verdict) || no_answer(verdict));
    replies.map(|(_, count)| *count).reduce(|sum, count| sum + count)
}
