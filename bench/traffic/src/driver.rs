//! Loads the programs and runs them: one call of `BPF_PROG_RUN` sends millions of queries.
//!
//! Everything here happens in the network namespace and on the CPU of the calling thread.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use aya::maps::{Array, MapData, PerCpuArray};
use aya::programs::xdp::XdpLink;
use aya::programs::{TestRun, TestRunAttrs, TestRunOptions, Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};
use rustix::net::{AddressFamily, SocketType, netdevice, socket};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::plan::{BUCKETS, FRAME_WORDS, Plan, count};
use crate::tally::{Latencies, Tally};

/// Where `cargo xtask build` leaves the object, in the repository.
const OBJECT: &str = "target/bpf/bpfel-unknown-none/bpf/pulse53-traffic";

/// Frames that the kernel lets through in one go.
pub const BATCH: u32 = 64;

/// The object with the programs.
pub fn object() -> Result<Vec<u8>> {
    let path = path();
    std::fs::read(&path).with_context(|| format!("reading {}: run `cargo xtask build`", path.display()))
}

fn path() -> PathBuf {
    // Without `..`: where only this file is brought along, the directory of this package does not exist.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).expect("this package lies two levels down").join(OBJECT)
}

/// Whether the object has been built.
pub fn is_built() -> bool {
    path().is_file()
}

/// A generator, and the sink on the same interface; gone when dropped.
#[derive(Debug)]
pub struct Traffic {
    ebpf: Ebpf,
    _sink: XdpLink,
    frame: Vec<u8>,
    context: Vec<u8>,
}

/// What one run did.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// What was counted meanwhile.
    pub tally: Tally,
    /// CPU time of the calling thread.
    pub cpu: Duration,
    /// By the clock.
    pub wall: Duration,
}

impl Run {
    /// CPU time a query.
    pub fn ns_per_query(&self) -> f64 {
        self.cpu.as_nanos() as f64 / self.tally.sent.max(1) as f64
    }
}

impl Traffic {
    /// Puts the sink on an interface; queries will go out there.
    pub fn start(interface: &str, frame: Vec<u8>, plan: Plan, popularity: Option<&[u32]>) -> Result<Self> {
        let mut plan = plan;
        plan.popularity_mask = popularity.map_or(0, |table| table.len() as u64 - 1);
        let words = plan.words();
        let mut ebpf = EbpfLoader::new()
            .override_global("PLAN", &words, true)
            .load(&object()?)
            .context("loading the load generator")?;
        let mut template = [0; FRAME_WORDS];
        for (word, chunk) in template.iter_mut().zip(frame.chunks(8)) {
            let mut octets = [0; 8];
            octets[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(octets);
        }
        let mut map: Array<_, [u64; FRAME_WORDS]> = Array::try_from(map_mut(&mut ebpf, "TEMPLATE")?)?;
        map.set(0, template, 0)?;
        let mut map: Array<_, u32> = Array::try_from(map_mut(&mut ebpf, "POPULARITY")?)?;
        for (index, number) in popularity.unwrap_or_default().iter().enumerate() {
            map.set(index as u32, number, 0)?;
        }
        load(&mut ebpf, "generate")?;
        let sink = attach(load(&mut ebpf, "sink")?, interface)?;
        let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).context("a socket")?;
        let index = netdevice::name_to_index(&socket, interface)
            .with_context(|| format!("looking for interface {interface}"))?;
        // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
        let context = [0, frame.len() as u32, 0, index, 0, 0].into_iter().flat_map(|word| word.to_ne_bytes());
        Ok(Self { ebpf, _sink: sink, context: context.collect(), frame })
    }

    /// Lets the generator write so many frames; all of them are sent, unless the plan paces them.
    pub fn run(&mut self, frames: u32, batch: u32) -> Result<Run> {
        let before = self.tally()?;
        let (frame, context) = (self.frame.clone(), self.context.clone());
        let options = TestRunOptions {
            data_in: Some(&frame),
            ctx_in: Some(&context),
            repeat: frames,
            attrs: TestRunAttrs::new().xdp_live_frames(batch),
            ..TestRunOptions::new()
        };
        let program = program(&mut self.ebpf, "generate")?;
        let (cpu, wall) = (now(ClockId::ThreadCPUTime), now(ClockId::Monotonic));
        program.test_run(options).context("running the load generator")?;
        let (cpu, wall) = (now(ClockId::ThreadCPUTime) - cpu, now(ClockId::Monotonic) - wall);
        Ok(Run { tally: self.tally()?.since(&before), cpu, wall })
    }

    /// All that was counted so far.
    pub fn tally(&self) -> Result<Tally> {
        let per_cpu = self.per_cpu::<{ count::WORDS }>("COUNTS")?;
        let mut words = [0; count::WORDS];
        for counts in per_cpu {
            words.iter_mut().zip(counts).for_each(|(word, count)| *word += count);
        }
        Ok(Tally::from_words(words))
    }

    /// How long replies took so far, if the plan has it measured.
    pub fn latencies(&self) -> Result<Latencies> {
        Ok(Latencies::sum(&self.per_cpu::<BUCKETS>("LATENCY")?))
    }

    fn per_cpu<const WORDS: usize>(&self, name: &'static str) -> Result<Vec<[u64; WORDS]>> {
        let map = self.ebpf.map(name).with_context(|| format!("the load generator has no map {name}"))?;
        let map: PerCpuArray<&MapData, [u64; WORDS]> = PerCpuArray::try_from(map)?;
        Ok(map.get(&0, 0)?.to_vec())
    }
}

/// The floor: every query goes back as it came. Gone when dropped.
#[derive(Debug)]
pub struct Reflector {
    _link: XdpLink,
    _ebpf: Ebpf,
}

impl Reflector {
    /// Puts it on an interface.
    pub fn attach(interface: &str) -> Result<Self> {
        let mut ebpf = Ebpf::load(&object()?).context("loading the reflector")?;
        let link = attach(load(&mut ebpf, "reflect")?, interface)?;
        Ok(Self { _link: link, _ebpf: ebpf })
    }
}

/// Puts a loaded program on an interface, in its driver.
pub fn attach(program: &mut Xdp, interface: &str) -> Result<XdpLink> {
    let link = program
        .attach(interface, XdpMode::Driver)
        .with_context(|| format!("attaching to {interface} in native mode"))?;
    Ok(program.take_link(link)?)
}

/// Keeps the calling thread on one CPU.
pub fn stay_on_cpu(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).with_context(|| format!("staying on CPU {cpu}"))
}

fn map_mut<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut aya::maps::Map> {
    ebpf.map_mut(name).with_context(|| format!("the load generator has no map {name}"))
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Xdp> {
    let program = ebpf.program_mut(name).with_context(|| format!("there is no program {name}"))?;
    Ok(program.try_into()?)
}

fn load<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Xdp> {
    let program = program(ebpf, name)?;
    program.load().with_context(|| format!("loading `{name}` into the kernel"))?;
    Ok(program)
}

fn now(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
