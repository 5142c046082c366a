//! What is observed: probes, reports of other checkers, evaluations of alarms.

use serde::{Deserialize, Serialize};

use super::{Changes, HealthState};
use crate::health::track::{AlarmRecord, Data, Track};
use crate::health::{
    AlarmState, CheckerName, Evaluation, Moment, Observation, Outcome, OutcomeKind, Transition,
    TransitionReason, Verdict, VerdictMachine,
};
use crate::model::check::{CheckId, CheckKind};

/// What one checker tells the others (H-23).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerReport {
    /// What it thinks.
    pub verdict: Verdict,
    /// Its last probe.
    pub last: Option<Observation>,
}
impl HealthState {
    /// Takes the result of one probe of one checker. Results for unknown, disabled or unassigned checks are ignored.
    pub fn observe(
        &mut self,
        now: Moment,
        checker: &CheckerName,
        id: &CheckId,
        observation: Observation,
    ) -> Vec<Transition> {
        let Some(Track { check, data: Data::Endpoint(endpoint), .. }) = self.tracks.get_mut(id) else {
            return Vec::new();
        };
        let CheckKind::Endpoint(probe) = &check.kind else { return Vec::new() };
        if check.disabled || !endpoint.includes(checker) {
            return Vec::new();
        }
        let status = observation.to_string();
        let track = endpoint.checkers.entry(checker.clone()).or_default();
        let stored = track.observe(now, observation, probe.failure_threshold);
        let mut changes = Changes { stored, ..Changes::default() };
        let detection = Some(track.run_duration(now));
        let reason = TransitionReason::Observed { checker: checker.clone(), status, detection };
        endpoint.retire(now);
        self.settle(now, id, &reason, &mut changes);
        self.finish(now, changes)
    }

    /// Takes the report of another checker (H-23).
    pub fn receive(
        &mut self,
        now: Moment,
        checker: &CheckerName,
        id: &CheckId,
        report: PeerReport,
    ) -> Vec<Transition> {
        let Some(Track { check, data: Data::Endpoint(endpoint), .. }) = self.tracks.get_mut(id) else {
            return Vec::new();
        };
        if check.disabled || !endpoint.includes(checker) {
            return Vec::new();
        }
        let track = endpoint.checkers.entry(checker.clone()).or_default();
        let mut changes = Changes { stored: track.machine.verdict() != report.verdict, ..Changes::default() };
        track.machine = VerdictMachine::resume(report.verdict);
        track.reported_at = Some(now);
        let status = report.last.as_ref().map(Observation::to_string).unwrap_or_default();
        if let Some(observation) = report.last {
            track.record(now, observation);
        }
        endpoint.retire(now);
        let reason = TransitionReason::Observed { checker: checker.clone(), status, detection: None };
        self.settle(now, id, &reason, &mut changes);
        self.finish(now, changes)
    }

    /// What a checker of this node has to tell the others about a check (H-23).
    pub fn peer_report(&self, checker: &CheckerName, id: &CheckId) -> Option<PeerReport> {
        let Data::Endpoint(endpoint) = &self.tracks.get(id)?.data else { return None };
        let track = endpoint.checkers.get(checker)?;
        Some(PeerReport {
            verdict: track.machine.verdict(),
            last: track.last.as_ref().map(|(_, observation)| observation.clone()),
        })
    }

    /// Takes one evaluation of an alarm; `cause` says why it is missing.
    pub fn observe_alarm(
        &mut self,
        now: Moment,
        id: &CheckId,
        evaluation: Evaluation,
        cause: Option<&str>,
    ) -> Vec<Transition> {
        let Some(Track { check, data: Data::Alarm { machine, record }, .. }) = self.tracks.get_mut(id) else {
            return Vec::new();
        };
        let CheckKind::Alarm(alarm) = &check.kind else { return Vec::new() };
        if check.disabled {
            return Vec::new();
        }
        let before = (machine.state(), machine.last_known());
        machine.observe(evaluation, alarm.evaluation_periods);
        let mut changes =
            Changes { stored: before != (machine.state(), machine.last_known()), ..Changes::default() };
        let outcome = match (machine.state(), cause) {
            (AlarmState::Ok, _) => Outcome::AlarmOk,
            (AlarmState::Alarm, _) => Outcome::Alarm,
            (_, Some(cause)) => Outcome::InsufficientData(cause.into()),
            (AlarmState::Initial, None) => Outcome::InsufficientData("not enough evaluations yet".into()),
            (AlarmState::Insufficient, None) => {
                Outcome::InsufficientData("an earlier evaluation is missing".into())
            }
        };
        let reason = TransitionReason::Evaluated(outcome.to_string());
        let last_failure = match outcome.kind() {
            OutcomeKind::Success => record.take().and_then(|record| record.last_failure),
            _ => Some((now, outcome.clone())),
        };
        *record = Some(AlarmRecord { last: (now, outcome), last_failure });
        self.settle(now, id, &reason, &mut changes);
        self.finish(now, changes)
    }
}
