//! How a unit is overseen while it answers: samples of its replies are followed.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use aya::maps::{Map, MapData, RingBuf};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pulse53_abi::sample::Sample;

use super::load::LoadError;

/// Samples of replies, on their way to who judges them.
#[derive(Debug, Clone)]
pub struct Samples {
    /// One reply in this many.
    pub one_in: u32,
    /// To whom; who has no room for one loses it.
    pub to: SyncSender<Sample>,
    /// How many were lost on the way.
    pub lost: Arc<AtomicU64>,
}

/// Reads samples on a thread of its own until it is dropped.
#[derive(Debug)]
pub(super) struct SampleReader {
    stopped: Arc<AtomicBool>,
}

/// How long the thread waits for samples before it looks whether it should stop.
const WAIT_MS: u16 = 500;

impl SampleReader {
    /// Begins to read the ring of a loaded object.
    pub(super) fn follow(ring: Map, samples: Samples) -> Result<Self, LoadError> {
        let mut ring = RingBuf::try_from(ring).map_err(|error| LoadError::Samples(Box::new(error)))?;
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = stopped.clone();
        let thread = std::thread::Builder::new().name("samples".to_owned()).spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if is_ready(&ring) {
                    drain(&mut ring, &samples);
                }
            }
        });
        thread.map_err(|error| LoadError::Samples(Box::new(error)))?;
        Ok(Self { stopped })
    }
}

fn is_ready(ring: &RingBuf<MapData>) -> bool {
    let mut ready = [PollFd::new(ring.as_fd(), PollFlags::POLLIN)];
    poll(&mut ready, PollTimeout::from(WAIT_MS)).is_ok_and(|ready| ready > 0)
}

fn drain(ring: &mut RingBuf<MapData>, samples: &Samples) {
    while let Some(item) = ring.next() {
        let Some(sample) = Sample::read(&item) else { continue };
        let not_taken = u64::from(samples.to.try_send(sample).is_err());
        samples.lost.fetch_add(sample.lost + not_taken, Ordering::Relaxed);
    }
}

impl Drop for SampleReader {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}
