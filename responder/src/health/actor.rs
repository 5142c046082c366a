//! The one task that owns all health state.

use std::sync::Arc;
use std::time::Duration;

use pulse53_core::health::{CheckerName, HealthState, HealthView, Moment, Transition};
use pulse53_core::model::Snapshot;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::alarm::AlarmClient;
use super::handle::{Command, Handle};
use super::journal::{Journal, JournalWriter};
use super::metrics::HealthMetrics;
use super::probe::{Prober, Resolver};
use super::scheduler::{Finding, Found, Scheduler};
use super::{HealthUpdate, Settings};
use crate::clock;

/// Findings that may wait; beyond that probes wait with theirs.
const FINDINGS_MAX: usize = 4096;

/// Questions and orders that may wait.
const COMMANDS_MAX: usize = 64;

/// How often stale reports and retired checkers are looked for.
const TICK: Duration = Duration::from_secs(1);

/// Turns the monotonic clock into moments that read like wall-clock time.
struct Clock {
    origin: Instant,
    origin_since_epoch: Duration,
}

impl Clock {
    fn start() -> Self {
        Self { origin: Instant::now(), origin_since_epoch: clock::since_1970() }
    }

    fn moment(&self, instant: Instant) -> Moment {
        Moment::since_epoch(self.origin_since_epoch + instant.saturating_duration_since(self.origin))
    }
}

struct Actor {
    checker: CheckerName,
    clock: Clock,
    state: HealthState,
    scheduler: Scheduler,
    metrics: Arc<HealthMetrics>,
    view: watch::Sender<HealthView>,
    updates: Option<mpsc::Sender<HealthUpdate>>,
    /// What the receiver of updates had no room for.
    waiting: Option<HealthUpdate>,
    writer: JournalWriter,
}

pub(super) fn start(
    settings: Settings,
    checks: watch::Receiver<Arc<Snapshot>>,
    updates: mpsc::Sender<HealthUpdate>,
) -> Handle {
    let journal = settings.data_dir.as_deref().map(Journal::in_directory);
    let stored = journal.as_ref().map(Journal::load).unwrap_or_default();
    let metrics = Arc::new(HealthMetrics::default());
    let (findings, findings_in) = mpsc::channel(FINDINGS_MAX);
    let (commands, commands_in) = mpsc::channel(COMMANDS_MAX);
    let (view, view_out) = watch::channel(HealthView::new());
    let resolver = Arc::new(Resolver::from_system());
    let prober = Prober::new(resolver.clone(), settings.targets);
    let scheduler =
        Scheduler::new(prober, AlarmClient::new(resolver), settings.in_flight_max, metrics.clone(), findings);
    let actor = Actor {
        checker: settings.checker.name.clone(),
        clock: Clock::start(),
        state: HealthState::new(vec![settings.checker], &settings.routing_controls, stored),
        scheduler,
        metrics: metrics.clone(),
        view,
        updates: Some(updates),
        waiting: None,
        writer: JournalWriter::new(journal),
    };
    tokio::spawn(actor.run(checks, findings_in, commands_in));
    Handle { commands, view: view_out, metrics }
}

impl Actor {
    async fn run(
        mut self,
        mut checks: watch::Receiver<Arc<Snapshot>>,
        mut findings: mpsc::Receiver<Finding>,
        mut commands: mpsc::Receiver<Command>,
    ) {
        let snapshot = checks.borrow_and_update().clone();
        self.declare(&snapshot, true);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut declarations_end = false;
        let stopped = loop {
            tokio::select! {
                changed = checks.changed(), if !declarations_end => match changed {
                    Ok(()) => {
                        let snapshot = checks.borrow_and_update().clone();
                        self.declare(&snapshot, false);
                    }
                    // Whoever declares is gone; what is declared stays.
                    Err(_) => declarations_end = true,
                },
                Some(finding) = findings.recv() => self.take(finding),
                command = commands.recv() => match command {
                    Some(Command::Stop(reply)) => break Some(reply),
                    Some(command) => self.obey(command),
                    None => break None,
                },
                _ = tick.tick() => {
                    let now = Instant::now();
                    let transitions = self.state.advance(self.clock.moment(now));
                    self.publish(transitions, now);
                    self.schedule();
                }
                room = room(self.updates.as_ref()), if self.waiting.is_some() => self.send_waiting(room),
                ready = self.writer.ready() => self.writer.act(ready, &self.state, &self.metrics),
            }
            self.writer.watch(&self.state);
        };
        drop(self.scheduler);
        self.writer.finish(&self.state, &self.metrics).await;
        if let Some(reply) = stopped {
            let _ = reply.send(());
        }
    }

    fn declare(&mut self, snapshot: &Snapshot, first: bool) {
        let now = Instant::now();
        let transitions = self.state.apply(self.clock.moment(now), &snapshot.checks);
        self.schedule();
        if first {
            self.send(transitions, now);
        } else {
            self.publish(transitions, now);
        }
    }

    fn schedule(&mut self) {
        self.scheduler.run(self.state.probed_by(&self.checker).chain(self.state.evaluated()));
    }

    fn take(&mut self, finding: Finding) {
        if !self.scheduler.is_current(&finding) {
            return;
        }
        let now = self.clock.moment(finding.at);
        let transitions = match finding.found {
            Found::Probe(observation) => self.state.observe(now, &self.checker, &finding.check, observation),
            Found::Alarm(evaluation, cause) => {
                self.state.observe_alarm(now, &finding.check, evaluation, cause.as_deref())
            }
        };
        self.publish(transitions, finding.at);
    }

    /// Follows one order; that nobody waits for the answer any more is fine.
    fn obey(&mut self, command: Command) {
        let at = Instant::now();
        let now = self.clock.moment(at);
        match command {
            Command::List(reply) => drop(reply.send(self.state.summaries(now))),
            Command::Show(id, reply) => drop(reply.send(self.state.report(now, &id))),
            Command::SetOverride(id, operator, reply) => {
                let result = self.state.set_override(now, &id, operator);
                let answer = result.map(|transitions| {
                    self.publish(transitions, at);
                    self.writer.store_now(&self.state)
                });
                drop(reply.send(answer));
            }
            Command::Measures(reply) => drop(reply.send(self.state.measures(now))),
            Command::RoutingControls(reply) => drop(reply.send(self.state.routing_controls().clone())),
            Command::SetRoutingControls(wanted, reply) => {
                let unknown = wanted.iter().find(|(arn, _)| self.state.routing_control(arn).is_none());
                let answer = match unknown {
                    Some((arn, _)) => Err(arn.clone()),
                    None => {
                        let transitions =
                            wanted.iter().flat_map(|(arn, on)| self.state.switch(now, arn, *on)).collect();
                        self.publish(transitions, at);
                        Ok(self.writer.store_now(&self.state))
                    }
                };
                drop(reply.send(answer));
            }
            Command::Stop(_) => {}
        }
    }

    /// Sends a change on at once (H-37).
    fn publish(&mut self, transitions: Vec<Transition>, observed_at: Instant) {
        if transitions.is_empty() {
            return;
        }
        self.metrics.transitions(&transitions);
        self.send(transitions, observed_at);
    }

    fn send(&mut self, transitions: Vec<Transition>, observed_at: Instant) {
        self.pass_on(HealthUpdate {
            view: self.state.view(),
            transitions,
            observed_at: observed_at.into_std(),
            decided_at: Instant::now().into_std(),
        });
    }

    fn pass_on(&mut self, update: HealthUpdate) {
        self.view.send_replace(update.view.clone());
        let Some(updates) = &self.updates else { return };
        if let Some(waiting) = &mut self.waiting {
            merge(waiting, update);
            return;
        }
        match updates.try_send(update) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(update)) => self.waiting = Some(update),
            Err(mpsc::error::TrySendError::Closed(_)) => self.updates = None,
        }
    }

    fn send_waiting(&mut self, room: bool) {
        if let Some(update) = self.waiting.take()
            && room
        {
            self.pass_on(update);
        }
    }
}

/// Waits until the receiver of updates has room; false if there is none any more.
async fn room(updates: Option<&mpsc::Sender<HealthUpdate>>) -> bool {
    match updates {
        Some(updates) => updates.reserve().await.is_ok(),
        None => false,
    }
}

/// Two updates in one: of each check the first status before and the last after, so that it cannot grow for ever.
fn merge(earlier: &mut HealthUpdate, later: HealthUpdate) {
    for transition in later.transitions {
        match earlier.transitions.iter_mut().find(|known| known.check == transition.check) {
            Some(known) => {
                // It is told here, since nobody else hears of it: no answer ever followed it.
                let Transition { check, from, to, reason } = &known;
                tracing::info!(%check, %from, %to, %reason, moved = 0, "health changed, and again before any answer");
                known.to = transition.to;
                known.reason = transition.reason;
            }
            None => earlier.transitions.push(transition),
        }
    }
    earlier.view = later.view;
}
