//! Loads the embedded BPF object: sizes its maps, checks that it speaks this ABI, and maps its memory.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use aya::maps::{Map, MapData, PerCpuArray, PerCpuValues, ProgramArray};
use aya::programs::{ProgramError, ProgramInfo, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader, VerifierLogLevel};
use fastpath::Scratch;
use pulse53_abi::ABI_VERSION;
use pulse53_abi::limits::{RATE_BUCKETS, SERVED_ENTRIES};
use pulse53_abi::node::REST_PROGRAMS;
use pulse53_abi::sample::RING_OCTETS;
use pulse53_abi::settings::Settings;
use pulse53_abi::shared::Shared;
use pulse53_abi::verdict::{COUNTERS, DropReason, NoAnswer, PassReason, SLOT_REPLY, SLOT_SLIP};
use pulse53_core::compile::Clients;

use crate::causes::errno;
use crate::privileges;

use super::hot_table::{HotTable, Sizes, settings};
use super::log::KernelLog;
use super::memory::{HotMemory, Region, SharedLayout};
use super::oversight::{SampleReader, Samples};
use super::pins::PinDir;

/// The object as built by `cargo xtask build`; empty if that has not run.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/pulse53-xdp"));

/// Why the fast path could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The binary holds no BPF object.
    #[error(
        "this binary was built without the fast path; build it with `cargo xtask build`, or set `[xdp] interfaces = []`"
    )]
    NoObject,
    /// The object is of another version than the binary.
    #[error(
        "the embedded BPF object does not speak ABI version {ABI_VERSION}; rebuild both with `cargo xtask build`"
    )]
    OtherAbi,
    /// The process may not load BPF programs.
    #[error("not allowed to load BPF programs: {}", privileges::to_load_programs())]
    NotPermitted(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The kernel refused the object.
    #[error("the kernel (it must be 6.1 or later) did not take the BPF object")]
    Object(#[from] aya::EbpfError),
    /// The kernel refused the program.
    #[error("the kernel (it must be 6.1 or later) did not take the XDP program")]
    Program(#[from] ProgramError),
    /// Something that ought to be in the object is not.
    #[error("the embedded BPF object has no {0}; rebuild it with `cargo xtask build`")]
    Missing(&'static str),
    /// A map could not be read.
    #[error("reading the counters of the fast path")]
    Counters(#[source] aya::maps::MapError),
    /// A program could not be put where the first goes on.
    #[error("joining the programs of the fast path")]
    Rest(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A map could not be mapped.
    #[error("mapping {0} into memory")]
    Mapping(&'static str, #[source] io::Error),
    /// The debug lines could not be followed.
    #[error("following the debug lines of the fast path")]
    Log(#[source] io::Error),
    /// No random seed.
    #[error("asking the kernel for a random seed")]
    Seed(#[source] io::Error),
    /// The samples could not be followed.
    #[error("following the samples of the fast path")]
    Samples(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A pin could not be made.
    #[error("pinning {0}")]
    Pin(String, #[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The maps that are mapped into memory, by name.
const MAPPED: [&str; 16] = [
    "SLOTS",
    "HEAT",
    "NODES",
    "NODES_HEAD",
    "ZONES",
    "NAMES",
    "COLUMNS",
    "VARIANTS",
    "BODIES_SMALL",
    "BODIES_MEDIUM",
    "BODIES_LARGE",
    "SERVED",
    "CLIENT_NODES",
    "PARTITIONS",
    "LIVE",
    BUCKETS,
];
const BUCKETS: &str = "BUCKETS";
/// The ring of samples.
const SAMPLES: &str = "SAMPLES";
/// The program that answers.
const PROGRAM: &str = "pulse53";
/// The map that leads to the programs it goes on in where the hot table has no answer.
const REST: &str = "REST";

/// What a unit does beyond answering from its tables where the query came in; by default nothing.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Whether the tables are good only until the deadline, which userspace puts off (D-25).
    pub expires: bool,
    /// Where samples of replies go, if any are taken.
    pub samples: Option<Samples>,
    /// Whether replies go where the kernel's routes lead, by the interfaces that [`LiveSettings::ways_out`](pulse53_abi::live::LiveSettings)
    /// names, and not to who sent the query.
    pub routes_replies: bool,
    /// One in how many replies is counted at its slot, a power of two; 0: the heat of slots is not measured.
    pub heat_one_in: u32,
}

/// A loaded program with its tables.
#[derive(Debug)]
pub struct Loaded {
    ebpf: Ebpf,
    hot: HotTable,
    /// Whether the heat of its slots is measured.
    measures_heat: bool,
    /// Reads samples while the unit is loaded.
    _samples: Option<SampleReader>,
    /// Reads debug lines while the unit is loaded.
    _log: Option<KernelLog>,
}

impl Loaded {
    /// Loads the program with empty tables of these sizes, for answers to these clients, attached to nothing.
    pub fn load(
        sizes: Sizes,
        clients: &Arc<Clients>,
        message_max: u16,
        log_one_in: u32,
    ) -> Result<Self, LoadError> {
        Self::load_with(sizes, clients, message_max, log_one_in, &LoadOptions::default())
    }

    /// The same, with options.
    pub fn load_with(
        sizes: Sizes,
        clients: &Arc<Clients>,
        message_max: u16,
        log_one_in: u32,
        options: &LoadOptions,
    ) -> Result<Self, LoadError> {
        if OBJECT.is_empty() {
            return Err(LoadError::NoObject);
        }
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| LoadError::Seed(error.into()))?;
        let seed = u64::from_ne_bytes(seed);
        let samples = options.samples.as_ref();
        let settings = Settings {
            sample_one_in: samples.map_or(0, |samples| samples.one_in),
            expires: options.expires.into(),
            routes_replies: options.routes_replies.into(),
            heat_one_in: options.heat_one_in.into(),
            ..settings(sizes, clients, seed, message_max, log_one_in)
        };
        let words = settings.words();
        let log_level = if log_one_in == 0 { 0 } else { AYA_LOG_DEBUG };
        let mut loader = EbpfLoader::new();
        loader
            .verifier_log_level(VerifierLogLevel::STATS)
            .override_global("SETTINGS", &words, true)
            .override_global("AYA_LOG_LEVEL", &log_level, false);
        let counts = [
            sizes.slots,
            if options.heat_one_in == 0 { 1 } else { sizes.slots },
            sizes.nodes,
            1,
            sizes.zones,
            sizes.names,
            sizes.columns,
            sizes.variants,
            sizes.small,
            sizes.medium,
            sizes.large,
            SERVED_ENTRIES,
            sizes.client_nodes,
            sizes.partition_words,
            1,
            RATE_BUCKETS,
        ];
        for (name, count) in MAPPED.into_iter().zip(counts) {
            loader.map_max_entries(name, count);
        }
        if samples.is_some() {
            loader.map_max_entries(SAMPLES, RING_OCTETS);
        }
        let mut ebpf = loader.load(OBJECT).map_err(|error| match is_permission(&error) {
            true => LoadError::NotPermitted(Box::new(error)),
            false => LoadError::Object(error),
        })?;
        // Without CAP_PERFMON it is the verifier that refuses, as it does a program it cannot follow.
        for name in [PROGRAM].into_iter().chain(REST_PROGRAMS) {
            program(&mut ebpf, name)?.load().map_err(|error| {
                match is_permission(&error) || privileges::are_lacking() {
                    true => LoadError::NotPermitted(Box::new(error)),
                    false => LoadError::Program(error),
                }
            })?;
        }
        join_rest(&mut ebpf)?;
        let memory = HotMemory {
            slots: map(&ebpf, MAPPED[0], counts[0])?,
            heat: map(&ebpf, MAPPED[1], counts[1])?,
            nodes: map(&ebpf, MAPPED[2], counts[2])?,
            nodes_head: map(&ebpf, MAPPED[3], counts[3])?,
            zones: map(&ebpf, MAPPED[4], counts[4])?,
            names: map(&ebpf, MAPPED[5], counts[5])?,
            columns: map(&ebpf, MAPPED[6], counts[6])?,
            variants: map(&ebpf, MAPPED[7], counts[7])?,
            small: map(&ebpf, MAPPED[8], counts[8])?,
            medium: map(&ebpf, MAPPED[9], counts[9])?,
            large: map(&ebpf, MAPPED[10], counts[10])?,
            served: map(&ebpf, MAPPED[11], counts[11])?,
            client_nodes: map(&ebpf, MAPPED[12], counts[12])?,
            partitions: map(&ebpf, MAPPED[13], counts[13])?,
            live: map(&ebpf, MAPPED[14], counts[14])?,
            buckets: map(&ebpf, BUCKETS, counts[15])?,
        };
        let log =
            (log_one_in != 0).then(|| KernelLog::follow(&mut ebpf)).transpose().map_err(LoadError::Log)?;
        let ring = ebpf.take_map(SAMPLES).ok_or(LoadError::Missing("map SAMPLES"))?;
        let samples = samples.map(|samples| SampleReader::follow(ring, samples.clone())).transpose()?;
        let hot = HotTable::new(memory, sizes, seed, clients.clone());
        let mut loaded =
            Self { ebpf, hot, measures_heat: options.heat_one_in != 0, _samples: samples, _log: log };
        loaded.check_abi()?;
        Ok(loaded)
    }

    /// Runs the program on a frame of no protocol: it passes, unless it was built for another ABI.
    fn check_abi(&mut self) -> Result<(), LoadError> {
        const XDP_PASS: u32 = 2;
        match self.test_run(&[0; 64])?.0 {
            XDP_PASS => Ok(()),
            _ => Err(LoadError::OtherAbi),
        }
    }

    /// Runs the loaded program on one frame: the XDP action, and the frame afterwards.
    pub fn test_run(&mut self, frame: &[u8]) -> Result<(u32, Vec<u8>), LoadError> {
        self.parts()?.0.test_run(frame)
    }

    /// Program and hot table apart, so that one can run while the other is written.
    pub fn parts(&mut self) -> Result<(Runner<'_>, &mut HotTable), LoadError> {
        Ok((Runner(program(&mut self.ebpf, PROGRAM)?), &mut self.hot))
    }

    /// The program, to be attached.
    pub fn program(&mut self) -> Result<&mut Xdp, LoadError> {
        program(&mut self.ebpf, PROGRAM)
    }

    /// What the kernel tells of every program that answers.
    pub fn program_infos(&mut self) -> Result<Vec<ProgramInfo>, LoadError> {
        let names = [PROGRAM].into_iter().chain(REST_PROGRAMS);
        names.map(|name| Ok(program(&mut self.ebpf, name)?.info()?)).collect()
    }

    /// Makes the tables good until a moment of the monotonic clock, in nanoseconds; what that means, [`LoadOptions::expires`] says.
    pub fn set_deadline(&self, moment_ns: u64) {
        self.hot.memory().live().good_until.store(moment_ns);
    }

    /// Whether the heat of slots is measured, as [`LoadOptions::heat_one_in`] says.
    pub fn measures_heat(&self) -> bool {
        self.measures_heat
    }

    /// The hot table.
    pub fn hot_table(&self) -> &HotTable {
        &self.hot
    }

    /// The hot table, to be written.
    pub fn hot_table_mut(&mut self) -> &mut HotTable {
        &mut self.hot
    }

    /// The buckets of the rate limit, mapped once more: for who spends from them, too.
    pub fn buckets(&self) -> Result<Region<Shared>, LoadError> {
        map(&self.ebpf, BUCKETS, RATE_BUCKETS)
    }

    /// Sets the state of every CPU's random generator, so that draws can be foretold.
    pub fn seed_random(&mut self, state: u64) -> Result<(), LoadError> {
        // Behind the working memory of the path.
        const RANDOM: usize = size_of::<Scratch>() / 8;
        const WORDS: usize = RANDOM + 3;
        let map = self.ebpf.map_mut("WORK").ok_or(LoadError::Missing("map WORK"))?;
        let mut work: PerCpuArray<_, [u64; WORDS]> =
            PerCpuArray::try_from(map).map_err(LoadError::Counters)?;
        let mut values = work.get(&0, 0).map_err(LoadError::Counters)?.to_vec();
        values.iter_mut().for_each(|value| value[RANDOM] = state);
        let values = PerCpuValues::try_from(values).map_err(|error| LoadError::Counters(error.into()))?;
        work.set(0, values, 0).map_err(LoadError::Counters)
    }

    /// Counters by label, summed over CPUs.
    pub fn counters(&self) -> Result<Vec<(&'static str, u64)>, LoadError> {
        let map = self.ebpf.map("COUNTERS").ok_or(LoadError::Missing("map COUNTERS"))?;
        let counters: PerCpuArray<&MapData, [u64; COUNTERS as usize]> =
            PerCpuArray::try_from(map).map_err(LoadError::Counters)?;
        let per_cpu = counters.get(&0, 0).map_err(LoadError::Counters)?;
        let sum = |slot: u32| per_cpu.iter().map(|counters| counters[slot as usize]).sum();
        let mut labelled = vec![("reply", sum(SLOT_REPLY)), ("slip", sum(SLOT_SLIP))];
        labelled.extend(NoAnswer::ALL.iter().map(|kind| (kind.label(), sum(kind.slot()))));
        labelled.extend(PassReason::ALL.iter().map(|reason| (reason.label(), sum(reason.slot()))));
        labelled.extend(DropReason::ALL.iter().map(|reason| (reason.label(), sum(reason.slot()))));
        Ok(labelled)
    }

    /// Pins program and maps, in place of those pinned before, so that other tools can look at them.
    pub fn pin(&mut self, pins: &PinDir) -> Result<(), LoadError> {
        let pin_error = |name: &str, error: Box<dyn std::error::Error + Send + Sync>| {
            LoadError::Pin(pins.told(name).display().to_string(), error)
        };
        const PROGRAM_PIN: &str = "program";
        let path = pins.reach(PROGRAM_PIN);
        let _: io::Result<()> = std::fs::remove_file(&path);
        let program = program(&mut self.ebpf, PROGRAM)?;
        // aya refuses to pin twice, which an attached program that moves to another directory would not need either.
        program.pin(&path).map_err(|error| pin_error(PROGRAM_PIN, Box::new(error)))?;
        for (name, map) in self.ebpf.maps() {
            if name.starts_with('.') {
                continue;
            }
            let name = name.to_ascii_lowercase();
            let path = pins.reach(&name);
            let _: io::Result<()> = std::fs::remove_file(&path);
            map.pin(&path).map_err(|error| pin_error(&name, Box::new(error)))?;
        }
        Ok(())
    }
}

/// The level of debug lines as aya-log numbers them; at 0 the verifier removes the code that writes them.
const AYA_LOG_DEBUG: u8 = 4;

/// The loaded program, to be run on frames that no interface received.
#[derive(Debug)]
pub struct Runner<'a>(&'a mut Xdp);

impl Runner<'_> {
    /// Runs the program on one frame: the XDP action, and the frame afterwards.
    pub fn test_run(&mut self, frame: &[u8]) -> Result<(u32, Vec<u8>), LoadError> {
        let mut out = vec![0; 4096];
        let options =
            TestRunOptions { data_in: Some(frame), data_out: Some(&mut out), ..TestRunOptions::default() };
        let result = self.0.test_run(options)?;
        out.truncate(result.data_size_out as usize);
        Ok((result.return_value, out))
    }
}

fn program<'e>(ebpf: &'e mut Ebpf, name: &'static str) -> Result<&'e mut Xdp, LoadError> {
    let program = ebpf.program_mut(name).ok_or(LoadError::Missing(name))?;
    Ok(program.try_into()?)
}

/// Puts programs where the first one goes on. The kernel empties those places when nothing refers to the map but programs: it is held open, and
/// pinned.
fn join_rest(ebpf: &mut Ebpf) -> Result<(), LoadError> {
    for (place, name) in REST_PROGRAMS.into_iter().enumerate() {
        let rest = program(ebpf, name)?.fd()?.try_clone().map_err(|error| LoadError::Rest(error.into()))?;
        let map = ebpf.map_mut(REST).ok_or(LoadError::Missing(REST))?;
        let mut programs = ProgramArray::try_from(map).map_err(|error| LoadError::Rest(error.into()))?;
        programs.set(place as u32, &rest, 0).map_err(|error| LoadError::Rest(error.into()))?;
    }
    Ok(())
}

fn map<T: SharedLayout>(ebpf: &Ebpf, name: &'static str, count: u32) -> Result<Region<T>, LoadError> {
    let Some(Map::Array(data)) = ebpf.map(name) else { return Err(LoadError::Missing(name)) };
    use std::os::fd::AsRawFd;
    Region::map(&data.fd().as_fd().as_raw_fd(), count as usize)
        .map_err(|error| LoadError::Mapping(name, error))
}

/// Whether the kernel said EPERM somewhere below. EACCES is what the verifier says of a program it refuses.
fn is_permission(error: &(dyn std::error::Error + 'static)) -> bool {
    errno(error) == Some(nix::errno::Errno::EPERM)
}
