//! What `pulse53 status` shows, gathered from the parts.

use std::time::{SystemTime, UNIX_EPOCH};

use pulse53_core::compile::Compiler;

use super::Agent;
use crate::api::control::{CheckCounts, ReplyShare, Status, ZoneStatus};
use crate::declared::record_set_count;

impl Agent {
    pub(super) fn status(&self) -> Status {
        let counters = self.serving.counters();
        let replies = [counters.udp_totals(), counters.tcp_totals()];
        let userspace = replies.iter().flat_map(|totals| &totals.by_rcode).map(|(_, count)| count).sum();
        let zones = self.snapshot.zones.values().map(|zone| ZoneStatus {
            name: zone.apex.to_string(),
            id: zone.id.to_string(),
            record_sets: record_set_count(zone),
        });
        Status {
            node: self.config.checker.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: self.started.elapsed().as_secs(),
            revision: self.snapshot.revision.0,
            generation: self.table.load().generation().0,
            configuration: self.configuration.clone(),
            listen: self.serving.addresses().iter().map(ToString::to_string).collect(),
            interfaces: Vec::new(),
            kernel_problem: None,
            replies: ReplyShare { kernel: 0, userspace },
            zones: zones.collect(),
            findings: self.findings.clone(),
            checks: CheckCounts::default(),
        }
    }
}

/// Groups that could not be compiled, as text.
pub(super) fn findings(compiler: &Compiler) -> Vec<String> {
    let text = |finding: &pulse53_core::compile::Finding| {
        format!("{} {} in zone {}: {}", finding.owner, finding.rtype, finding.zone, finding.what)
    };
    compiler.findings().iter().map(text).collect()
}

/// Seconds since 1970.
pub(super) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
