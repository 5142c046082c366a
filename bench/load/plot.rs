//! Plots of the figures, as SVG: bars that can be compared at a glance.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::figure::{CAVEAT, Figure, told};

const WIDTH: u32 = 960;
const ROW: u32 = 30;
/// Room for names, at the left; for numbers, at the right; for title and caveat.
const NAMES: i32 = 330;
const NUMBERS: i32 = 90;
const HEAD: u32 = 50;
const FOOT: u32 = 30;

const OURS: RGBColor = RGBColor(0x2a, 0x78, 0xb5);
const BESIDE: RGBColor = RGBColor(0xb0, 0xb8, 0xc0);
const GOAL: RGBColor = RGBColor(0xc0, 0x40, 0x30);

/// One bar.
struct Bar {
    name: String,
    /// From the left: what all share, then what is pulse53's.
    parts: [f64; 2],
    /// Where a goal's mark stands.
    goal: Option<f64>,
    number: String,
}

/// Draws what there is to draw; the files written.
pub fn draw(directory: &Path, figures: &[Figure]) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    let loops: Vec<Bar> = figures.iter().filter_map(loop_bar).collect();
    if !loops.is_empty() {
        let path = directory.join("loop.svg");
        let title = "CPU time a query, one-CPU loop (ns): load and reflector, and pulse53 above them";
        bars(&path, title, &loops)?;
        written.push(path);
    }
    let peers: Vec<Bar> = figures.iter().filter_map(peer_bar).collect();
    if !peers.is_empty() {
        let path = directory.join("peers.svg");
        bars(&path, "Answers a CPU-second, as a share of pulse53's on the same zone (%)", &peers)?;
        written.push(path);
    }
    Ok(written)
}

/// A bar of another server: what it answers for what pulse53 does.
fn peer_bar(figure: &Figure) -> Option<Bar> {
    let name = figure.name.strip_prefix("peers/")?.to_owned();
    let (ours, theirs) = figure.medians();
    let share = 100.0 * theirs? / ours;
    Some(Bar { name, parts: [share, 0.0], goal: None, number: format!("{} %", told(share)) })
}

/// A bar of the one-CPU loop: the reflector, then what is above it.
fn loop_bar(figure: &Figure) -> Option<Bar> {
    let name = figure.name.strip_prefix("loop/")?.to_owned();
    let (_, floor) = figure.medians();
    let (floor, above) = (floor?, figure.difference()?);
    let most = figure
        .goal
        .as_ref()
        .and_then(|goal| goal.text.strip_prefix("reflector + ")?.strip_suffix(" ns")?.parse::<f64>().ok());
    Some(Bar {
        name,
        parts: [floor, above.max(0.0)],
        goal: most.map(|most| floor + most),
        number: format!("+{}", told(above)),
    })
}

fn bars(path: &Path, title: &str, bars: &[Bar]) -> Result<()> {
    let height = HEAD + FOOT + ROW * bars.len() as u32;
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    let failed = |error: &dyn std::fmt::Display| anyhow!("drawing {}: {error}", path.display());
    let text = |size: u32| ("sans-serif", size).into_font();
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    let draw_text = |what: &str, size: u32, at: (i32, i32)| {
        area.draw(&Text::new(what.to_owned(), at, text(size))).map_err(|error| failed(&error))
    };
    draw_text(title, 17, (12, 14))?;
    let longest = bars.iter().map(|bar| bar.parts.iter().sum::<f64>().max(bar.goal.unwrap_or(0.0)));
    let longest = longest.fold(1.0, f64::max);
    let scale = f64::from(WIDTH as i32 - NAMES - NUMBERS) / longest;
    let x = |value: f64| NAMES + (value * scale) as i32;
    for (row, bar) in bars.iter().enumerate() {
        let top = (HEAD + ROW * row as u32) as i32;
        let bottom = top + ROW as i32 - 10;
        draw_text(&bar.name, 14, (12, top + 3))?;
        let [shared, own] = bar.parts;
        for (from, to, color) in [(0.0, shared, BESIDE), (shared, shared + own, OURS)] {
            let rectangle = Rectangle::new([(x(from), top), (x(to), bottom)], color.filled());
            area.draw(&rectangle).map_err(|error| failed(&error))?;
        }
        if let Some(goal) = bar.goal {
            let mark = PathElement::new([(x(goal), top - 3), (x(goal), bottom + 3)], GOAL.stroke_width(2));
            area.draw(&mark).map_err(|error| failed(&error))?;
        }
        draw_text(&bar.number, 14, (x(shared + own) + 10, top + 3))?;
    }
    let foot = format!("Red: goal. {CAVEAT}");
    draw_text(&foot, 12, (12, (height - FOOT + 8) as i32))?;
    area.present().map_err(|error| failed(&error))
}
