//! Changes of health written in place leave what filling a table anew would, for groups of every policy and clients anywhere.

use std::collections::BTreeSet;

use fastpath::Scratch;
use fastpath::host::Frame;
use fastrand::Rng;
use pulse53::datapath::{self, HotMemory, HotTable, Sizes};
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_abi::verdict::Verdict;
use pulse53_core::compile::Compiler;
use pulse53_core::model::CheckId;
use pulse53_core::table::{AnswerTable, Generation};
use pulse53_tests::engines::SERVED;
use pulse53_tests::frame::QueryFrame;
use pulse53_tests::mixed::{Mixed, Subnets};
use pulse53_tests::seed;

fn filled(sizes: Sizes, table: &AnswerTable) -> HotTable {
    let mut hot = HotTable::new(HotMemory::owned(sizes), sizes, 53, table.clients().clone());
    hot.serve(&SERVED.map(|address| address.parse().expect("an address")));
    let synced = datapath::fill(&mut hot, table);
    assert!(synced.is_whole(), "{synced:?}");
    hot
}

/// What the fast path makes of a query under this draw.
fn run(hot: &HotTable, query: &QueryFrame, draw: u64) -> (Verdict, Vec<u8>) {
    let mut frame = Frame::new(query.octets());
    let tables = hot.memory().tables(&hot.settings(UDP_PAYLOAD_MAX, 0), draw, 0);
    (fastpath::run(&mut frame, &tables, &mut Scratch::new()), frame.octets)
}

fn flipped(random: &mut Rng, checks: &[CheckId]) -> Vec<CheckId> {
    let one_in = random.usize(1..8);
    checks.iter().filter(|_| random.usize(..one_in) == 0).cloned().collect()
}

#[test]
fn flips_leave_what_filling_anew_would() {
    let mut random = seed::random();
    let mut written = 0;
    for _ in 0..4 {
        let mixed = Mixed::new(&mut random, 60);
        let mut unhealthy: BTreeSet<CheckId> = BTreeSet::new();
        let mut compiler = Compiler::with_geo(&mixed.snapshot, &mixed.geo, &|_| true, Generation(1));
        // Room for all that rests, since nothing waits here.
        let sizes = Sizes::needed(compiler.table()).with_headroom(u32::MAX);
        let sizes = Sizes {
            columns: 64 * sizes.columns,
            variants: 16 * sizes.variants,
            small: 32 * sizes.small,
            medium: 32 * sizes.medium,
            large: 32 * sizes.large,
            ..sizes
        };
        let mut hot = filled(sizes, compiler.table());
        for _ in 0..10 {
            let flipped = flipped(&mut random, &mixed.checks);
            for check in &flipped {
                if !unhealthy.remove(check) {
                    unhealthy.insert(check.clone());
                }
            }
            let generation = compiler.table().generation().next();
            let touched = compiler.flip(&flipped, &|check| !unhealthy.contains(check), generation);
            let synced = datapath::sync_touched(&mut hot, &compiler, &touched);
            assert!(synced.is_whole(), "{synced:?}");
            written += synced.written;
            let anew = filled(sizes, compiler.table());
            assert_eq!(hot.len(), anew.len());
            for _ in 0..150 {
                let (query, draw) = (mixed.query(&mut random, Subnets::AnyLength), random.u64(1..));
                let answered = run(&hot, &query, draw);
                assert_eq!(answered, run(&anew, &query, draw), "{query:?}");
            }
        }
    }
    assert!(written > 200, "only {written} entries changed");
}
