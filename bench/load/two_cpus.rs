//! The two-CPU mode: the load on one CPU, who answers on the other, and the CPU time of the latter an answer.
//!
//! What arrives is taken in by the `threaded` NAPI of the server's interface, a kernel thread on the other CPU; its time counts, and that of the
//! server's own threads. Servers do best when they are neither idle nor drowned: each is asked at several rates, and its best counts.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};
use traffic::driver::BATCH;

use crate::harness::command::succeed;
use crate::harness::lane::{Lane, Load};
use crate::harness::network::INTERFACE;
use crate::session::OTHER_CPU;

/// The CPU times of those who answer.
#[derive(Debug)]
pub struct Answering {
    /// Kernel threads of the server's interface.
    napi: Vec<u32>,
    /// The server's processes; none for a program in the kernel.
    processes: Vec<u32>,
}

impl Answering {
    /// Puts the receiving of the lane's server's end onto a thread of the other CPU.
    pub fn on_other_cpu(lane: &Lane, processes: Vec<u32>) -> Result<Self> {
        let before = napi_threads()?;
        // A /sys of its own: what is mounted shows the interfaces of another namespace.
        let write = format!("mount -t sysfs sysfs /sys && echo 1 > /sys/class/net/{INTERFACE}/threaded");
        let unshare = &mut lane.network.server.command(Path::new("unshare"));
        succeed(unshare.args(["--mount", "sh", "-c", &write]));
        let napi: Vec<u32> = napi_threads()?.difference(&before).copied().collect();
        ensure!(!napi.is_empty(), "no NAPI thread of {INTERFACE} has appeared");
        let mut cpu = CpuSet::new();
        cpu.set(OTHER_CPU);
        for thread in napi.iter().copied().chain(threads(&processes)) {
            let id = i32::try_from(thread).ok().and_then(Pid::from_raw);
            sched_setaffinity(id, &cpu)
                .with_context(|| format!("moving thread {thread} to CPU {OTHER_CPU}"))?;
        }
        Ok(Self { napi, processes })
    }

    /// Nanoseconds that all of them have run.
    fn cpu_ns(&self) -> u64 {
        self.napi.iter().copied().chain(threads(&self.processes)).map(cpu_ns).sum()
    }

    /// Asks at each of these rates (none: as fast as can be) for some time; the most replies of the kind that was wanted, a second of the
    /// answering CPU time.
    pub fn best(&self, lane: &mut Lane, load: &Load<'_>, rates: &[Option<u32>]) -> Result<f64> {
        let mut best = 0.0_f64;
        for &rate in rates {
            lane.load(&Load { rate, ..*load })?;
            // Frames that come too early for the rate are let go, and cost a part of one that is sent.
            let frames = if rate.is_some() { 4_000_000 } else { 2_000_000 };
            lane.run_by(frames / 8, BATCH)?;
            let before = self.cpu_ns();
            let run = lane.run_by(frames, BATCH)?;
            let tally = settled(lane, run.tally)?;
            let spent = self.cpu_ns().saturating_sub(before).max(1);
            // Of the reflector, nothing else comes.
            let wanted = tally.reflected + if load.absent > 0.5 { tally.nxdomain } else { tally.answered };
            best = best.max(wanted as f64 * 1e9 / spent as f64);
        }
        Ok(best)
    }
}

/// The tally once replies that were still under way have come.
fn settled(lane: &Lane, counted: traffic::tally::Tally) -> Result<traffic::tally::Tally> {
    let before = lane.traffic().tally()?;
    std::thread::sleep(std::time::Duration::from_millis(20));
    let late = lane.traffic().tally()?.since(&before);
    Ok(traffic::tally::Tally {
        answered: counted.answered + late.answered,
        nxdomain: counted.nxdomain + late.nxdomain,
        reflected: counted.reflected + late.reflected,
        ..counted
    })
}

/// Kernel threads that poll interfaces of our name, in whichever namespace.
fn napi_threads() -> Result<BTreeSet<u32>> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir("/proc").context("listing /proc")? {
        let entry = entry?;
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        if name.starts_with(&format!("napi/{INTERFACE}-")) {
            found.insert(id);
        }
    }
    Ok(found)
}

/// All threads of some processes.
fn threads(processes: &[u32]) -> impl Iterator<Item = u32> {
    processes.iter().flat_map(|process| {
        let tasks = std::fs::read_dir(format!("/proc/{process}/task"));
        tasks.into_iter().flatten().flatten().filter_map(|task| task.file_name().to_str()?.parse().ok())
    })
}

/// Nanoseconds that a thread has run; 0 of one that has ended.
fn cpu_ns(thread: u32) -> u64 {
    let path = format!("/proc/{thread}/schedstat");
    let text = std::fs::read_to_string(Path::new(&path)).unwrap_or_default();
    text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
