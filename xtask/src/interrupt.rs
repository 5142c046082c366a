//! Ctrl-C, SIGTERM and SIGHUP as a question that is asked, so that guards get to clean up.
//!
//! Only the demo asks for this. Elsewhere a signal ends the program at once, as anyone expects.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::process;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// From now on a signal is noted and passed to the commands under way, and no longer ends this program by itself.
pub fn take_over() -> Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("taking over signals")?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            REQUESTED.store(true, Ordering::SeqCst);
            process::terminate_those_under_way();
        }
    });
    Ok(())
}

/// Whether it is time to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// Fails if it is time to stop: the way out of a sequence of steps.
pub fn check() -> Result<()> {
    if requested() {
        bail!("stopped by a signal");
    }
    Ok(())
}
