//! Where declarations and health meet: the one event loop that compiles, swaps the table, and brings the kernel in step.
//!
//! Nothing else writes the answer table or the hot table. A change of health evaluates the groups it touches and writes their entries;
//! a change of declarations compiles anew. The order is always the same: compile, swap for userspace, then the kernel. The
//! loop has a thread of its own, so that a long compilation delays neither probes nor answers.

mod in_force;
mod live;
mod moved;
mod quiet;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pulse53_core::compile::{Compiler, Finding, Succession};
use pulse53_core::geo::GeoDb;
use pulse53_core::health::HealthView;
use pulse53_core::model::{CheckId, Revision, Snapshot};
use pulse53_core::table::{AnswerTable, Generation};
use tokio::sync::mpsc;

use crate::datapath::{AttachError, Datapath, DatapathError, PinDir, Settings, Synced};
use crate::health::HealthUpdate;
use crate::heat::Misses;
pub use in_force::InForce;
pub use live::live;
pub use quiet::Quiet;

/// Events that may wait; whoever sends more waits, and health merges what it could not tell (D-21).
const EVENTS_WAITING_MAX: usize = 16;

/// What the loop reacts to.
#[derive(Debug)]
pub enum Event {
    /// Other declarations, or another idea of where clients are.
    Declared(Arc<Snapshot>, Arc<GeoDb>),
    /// Changed statuses of health checks.
    Health(HealthUpdate),
    /// Time has passed: whoever takes this off the queue is alive, and what is published is what should be.
    Tick,
}

/// What a publication came to.
#[derive(Debug, Clone)]
pub struct Published {
    /// The table in force.
    pub generation: Generation,
    /// What it was compiled from.
    pub revision: Revision,
    /// Groups whose answers changed; none if more changed than groups.
    pub groups: Option<usize>,
    /// What was written into the kernel, if there is a kernel half.
    pub synced: Option<Synced>,
    /// How long answers took to follow health, if that was the cause.
    pub flip: Option<Flip>,
}

/// The way from an observation that changed health to answers, span by span.
#[derive(Debug, Clone, Copy)]
pub struct Flip {
    /// From the observation, such as the end of a probe, to the verdict that was sent.
    pub verdict: Duration,
    /// From there to the table that userspace answers from.
    pub table: Duration,
    /// From there to the last write into the kernel's maps, if there are any.
    pub maps: Option<Duration>,
}

impl Flip {
    /// The whole way.
    pub fn total(&self) -> Duration {
        self.verdict + self.table + self.maps.unwrap_or_default()
    }
}

/// The compiler with all that it feeds.
#[derive(Debug)]
pub struct Publisher {
    snapshot: Arc<Snapshot>,
    view: HealthView,
    compiler: Compiler,
    in_force: InForce,
    shared: Shared,
}

/// What the rest of the agent sees. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The table in force.
    pub table: Arc<ArcSwap<AnswerTable>>,
    datapath: Arc<Mutex<Option<Datapath>>>,
    findings: Arc<ArcSwap<Vec<Finding>>>,
    revision: Arc<AtomicU64>,
    /// When nothing was changing, in either half.
    pub quiet: Arc<Quiet>,
    /// What the kernel had no room for, counted by those who answer it.
    pub misses: Arc<Misses>,
}

impl Shared {
    /// The declarations in force: those that both halves answer from.
    pub fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Acquire))
    }

    /// The kernel half, if there is one, held against changes while it is looked at.
    pub fn datapath(&self) -> MutexGuard<'_, Option<Datapath>> {
        self.datapath.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Groups that could not be compiled.
    pub fn findings(&self) -> Arc<Vec<Finding>> {
        self.findings.load_full()
    }
}

impl Publisher {
    /// Compiles the first table.
    pub fn new(snapshot: Arc<Snapshot>, geo: &GeoDb, view: HealthView) -> Self {
        let compiler = Compiler::with_geo(&snapshot, geo, &|check| view.is_healthy(check), Generation(1));
        let in_force = InForce::new(compiler.table().clone());
        let shared = Shared {
            table: in_force.table().clone(),
            datapath: Arc::default(),
            findings: Arc::new(ArcSwap::from_pointee(compiler.findings().to_vec())),
            revision: Arc::new(AtomicU64::new(snapshot.revision.0)),
            quiet: Arc::default(),
            misses: Arc::default(),
        };
        Self { snapshot, view, compiler, in_force, shared }
    }

    /// What the rest of the agent sees.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Starts the kernel half with the present table.
    pub fn attach(&self, settings: Settings, pins: Result<PinDir, AttachError>) -> Result<(), DatapathError> {
        *self.shared.datapath() = Some(Datapath::start(settings, pins, self.compiler.table())?);
        Ok(())
    }

    /// Compiles other declarations and publishes the result.
    pub fn declare(&mut self, snapshot: Arc<Snapshot>, geo: &GeoDb) -> Published {
        let generation = self.compiler.table().generation().next();
        let Succession { compiler, changed } =
            self.compiler.succeed(&snapshot, geo, &|check| self.view.is_healthy(check), generation);
        let before = std::mem::replace(&mut self.compiler, compiler);
        self.snapshot = snapshot;
        self.shared.findings.store(Arc::new(self.compiler.findings().to_vec()));
        self.in_force.replace(self.compiler.table().clone());
        let table = self.compiler.table();
        let synced = self.shared.datapath().as_mut().map(|datapath| match &changed {
            Some(changed) => {
                datapath.sync_changed(table, changed.iter().map(|(owner, rtype)| (owner, *rtype)))
            }
            None => datapath.sync_all(table),
        });
        drop(before);
        self.published(changed.map(|changed| changed.len()), synced, None)
    }

    /// Follows changed statuses.
    pub fn follow(&mut self, update: HealthUpdate) -> Published {
        let HealthUpdate { view, transitions, observed_at, decided_at } = update;
        let changed: Vec<CheckId> = transitions.iter().map(|transition| transition.check.clone()).collect();
        self.view = view;
        let generation = self.compiler.table().generation().next();
        let touched = self.compiler.flip(&changed, &|check| self.view.is_healthy(check), generation);
        self.in_force.replace(self.compiler.table().clone());
        let in_table = Instant::now();
        let synced =
            self.shared.datapath().as_mut().map(|datapath| datapath.sync_touched(&self.compiler, &touched));
        let flip = Flip {
            verdict: decided_at.duration_since(observed_at),
            table: in_table.duration_since(decided_at),
            maps: synced.is_some().then(|| in_table.elapsed()),
        };
        moved::log(&self.compiler, &transitions, &touched);
        self.published(Some(touched.len()), synced, Some(flip))
    }

    fn published(&self, groups: Option<usize>, synced: Option<Synced>, flip: Option<Flip>) -> Published {
        let published = Published {
            generation: self.compiler.table().generation(),
            revision: self.snapshot.revision,
            groups,
            synced,
            flip,
        };
        self.shared.revision.store(self.snapshot.revision.0, Ordering::Release);
        tracing::debug!(?published, "published");
        published
    }

    /// Runs the loop on a thread of its own until every sender is gone. `told` hears of every publication.
    pub fn spawn(
        mut self,
        told: impl Fn(&Published) + Send + 'static,
    ) -> std::io::Result<(mpsc::Sender<Event>, JoinHandle<Self>)> {
        let (events, mut incoming) = mpsc::channel(EVENTS_WAITING_MAX);
        let thread = std::thread::Builder::new().name("publish".to_owned()).spawn(move || {
            let mut waiting = VecDeque::new();
            while let Some(event) = waiting.pop_front().or_else(|| incoming.blocking_recv()) {
                while let Ok(later) = incoming.try_recv() {
                    waiting.push_back(later);
                }
                let is_declared = |event: &Event| matches!(event, Event::Declared(..));
                // Compiling takes longer than changing: of several declarations only the last counts.
                if is_declared(&event) && waiting.iter().any(is_declared) {
                    continue;
                }
                let quiet = self.shared.quiet.clone();
                let published = match event {
                    Event::Declared(snapshot, geo) => Some(quiet.disturb(|| self.declare(snapshot, &geo))),
                    Event::Health(update) => Some(quiet.disturb(|| self.follow(update))),
                    Event::Tick => None,
                };
                if let Some(datapath) = self.shared.datapath().as_mut() {
                    datapath.keep_fresh();
                    datapath.follow_interfaces();
                    datapath.take_up_growth(self.compiler.table());
                    datapath.follow_heat(self.compiler.table(), &self.shared.misses);
                }
                published.iter().for_each(&told);
                self.in_force.tidy();
            }
            self
        })?;
        Ok((events, thread))
    }

    /// Ends the kernel half as configured.
    pub fn stop(self) -> Result<(), DatapathError> {
        let datapath = self.shared.datapath().take();
        datapath.map_or(Ok(()), Datapath::stop)
    }
}
