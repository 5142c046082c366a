//! What the tests share: conformance cases, zones from text, frames and replies as one reads them, and the three engines that must
//! agree.

pub mod cases;
pub mod chi_square;
pub mod engines;
pub mod entries;
pub mod frame;
pub mod fuzz;
pub mod mixed;
pub mod mutate;
pub mod peers;
pub mod programs;
pub mod reply;
pub mod seed;
pub mod tangled;
pub mod versions;
pub mod zone;

/// Counts the running test as skipped, and says what it lacks.
pub fn skip(lacking: &str) {
    eprintln!("SKIPPED: {lacking}");
    if let Some(log) = std::env::var_os("PULSE53_SKIP_LOG") {
        use std::io::Write;
        let name = std::thread::current().name().unwrap_or("a test").to_owned();
        let line = format!("{name}: {lacking}\n");
        let written = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .and_then(|mut log| log.write_all(line.as_bytes()));
        written.expect("the skip log can be written");
    }
}
