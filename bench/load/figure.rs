//! What was measured: a name, its rounds, what stands beside it, and the goal.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::session::median;

/// What every reader of the figures should know.
pub const CAVEAT: &str =
    "veth, not a NIC, and no zero-copy AF_XDP: trust the ratios, not the absolute values.";

/// One thing measured.
#[derive(Debug, Clone)]
pub struct Figure {
    /// As it is selected.
    pub name: String,
    /// Unit of all numbers.
    pub unit: &'static str,
    /// pulse53, round by round.
    pub ours: Vec<f64>,
    /// What it is compared with, in the same rounds.
    pub beside: Option<(String, Vec<f64>)>,
    /// What it should be.
    pub goal: Option<Goal>,
    /// What else there is to say.
    pub note: String,
}

/// A goal of performance, and whether it is met.
#[derive(Debug, Clone)]
pub struct Goal {
    /// Its number.
    pub id: &'static str,
    /// What it says.
    pub text: String,
    /// Whether it is met.
    pub met: bool,
}

impl Figure {
    /// Ours, and what stands beside it.
    pub fn medians(&self) -> (f64, Option<f64>) {
        (median(&self.ours), self.beside.as_ref().map(|(_, rounds)| median(rounds)))
    }

    /// The median of the rounds' differences.
    pub fn difference(&self) -> Option<f64> {
        let (_, beside) = self.beside.as_ref()?;
        let differences: Vec<f64> =
            self.ours.iter().zip(beside).map(|(ours, beside)| ours - beside).collect();
        Some(median(&differences))
    }
}

/// One line a figure.
pub fn table(figures: &[Figure]) -> String {
    let mut text = format!(
        "{:<44} {:>12} {:>12} {:>9} {:>7}  {:<40} {}\n",
        "", "pulse53", "beside", "differ.", "ratio", "goal", ""
    );
    for figure in figures {
        let (ours, beside) = figure.medians();
        let with_unit = |number: f64| format!("{} {}", told(number), figure.unit);
        let (mut by, mut ratio) = (String::new(), String::new());
        if let (Some(beside), Some(difference)) = (beside, figure.difference()) {
            by = format!("{}{}", if difference < 0.0 { "-" } else { "+" }, told(difference.abs()));
            ratio = format!("{:.2}", ours / beside);
        }
        let goal = figure.goal.as_ref().map_or_else(String::new, |goal| {
            format!("{} {}: {}", goal.id, goal.text, if goal.met { "met" } else { "NOT MET" })
        });
        writeln!(
            text,
            "{:<44} {:>12} {:>12} {by:>9} {ratio:>7}  {goal:<40} {}",
            figure.name,
            with_unit(ours),
            beside.map_or_else(String::new, with_unit),
            figure.note
        )
        .expect("memory");
    }
    text
}

/// Three digits that count.
pub fn told(number: f64) -> String {
    let decimals = match number.abs() {
        0.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}")
}

/// Everything, with all rounds.
pub fn json(figures: &[Figure]) -> Value {
    figures
        .iter()
        .map(|figure| {
            let (ours, beside) = figure.medians();
            json!({
                "name": figure.name,
                "unit": figure.unit,
                "median": ours,
                "rounds": figure.ours,
                "beside": figure.beside.as_ref().map(|(name, rounds)| json!({
                    "name": name, "median": beside, "rounds": rounds, "difference": figure.difference(),
                })),
                "goal": figure.goal.as_ref().map(|goal| json!({
                    "id": goal.id, "text": goal.text, "met": goal.met,
                })),
                "note": figure.note,
            })
        })
        .collect()
}
