//! From a changed health status to the last write of what it changes, for a status that few or many groups depend on.
//!
//! `cargo bench -p pulse53-bench --bench flip`, with the names of policies behind `--` for those alone. Writes go to the maps of a loaded program, or where none can be loaded to plain memory, which costs the
//! same: the maps are mapped. Medians of alternating flips, by the clock and by the thread's CPU time, which a busy machine changes less.

#[path = "moment.rs"]
mod moment;

use std::time::Duration;

use moment::Moment;
use pulse53::datapath::{self, HotMemory, HotTable, Loaded, Sizes};
use pulse53::publish::InForce;
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_bench::{Flipping, flipping};
use pulse53_core::compile::Compiler;
use pulse53_core::table::Generation;

const GROUPS: [usize; 3] = [1, 1_000, 100_000];
const FLIPS: usize = 20;

/// As in the agent.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    println!(
        "{:>10} {:<10} {:>12} {:>12}  {:>12} {:>12}",
        "groups", "", "published", "CPU", "written", "CPU"
    );
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_asked =
        |policy: &Flipping| asked.is_empty() || asked.contains(&format!("{policy:?}").to_lowercase());
    for policy in Flipping::ALL.into_iter().filter(is_asked) {
        for groups in GROUPS {
            flips(policy, groups);
        }
    }
}

fn flips(policy: Flipping, groups: usize) {
    let snapshot = flipping(policy, groups);
    let mut compiler = Compiler::new(&snapshot, &|_| true, Generation(1));
    let sizes = Sizes::needed(compiler.table()).with_headroom(u32::MAX);
    let clients = compiler.table().clients();
    let mut loaded = Loaded::load(sizes, clients, UDP_PAYLOAD_MAX, 0);
    let mut plain = HotTable::new(HotMemory::owned(sizes), sizes, 7, clients.clone());
    let hot = loaded.as_mut().map_or(&mut plain, |loaded| loaded.hot_table_mut());
    datapath::fill(hot, compiler.table());
    // What userspace answers from, as in the agent.
    let mut in_force = InForce::new(compiler.table().clone());
    let mut generation = Generation(1);
    let [mut compiled, mut written] = [const { Vec::new() }; 2];
    for flip in 0..FLIPS {
        // Bodies of the flip before rest for a second.
        std::thread::sleep(Duration::from_millis(1_100));
        generation = generation.next();
        let begun = Moment::now();
        let touched = compiler.flip(&["shared".into()], &|_| flip % 2 == 1, generation);
        in_force.replace(compiler.table().clone());
        let decided = Moment::now();
        let synced = datapath::sync_touched(hot, &compiler, &touched);
        let ended = Moment::now();
        assert_eq!(synced.written + synced.refused, policy.changing(groups));
        assert!(synced.refused <= groups / 1_000, "{synced:?}");
        compiled.push(begun.until(decided));
        written.push(begun.until(ended));
        in_force.tidy();
    }
    let [compiled, written] = [compiled, written].map(median);
    println!(
        "{groups:>10} {:<10} {:>12.1?} {:>12.1?}  {:>12.1?} {:>12.1?}",
        format!("{policy:?}"),
        compiled.0,
        compiled.1,
        written.0,
        written.1
    );
}

fn median(mut spans: Vec<(Duration, Duration)>) -> (Duration, Duration) {
    let middle = spans.len() / 2;
    spans.sort_by_key(|span| span.0);
    let clock = spans[middle].0;
    spans.sort_by_key(|span| span.1);
    (clock, spans[middle].1)
}
