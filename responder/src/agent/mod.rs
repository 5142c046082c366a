//! The composition root: builds the parts, joins their channels, orders start and stop. It decides nothing.
//!
//! Start, in order: signals, so that none is lost; files, so that errors are told before anything is touched; sockets, so that a
//! taken address stops us early; the first table; then those who answer; then readiness is told. Stop runs the other way.
//!
//! A reload reads everything anew. With any error the running configuration stays whole; the error is logged, shown in status
//! and counted.

mod sources;
mod status;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use pulse53_core::compile::Compiler;
use pulse53_core::model::{Revision, Snapshot};
use pulse53_core::table::{AnswerTable, Generation};
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::api::control::{self, Command, CommandError, ConfigurationStatus};
use crate::api::guard::Access;
use crate::config::{Config, Dns, Overrides, Problems};
use crate::declared::{self, Loaded};
use crate::metrics::Metrics;
use crate::serve::reply::ReplySettings;
use crate::serve::{self, ServeError, ServeSettings, Serving, Shared};
use watch::Watch;

/// Control requests that may wait.
const COMMANDS_MAX: usize = 64;

/// Why the agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The declarations are not usable.
    #[error(transparent)]
    Declared(#[from] Problems),
    /// DNS cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A control or metrics address could not be taken.
    #[error("cannot listen on {address} ({key}): {source}; is it an address of this machine, and free?")]
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

/// Serves until SIGTERM or SIGINT.
pub fn run(config: Config, overrides: Overrides) -> Result<(), AgentError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("agent")
        .enable_all()
        .build()
        .map_err(machine("start a runtime"))?;
    runtime.block_on(async {
        let signals = Signals::new().map_err(machine("listen for signals"))?;
        let mut agent = Agent::start(config, overrides).await?;
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
    snapshot: Arc<Snapshot>,
    findings: Vec<String>,
    table: Arc<ArcSwap<AnswerTable>>,
    shared: Arc<Shared>,
    serving: Serving,
    metrics: Metrics,
    commands: mpsc::Receiver<Command>,
    watch: Watch,
    started: Instant,
}

impl Agent {
    async fn start(config: Config, overrides: Overrides) -> Result<Self, AgentError> {
        let mut watch = Watch::start();
        let loaded = declared::load(&config, Revision(1));
        log_warnings(&loaded);
        watch.set_files(&loaded.files);
        let snapshot = Arc::new(loaded.snapshot?);
        let metrics = Metrics::default();
        metrics.count_reload(true);

        let bound = serve::bind(serve_settings(&config.dns))?;
        let api = listen(config.api.listen, "api.listen").await?;
        let exposition = listen(config.metrics.listen, "metrics.listen").await?;

        let compiler = Compiler::new(&snapshot, &|_| true, Generation(1));
        let table = Arc::new(ArcSwap::from_pointee(compiler.table().clone()));
        metrics.set_published(1, snapshot.revision.0);
        let shared = Arc::new(Shared {
            table: table.clone(),
            settings: ArcSwap::from_pointee(reply_settings(&config.dns)),
        });
        let serving = bound.start(shared.clone())?;
        metrics.add_source(sources::replies(serving.counters().clone()));

        let (commands_in, commands) = mpsc::channel(COMMANDS_MAX);
        let access = if config.api.credentials.is_empty() { Access::Loopback } else { Access::Credentials };
        tokio::spawn(axum::serve(api, control::router(commands_in, access)).into_future());
        tokio::spawn(axum::serve(exposition, metrics.router()).into_future());

        let agent = Self {
            configuration: ConfigurationStatus {
                file: config.file.display().to_string(),
                loaded_at: status::unix_time(),
                failed_at: None,
                problems: Vec::new(),
            },
            findings: status::findings(&compiler),
            config,
            overrides,
            snapshot,
            table,
            shared,
            serving,
            metrics,
            commands,
            watch,
            started: Instant::now(),
        };
        for address in agent.serving.addresses() {
            tracing::info!(%address, "answering");
        }
        tell_systemd(&[NotifyState::Ready]);
        Ok(agent)
    }

    async fn run(&mut self, mut signals: Signals) {
        loop {
            tokio::select! {
                _ = signals.terminate.recv() => return,
                _ = signals.interrupt.recv() => return,
                _ = signals.reload.recv() => self.reload("SIGHUP").await,
                _ = self.watch.changed() => self.reload("a file has changed").await,
                Some(command) = self.commands.recv() => self.obey(command),
            }
        }
    }

    async fn stop(self) {
        tracing::info!("stopping");
        tell_systemd(&[NotifyState::Stopping]);
        self.serving.stop().await;
        tracing::info!("stopped");
    }

    async fn reload(&mut self, reason: &str) {
        tracing::info!(reason, "reading the configuration anew");
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell_systemd(&[NotifyState::Reloading, now]),
            Err(error) => tracing::debug!(%error, "no monotonic clock to tell systemd"),
        }
        let (file, overrides) = (self.config.file.clone(), self.overrides.clone());
        let revision = Revision(self.snapshot.revision.0 + 1);
        // Large zones take a while to read, and other tasks share this thread.
        let read = tokio::task::spawn_blocking(move || {
            let config = Config::read(&file, &overrides)?;
            let loaded = declared::load(&config, revision);
            Ok::<_, Problems>((config, loaded))
        });
        match read.await {
            Ok(Ok((config, loaded))) => {
                log_warnings(&loaded);
                self.watch.set_files(&loaded.files);
                match loaded.snapshot {
                    Ok(snapshot) => self.apply(config, snapshot),
                    Err(problems) => self.keep(problems.0.iter().map(ToString::to_string).collect()),
                }
            }
            Ok(Err(problems)) => self.keep(problems.0.iter().map(ToString::to_string).collect()),
            Err(panic) => self.keep(vec![format!("reading failed: {panic}")]),
        }
        tell_systemd(&[NotifyState::Ready]);
    }

    fn apply(&mut self, config: Config, snapshot: Snapshot) {
        for key in needs_restart(&self.config, &config) {
            tracing::warn!(key, "changed, and takes effect at the next start");
        }
        let compiler = Compiler::new(&snapshot, &|_| true, self.table.load().generation().next());
        self.table.store(Arc::new(compiler.table().clone()));
        self.shared.settings.store(Arc::new(reply_settings(&config.dns)));
        self.findings = status::findings(&compiler);
        self.metrics.count_reload(true);
        self.metrics.set_published(self.table.load().generation().0, snapshot.revision.0);
        self.configuration = ConfigurationStatus {
            loaded_at: status::unix_time(),
            failed_at: None,
            problems: Vec::new(),
            ..self.configuration.clone()
        };
        tracing::info!(
            revision = snapshot.revision.0,
            zones = snapshot.zones.len(),
            "configuration in force"
        );
        self.snapshot = Arc::new(snapshot);
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

    fn obey(&mut self, command: Command) {
        // Who asked may have left meanwhile; nobody is there to be told then.
        match command {
            Command::Status(answer) => drop(answer.send(Ok(Box::new(self.status())))),
            Command::Checks(answer) => drop(answer.send(Ok(Vec::new()))),
            Command::Check(id, answer) | Command::SetCheck(id, _, answer) => {
                drop(answer.send(Err(CommandError::NoSuchCheck(id))));
            }
        }
    }
}

async fn listen(address: SocketAddr, key: &'static str) -> Result<TcpListener, AgentError> {
    TcpListener::bind(address).await.map_err(|source| AgentError::Listen { address, key, source })
}

fn log_warnings(loaded: &Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!(%warning);
    }
}

fn tell_systemd(state: &[NotifyState<'_>]) {
    // Without systemd there is nobody to tell, which is no error.
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot tell systemd");
    }
}

fn serve_settings(dns: &Dns) -> ServeSettings {
    ServeSettings {
        listen: dns.listen.clone(),
        udp_threads: dns.udp_threads,
        tcp_idle_timeout: dns.tcp_idle_timeout,
        tcp_connections_max: dns.tcp_connections_max,
        tcp_connections_per_client_max: dns.tcp_connections_per_client_max,
    }
}

fn reply_settings(dns: &Dns) -> ReplySettings {
    ReplySettings {
        udp_size_max: dns.max_udp_size,
        tcp_idle_timeout: dns.tcp_idle_timeout,
        identity: dns.identity.clone(),
        version: dns.version.clone(),
        nsid: dns.nsid.clone(),
    }
}

/// The settings that differ and that a running agent cannot change.
fn needs_restart<'k>(old: &Config, new: &Config) -> Vec<&'k str> {
    let (serve_old, serve_new) = (&old.dns, &new.dns);
    [
        ("data_dir", old.data_dir != new.data_dir),
        ("dns.listen", serve_old.listen != serve_new.listen),
        ("dns.udp_threads", serve_old.udp_threads != serve_new.udp_threads),
        ("dns.tcp_idle_timeout", serve_old.tcp_idle_timeout != serve_new.tcp_idle_timeout),
        ("dns.tcp_connections_max", serve_old.tcp_connections_max != serve_new.tcp_connections_max),
        (
            "dns.tcp_connections_per_client_max",
            serve_old.tcp_connections_per_client_max != serve_new.tcp_connections_per_client_max,
        ),
        ("[xdp]", old.xdp != new.xdp),
        ("[api]", old.api != new.api),
        ("[metrics]", old.metrics != new.metrics),
        ("[checker]", old.checker != new.checker),
        ("[log]", old.log != new.log),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(key))
    .collect()
}
