//! A wire of its own for each of those that are compared: a veth pair, the load at one end, a program or a server at the other.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use pulse53::datapath::Loaded;
use traffic::driver::{BATCH, Run, Traffic, attach, stay_on_cpu};
use traffic::plan::Plan;
use traffic::question::{Ends, Question};

use super::network::{CLIENTS, INTERFACE, Network, SERVED};

/// Queries are made on this CPU; whoever works beside them stays on the other.
pub const LOAD_CPU: usize = 0;

const CLIENT_LINK: [u8; 6] = [2, 0, 0, 0, 0x53, 1];
const SERVER_LINK: [u8; 6] = [2, 0, 0, 0, 0x53, 2];

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// Its shape.
    pub question: Question,
    /// Over IPv6.
    pub is_v6: bool,
    /// Names asked.
    pub names: u32,
    /// Which of them, if not all alike: see [`traffic::popularity`].
    pub popularity: Option<&'a [u32]>,
    /// The share of queries for names that do not exist.
    pub absent: f64,
    /// Queries a second, if not as many as can be.
    pub rate: Option<u32>,
    /// Whether the time to each reply is measured.
    pub latency: bool,
    /// Answers each reply must have; 0 if replies are only counted.
    pub checked: u32,
}

impl Load<'_> {
    /// All names alike, as fast as can be, over IPv4.
    pub fn of(question: Question, names: u32) -> Self {
        Self {
            question,
            is_v6: false,
            names,
            popularity: None,
            absent: 0.0,
            rate: None,
            latency: false,
            checked: 0,
        }
    }
}

/// A wire.
///
/// Fields are dropped in order: programs before the interfaces they are on.
pub struct Lane {
    traffic: Option<Traffic>,
    /// Held to keep it attached.
    program: Option<Box<dyn Send>>,
    /// Both namespaces.
    pub network: Network,
}

impl Lane {
    /// A wire with nobody at either end.
    pub fn make() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let id = format!("{}-load{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let network = Network::make(&id);
        for (namespace, link) in [(&network.client, CLIENT_LINK), (&network.server, SERVER_LINK)] {
            namespace.ip(&format!("link set {INTERFACE} address {}", text(link)));
        }
        for client in CLIENTS {
            let link = text(CLIENT_LINK);
            network
                .server
                .ip(&format!("neighbor replace {client} lladdr {link} dev {INTERFACE} nud permanent"));
        }
        Self { traffic: None, program: None, network }
    }

    /// Puts a program at the server's end: `attach` is told the interface, and what it gives holds the program there.
    pub fn with<P: Send + 'static>(mut self, attach: impl FnOnce(&str) -> Result<P> + Send) -> Result<Self> {
        self.program = Some(Box::new(self.network.server.within(|| attach(INTERFACE))?));
        Ok(self)
    }

    /// Puts pulse53's program there.
    pub fn respond(self, loaded: &mut Loaded) -> Result<Self> {
        self.with(|interface| attach(loaded.program()?, interface))
    }

    /// Prepares a load at the client's end.
    pub fn load(&mut self, load: &Load<'_>) -> Result<()> {
        self.traffic = None;
        let family = usize::from(load.is_v6);
        let ends = Ends {
            client_link: CLIENT_LINK,
            server_link: SERVER_LINK,
            client: CLIENTS[family],
            server: SERVED[family],
        };
        let (frame, plan) = load.question.frame(&ends);
        let plan = Plan {
            names: load.names.into(),
            absent: (load.absent * 4_294_967_296.0) as u64,
            interval_ns: load.rate.map_or(0, |rate| 1_000_000_000 / u64::from(rate)),
            latency: load.latency.into(),
            checked: load.checked.into(),
            ..plan
        };
        let started = self.network.client.within(|| Traffic::start(INTERFACE, frame, plan, load.popularity));
        self.traffic = Some(started?);
        Ok(())
    }

    /// Lets the load's program write so many frames, in batches, on its CPU.
    pub fn run(&mut self, frames: u32) -> Result<Run> {
        self.run_by(frames, BATCH)
    }

    /// The same in batches of a size.
    pub fn run_by(&mut self, frames: u32, batch: u32) -> Result<Run> {
        let traffic = self.traffic.as_mut().expect("a load is prepared first");
        self.network.client.within(|| {
            stay_on_cpu(LOAD_CPU)?;
            traffic.run(frames, batch)
        })
    }

    /// The load.
    pub fn traffic(&self) -> &Traffic {
        self.traffic.as_ref().expect("a load is prepared first")
    }
}

fn text(link: [u8; 6]) -> String {
    link.map(|octet| format!("{octet:02x}")).join(":")
}
