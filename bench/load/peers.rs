//! Other authoritative servers from the distribution's packages, on the same zone, asked by the same load.
//!
//! Answers a CPU-second: the load's CPU does not count, the CPU time of receiving does. Every server has one thread for UDP and no rate limit.

use anyhow::Result;
use pulse53_core::geo::GeoDb;
use traffic::driver::Reflector;
use traffic::question::Question;

use crate::Measurement;
use crate::figure::{Figure, Goal};
use crate::harness::command::succeed;
use crate::harness::lane::{Lane, Load};
use crate::harness::network::INTERFACE;
use crate::server::{Program, Server};
use crate::session::{Session, median};
use crate::two_cpus::Answering;
use crate::zone;

/// One way to ask all of them.
#[derive(Debug, Clone, Copy)]
struct Way {
    name: &'static str,
    names: u32,
    edns: bool,
    absent: f64,
    is_long: bool,
}

const WAYS: [Way; 4] = [
    Way { name: "hits", names: 1_000, edns: false, absent: 0.0, is_long: false },
    Way { name: "EDNS", names: 1_000, edns: true, absent: 0.0, is_long: true },
    Way { name: "NXDOMAIN", names: 1_000, edns: false, absent: 1.0, is_long: true },
    Way { name: "1M names", names: 1_000_000, edns: false, absent: 0.0, is_long: true },
];

/// Queries a second at which programs in the kernel do their best, and those behind sockets.
const FAST: [Option<u32>; 2] = [None, Some(1_000_000)];
const SOCKETS: [Option<u32>; 3] = [Some(50_000), Some(100_000), Some(200_000)];

/// Fewer than elsewhere: each of these takes longer.
const ROUNDS: usize = 3;

/// What there is to measure.
pub fn measurements() -> Vec<Measurement> {
    WAYS.iter()
        .map(|way| {
            let measurement =
                Measurement::new(format!("peers/{}", way.name), move |session| measure(session, *way));
            if way.is_long { measurement.long() } else { measurement }
        })
        .collect()
}

fn measure(session: &Session, way: Way) -> Result<Vec<Figure>> {
    let question = Question { edns: way.edns, ..Question::default() };
    let load = Load { absent: way.absent, ..Load::of(question, way.names) };
    let mut figures = Vec::new();

    session.step("pulse53");
    let mut loaded = zone::loaded(&zone::plain(way.names, 2), &GeoDb::default())?;
    let mut lane = Lane::make().respond(&mut loaded)?;
    let ours = rounds(&mut lane, &load, &FAST, Vec::new())?;
    drop((lane, loaded));
    session.step("reflector");
    let mut lane = Lane::make().with(Reflector::attach)?;
    let floor = rounds(&mut lane, &load, &FAST, Vec::new())?;
    drop(lane);
    let goal = |text: &str, met| Some(Goal { id: "G3", text: text.to_owned(), met });
    figures.push(Figure {
        name: format!("peers/{}: reflector", way.name),
        unit: "M/s",
        ours: ours.clone(),
        beside: Some(("reflector".to_owned(), floor.clone())),
        goal: goal("90 % of the reflector", median(&ours) >= 0.9 * median(&floor)),
        note: String::new(),
    });

    let text = zone::text(way.names, 2);
    for program in Program::ALL {
        session.step(program.name());
        let name = format!("peers/{}: {}", way.name, program.name());
        if let Some(lacking) = program.lacking() {
            session.tell(format_args!("{name}: skipped, for want of {lacking}"));
            continue;
        }
        let mut lane = Lane::make();
        // The sink at the other end takes what is sent; without NAPI at this end, nothing would arrive.
        lane.network.server.within(|| {
            succeed(std::process::Command::new("ethtool").args(["-K", INTERFACE, "gro", "on"]));
        });
        let server = match Server::start(program, &lane.network.server, &text) {
            Ok(server) => server,
            // The others are measured all the same.
            Err(error) => {
                session.tell(format_args!("{name}: not measured: {error:#}"));
                continue;
            }
        };
        let rates: &[Option<u32>] = if program == Program::KnotXdp { &FAST } else { &SOCKETS };
        let theirs = rounds(&mut lane, &load, rates, server.processes());
        drop(server);
        let theirs = theirs?;
        let ratio = median(&ours) / median(&theirs).max(1e-9);
        figures.push(Figure {
            name,
            unit: "M/s",
            ours: ours.clone(),
            beside: Some((program.name().to_owned(), theirs)),
            goal: match program {
                Program::KnotXdp => goal("10 times", ratio >= 10.0),
                _ => goal("18 times", ratio >= 18.0),
            },
            note: format!("{ratio:.1} times {}", program.name()),
        });
    }
    Ok(figures)
}

/// Millions of answers a CPU-second, round by round.
fn rounds(lane: &mut Lane, load: &Load<'_>, rates: &[Option<u32>], processes: Vec<u32>) -> Result<Vec<f64>> {
    let answering = Answering::on_other_cpu(lane, processes)?;
    (0..ROUNDS).map(|_| Ok(answering.best(lane, load, rates)? / 1e6)).collect()
}
