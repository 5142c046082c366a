//! When probes and evaluations start: one task a check (H-7, H-27).
//!
//! A task sleeps, probes and sleeps again, so a slow endpoint delays only itself. Tasks know nothing of status; they send
//! what they found, stamped with their generation, and the receiver drops what an outdated task still sends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pulse53_core::health::{Evaluation, Observation};
use pulse53_core::model::check::{AlarmCheck, CheckId, CheckKind, EndpointCheck, HealthCheck};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::alarm::AlarmClient;
use super::metrics::HealthMetrics;
use super::probe::Prober;

/// Probes in flight at once, however many files may be open: it bounds memory. A check has at most one, so fewer checks than
/// this never wait for each other.
const IN_FLIGHT_MAX: usize = 16_384;

/// The first evaluation of an alarm starts within this time: a new alarm should not wait for a whole period.
const FIRST_EVALUATION_MAX: Duration = Duration::from_secs(1);

/// What one task found once.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) check: CheckId,
    pub(super) generation: u64,
    pub(super) at: Instant,
    pub(super) found: Found,
}

/// The two things a task can find.
#[derive(Debug)]
pub(super) enum Found {
    Probe(Observation),
    Alarm(Evaluation, Option<String>),
}

/// The running tasks.
pub(super) struct Scheduler {
    shared: Arc<Shared>,
    tasks: HashMap<CheckId, Task>,
    next_generation: u64,
}

/// What every task uses.
struct Shared {
    prober: Prober,
    alarms: AlarmClient,
    permits: Semaphore,
    metrics: Arc<HealthMetrics>,
    findings: mpsc::Sender<Finding>,
}

struct Task {
    /// As it was declared when the task was last looked at.
    check: Arc<HealthCheck>,
    generation: u64,
    handle: AbortHandle,
}

impl Scheduler {
    pub(super) fn new(
        prober: Prober,
        alarms: AlarmClient,
        in_flight_max: usize,
        metrics: Arc<HealthMetrics>,
        findings: mpsc::Sender<Finding>,
    ) -> Self {
        let permits = Semaphore::new(in_flight_max.clamp(1, IN_FLIGHT_MAX));
        let shared = Arc::new(Shared { prober, alarms, permits, metrics, findings });
        Self { shared, tasks: HashMap::new(), next_generation: 0 }
    }

    /// Runs exactly these checks. A task whose probing has not changed goes on undisturbed.
    pub(super) fn run<'a>(&mut self, checks: impl Iterator<Item = &'a Arc<HealthCheck>>) {
        let mut before = std::mem::take(&mut self.tasks);
        for check in checks {
            let task = match before.remove(&check.id) {
                Some(mut task) if !task.handle.is_finished() && same_work(&task.check, check) => {
                    task.check = check.clone();
                    task
                }
                Some(task) => {
                    task.handle.abort();
                    self.start(check)
                }
                None => self.start(check),
            };
            self.tasks.insert(check.id.clone(), task);
        }
        before.into_values().for_each(|task| task.handle.abort());
    }

    /// Whether a finding comes from a task that still runs.
    pub(super) fn is_current(&self, finding: &Finding) -> bool {
        self.tasks.get(&finding.check).is_some_and(|task| task.generation == finding.generation)
    }

    fn start(&mut self, check: &Arc<HealthCheck>) -> Task {
        let generation = self.next_generation;
        self.next_generation += 1;
        let (shared, id) = (self.shared.clone(), check.id.clone());
        let handle = match &check.kind {
            CheckKind::Endpoint(probe) => {
                let probe = probe.clone();
                tokio::spawn(async move { shared.probe_for_ever(id, generation, &probe).await })
                    .abort_handle()
            }
            CheckKind::Alarm(alarm) => {
                let alarm = alarm.clone();
                tokio::spawn(async move { shared.evaluate_for_ever(id, generation, &alarm).await })
                    .abort_handle()
            }
            // Nothing to do: these change only with what they are made of.
            CheckKind::Calculated { .. } | CheckKind::RecoveryControl { .. } => {
                tokio::spawn(std::future::pending::<()>()).abort_handle()
            }
        };
        Task { check: check.clone(), generation, handle }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.tasks.values().for_each(|task| task.handle.abort());
    }
}

impl Shared {
    async fn probe_for_ever(&self, id: CheckId, generation: u64, probe: &EndpointCheck) {
        let mut due = Instant::now() + probe.interval.mul_f64(fastrand::f64());
        loop {
            sleep_until(due).await;
            let Ok(permit) = self.permits.acquire().await else { return };
            self.metrics.probe_started(due.elapsed());
            let result = self.prober.probe(probe).await;
            drop(permit);
            let at = Instant::now();
            due = at + probe.interval;
            match result {
                Ok(observation) => {
                    self.metrics.probe_ended(observation.passed());
                    let finding =
                        Finding { check: id.clone(), generation, at, found: Found::Probe(observation) };
                    if self.findings.send(finding).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    self.metrics.probe_not_run();
                    tracing::debug!(check = %id, error = &error as &dyn std::error::Error, "not probed");
                }
            }
        }
    }

    async fn evaluate_for_ever(&self, id: CheckId, generation: u64, alarm: &AlarmCheck) {
        let mut due = Instant::now() + alarm.period.min(FIRST_EVALUATION_MAX).mul_f64(fastrand::f64());
        loop {
            sleep_until(due).await;
            let (evaluation, cause) = self.alarms.evaluate(alarm).await;
            self.metrics.alarm_evaluated(evaluation == Evaluation::Missing);
            let at = Instant::now();
            due = (due + alarm.period).max(at);
            let finding =
                Finding { check: id.clone(), generation, at, found: Found::Alarm(evaluation, cause) };
            if self.findings.send(finding).await.is_err() {
                return;
            }
        }
    }
}

/// Whether two definitions probe or ask the same, at the same pace.
fn same_work(old: &Arc<HealthCheck>, new: &Arc<HealthCheck>) -> bool {
    if Arc::ptr_eq(old, new) {
        return true;
    }
    match (&old.kind, &new.kind) {
        (CheckKind::Endpoint(old), CheckKind::Endpoint(new)) => {
            old.endpoint == new.endpoint
                && old.port == new.port
                && old.protocol == new.protocol
                && old.interval == new.interval
                && old.timeout == new.timeout
                && old.measure_latency == new.measure_latency
        }
        (CheckKind::Alarm(old), CheckKind::Alarm(new)) => {
            old.query == new.query && old.period == new.period && old.threshold == new.threshold
        }
        _ => false,
    }
}
