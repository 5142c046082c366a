//! A node that checks what it is given as JSON, as the Route 53 listing has it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pulse53::health::{Handle, HealthUpdate, Settings, TargetPolicy, spawn};
use pulse53_core::assemble::{Limits, SnapshotBuilder};
use pulse53_core::health::{CheckReport, Checker};
use pulse53_core::model::{Revision, Snapshot};
use pulse53_core::route53::read_health_checks;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

/// Looks that are taken before something counts as missing, and the time between two.
const LOOKS: usize = 1500;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Health checking of one checker, until dropped.
pub struct Node {
    handle: Handle,
    _updates: mpsc::Receiver<HealthUpdate>,
    _declared: watch::Sender<Arc<Snapshot>>,
}

impl Node {
    /// Starts to check.
    pub fn start(checks: &[Value]) -> Self {
        let read = read_health_checks("checks.json", &json!({ "HealthChecks": checks }).to_string());
        let mut builder = SnapshotBuilder::new(Limits::default());
        builder.add_findings(read.findings);
        builder.add_checks(read.checks.into_iter().map(Arc::new));
        let (snapshot, _) = builder.build(Revision(1)).expect("the checks are well-formed");
        let (declared, checks) = watch::channel(Arc::new(snapshot));
        let settings = Settings {
            checker: Checker { name: "here".into(), region: None, address: None },
            targets: TargetPolicy::default(),
            in_flight_max: 1000,
            routing_controls: BTreeMap::new(),
            data_dir: None,
        };
        let (handle, updates) = spawn(settings, checks);
        Self { handle, _updates: updates, _declared: declared }
    }

    /// Looks at a check until it is as it should be; panics with what was seen last.
    pub async fn eventually(&self, id: &str, is_so: impl Fn(&CheckReport) -> bool) -> CheckReport {
        let mut last = None;
        for _ in 0..LOOKS {
            let report = self.handle.show(id.into()).await.expect("the check is known");
            if is_so(&report) {
                return report;
            }
            last = Some(report);
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        panic!("{id}: not in {LOOKS} looks; the last one saw {last:#?}");
    }
}
