//! The three engines that must agree: userspace, the fast path on the host, and the loaded program.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastpath::Scratch;
use fastpath::host::Frame;
use pulse53::datapath::{self, HotMemory, HotTable, LoadError, Loaded, Sizes};
use pulse53::publish;
use pulse53::serve::reply::{Received, ReplySettings, Transport, respond};
use pulse53_abi::draw;
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_abi::shared::Shared;
use pulse53_abi::verdict::Verdict;
use pulse53_core::compile::{Compiler, Health};
use pulse53_core::geo::GeoDb;
use pulse53_core::model::Snapshot;
use pulse53_core::table::{AnswerTable, Generation};

use crate::frame::QueryFrame;
use crate::zone;

/// All engines over one table.
pub struct Engines {
    table: AnswerTable,
    host: HotTable,
    kernel: Loaded,
    random: u64,
    scratch: Scratch,
    settings: ReplySettings,
    now: Duration,
}

/// What all engines say to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The reply's message; none: silence.
    pub message: Option<Vec<u8>>,
    /// Whether the loaded program settled it.
    pub in_kernel: bool,
}

/// The served addresses of every test.
pub const SERVED: [&str; 2] = ["192.0.2.53:53", "[2001:db8::53]:53"];

impl Engines {
    /// The engines over one zone with all checks healthy, or none where the program cannot be loaded, which is then said.
    pub fn new(apex: &str, master_file: &str, record_sets: &str) -> Option<Self> {
        Self::of(&zone::snapshot(apex, master_file, record_sets), &|_| true)
    }

    /// The same over a snapshot and the status of its checks.
    pub fn of(snapshot: &Snapshot, health: Health<'_>) -> Option<Self> {
        Self::with_geo(snapshot, &GeoDb::default(), health)
    }

    /// The same, with an idea of where clients are.
    pub fn with_geo(snapshot: &Snapshot, geo: &GeoDb, health: Health<'_>) -> Option<Self> {
        let table = Compiler::with_geo(snapshot, geo, health, Generation(1)).table().clone();
        let (host, kernel) = match load(&table) {
            Ok(loaded) => loaded,
            Err(error @ (LoadError::NoObject | LoadError::NotPermitted(_))) => {
                crate::skip(&error.to_string());
                return None;
            }
            Err(error) => panic!("{:?}", anyhow::Error::from(error)),
        };
        let mut engines = Self {
            table,
            host,
            kernel,
            random: 0x9e37_79b9_7f4a_7c15,
            scratch: Scratch::new(),
            settings: ReplySettings::default(),
            now: NOON,
        };
        engines.configure(ReplySettings::default());
        Some(engines)
    }

    /// Has all engines reply by these settings, of which the kernel half is told what the agent tells it. Each limits responses for itself.
    pub fn configure(&mut self, settings: ReplySettings) {
        let live = publish::live(&settings);
        [&self.host, self.kernel.hot_table()].iter().for_each(|hot| live.write(hot.memory().live()));
        self.settings = settings;
    }

    /// Sets the clock that all engines go by, as the time since 1970; it stands still.
    pub fn set_clock(&mut self, now: Duration) {
        self.now = now;
    }

    /// Takes up other declarations: in the memory there is, or in a new unit if that is too small or tells clients apart differently.
    pub fn declare(&mut self, snapshot: &Snapshot, geo: &GeoDb, health: Health<'_>) {
        let generation = self.table.generation().next();
        self.table = Compiler::with_geo(snapshot, geo, health, generation).table().clone();
        let fits = Sizes::needed(&self.table).fit(self.host.sizes(), u32::MAX);
        let in_place = fits && self.host.tells_apart(self.table.clients()) && {
            let hot = [&mut self.host, self.kernel.hot_table_mut()];
            // What was let go rests: after many changes at once there may be no room.
            hot.map(|hot| datapath::fill(hot, &self.table).is_whole()) == [true, true]
        };
        if !in_place {
            let loaded = load(&self.table).map_err(anyhow::Error::from);
            (self.host, self.kernel) = loaded.expect("a program that loaded before loads again");
            self.configure(self.settings.clone());
        }
    }

    /// Whether the kernel half answers by client subnets shorter than a client network.
    pub fn short_subnets(&self) -> bool {
        self.table.clients().map.shorter().is_empty()
    }

    /// The answer table.
    pub fn table(&self) -> &AnswerTable {
        &self.table
    }

    /// The loaded program.
    pub fn kernel(&mut self) -> &mut Loaded {
        &mut self.kernel
    }

    /// Sends a frame through all engines with the same draw, and asserts that the host build and the loaded program did the same, and
    /// that their reply is the one userspace gives.
    pub fn agree(&mut self, query: &QueryFrame) -> Agreed {
        let (verdict, answered) = self.ruled(&query.octets());
        let message = self.in_userspace(query);
        match &answered {
            Some(reply) => self.assert_same(query, reply, message.as_deref()),
            None => assert!(!matches!(verdict, Verdict::Drop(_)) || message.is_none(), "{query:?}"),
        }
        Agreed { message, in_kernel: !matches!(verdict, Verdict::Pass(_)) }
    }

    /// The same for octets that may be no query at all. Tells whether the fast path answered.
    pub fn agree_on_octets(&mut self, octets: &[u8]) -> bool {
        let answered = self.both(octets);
        if let Some(reply) = &answered {
            let query = QueryFrame::read(octets).unwrap_or_else(|| panic!("no query:\n{}", hex(octets)));
            let message = self.in_userspace(&query);
            self.assert_same(&query, reply, message.as_deref());
        }
        answered.is_some()
    }

    /// What the loaded program does with octets at the time that is set: the action, and the octets afterwards.
    fn in_kernel(&mut self, octets: &[u8], draws: bool) -> (u32, Vec<u8>) {
        let is_limited = self.settings.limiter.is_some();
        let tells_time = is_limited || self.settings.cookies.is_some();
        let memory = self.kernel.hot_table().memory();
        let spent: Vec<u64> = memory.buckets.iter().filter(|_| is_limited).map(Shared::load).collect();
        loop {
            // Setting the state takes two system calls, which matters to tests with a million packets.
            if draws {
                self.kernel.seed_random(self.random).expect("the random state can be set");
            }
            let started = Instant::now();
            datapath::write_clock(self.kernel.hot_table().memory().live(), self.now);
            let done = self.kernel.test_run(octets).expect("the program runs");
            if !tells_time || started.elapsed() < CLOCK_TOLERANCE {
                return done;
            }
            // The machine did something else: once more, as if nothing had been spent.
            let memory = self.kernel.hot_table().memory();
            memory.buckets.iter().zip(&spent).for_each(|(bucket, spent)| bucket.store(*spent));
        }
    }

    /// What userspace replies under the draw that the fast path took.
    fn in_userspace(&mut self, query: &QueryFrame) -> Option<Vec<u8>> {
        // The fast path draws once, and only where it must; userspace always draws.
        self.random = draw::next(self.random);
        let mut message = Vec::new();
        let received = Received {
            packet: &query.message,
            source: query.client.ip(),
            transport: Transport::Udp,
            at: self.now,
        };
        respond(&self.table, &self.settings, &received, self.random, &mut message).ok()?;
        Some(message)
    }

    /// Law 1, and D-24: the frame expected is built from nothing, its checksums computed over all of it.
    fn assert_same(&self, query: &QueryFrame, reply: &[u8], message: Option<&[u8]>) {
        let message = message.unwrap_or_else(|| panic!("only the fast path answers {query:?}"));
        assert_octets(reply, &query.reply_octets(message), query);
    }

    /// Sends octets through the host build and the loaded program, asserts that they did the same, and that a packet that was passed
    /// is untouched. The reply, if there is one.
    pub fn both(&mut self, octets: &[u8]) -> Option<Vec<u8>> {
        self.ruled(octets).1
    }

    /// The same, with what was decided.
    fn ruled(&mut self, octets: &[u8]) -> (Verdict, Option<Vec<u8>>) {
        let settings = self.host.settings(UDP_PAYLOAD_MAX, 0);
        let tables = self.host.memory().tables(&settings, self.random, self.now.as_nanos() as u64);
        let mut frame = Frame::new(octets.to_vec());
        let verdict = fastpath::run(&mut frame, &tables, &mut self.scratch);
        let draws = tables.random() != self.random;
        let (action, out) = self.in_kernel(octets, draws);
        let expected = match verdict {
            Verdict::Reply | Verdict::NoAnswer(_) | Verdict::Slip => 3,
            Verdict::Pass(_) => 2,
            Verdict::Drop(_) => 1,
        };
        assert_eq!(action, expected, "{verdict:?}: {}", hex(octets));
        match verdict {
            Verdict::Reply | Verdict::NoAnswer(_) | Verdict::Slip => {
                assert_octets(&out, &frame.octets, &verdict);
                (verdict, Some(out))
            }
            _ => {
                assert_octets(&out, octets, &verdict);
                assert_octets(&frame.octets, octets, &verdict);
                (verdict, None)
            }
        }
    }
}

/// When packets come, unless a test says otherwise: in the middle of a second, for the kernel's clock goes on while it stands still for the others.
const NOON: Duration = Duration::from_millis(1_800_000_000_500);

/// How far the kernel's clock may go on; less than half a second.
const CLOCK_TOLERANCE: Duration = Duration::from_millis(250);

/// A unit filled with a table, and the same on the host.
fn load(table: &AnswerTable) -> Result<(HotTable, Loaded), LoadError> {
    let sizes = Sizes::needed(table).with_headroom(u32::MAX);
    let mut kernel = Loaded::load(sizes, table.clients(), UDP_PAYLOAD_MAX, 0)?;
    let seed = kernel.hot_table().settings(UDP_PAYLOAD_MAX, 0).seed;
    let mut host = HotTable::new(HotMemory::owned(sizes), sizes, seed, table.clients().clone());
    let served: Vec<SocketAddr> = SERVED.iter().map(|address| address.parse().expect("an address")).collect();
    for hot in [&mut host, kernel.hot_table_mut()] {
        hot.serve(&served);
        let synced = datapath::fill(hot, table);
        assert!(synced.is_whole(), "the tables of tests have room for all");
    }
    Ok((host, kernel))
}

/// Equal octets; told line by line if they are not.
fn assert_octets(found: &[u8], expected: &[u8], told: &dyn Debug) {
    if found != expected {
        panic!("{told:?}\nfound:\n{}expected:\n{}", hex(found), hex(expected));
    }
}

fn hex(octets: &[u8]) -> String {
    octets
        .chunks(16)
        .map(|line| line.iter().map(|octet| format!("{octet:02x} ")).collect::<String>() + "\n")
        .collect()
}
