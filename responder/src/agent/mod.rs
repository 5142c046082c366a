//! The composition root: builds the parts, joins their channels, orders start and stop. It decides nothing.
//!
//! Start, in order: sockets and directories, and then no privileges any more; signals, so that none is lost; files, so that errors are
//! told before anything is answered; the first table; then those who answer; then readiness is told. Stop runs the other way.
//!
//! A reload reads everything anew. With any error the running configuration stays whole; the error is logged, shown in status
//! and counted.

mod addresses;
mod commands;
mod health_source;
mod open_files;
mod orders;
mod privileged;
mod settings;
mod sources;
mod status;
mod systemd;
mod watch_files;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use fastpath::cookie::Secret;
use pulse53_core::geo::GeoDb;
use pulse53_core::model::Snapshot;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::api::connections::Bounded;
use crate::api::control::{self, Command, ConfigurationStatus};
use crate::api::{http, recovery};
use crate::causes::chain;
use crate::config::{Config, Overrides, Problems, ReplyRoute, RoutingControl};
use crate::datapath::{AttachError, Datapath, PinDir, Samples};
use crate::declared::{self, Loaded};
use crate::doctor;
use crate::health;
use crate::metrics::Metrics;
use crate::privileges::{self, AccountError, GiveUpError};
use crate::publish::{self, Event, Publisher};
use crate::query_log::QueryLog;
use crate::sampler;
use crate::serve::reply::ReplySettings;
use crate::serve::{self, ServeError, Serving};
use crate::store::{Refused, Store, StoreError};
use privileged::Taken;
use watch_files::Watch;

/// Samples that may wait to be judged.
const SAMPLES_WAITING_MAX: usize = 256;

/// How often the kernel half is looked after: every second, or so many times in the time for which it would go on without.
const TICKS_IN_MAX_STALE: u32 = 4;
const TICK_MAX: Duration = Duration::from_secs(1);

/// Control requests that may wait.
const COMMANDS_MAX: usize = 64;

/// How long the kernel half may go by a clock that has been set since.
const CLOCK_INTERVAL: Duration = Duration::from_secs(1);

/// Why the agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The declarations are not usable.
    #[error(transparent)]
    Declared(#[from] Problems),
    /// What the API wrote cannot be had.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process cannot be whose it should be.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// Privileges are there that should not be.
    #[error(transparent)]
    Privileges(#[from] GiveUpError),
    /// What the account needs could not be given to it.
    #[error("cannot give {directory} to {account}: {source}")]
    Give {
        /// The directory.
        directory: String,
        /// To whom.
        account: String,
        /// Why.
        source: io::Error,
    },
    /// DNS cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The kernel half cannot be had as configured.
    #[error("[xdp]: {0}")]
    Datapath(#[source] crate::datapath::DatapathError),
    /// A control or metrics address could not be taken.
    #[error("cannot listen on {address} ({key}): {source}; {}", privileges::to_listen(.source))]
    Listen {
        /// Which.
        address: SocketAddr,
        /// The configuration key that names it.
        key: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The machine lacks something.
    #[error("cannot {attempt}: {source}")]
    Machine {
        /// What was tried.
        attempt: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

fn machine(attempt: &'static str) -> impl Fn(io::Error) -> AgentError {
    move |source| AgentError::Machine { attempt, source }
}

/// Secrets that nobody else knows: both the same, as there is none to replace.
fn random_secrets() -> io::Result<[Secret; 2]> {
    let mut octets = [0; 16];
    getrandom::fill(&mut octets)?;
    Ok([Secret::new(octets); 2])
}

/// Serves until SIGTERM or SIGINT.
pub fn run(config: Config, overrides: Overrides) -> Result<(), AgentError> {
    // As long as there is one thread: all others are started with the privileges it then has.
    let taken = Taken::take(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("agent")
        .enable_all()
        .build()
        .map_err(machine("start a runtime"))?;
    runtime.block_on(async {
        let signals = Signals::new().map_err(machine("listen for signals"))?;
        let mut agent = Agent::start(config, overrides, taken).await?;
        agent.run(signals).await;
        agent.stop().await;
        Ok(())
    })
}

struct Signals {
    reload: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            reload: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

struct Agent {
    config: Config,
    overrides: Overrides,
    configuration: ConfigurationStatus,
    /// What is declared, by files and through the API.
    store: Arc<Store>,
    /// The same, as it is now.
    snapshot: watch::Receiver<Arc<Snapshot>>,
    /// Where clients are, according to files.
    geo: Arc<ArcSwap<GeoDb>>,
    /// Passes what is declared on to the publisher.
    forwarding: JoinHandle<()>,
    health: health::Handle,
    published: publish::Shared,
    events: mpsc::Sender<Event>,
    publisher: std::thread::JoinHandle<Publisher>,
    /// DNS cookies are made with these where no file holds others.
    own_secrets: [Secret; 2],
    served: Arc<serve::Shared>,
    serving: Serving,
    /// Why the kernel does not answer, though it should.
    kernel_problem: Option<String>,
    metrics: Metrics,
    commands: mpsc::Receiver<Command>,
    watch: Watch,
    started: Instant,
}

impl Agent {
    async fn start(config: Config, overrides: Overrides, taken: Taken) -> Result<Self, AgentError> {
        let Taken { dns, api, exposition, pins } = taken;
        let (api, exposition) = (listener(api)?, listener(exposition)?);
        let mut watch = Watch::start();
        let access = settings::access(&config.api)?;
        let store = Arc::new(Store::open(&config.data_dir)?);
        let loaded = declared::load(&config, &store.written());
        log_warnings(&loaded);
        watch.set_files(&loaded.files);
        let (files, geo) = loaded.declared?;
        let own_secrets = random_secrets().map_err(machine("make a secret for cookies"))?;
        let secrets = loaded.cookie_secrets.unwrap_or(own_secrets);
        let snapshot = declare(&store, files, &config)?;
        let metrics = Metrics::default();
        metrics.count_reload(true);

        let declarations = store.watch();
        let probes_max = open_files::probes_max(open_files::raise_limit(), config.dns.tcp_connections_max);
        if probes_max < snapshot.checks.len() {
            tracing::warn!(
                probes_max,
                checks = snapshot.checks.len(),
                "checks may wait for each other: let this process open more files, as by LimitNOFILE= of systemd"
            );
        }
        let (health, mut updates) =
            health::spawn(settings::health(&config, probes_max), declarations.clone());
        // The first update tells what was known before the restart: the first table is made with it.
        let view = updates.recv().await.map(|update| update.view).unwrap_or_default();
        let publisher = Publisher::new(snapshot.clone(), &geo, view);
        let published = publisher.shared().clone();
        metrics.set_published(published.table.load().generation().0, snapshot.revision.0);

        let query_log = QueryLog::start(settings::sinks(&config), &config.checker.name);
        let query_log = query_log.map_err(machine("start a thread"))?;
        // Sockets before the kernel half: whoever gets a truncated reply from it comes again over TCP.
        let served = Arc::new(serve::Shared {
            table: published.table.clone(),
            settings: ArcSwap::from_pointee(settings::reply(&config, secrets, None)),
            query_log: query_log.clone(),
            misses: published.misses.clone(),
        });
        let serving = dns.start(served.clone())?;
        let sampled = Arc::new(sampler::Counts::default());
        let samples = match config.xdp.sample_one_in {
            0 => None,
            one_in => {
                let (to, samples) = std::sync::mpsc::sync_channel(SAMPLES_WAITING_MAX);
                sampler::start(
                    samples,
                    published.clone(),
                    served.clone(),
                    config.xdp.reply_route == ReplyRoute::Kernel,
                    sampled.clone(),
                )
                .map_err(machine("start a thread"))?;
                Some(Samples { one_in, to, lost: sampled.lost() })
            }
        };
        let kernel_problem =
            attach(&publisher, &config, pins, serving.addresses(), &served.settings.load(), samples)?;
        tokio::spawn(follow_clock(published.clone()));
        tokio::spawn(addresses::follow(
            published.clone(),
            serving.addresses().to_vec(),
            config.xdp.interfaces.clone(),
        ));

        let told = metrics.clone();
        let (events, publisher) = publisher
            .spawn(move |published| {
                told.set_published(published.generation.0, published.revision.0);
                if let Some(flip) = published.flip {
                    let mut spans = vec![("verdict", flip.verdict), ("table", flip.table)];
                    spans.extend(flip.maps.map(|maps| ("maps", maps)));
                    told.observe_flip(flip.total(), &spans);
                }
            })
            .map_err(machine("start a thread"))?;
        let geo = Arc::new(ArcSwap::new(geo));
        let forwarding =
            tokio::spawn(forward(snapshot.clone(), declarations.clone(), geo.clone(), events.clone()));
        let max_stale = config.xdp.max_stale.unwrap_or(Duration::MAX);
        tokio::spawn(tick((max_stale / TICKS_IN_MAX_STALE).min(TICK_MAX), events.downgrade()));
        let health_events = events.clone();
        tokio::spawn(async move {
            while let Some(update) = updates.recv().await {
                if health_events.send(Event::Health(update)).await.is_err() {
                    return;
                }
            }
        });

        metrics.add_source(sources::replies(serving.counters().clone()));
        metrics.add_source(sources::published(published.clone(), serving.counters().clone()));
        metrics.add_source(sources::sampled(sampled));
        metrics.add_source(sources::query_log(query_log));
        metrics.add_source(sources::signatures(store.signatures().clone()));
        metrics.add_source(health_source::health(health.clone()));
        let (commands_in, commands) = mpsc::channel(COMMANDS_MAX);
        let in_force = published.clone();
        let (reports, runtime) = (health.clone(), Handle::current());
        let (checker, targets) = (config.checker.clone(), settings::targets(&config.checker));
        let controls = Arc::new(routing_controls(&health, &config.routing_controls));
        let route53 = Arc::new(http::Api {
            store: store.clone(),
            in_force: Box::new(move || in_force.revision()),
            table: published.table.clone(),
            // Operations are carried out on threads that may block.
            health: Box::new(move |id| runtime.block_on(reports.show(id.clone())).ok()),
            controls: controls.clone(),
            checker_networks: Box::new(move || settings::checker_networks(&checker)),
            may_be_probed: Box::new(move |address| targets.permits(address)),
            settings: settings::api(&config),
        });
        let routes = control::router(commands_in, access.clone())
            .merge(recovery::router(controls, access.clone()))
            .merge(http::router(route53, access));
        tokio::spawn(axum::serve(Bounded::new(api), routes).into_future());
        tokio::spawn(axum::serve(exposition, metrics.router()).into_future());

        for address in serving.addresses() {
            tracing::info!(%address, "answering");
        }
        systemd::tell(&[NotifyState::Ready]);
        systemd::answer_watchdog(events.downgrade());
        Ok(Self {
            configuration: ConfigurationStatus {
                file: config.file.display().to_string(),
                loaded_at: status::unix_time(),
                failed_at: None,
                problems: Vec::new(),
            },
            config,
            overrides,
            store,
            snapshot: declarations,
            geo,
            forwarding,
            health,
            published,
            events,
            publisher,
            own_secrets,
            served,
            serving,
            kernel_problem,
            metrics,
            commands,
            watch,
            started: Instant::now(),
        })
    }

    async fn run(&mut self, mut signals: Signals) {
        loop {
            tokio::select! {
                _ = signals.terminate.recv() => return,
                _ = signals.interrupt.recv() => return,
                _ = signals.reload.recv() => self.reload("SIGHUP").await,
                _ = self.watch.changed() => self.reload("a file has changed").await,
                Some(command) = self.commands.recv() => self.obey(command).await,
            }
        }
    }

    /// Health first, so that nothing flips any more; then the kernel half, whose packets the sockets still take; then these.
    async fn stop(self) {
        tracing::info!("stopping");
        systemd::tell(&[NotifyState::Stopping]);
        self.health.stop().await;
        self.forwarding.abort();
        // It ends by being cancelled.
        let _ = self.forwarding.await;
        drop(self.events);
        let publisher = self.publisher;
        let stopped = tokio::task::spawn_blocking(move || publisher.join().map(Publisher::stop)).await;
        match stopped {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!(%error, "the kernel half did not end well"),
            Ok(Err(_)) | Err(_) => tracing::error!("the publishing thread had panicked"),
        }
        self.serving.stop().await;
        // Nothing is answered any more, so that this is the last line.
        let served = self.served;
        let _ = tokio::task::spawn_blocking(move || served.query_log.flush()).await;
        tracing::info!("stopped");
    }

    async fn reload(&mut self, reason: &str) {
        tracing::info!(reason, "reading the configuration anew");
        systemd::tell_reloading();
        let (file, overrides) = (self.config.file.clone(), self.overrides.clone());
        let written = self.store.written();
        // Large zones take a while to read, and other tasks share this thread.
        let read = tokio::task::spawn_blocking(move || {
            let config = Config::read(&file, &overrides)?;
            let loaded = declared::load(&config, &written);
            Ok::<_, Problems>((config, loaded))
        });
        match read.await {
            Ok(Ok((config, loaded))) => {
                log_warnings(&loaded);
                self.watch.set_files(&loaded.files);
                let secrets = loaded.cookie_secrets.unwrap_or(self.own_secrets);
                match loaded.declared {
                    Ok((snapshot, geo)) => self.apply(config, snapshot, geo, secrets).await,
                    Err(problems) => self.keep(problems.0.iter().map(ToString::to_string).collect()),
                }
            }
            Ok(Err(problems)) => self.keep(problems.0.iter().map(ToString::to_string).collect()),
            Err(panic) => self.keep(vec![format!("reading failed: {panic}")]),
        }
        systemd::tell(&[NotifyState::Ready]);
    }

    async fn apply(&mut self, config: Config, files: Snapshot, geo: Arc<GeoDb>, secrets: [Secret; 2]) {
        for key in settings::needing_restart(&self.config, &config) {
            tracing::warn!(key, "changed, and takes effect at the next start");
        }
        let before = self.geo.swap(geo);
        let snapshot = match declare(&self.store, files, &config) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                self.geo.store(before);
                return self.keep(error.to_string().lines().map(str::to_owned).collect());
            }
        };
        tracing::info!(revision = snapshot.revision.0, zones = snapshot.zones.len(), "configuration read");
        if self.forwarding.is_finished() {
            return self.keep(vec!["the publishing thread has ended; restart pulse53".to_owned()]);
        }
        let before = self.served.settings.load_full();
        let reply = settings::reply(&config, secrets, Some(&before));
        self.published.quiet.disturb(|| {
            if let Some(datapath) = self.published.datapath().as_mut()
                && let Err(error) = datapath.set_live(publish::live(&reply))
            {
                tracing::error!(error = %chain(&error), "the kernel half keeps its cookies and rate limit");
            }
            self.served.settings.store(Arc::new(reply));
        });
        self.metrics.count_reload(true);
        self.configuration.loaded_at = status::unix_time();
        self.configuration.failed_at = None;
        self.configuration.problems.clear();
        self.config = config;
    }

    /// Keeps the running configuration.
    fn keep(&mut self, problems: Vec<String>) {
        for problem in &problems {
            tracing::error!(problem, "the running configuration is kept");
        }
        self.metrics.count_reload(false);
        self.configuration.failed_at = Some(status::unix_time());
        self.configuration.problems = problems;
    }
}

/// Puts what files declare in force, beside what the API wrote.
fn declare(store: &Store, files: Snapshot, config: &Config) -> Result<Arc<Snapshot>, AgentError> {
    store.declare_files(files).map_err(|refused| match refused {
        Refused::Owned(problems) => declared::told_all(config, problems).into(),
        Refused::Store(error) => error.into(),
    })
}

/// Has the publisher look after the kernel half again and again, and say that it is up to date. A publisher that hangs does not; one that is
/// busy does so when it is done.
async fn tick(interval: Duration, events: mpsc::WeakSender<Event>) {
    let mut ticks = tokio::time::interval(interval);
    loop {
        ticks.tick().await;
        let Some(events) = events.upgrade() else { return };
        // Where there is no room, others wait whose taking off says the same.
        if let Err(TrySendError::Closed(_)) = events.try_send(Event::Tick) {
            return;
        }
    }
}

/// Tells the publisher what is declared whenever that changes; what it has no time for is skipped over.
async fn forward(
    first: Arc<Snapshot>,
    mut declarations: watch::Receiver<Arc<Snapshot>>,
    geo: Arc<ArcSwap<GeoDb>>,
    events: mpsc::Sender<Event>,
) {
    let mut told = first.revision;
    loop {
        let snapshot = declarations.borrow_and_update().clone();
        if snapshot.revision > told {
            told = snapshot.revision;
            if events.send(Event::Declared(snapshot, geo.load_full())).await.is_err() {
                return;
            }
        }
        if declarations.changed().await.is_err() {
            return;
        }
    }
}

/// Tells the kernel half again and again what time it is, for clocks are set.
async fn follow_clock(published: publish::Shared) {
    let mut interval = tokio::time::interval(CLOCK_INTERVAL);
    loop {
        interval.tick().await;
        if !tell_kernel_half(&published, |datapath| datapath.set_clock()).await {
            return;
        }
    }
}

/// Tells the kernel half something; whether there is one. Whoever holds it may do so for a while.
async fn tell_kernel_half(
    published: &publish::Shared,
    tell: impl FnOnce(&mut Datapath) + Send + 'static,
) -> bool {
    let published = published.clone();
    let told = tokio::task::spawn_blocking(move || published.datapath().as_mut().map(tell).is_some());
    matches!(told.await, Ok(true))
}

/// Routing controls as the recovery-cluster API reads and switches them, on threads that may block.
fn routing_controls(health: &health::Handle, declared: &[RoutingControl]) -> recovery::Controls {
    let (lister, switcher) = (health.clone(), health.clone());
    let (runtime, other) = (Handle::current(), Handle::current());
    recovery::Controls {
        list: Box::new(move || runtime.block_on(lister.routing_controls()).ok()),
        switch: Box::new(move |wanted| other.block_on(switcher.set_routing_controls(wanted)).is_ok()),
        names: settings::control_names(declared),
    }
}

/// Starts the kernel half, if it is wanted; without it all is slower but equally right (law 9).
///
/// What the operator must mend, and can, ends the start; what this machine cannot do is told, and sockets answer (law 9).
fn attach(
    publisher: &Publisher,
    config: &Config,
    pins: Option<Result<PinDir, AttachError>>,
    addresses: &[SocketAddr],
    reply: &ReplySettings,
    samples: Option<Samples>,
) -> Result<Option<String>, AgentError> {
    let Some(pins) = pins else { return Ok(None) };
    let settings = settings::datapath(&config.xdp, &config.dns, addresses, reply, samples);
    let Err(error) = publisher.attach(settings, pins) else {
        tell_troubles(config.xdp.interfaces.clone(), config.xdp.reply_route == ReplyRoute::Kernel);
        return Ok(None);
    };
    if error.is_mistake() {
        return Err(AgentError::Datapath(error));
    }
    let problem = chain(&error);
    tracing::error!(problem, "the kernel half does not answer; sockets do");
    Ok(Some(problem))
}

/// Tells what is wrong with interfaces: a card that takes off VLAN tags is attached to as well as another, and loses replies.
fn tell_troubles(interfaces: Vec<String>, is_routed: bool) {
    tokio::task::spawn_blocking(move || match doctor::troubles(&interfaces, is_routed) {
        Ok(findings) => {
            for finding in findings {
                tracing::warn!(interface = finding.about, mend = finding.mend, "{}", finding.what);
            }
        }
        Err(error) => tracing::debug!(%error, "interfaces were not looked at"),
    });
}

fn listener(taken: std::net::TcpListener) -> Result<TcpListener, AgentError> {
    TcpListener::from_std(taken).map_err(machine("wait for connections"))
}

fn log_warnings(loaded: &Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!(%warning);
    }
}
