//! Answers replaced at full speed while they are asked for at full speed: every reply is of one version, and to its question (G6).
//!
//! `cargo xtask bench torn -- --answers 1000000000` is the same for longer.

use std::time::Instant;

use pulse53::datapath::{LoadError, Loaded};
use pulse53_core::lower::HotKey;
use pulse53_core::table::Generation;
use pulse53_tests::versions::{self, Writer, beside_writer, filled};
use traffic::question::Question;

use crate::harness::lane::{LOAD_CPU, Lane, Load};
use crate::harness::network::SERVED;

/// Answers looked at, at least, in each form.
const ANSWERS: u64 = 2_000_000;
const TURN: u32 = 250_000;
/// Few enough names that those are asked for which are being written.
const NAMES: u32 = 16;

#[test]
fn answers_in_the_slot_are_never_torn() {
    hunt(2);
}

#[test]
fn answers_in_a_small_body_are_never_torn() {
    hunt(12);
}

#[test]
fn answers_in_a_larger_body_are_never_torn() {
    hunt(16);
}

#[test]
fn torn_and_wrong_answers_are_told_from_right_ones() {
    let Some((mut loaded, keys)) = table(2) else { return };
    let Some(mut lane) = lane(&mut loaded, 2) else { return };
    let sent = u64::from(TURN);
    assert_eq!(counted(&mut lane), (sent, 0, 0));
    let hot = loaded.hot_table_mut();
    // One name's second address is of another version; another name has the addresses of its neighbor.
    for (number, entry) in [(3, versions::torn(3)), (5, versions::entry(6, 0, 2))] {
        hot.put(&keys[number], entry, Generation(2), Instant::now()).expect("room");
    }
    let (answered, torn, wrong) = counted(&mut lane);
    assert_eq!(answered, sent);
    let expected = sent / u64::from(NAMES);
    for count in [torn, wrong] {
        assert!((expected / 2..2 * expected).contains(&count), "{torn} torn and {wrong} wrong of {sent}");
    }
}

/// Answers of one turn, and those among them that are torn or wrong.
fn counted(lane: &mut Lane) -> (u64, u64, u64) {
    let tally = lane.run(TURN).expect("the load works").tally;
    (tally.answered, tally.torn, tally.wrong)
}

/// A loaded program with a table of answers, or nothing: then the test counts as skipped.
fn table(answers: u32) -> Option<(Loaded, Vec<HotKey>)> {
    if !traffic::driver::is_built() {
        pulse53_tests::skip("the load generator, which `cargo xtask build` makes");
        return None;
    }
    if !rustix::process::geteuid().is_root() {
        pulse53_tests::skip("root, to make network namespaces and load BPF programs");
        return None;
    }
    match filled(&SERVED, NAMES, answers) {
        Ok(filled) => Some(filled),
        Err(error) => match error.downcast_ref() {
            Some(LoadError::NoObject | LoadError::NotPermitted(_)) => {
                pulse53_tests::skip(&format!("{error:#}"));
                None
            }
            _ => panic!("{error:#}"),
        },
    }
}

/// A wire on which every reply is looked at.
fn lane(loaded: &mut Loaded, answers: u32) -> Option<Lane> {
    let lane = Lane::make();
    if !lane.network.is_veth() {
        pulse53_tests::skip("a veth pair: the load generator works on no other wire");
        return None;
    }
    let mut lane = lane.respond(loaded).expect("veth takes the program");
    let load = Load { checked: answers, ..Load::of(Question::default(), NAMES) };
    lane.load(&load).expect("the load generator can be loaded");
    Some(lane)
}

fn hunt(answers: u32) {
    let Some((mut loaded, keys)) = table(answers) else { return };
    let Some(mut lane) = lane(&mut loaded, answers) else { return };
    let other_cpu = (LOAD_CPU + 1) % std::thread::available_parallelism().map_or(1, usize::from);
    let writer = Writer::new(loaded.hot_table_mut(), &keys, answers, 1);
    let (tally, replaced) = beside_writer(writer, other_cpu, None, || {
        loop {
            lane.run(TURN)?;
            let tally = lane.traffic().tally()?;
            if tally.answered >= ANSWERS || tally.torn + tally.wrong > 0 || tally.sent > 100 * ANSWERS {
                return Ok(tally);
            }
        }
    })
    .expect("load and writer work");
    println!("{tally:?}, {replaced} answers replaced");
    assert_eq!((tally.torn, tally.wrong), (0, 0));
    assert!(tally.answered >= ANSWERS, "{tally:?}");
    assert!(replaced > 1_000, "only {replaced} answers were replaced");
    let counters = loaded.counters().expect("the counters can be read");
    for (label, count) in counters {
        assert!(!matches!(label, "inconsistent" | "recycled" | "damaged") || count == 0, "{count} {label}");
    }
}
