//! The one-CPU loop: load, program and sink on one CPU, every batch answered before the next is made.
//!
//! No cross-CPU traffic and no loss, so that the CPU time of the load's thread a query, less the same with the reflector, is what the
//! program costs on the real path of a veth pair. Repeats agree within a few percent on a busy machine.

use std::cell::RefCell;

use anyhow::{Result, ensure};
use pulse53::datapath::Loaded;
use pulse53_core::geo::GeoDb;
use traffic::driver::Reflector;
use traffic::popularity::zipf;
use traffic::question::Question;

use crate::Measurement;
use crate::figure::{Figure, Goal};
use crate::harness::lane::{Lane, Load};
use crate::session::{Session, median};
use crate::zone;

const PLAIN: Question = Question { edns: false, subnet: false, cookie: false, source_mask: 0 };
const EDNS: Question = Question { edns: true, ..PLAIN };
const SUBNET: Question = Question { subnet: true, ..EDNS };
const COOKIE: Question = Question { cookie: true, ..EDNS };

/// What is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// So many names of so many addresses.
    Plain(u32, u32),
    /// So many names by country, then by weight.
    ByClient(u32),
}

impl Zone {
    fn loaded(self) -> Result<Loaded> {
        match self {
            Self::Plain(names, answers) => zone::loaded(&zone::plain(names, answers), &GeoDb::default()),
            Self::ByClient(names) => zone::loaded(&zone::by_client(names), &zone::places()),
        }
    }

    fn names(self) -> u32 {
        match self {
            Self::Plain(names, _) | Self::ByClient(names) => names,
        }
    }
}

/// One way to ask.
#[derive(Debug, Clone, Copy)]
struct Variant {
    name: &'static str,
    zone: Zone,
    question: Question,
    is_v6: bool,
    /// Exponent of Zipf's law.
    zipf: Option<f64>,
    absent: f64,
    /// Whether there is a rate limit, which nobody reaches.
    limited: bool,
    /// Nanoseconds above the reflector, and where it is said.
    goal: Option<(&'static str, f64)>,
}

const BASIC: Variant = Variant {
    name: "loop/2xA",
    zone: Zone::Plain(1_000, 2),
    question: PLAIN,
    is_v6: false,
    zipf: None,
    absent: 0.0,
    limited: false,
    goal: Some(("G1", 60.0)),
};

/// In the order of their zones, each of which is built once.
const VARIANTS: [Variant; 15] = [
    BASIC,
    Variant { name: "loop/2xA, EDNS", question: EDNS, goal: Some(("G1", 65.0)), ..BASIC },
    Variant { name: "loop/2xA, IPv6", is_v6: true, goal: Some(("G1", 70.0)), ..BASIC },
    Variant { name: "loop/2xA, IPv6, EDNS", question: EDNS, is_v6: true, goal: None, ..BASIC },
    Variant { name: "loop/2xA, EDNS, client subnet", question: SUBNET, goal: None, ..BASIC },
    Variant { name: "loop/2xA, EDNS, cookie", question: COOKIE, goal: None, ..BASIC },
    Variant { name: "loop/2xA, IPv6, EDNS, cookie", question: COOKIE, is_v6: true, goal: None, ..BASIC },
    Variant { name: "loop/2xA, EDNS, rate limit", question: EDNS, limited: true, goal: None, ..BASIC },
    Variant { name: "loop/NXDOMAIN", absent: 1.0, goal: None, ..BASIC },
    Variant { name: "loop/half NXDOMAIN, EDNS", question: EDNS, absent: 0.5, goal: None, ..BASIC },
    Variant { name: "loop/1xA", zone: Zone::Plain(1_000, 1), goal: None, ..BASIC },
    Variant {
        name: "loop/client subnet, geolocation, weights",
        zone: Zone::ByClient(1_000),
        question: SUBNET,
        goal: Some(("G1", 130.0)),
        ..BASIC
    },
    Variant { name: "loop/64k names", zone: Zone::Plain(1 << 16, 2), goal: None, ..BASIC },
    Variant { name: "loop/1M names", zone: Zone::Plain(1_000_000, 2), goal: None, ..BASIC },
    Variant {
        name: "loop/1M names, Zipf",
        zone: Zone::Plain(1_000_000, 2),
        zipf: Some(1.0),
        goal: Some(("G4", 330.0)),
        ..BASIC
    },
];

thread_local! {
    /// The program of the variant before: its zone may serve again.
    static PROGRAM: RefCell<Option<(Zone, Loaded)>> = const { RefCell::new(None) };
}

/// What there is to measure.
pub fn measurements() -> Vec<Measurement> {
    VARIANTS
        .iter()
        .map(|variant| Measurement::new(variant.name, move |session| measure(session, variant)))
        .collect()
}

/// Lets something use the program of a zone, which is built unless it is there.
fn with_program<T>(session: &Session, zone: Zone, work: impl FnOnce(&mut Loaded) -> Result<T>) -> Result<T> {
    PROGRAM.with_borrow_mut(|kept| {
        if kept.as_ref().is_none_or(|(of, _)| *of != zone) {
            session.step(format_args!("building a zone of {} names", zone.names()));
            // The old one goes first: two tables of a million names need not be held at once.
            *kept = None;
            *kept = Some((zone, zone.loaded()?));
        }
        work(&mut kept.as_mut().expect("it was just built").1)
    })
}

fn measure(session: &Session, variant: &Variant) -> Result<Vec<Figure>> {
    let popularity = variant.zipf.map(|exponent| zipf(variant.zone.names(), exponent));
    let load = Load {
        is_v6: variant.is_v6,
        absent: variant.absent,
        popularity: popularity.as_deref(),
        ..Load::of(variant.question, variant.zone.names())
    };
    with_program(session, variant.zone, |loaded| {
        zone::live(variant.limited).write(loaded.hot_table().memory().live());
        let mut floor = Lane::make().with(Reflector::attach)?;
        let mut ours = Lane::make().respond(loaded)?;
        floor.load(&load)?;
        ours.load(&load)?;
        compare(session, variant, &mut floor, &mut ours)
    })
}

fn compare(session: &Session, variant: &Variant, floor: &mut Lane, ours: &mut Lane) -> Result<Vec<Figure>> {
    for lane in [&mut *floor, &mut *ours] {
        // Pages, caches and the random generator's seed.
        lane.run(session.queries / 8)?;
    }
    let [mut with_floor, mut with_ours] = [const { Vec::new() }; 2];
    let (mut sent, mut replies) = (0, 0);
    for round in 0..session.rounds {
        session.step(format_args!("round {} of {}", round + 1, session.rounds));
        with_floor.push(floor.run(session.queries)?.ns_per_query());
        let run = ours.run(session.queries)?;
        with_ours.push(run.ns_per_query());
        sent += run.tally.sent;
        replies += run.tally.replies();
    }
    ensure!(sent > 0, "nothing was sent");
    let above: Vec<f64> = with_ours.iter().zip(&with_floor).map(|(ours, floor)| ours - floor).collect();
    let answered = replies as f64 / sent as f64;
    let all = answered > 0.9999;
    let goal = variant.goal.map(|(id, most)| Goal {
        id,
        text: format!("reflector + {most:.0} ns"),
        met: all && median(&above) <= most,
    });
    let name = variant.name;
    let mut note = format!("{:.2} M answers/s a CPU, load included", 1e3 / median(&with_ours));
    if !all {
        note = format!("only {:.1} % answered in the kernel", 100.0 * answered);
    }
    let mut figures = vec![Figure {
        name: name.to_owned(),
        unit: "ns",
        ours: with_ours.clone(),
        beside: Some(("reflector".to_owned(), with_floor)),
        goal,
        note,
    }];
    if name == BASIC.name {
        let per_second: Vec<f64> = with_ours.iter().map(|ns| 1e3 / ns).collect();
        let met = all && median(&per_second) >= 3.6;
        figures.push(Figure {
            name: format!("{name}, answers"),
            unit: "M/s",
            ours: per_second,
            beside: None,
            goal: Some(Goal { id: "G2", text: "3.6 M/s on one CPU, load included".to_owned(), met }),
            note: format!("{} of {sent} queries lost", sent - replies),
        });
    }
    Ok(figures)
}
