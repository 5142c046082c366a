//! What other parts count, as metrics: the one place where their numbers meet the metrics' names.

use crate::metrics::{REFUSED_CONNECTIONS, REPLIES, SILENT, Sample, Source, TRUNCATED, UNSENT};
use crate::serve::counters::Counters;

/// Replies of userspace.
pub fn replies(counters: Counters) -> Source {
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
            for (metric, count) in
                [(&TRUNCATED, totals.truncated), (&SILENT, totals.silent), (&UNSENT, totals.unsent)]
            {
                samples.push(Sample::new(metric, [("transport", &transport)], count as f64));
            }
        }
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
        _ => "OTHER",
    }
}
