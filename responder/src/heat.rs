//! How often userspace is asked what the kernel could answer, and has no room for.
//!
//! A leaf: `serve` counts, `publish` gives what was counted to the kernel half.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use pulse53_core::heat::{COUNTED_MAX, Sketch};
use pulse53_core::lower::HotKey;

/// Samples of what userspace was asked, in bounded memory.
#[derive(Debug)]
pub struct Misses {
    /// Whether anybody wants to know: nothing is counted while the kernel has room for all.
    wanted: AtomicBool,
    sketch: Mutex<Sketch<HotKey>>,
}

impl Default for Misses {
    fn default() -> Self {
        Self { wanted: AtomicBool::new(false), sketch: Mutex::new(Sketch::new(COUNTED_MAX)) }
    }
}

impl Misses {
    /// Whether samples are wanted.
    pub fn are_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Says whether they are.
    pub fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    /// Counts a sample: the question whose entry would have answered.
    pub fn count(&self, key: HotKey) {
        self.sketch.lock().unwrap_or_else(PoisonError::into_inner).add(key);
    }

    /// What was counted since the last time.
    pub fn take(&self) -> HashMap<HotKey, u64> {
        self.sketch.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
