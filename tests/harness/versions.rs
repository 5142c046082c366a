//! Hot entries for the names that the load asks, whose addresses tell name and version; and who replaces them all the time.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use pulse53::datapath::{HotTable, Loaded, Sizes};
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_core::body::Body;
use pulse53_core::lower::{HotEntry, HotKey};
use pulse53_core::model::{Name, Rdata, RecordType, Ttl};
use pulse53_core::table::Generation;
use traffic::driver::stay_on_cpu;
use traffic::label;
use traffic::question::ZONE;

use crate::entries;

/// The question for a number's name.
pub fn key(number: u32) -> HotKey {
    let label = String::from_utf8(label::of(number).to_le_bytes().to_vec()).expect("digits");
    let name = Name::from_route53(&format!("{label}.{ZONE}")).expect("a name");
    HotKey { name, qtype: RecordType::A }
}

/// So many addresses of one version.
pub fn entry(number: u32, version: u32, answers: u32) -> HotEntry {
    of_addresses((0..answers).map(|answer| label::address(number, version, answer)))
}

/// What no reply may ever be: two addresses, of two versions.
pub fn torn(number: u32) -> HotEntry {
    of_addresses([label::address(number, 0, 0), label::address(number, 1, 1)])
}

fn of_addresses(addresses: impl IntoIterator<Item = u32>) -> HotEntry {
    let octets = addresses.into_iter().map(|address| Ipv4Addr::from(address).octets());
    let rdatas: Vec<Rdata> = octets.map(|octets| Rdata(octets.as_slice().into())).collect();
    HotEntry::Fixed(Arc::new(Body::answer(RecordType::A, Ttl(60), &rdatas, None)))
}

const SIZES: Sizes = Sizes {
    slots: 4096,
    names: 16,
    columns: 16,
    variants: 16,
    small: 1 << 18,
    medium: 1 << 17,
    large: 16,
    ..entries::CLIENT_SIZES
};

/// A loaded program whose table holds so many names in their first version.
pub fn filled(served: &[SocketAddr], names: u32, answers: u32) -> Result<(Loaded, Vec<HotKey>)> {
    let mut loaded = Loaded::load(SIZES, &entries::clients(), UDP_PAYLOAD_MAX, 0)?;
    let hot = loaded.hot_table_mut();
    hot.serve(served);
    let keys: Vec<HotKey> = (0..names).map(key).collect();
    for (number, question) in (0..).zip(&keys) {
        let put = hot.put(question, entry(number, 0, answers), Generation(1), Instant::now());
        put.map_err(|refused| anyhow::anyhow!("{refused}"))?;
    }
    Ok((loaded, keys))
}

/// Replaces one answer after the other.
#[derive(Debug)]
pub struct Writer<'a> {
    hot: &'a mut HotTable,
    keys: &'a [HotKey],
    answers: u32,
    version: u32,
    next: usize,
}

impl<'a> Writer<'a> {
    /// Begins with a version of the first question; each has so many answers.
    pub fn new(hot: &'a mut HotTable, keys: &'a [HotKey], answers: u32, version: u32) -> Self {
        Self { hot, keys, answers, version, next: 0 }
    }

    /// Replaces the next answer; false if there was no room for it, and so none is held now.
    fn replace(&mut self) -> bool {
        if self.next == self.keys.len() {
            self.next = 0;
            self.version += 1;
        }
        let (number, question) = (self.next as u32, &self.keys[self.next]);
        let entry = entry(number, self.version, self.answers);
        let generation = Generation(u64::from(self.version) + 1);
        self.next += 1;
        self.hot.put(question, entry, generation, Instant::now()).is_ok()
    }

    /// Replaces on a CPU until told to stop, so many a second at most.
    fn until(mut self, done: &AtomicBool, written: &AtomicU64, cpu: usize, pace: Option<u32>) -> Result<()> {
        const TICK: Duration = Duration::from_millis(1);
        stay_on_cpu(cpu)?;
        let begun = Instant::now();
        let mut replaced = 0;
        while !done.load(Ordering::Relaxed) {
            if let Some(pace) = pace {
                let due = (begun.elapsed().as_secs_f64() * f64::from(pace)) as u64;
                if replaced >= due {
                    std::thread::sleep(TICK);
                    continue;
                }
            }
            if self.replace() {
                replaced += 1;
                written.store(replaced, Ordering::Relaxed);
            } else {
                // Everything rests: let some of it come free.
                std::thread::sleep(10 * TICK);
            }
        }
        Ok(())
    }
}

/// Does something while a writer is at work on a CPU; how many answers it has replaced meanwhile.
pub fn beside_writer<T>(
    writer: Writer<'_>,
    cpu: usize,
    pace: Option<u32>,
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, u64)> {
    let (done, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let worked = std::thread::scope(|scope| {
        let writer = scope.spawn(|| writer.until(&done, &written, cpu, pace));
        let worked = work();
        done.store(true, Ordering::Relaxed);
        writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        worked
    })?;
    Ok((worked, written.into_inner()))
}
