//! How soon an answer is back: from the generator's writing the query to the sink's seeing the reply, at a steady rate.

use anyhow::{Result, ensure};
use pulse53_core::geo::GeoDb;
use traffic::driver::Reflector;
use traffic::question::Question;

use crate::Measurement;
use crate::figure::{Figure, Goal};
use crate::harness::lane::{Lane, Load};
use crate::session::Session;
use crate::zone;

const NAMES: u32 = 1_000;
/// Queries a second.
const RATE: u32 = 100_000;
/// Frames a round; most come too early for the rate and are let go.
const FRAMES: u32 = 8_000_000;

/// Share, goal in microseconds.
const PERCENTILES: [(&str, f64, Option<f64>); 3] =
    [("p50", 0.5, Some(1.5)), ("p99", 0.99, Some(3.0)), ("p99.9", 0.999, None)];

/// What there is to measure.
pub fn measurements() -> Vec<Measurement> {
    vec![Measurement::new("latency", measure)]
}

fn measure(session: &Session) -> Result<Vec<Figure>> {
    let load = Load { rate: Some(RATE), latency: true, ..Load::of(Question::default(), NAMES) };
    let mut loaded = zone::loaded(&zone::plain(NAMES, 2), &GeoDb::default())?;
    let mut floor = Lane::make().with(Reflector::attach)?;
    let mut ours = Lane::make().respond(&mut loaded)?;
    floor.load(&load)?;
    ours.load(&load)?;
    for round in 0..session.rounds {
        session.step(format_args!("round {} of {}", round + 1, session.rounds));
        // One at a time: in a batch, a query would wait for those behind it.
        floor.run_by(FRAMES, 1)?;
        ours.run_by(FRAMES, 1)?;
    }
    let (floor, ours) = (floor.traffic().latencies()?, ours.traffic().latencies()?);
    ensure!(ours.count() > 0, "no reply came");
    let mut figures = Vec::new();
    for (name, share, goal) in PERCENTILES {
        // What lies beyond the last bucket has no number: all that can be said is in the note.
        let micros = |percentile: Option<std::time::Duration>| {
            percentile.map_or(f64::INFINITY, |taken| taken.as_nanos() as f64 / 1e3)
        };
        let (floor, taken) = (micros(floor.percentile(share)), micros(ours.percentile(share)));
        figures.push(Figure {
            name: format!("latency/{name}, {RATE} queries/s"),
            unit: "us",
            ours: vec![taken],
            beside: Some(("reflector".to_owned(), vec![floor])),
            goal: goal.map(|most| Goal { id: "G10", text: format!("{most} us"), met: taken <= most }),
            note: format!("{} replies", ours.count()),
        });
    }
    Ok(figures)
}
