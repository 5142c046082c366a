//! What other parts count, as metrics: the one place where their numbers meet the metrics' names.

use std::sync::Arc;

use pulse53_core::model::Snapshot;
use tokio::sync::watch;

use crate::health::Handle;
use crate::metrics::{
    ALARM_EVALUATIONS, CHECK_HEALTHY, CHECKS, FINDINGS, JOURNAL_WRITES, KERNEL_ENTRIES, KERNEL_INTERFACES,
    KERNEL_REFUSED, KERNEL_VERDICTS, LIMITED, PROBES, REFUSED_CONNECTIONS, REPLIES, SILENT, Sample, Source,
    TRANSITIONS, TRUNCATED, UNSENT, ZONES,
};
use crate::publish::Shared;
use crate::serve::counters::Counters;

/// Replies of userspace.
pub(super) fn replies(counters: Counters) -> Source {
    Box::new(move || {
        let mut samples = Vec::new();
        let tcp = counters.tcp_totals();
        samples.push(Sample::new(&REFUSED_CONNECTIONS, [], tcp.refused_connections as f64));
        for (transport, totals) in [("udp", counters.udp_totals()), ("tcp", tcp)] {
            for (rcode, count) in totals.by_rcode {
                let labels: [(&str, &dyn std::fmt::Display); 3] =
                    [("path", &"userspace"), ("transport", &transport), ("rcode", &rcode_name(rcode))];
                samples.push(Sample::new(&REPLIES, labels, count as f64));
            }
            for (ruling, count) in [("slip", totals.slipped), ("drop", totals.limited)] {
                let labels: [(&str, &dyn std::fmt::Display); 2] =
                    [("transport", &transport), ("ruling", &ruling)];
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

/// The kernel half, and what is published.
pub(super) fn published(shared: Shared) -> Source {
    Box::new(move || {
        let mut samples = vec![
            Sample::new(&FINDINGS, [], shared.findings().len() as f64),
            Sample::new(&ZONES, [], shared.table.load().zones().count() as f64),
        ];
        for (verdict, count) in kernel_counters(&shared) {
            samples.push(Sample::new(&KERNEL_VERDICTS, [("verdict", &verdict)], count as f64));
            if verdict == "reply" {
                let labels: [(&str, &dyn std::fmt::Display); 3] =
                    [("path", &"kernel"), ("transport", &"udp"), ("rcode", &"NOERROR")];
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
            samples.push(Sample::new(&KERNEL_REFUSED, [], refused as f64));
        }
        samples
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

/// Statuses of checks, and what checking them took.
pub(super) fn health(health: Handle, snapshot: watch::Receiver<Arc<Snapshot>>) -> Source {
    Box::new(move || {
        let mut samples = Vec::new();
        let view = health.view();
        let snapshot = snapshot.borrow().clone();
        let mut by_status = [0u32; 2];
        for id in snapshot.checks.keys() {
            let healthy = view.is_healthy(id);
            by_status[usize::from(healthy)] += 1;
            samples.push(Sample::new(&CHECK_HEALTHY, [("check", id)], f64::from(u8::from(healthy))));
        }
        for (status, count) in ["unhealthy", "healthy"].iter().zip(by_status) {
            samples.push(Sample::new(&CHECKS, [("status", status)], count.into()));
        }
        let counted = health.metrics();
        for (result, count) in [
            ("passed", counted.probes_passed),
            ("failed", counted.probes_failed),
            ("not_run", counted.probes_not_run),
        ] {
            samples.push(Sample::new(&PROBES, [("result", &result)], count as f64));
        }
        let evaluated =
            counted.alarm_evaluations - counted.alarm_evaluations_missing.min(counted.alarm_evaluations);
        for (result, count) in [("evaluated", evaluated), ("missing", counted.alarm_evaluations_missing)] {
            samples.push(Sample::new(&ALARM_EVALUATIONS, [("result", &result)], count as f64));
        }
        for (outcome, count) in [("ok", counted.journal_writes), ("failed", counted.journal_errors)] {
            samples.push(Sample::new(&JOURNAL_WRITES, [("outcome", &outcome)], count as f64));
        }
        samples.push(Sample::new(&TRANSITIONS, [], counted.transitions as f64));
        samples
    })
}

/// As `dig` prints it.
fn rcode_name(rcode: u16) -> &'static str {
    match rcode {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        16 => "BADVERS",
        23 => "BADCOOKIE",
        _ => "OTHER",
    }
}
