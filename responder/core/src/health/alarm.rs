//! The state of an alarm from its evaluations (H-27 to H-29).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::check::{ComparisonOperator, InsufficientData};

/// One evaluation of an alarm's query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evaluation {
    /// The condition of the alarm holds.
    Breach,
    /// It does not.
    Ok,
    /// Nobody knows: an error, a refused query, no answer in time or no sample.
    Missing,
}

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlarmState {
    /// A new check whose first `EvaluationPeriods` evaluations have not decided yet; healthy (H-29).
    #[default]
    Initial,
    /// OK, healthy.
    Ok,
    /// ALARM, unhealthy.
    Alarm,
    /// INSUFFICIENT_DATA.
    Insufficient,
}

/// Judges the samples that an answered query returned (H-27).
pub fn evaluate(samples: &[f64], threshold: Option<(ComparisonOperator, f64)>) -> Evaluation {
    let Some((operator, threshold)) = threshold else {
        return if samples.is_empty() { Evaluation::Ok } else { Evaluation::Breach };
    };
    let breaches = |sample: &f64| match operator {
        ComparisonOperator::GreaterThanThreshold => *sample > threshold,
        ComparisonOperator::GreaterThanOrEqualToThreshold => *sample >= threshold,
        ComparisonOperator::LessThanThreshold => *sample < threshold,
        ComparisonOperator::LessThanOrEqualToThreshold => *sample <= threshold,
    };
    if samples.iter().all(|sample| sample.is_nan()) {
        Evaluation::Missing
    } else if samples.iter().any(breaches) {
        Evaluation::Breach
    } else {
        Evaluation::Ok
    }
}

/// Remembers the last evaluations and what they mean (H-28, H-29).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlarmMachine {
    window: VecDeque<Evaluation>,
    state: AlarmState,
    /// Whether the last state of OK or ALARM was OK.
    last_known: Option<bool>,
}

impl AlarmMachine {
    /// Resumes with stored states; evaluations are not stored.
    pub fn resume(state: AlarmState, last_known: Option<bool>) -> Self {
        Self { window: VecDeque::new(), state, last_known }
    }

    /// The state now.
    pub fn state(&self) -> AlarmState {
        self.state
    }

    /// The last state that was OK (true) or ALARM (false).
    pub fn last_known(&self) -> Option<bool> {
        self.last_known
    }

    /// Takes one more evaluation.
    ///
    /// Until the window is full, only an ok decides: a new check stays healthy, and one that was resumed or changed
    /// keeps its state.
    pub fn observe(&mut self, evaluation: Evaluation, evaluation_periods: u32) {
        let periods = evaluation_periods.max(1) as usize;
        self.window.push_back(evaluation);
        while self.window.len() > periods {
            self.window.pop_front();
        }
        self.state = if self.window.contains(&Evaluation::Ok) {
            AlarmState::Ok
        } else if self.window.len() < periods {
            return;
        } else if self.window.contains(&Evaluation::Missing) {
            AlarmState::Insufficient
        } else {
            AlarmState::Alarm
        };
        match self.state {
            AlarmState::Ok => self.last_known = Some(true),
            AlarmState::Alarm => self.last_known = Some(false),
            AlarmState::Initial | AlarmState::Insufficient => {}
        }
    }

    /// The alarm was changed: evaluations of the old one say nothing, the state stays until new ones decide.
    pub fn restart(&mut self) {
        self.window.clear();
    }

    /// The raw status of the check.
    pub fn raw(&self, insufficient_data: InsufficientData) -> bool {
        match self.state {
            AlarmState::Initial | AlarmState::Ok => true,
            AlarmState::Alarm => false,
            AlarmState::Insufficient => match insufficient_data {
                InsufficientData::Healthy => true,
                InsufficientData::Unhealthy => false,
                InsufficientData::LastKnownStatus => self.last_known.unwrap_or(true),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ComparisonOperator::*;

    #[test]
    fn samples_are_judged_by_operator_and_threshold_h27() {
        use Evaluation::{Breach, Missing, Ok};
        let nan = f64::NAN;
        for (samples, operator, expect) in [
            (&[10.0][..], GreaterThanThreshold, Ok),
            (&[10.1], GreaterThanThreshold, Breach),
            (&[10.0], GreaterThanOrEqualToThreshold, Breach),
            (&[10.0], LessThanThreshold, Ok),
            (&[9.9], LessThanThreshold, Breach),
            (&[10.0], LessThanOrEqualToThreshold, Breach),
            (&[1.0, 11.0], GreaterThanThreshold, Breach),
            (&[nan, 1.0], GreaterThanThreshold, Ok),
            (&[nan, nan], GreaterThanThreshold, Missing),
            (&[], GreaterThanThreshold, Missing),
            (&[f64::INFINITY], GreaterThanThreshold, Breach),
        ] {
            assert_eq!(evaluate(samples, Some((operator, 10.0))), expect, "{samples:?} {operator:?}");
        }
        assert_eq!(evaluate(&[0.0], None), Breach);
        assert_eq!(evaluate(&[], None), Ok);
    }

    fn run(machine: &mut AlarmMachine, samples: &str) {
        for sample in samples.split(' ') {
            let evaluation = match sample {
                "missing" => Evaluation::Missing,
                sample => evaluate(&[sample.parse().unwrap()], Some((GreaterThanThreshold, 10.0))),
            };
            machine.observe(evaluation, 3);
        }
    }

    #[test]
    fn vector_6_h28_h29() {
        let mut machine = AlarmMachine::default();
        run(&mut machine, "11 12 9");
        assert_eq!(machine.state(), AlarmState::Ok);
        run(&mut machine, "11 12 13");
        assert_eq!(machine.state(), AlarmState::Alarm);
        run(&mut machine, "11 missing 13");
        assert_eq!(machine.state(), AlarmState::Insufficient);
        assert!(!machine.raw(InsufficientData::LastKnownStatus));
        assert!(machine.raw(InsufficientData::Healthy));
        assert!(!machine.raw(InsufficientData::Unhealthy));
    }

    #[test]
    fn a_new_alarm_is_healthy_until_its_periods_are_over_h29() {
        let mut machine = AlarmMachine::default();
        run(&mut machine, "missing missing");
        assert!(machine.raw(InsufficientData::Unhealthy));
        run(&mut machine, "missing");
        assert!(!machine.raw(InsufficientData::Unhealthy));
        assert!(machine.raw(InsufficientData::LastKnownStatus), "healthy if there was no state before");
        let mut machine = AlarmMachine::default();
        run(&mut machine, "9");
        assert_eq!(machine.state(), AlarmState::Ok, "one ok is enough");
    }

    #[test]
    fn a_resumed_or_changed_alarm_keeps_its_state_until_decided_h30() {
        let mut machine = AlarmMachine::resume(AlarmState::Alarm, Some(false));
        run(&mut machine, "missing 11");
        assert_eq!(machine.state(), AlarmState::Alarm);
        machine.restart();
        run(&mut machine, "missing missing");
        assert_eq!(machine.state(), AlarmState::Alarm);
        run(&mut machine, "missing");
        assert_eq!(machine.state(), AlarmState::Insufficient);
    }
}
