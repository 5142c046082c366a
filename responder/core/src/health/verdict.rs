//! What one checker thinks of one check (H-19 to H-21).

use serde::{Deserialize, Serialize};

/// The opinion of one checker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Not enough data yet; counts as healthy (H-20).
    #[default]
    Initial,
    /// N passed probes in a row were the last to decide.
    Healthy,
    /// N failed probes in a row were the last to decide.
    Unhealthy,
}

/// Counts equal results in a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerdictMachine {
    verdict: Verdict,
    /// The last result and how often it came in a row.
    run: Option<(bool, u32)>,
}

impl VerdictMachine {
    /// Resumes with a stored verdict (H-20).
    pub fn resume(verdict: Verdict) -> Self {
        Self { verdict, run: None }
    }

    /// The verdict now.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Takes one more result, N = `threshold`; true if the verdict changed.
    pub fn observe(&mut self, passed: bool, threshold: u8) -> bool {
        let count = match self.run {
            Some((last, count)) if last == passed => count.saturating_add(1),
            _ => 1,
        };
        self.run = Some((passed, count));
        let before = self.verdict;
        if count >= u32::from(threshold) {
            self.verdict = if passed { Verdict::Healthy } else { Verdict::Unhealthy };
        }
        self.verdict != before
    }

    /// How many equal results have come in a row.
    pub fn run_length(&self) -> u32 {
        self.run.map_or(0, |(_, count)| count)
    }

    /// What is probed has changed: the verdict stays until N new equal results are in (H-21).
    pub fn restart_counts(&mut self) {
        self.run = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Verdicts after each of the results, N = 3.
    fn check(start: Verdict, results: &str, expect: &str) {
        let mut machine = VerdictMachine::resume(start);
        let letters: Vec<&str> = results
            .split(' ')
            .map(|result| {
                machine.observe(result == "P", 3);
                match machine.verdict() {
                    Verdict::Initial => "I",
                    Verdict::Healthy => "H",
                    Verdict::Unhealthy => "U",
                }
            })
            .collect();
        assert_eq!(letters.join(" "), expect);
    }

    #[test]
    fn three_in_a_row_decide_h19_h20() {
        check(Verdict::Healthy, "F F P F F F", "H H H H H U");
        check(Verdict::Unhealthy, "P P F P P P", "U U U U U H");
        check(Verdict::Initial, "F F F", "I I U");
        check(Verdict::Initial, "P P F P P P", "I I I I I H");
    }

    #[test]
    fn a_changed_probe_keeps_the_verdict_and_restarts_the_count_h21() {
        let mut machine = VerdictMachine::resume(Verdict::Healthy);
        machine.observe(false, 3);
        machine.observe(false, 3);
        machine.restart_counts();
        assert!(!machine.observe(false, 3));
        assert!(!machine.observe(false, 3));
        assert_eq!(machine.verdict(), Verdict::Healthy);
        assert!(machine.observe(false, 3));
        assert_eq!(machine.verdict(), Verdict::Unhealthy);
    }

    #[test]
    fn a_threshold_of_one_follows_every_probe_h19() {
        let mut machine = VerdictMachine::default();
        assert!(machine.observe(false, 1));
        assert!(machine.observe(true, 1));
        assert!(!machine.observe(true, 1));
    }
}
