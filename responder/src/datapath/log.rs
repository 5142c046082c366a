//! Debug lines of the kernel half, on their way into the agent's log.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aya::Ebpf;
use aya_log::EbpfLogger;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Reads debug lines on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct KernelLog {
    stopped: Arc<AtomicBool>,
}

/// How long the thread waits for lines before it looks whether it should stop.
const WAIT_MS: u16 = 500;

impl KernelLog {
    /// Begins to read the lines of a loaded object.
    pub fn follow(ebpf: &mut Ebpf) -> io::Result<Self> {
        let mut logger = EbpfLogger::init(ebpf).map_err(io::Error::other)?;
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = stopped.clone();
        std::thread::Builder::new().name("kernel-log".to_owned()).spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let mut ready = [PollFd::new(logger.as_fd(), PollFlags::POLLIN)];
                if poll(&mut ready, PollTimeout::from(WAIT_MS)).is_ok_and(|ready| ready > 0) {
                    logger.flush();
                }
            }
        })?;
        Ok(Self { stopped })
    }
}

impl Drop for KernelLog {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}
