//! What all measurements share: how often, how much, and the bar that shows how far it is.

use indicatif::{ProgressBar, ProgressStyle};
use pulse53_tests::programs;

/// Where servers and writers run; the load is on [`crate::harness::lane::LOAD_CPU`].
pub const OTHER_CPU: usize = 1;

/// How to measure.
pub struct Session {
    /// Rounds in which the compared take turns.
    pub rounds: usize,
    /// Queries in each turn.
    pub queries: u32,
    /// Answers looked at in the hunt for torn ones.
    pub answers: u64,
    bar: ProgressBar,
}

impl Session {
    pub fn new(rounds: usize, queries: u32, answers: u64, measurements: usize) -> Self {
        const STEPS: &str = "{elapsed:>5} {bar:30} {pos}/{len} {wide_msg}";
        let style = ProgressStyle::with_template(STEPS).expect("the template is well-formed");
        let bar = ProgressBar::new(measurements as u64).with_style(style);
        bar.enable_steady_tick(std::time::Duration::from_millis(250));
        Self { rounds, queries, answers, bar }
    }

    /// Tells what is measured now.
    pub fn begin(&self, name: &str) {
        self.bar.set_message(name.to_owned());
        self.bar.set_prefix(name.to_owned());
        if self.bar.is_hidden() {
            eprintln!("  {name} …");
        }
    }

    /// Tells how far the present measurement is.
    pub fn step(&self, what: impl std::fmt::Display) {
        self.bar.set_message(format!("{}: {what}", self.bar.prefix()));
    }

    /// Tells something that stays.
    pub fn tell(&self, what: impl std::fmt::Display) {
        self.bar.suspend(|| eprintln!("{what}"));
    }

    /// The present measurement is done.
    pub fn end(&self) {
        self.bar.inc(1);
    }

    /// All is done.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// What this machine lacks to measure at all, if anything.
pub fn lacking() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("root, to make network namespaces and load BPF programs".to_owned());
    }
    if std::thread::available_parallelism().is_ok_and(|count| count.get() < 2) {
        return Some("a second CPU".to_owned());
    }
    if let Some(lacking) = programs::lacking("ip", "iproute2") {
        return Some(lacking);
    }
    (!traffic::driver::is_built()).then(|| "the load generator, which `cargo xtask build` makes".to_owned())
}

/// The middle of some numbers; they must be some.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
