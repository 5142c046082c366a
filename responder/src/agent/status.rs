//! What `pulse53 status` shows, gathered from the parts.

use super::Agent;
use super::sources::{kernel_counters, kernel_replies, userspace_replies};
use crate::api::control::{InterfaceStatus, KernelTable, Limited, ReplyShare, Status, ZoneStatus};
use crate::clock;
use crate::datapath::Exchanged;
use crate::declared::record_set_count;

impl Agent {
    pub(super) async fn status(&self) -> Status {
        let checks = self.check_counts().await;
        let counters = self.serving.counters();
        let udp = counters.udp_totals();
        let userspace = userspace_replies(counters);
        let by_verdict = kernel_counters(&self.published);
        let kernel = kernel_replies(&by_verdict).unwrap_or(0);
        let beyond =
            |verdict| by_verdict.iter().find(|(label, _)| *label == verdict).map_or(0, |(_, count)| *count);
        let limited =
            Limited { slipped: beyond("slip") + udp.slipped, dropped: beyond("limited") + udp.limited };
        let interfaces = self.published.datapath().as_ref().map_or_else(Vec::new, |datapath| {
            let interface = |(name, mode): (&str, crate::datapath::Mode)| InterfaceStatus {
                name: name.to_owned(),
                mode: mode.as_str().to_owned(),
            };
            datapath.attached().map(interface).collect()
        });
        let kernel_table = self.published.datapath().as_ref().map(|datapath| {
            let (questions, without_room) = datapath.occupancy();
            let (capacity, distrusted) = (datapath.capacity(), datapath.distrusted());
            let Exchanged { promoted, evicted } = datapath.exchanged();
            KernelTable { questions, capacity, without_room, promoted, evicted, distrusted }
        });
        let findings = self.published.findings();
        let findings = findings.iter().map(|finding| {
            format!("{} {} in zone {}: {}", finding.owner, finding.rtype, finding.zone, finding.what)
        });
        let snapshot = self.snapshot.borrow().clone();
        let zones = snapshot.zones.values().map(|zone| ZoneStatus {
            name: zone.apex.to_string(),
            id: zone.id.to_string(),
            record_sets: record_set_count(zone),
            signed: snapshot.signing.contains_key(&zone.id),
        });
        Status {
            node: self.config.checker.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: self.started.elapsed().as_secs(),
            revision: self.published.revision().0,
            generation: self.published.table.load().generation().0,
            configuration: self.configuration.clone(),
            listen: self.serving.addresses().iter().map(ToString::to_string).collect(),
            interfaces,
            reply_route: self.config.xdp.reply_route.as_str().to_owned(),
            kernel_problem: self.kernel_problem.clone(),
            kernel_table,
            replies: ReplyShare::new(kernel, userspace),
            limited,
            zones: zones.collect(),
            findings: findings.collect(),
            checks,
        }
    }
}

/// Seconds since 1970.
pub(super) fn unix_time() -> u64 {
    clock::since_1970().as_secs()
}
