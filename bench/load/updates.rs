//! Answers that are replaced while they are given: what it costs, and whether a reply is ever of two versions.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pulse53_tests::versions::{Writer, beside_writer, filled};
use traffic::question::Question;

use crate::Measurement;
use crate::figure::{Figure, Goal};
use crate::harness::lane::{Lane, Load};
use crate::harness::network::SERVED;
use crate::session::{OTHER_CPU, Session, median};

const NAMES: u32 = 1_000;
/// Updates a second of the storm.
const STORM: u32 = 10_000;
/// Few enough names that the hunt meets those which are being written.
const HUNTED: u32 = 16;

/// What there is to measure.
pub fn measurements() -> Vec<Measurement> {
    let mut all = vec![Measurement::new("storm", storm)];
    for (form, answers) in [("in the slot", 2), ("in a small body", 12), ("in a larger body", 16)] {
        let name = format!("torn/{answers} answers {form}");
        all.push(Measurement::new(name.clone(), move |session| hunt(session, &name, answers)));
    }
    all
}

/// Answers a CPU-second with updates, next to without.
fn storm(session: &Session) -> Result<Vec<Figure>> {
    let (mut loaded, keys) = filled(&SERVED, NAMES, 2)?;
    let mut lane = Lane::make().respond(&mut loaded)?;
    lane.load(&Load::of(Question::default(), NAMES))?;
    lane.run(session.queries / 8)?;
    let [mut idle, mut stormy] = [const { Vec::new() }; 2];
    let (mut updates, mut time) = (0, Duration::ZERO);
    for round in 0..session.rounds {
        session.step(format_args!("round {} of {}", round + 1, session.rounds));
        idle.push(1e3 / lane.run(session.queries)?.ns_per_query());
        let hot = loaded.hot_table_mut();
        // Each round goes on where the versions of the one before ended.
        let version = 1 + round as u32 * 10_000;
        let writer = Writer::new(hot, &keys, 2, version);
        let (run, written) = beside_writer(writer, OTHER_CPU, Some(STORM), || lane.run(session.queries))?;
        stormy.push(1e3 / run.ns_per_query());
        updates += written;
        time += run.wall;
    }
    let ratio = median(&stormy) / median(&idle);
    Ok(vec![Figure {
        name: format!("storm/{STORM} updates/s"),
        unit: "M/s",
        ours: stormy,
        beside: Some(("without updates".to_owned(), idle)),
        goal: Some(Goal { id: "G5", text: "95 % of the answers without".to_owned(), met: ratio >= 0.95 }),
        note: format!("{:.0} updates/s were made", updates as f64 / time.as_secs_f64()),
    }])
}

/// Asks for what is being replaced at full speed; every reply is compared with its question.
fn hunt(session: &Session, name: &str, answers: u32) -> Result<Vec<Figure>> {
    let (mut loaded, keys) = filled(&SERVED, HUNTED, answers)?;
    let mut lane = Lane::make().respond(&mut loaded)?;
    lane.load(&Load { checked: answers, ..Load::of(Question::default(), HUNTED) })?;
    let writer = Writer::new(loaded.hot_table_mut(), &keys, answers, 1);
    let begun = Instant::now();
    let (tally, updates) = beside_writer(writer, OTHER_CPU, None, || {
        loop {
            lane.run(session.queries)?;
            let tally = lane.traffic().tally()?;
            session.step(format_args!(
                "{} M of {} M",
                tally.answered / 1_000_000,
                session.answers / 1_000_000
            ));
            ensure!(tally.answered > 0, "no reply came");
            if tally.answered >= session.answers || tally.torn + tally.wrong > 0 {
                return Ok(tally);
            }
        }
    })?;
    let bad = tally.torn + tally.wrong;
    let counters = loaded.counters()?;
    let counted = |label| counters.iter().find(|(name, _)| *name == label).map_or(0, |(_, count)| *count);
    Ok(vec![Figure {
        name: name.to_owned(),
        unit: "torn",
        ours: vec![bad as f64],
        beside: None,
        goal: Some(Goal { id: "G6", text: "never a torn or wrong answer".to_owned(), met: bad == 0 }),
        note: format!(
            "{} M answers looked at beside {:.2} M updates/s; {} passed while being written, {} dropped",
            tally.answered / 1_000_000,
            updates as f64 / begun.elapsed().as_secs_f64() / 1e6,
            counted("replaced"),
            counted("recycled"),
        ),
    }])
}
