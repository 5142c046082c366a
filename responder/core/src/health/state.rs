//! The state of all checks, and the one place where it changes.
//!
//! Every method takes the moment and what happened, and returns the changes of final status it caused, parents after
//! their children. A change is published in the [`HealthView`] before the method returns (H-37).

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::track::{AlarmRecord, Data, Track};
use super::{
    AlarmState, Checker, CheckerName, Evaluation, HealthStatus, HealthView, Moment, Observation, Outcome,
    OutcomeKind, Override, RoutingControl, StoredCheck, StoredHealth, Verdict, assigned, final_status,
    quorum,
};
use crate::model::check::{CheckId, CheckKind, HealthCheck};

/// A change of a check's final status.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// Which check.
    pub check: CheckId,
    /// The status before; unknown for a check just declared.
    pub from: HealthStatus,
    /// The status after; unknown for a check just deleted.
    pub to: HealthStatus,
    /// What caused it.
    pub reason: TransitionReason,
}

/// Why a final status changed.
#[derive(Debug, Clone, PartialEq)]
pub enum TransitionReason {
    /// It was declared, changed or deleted.
    Declared,
    /// It was unhealthy before the last restart.
    Resumed,
    /// A checker's probe or report decided.
    Observed {
        /// Which checker.
        checker: CheckerName,
        /// Its status string.
        status: String,
    },
    /// An evaluation of its alarm decided; the status string.
    Evaluated(String),
    /// The routing control was switched.
    RoutingControl(bool),
    /// Enough children changed; the status string.
    Children(String),
    /// An operator set it, or set it back to auto.
    Override(Option<Override>),
    /// Checkers came, went or fell silent.
    Checkers,
}

impl fmt::Display for TransitionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared => f.write_str("declaration changed"),
            Self::Resumed => f.write_str("status before the restart"),
            Self::Observed { checker, status } => write!(f, "{checker}: {status}"),
            Self::Evaluated(status) | Self::Children(status) => f.write_str(status),
            Self::RoutingControl(on) => {
                write!(f, "routing control switched {}", if *on { "on" } else { "off" })
            }
            Self::Override(Some(Override::Healthy)) => f.write_str("set to healthy by an operator"),
            Self::Override(Some(Override::Unhealthy)) => f.write_str("set to unhealthy by an operator"),
            Self::Override(None) => f.write_str("set back to auto by an operator"),
            Self::Checkers => f.write_str("the checkers that count have changed"),
        }
    }
}

/// What one checker tells the others (H-23).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerReport {
    /// What it thinks.
    pub verdict: Verdict,
    /// Its last probe.
    pub last: Option<Observation>,
}

/// There is no check of this id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no health check has the id {0}")]
pub struct UnknownCheck(pub CheckId);

/// All checks with what is known about them.
#[derive(Debug, Default)]
pub struct HealthState {
    pub(super) checkers: Vec<Checker>,
    pub(super) tracks: BTreeMap<CheckId, Track>,
    /// The CALCULATED checks that count a check.
    parents: HashMap<CheckId, BTreeSet<CheckId>>,
    controls: BTreeMap<Arc<str>, RoutingControl>,
    /// What is stored about checks not declared yet.
    stored: BTreeMap<Arc<str>, StoredCheck>,
    pub(super) view: HealthView,
    stored_version: u64,
}

impl HealthState {
    /// No checks yet: those that are declared later resume with what is stored (H-20).
    ///
    /// `declared_controls` are the routing controls of the configuration and whether they start On; a stored state of
    /// one wins (H-31).
    pub fn new(
        checkers: Vec<Checker>,
        declared_controls: &BTreeMap<String, bool>,
        stored: StoredHealth,
    ) -> Self {
        let controls = declared_controls
            .iter()
            .map(|(arn, &on)| {
                let control = stored.routing_controls.get(arn.as_str());
                (arn.as_str().into(), control.copied().unwrap_or(RoutingControl { on, version: 0 }))
            })
            .collect();
        Self { checkers, controls, stored: stored.checks, ..Self::default() }
    }

    /// The final statuses now.
    pub fn view(&self) -> HealthView {
        self.view.clone()
    }

    /// Rises with every change of what [`Self::to_stored`] returns.
    pub fn stored_version(&self) -> u64 {
        self.stored_version
    }

    /// What must survive a restart.
    pub fn to_stored(&self) -> StoredHealth {
        let mut checks = self.stored.clone();
        checks.extend(self.tracks.iter().map(|(id, track)| (id.0.clone(), track.to_stored())));
        StoredHealth { checks, routing_controls: self.controls.clone() }
    }

    /// Takes the checks as they are now declared.
    pub fn apply(&mut self, now: Moment, checks: &BTreeMap<CheckId, Arc<HealthCheck>>) -> Vec<Transition> {
        let mut changes = Changes::default();
        let mut resumed = Vec::new();
        let mut changed = Vec::new();
        self.tracks.retain(|id, track| {
            let stays = checks.contains_key(id);
            if !stays {
                self.view.remove(id);
                changes.stale.extend(self.parents.get(id).into_iter().flatten().cloned());
                changes.stored = true;
                if track.published == Some(false) {
                    changes.transitions.push(Transition {
                        check: id.clone(),
                        from: HealthStatus::Unhealthy,
                        to: HealthStatus::Unknown,
                        reason: TransitionReason::Declared,
                    });
                }
            }
            stays
        });
        for (id, check) in checks {
            match self.tracks.get_mut(id) {
                None => {
                    let track = Track::new(check.clone(), self.stored.remove(&id.0));
                    if track.resumed { &mut resumed } else { &mut changed }.push(id.clone());
                    self.tracks.insert(id.clone(), track);
                }
                Some(track) if Arc::ptr_eq(&track.check, check) || track.check == *check => continue,
                Some(track) => {
                    track.redefine(check.clone());
                    changed.push(id.clone());
                }
            }
            self.assign(now, id, true);
        }
        if !checks.is_empty() {
            self.stored.clear();
        }
        if changed.is_empty() && resumed.is_empty() && changes.is_empty() {
            return Vec::new();
        }
        changes.stored = true;
        self.parents.clear();
        for (id, check) in checks {
            if let CheckKind::Calculated { children, .. } = &check.kind {
                for child in children {
                    self.parents.entry(child.clone()).or_default().insert(id.clone());
                }
            }
        }
        for (ids, reason) in [(resumed, TransitionReason::Resumed), (changed, TransitionReason::Declared)] {
            for id in ids {
                if matches!(self.tracks[&id].data, Data::Calculated) {
                    changes.stale.push_back(id);
                } else {
                    self.settle(now, &id, &reason, &mut changes);
                }
            }
        }
        self.finish(now, changes)
    }

    /// Takes the live checkers as they are now.
    pub fn set_checkers(&mut self, now: Moment, checkers: Vec<Checker>) -> Vec<Transition> {
        self.checkers = checkers;
        let ids: Vec<CheckId> = self
            .tracks
            .iter()
            .filter(|(_, track)| matches!(track.data, Data::Endpoint(_)))
            .map(|(id, _)| id.clone())
            .collect();
        let mut changes = Changes::default();
        for id in ids {
            self.assign(now, &id, false);
            self.settle(now, &id, &TransitionReason::Checkers, &mut changes);
        }
        self.finish(now, changes)
    }

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
        let track = endpoint.checkers.entry(checker.clone()).or_default();
        let mut changes = Changes {
            stored: track.machine.observe(observation.passed(), probe.failure_threshold),
            ..Changes::default()
        };
        let reason = TransitionReason::Observed { checker: checker.clone(), status: observation.to_string() };
        track.reported_at = Some(now);
        track.record(now, observation);
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
        track.machine = super::VerdictMachine::resume(report.verdict);
        track.reported_at = Some(now);
        let status = report.last.as_ref().map(Observation::to_string).unwrap_or_default();
        if let Some(observation) = report.last {
            track.record(now, observation);
        }
        endpoint.retire(now);
        self.settle(now, id, &TransitionReason::Observed { checker: checker.clone(), status }, &mut changes);
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

    /// The state of a routing control, if it is declared.
    pub fn routing_control(&self, arn: &str) -> Option<RoutingControl> {
        self.controls.get(arn).copied()
    }

    /// All routing controls, by ARN.
    pub fn routing_controls(&self) -> &BTreeMap<Arc<str>, RoutingControl> {
        &self.controls
    }

    /// Takes a state of a routing control, from an operator or another node; an older version changes nothing (H-31).
    pub fn set_routing_control(
        &mut self,
        now: Moment,
        arn: &str,
        control: RoutingControl,
    ) -> Vec<Transition> {
        let Some(known) = self.controls.get_mut(arn) else { return Vec::new() };
        if control.version <= known.version {
            return Vec::new();
        }
        *known = control;
        let mut changes = Changes { stored: true, ..Changes::default() };
        let ids: Vec<CheckId> = self
            .tracks
            .iter()
            .filter(|(_, track)| matches!(&track.check.kind, CheckKind::RecoveryControl { arn: named } if named == arn))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            self.settle(now, &id, &TransitionReason::RoutingControl(control.on), &mut changes);
        }
        self.finish(now, changes)
    }

    /// Sets a check by hand, or with none back to auto (H-38).
    pub fn set_override(
        &mut self,
        now: Moment,
        id: &CheckId,
        operator: Option<Override>,
    ) -> Result<Vec<Transition>, UnknownCheck> {
        let track = self.tracks.get_mut(id).ok_or_else(|| UnknownCheck(id.clone()))?;
        let mut changes = Changes { stored: track.operator != operator, ..Changes::default() };
        track.operator = operator;
        self.settle(now, id, &TransitionReason::Override(operator), &mut changes);
        Ok(self.finish(now, changes))
    }

    /// Lets time pass: reports grow stale (H-24), retired checkers leave (H-26).
    pub fn advance(&mut self, now: Moment) -> Vec<Transition> {
        let mut changes = Changes::default();
        let mut stale = Vec::new();
        for (id, track) in &mut self.tracks {
            if let Data::Endpoint(endpoint) = &mut track.data {
                endpoint.retire(now);
                let share = endpoint.share(&track.check, now);
                if !track.check.disabled && quorum(share, track.raw) != track.raw {
                    stale.push(id.clone());
                }
            }
        }
        for id in stale {
            self.settle(now, &id, &TransitionReason::Checkers, &mut changes);
        }
        self.finish(now, changes)
    }

    /// The endpoint checks that a checker has to probe now (H-26, H-33).
    pub fn probed_by<'a>(&'a self, checker: &'a CheckerName) -> impl Iterator<Item = &'a Arc<HealthCheck>> {
        self.tracks.values().filter_map(move |track| match &track.data {
            Data::Endpoint(endpoint) if !track.check.disabled && endpoint.includes(checker) => {
                Some(&track.check)
            }
            _ => None,
        })
    }

    /// The alarms that this node has to evaluate now (H-27, H-33).
    pub fn evaluated(&self) -> impl Iterator<Item = &Arc<HealthCheck>> {
        self.tracks
            .values()
            .filter(|track| matches!(track.data, Data::Alarm { .. }) && !track.check.disabled)
            .map(|track| &track.check)
    }

    /// What the node itself observes of a check that has its data at once (H-34).
    pub(super) fn outcome(&self, check: &HealthCheck) -> Option<Outcome> {
        match &check.kind {
            CheckKind::Calculated { children, threshold } => Some(Outcome::Calculated {
                healthy: children.iter().filter(|child| self.view.is_healthy(child)).count(),
                children: children.len(),
                needed: *threshold,
            }),
            CheckKind::RecoveryControl { arn } => {
                Some(Outcome::RoutingControl(self.routing_control(arn).is_some_and(|control| control.on)))
            }
            CheckKind::Endpoint(_) | CheckKind::Alarm(_) => None,
        }
    }

    /// Gives a check's probing to the checkers that its regions name (H-26).
    fn assign(&mut self, now: Moment, id: &CheckId, gently: bool) {
        if let Some(Track { check, data: Data::Endpoint(endpoint), .. }) = self.tracks.get_mut(id)
            && let CheckKind::Endpoint(probe) = &check.kind
        {
            let names =
                assigned(&probe.regions, &self.checkers).iter().map(|checker| checker.name.clone()).collect();
            endpoint.assign(now, names, gently);
        }
    }

    /// Computes raw and final status of one check anew, and publishes a change.
    fn settle(&mut self, now: Moment, id: &CheckId, reason: &TransitionReason, changes: &mut Changes) {
        let Some(track) = self.tracks.get(id) else { return };
        let outcome = self.outcome(&track.check);
        let raw = match (&track.data, &track.check.kind) {
            _ if track.check.disabled => true,
            (Data::Endpoint(endpoint), _) => quorum(endpoint.share(&track.check, now), track.raw),
            (Data::Alarm { machine, .. }, CheckKind::Alarm(alarm)) => machine.raw(alarm.insufficient_data),
            _ => outcome.as_ref().is_none_or(|outcome| outcome.kind() == OutcomeKind::Success),
        };
        let healthy = final_status(raw, track.check.disabled, track.check.inverted, track.operator);
        let before = track.published;
        let Some(track) = self.tracks.get_mut(id) else { return };
        changes.stored |= track.raw != raw;
        track.raw = raw;
        if before == Some(healthy) {
            return;
        }
        track.published = Some(healthy);
        self.view.set(id.clone(), healthy);
        if before.unwrap_or(true) == healthy {
            return;
        }
        track.changed_at = Some(now);
        changes.transitions.push(Transition {
            check: id.clone(),
            from: before.map_or(HealthStatus::Unknown, HealthStatus::from_healthy),
            to: HealthStatus::from_healthy(healthy),
            reason: reason.clone(),
        });
        changes.stale.extend(self.parents.get(id).into_iter().flatten().cloned());
    }

    /// Settles the parents of all that changed, children first, and theirs.
    fn finish(&mut self, now: Moment, mut changes: Changes) -> Vec<Transition> {
        // Parents of parents are excluded (H-2), but a bound is cheaper than trust: a circle must not spin for ever.
        let mut budget = 2 * self.tracks.len() + changes.stale.len();
        while let Some(id) = changes.stale.pop_front() {
            if budget == 0 {
                break;
            }
            budget -= 1;
            let reason = match self.tracks.get(&id).and_then(|track| self.outcome(&track.check)) {
                Some(outcome) => TransitionReason::Children(outcome.to_string()),
                None => continue,
            };
            self.settle(now, &id, &reason, &mut changes);
        }
        if changes.stored {
            self.stored_version += 1;
        }
        changes.transitions
    }
}

/// What one event has changed so far.
#[derive(Debug, Default)]
struct Changes {
    transitions: Vec<Transition>,
    /// CALCULATED checks to compute anew.
    stale: VecDeque<CheckId>,
    /// Whether anything changed that is stored.
    stored: bool,
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.transitions.is_empty() && self.stale.is_empty() && !self.stored
    }
}

#[cfg(test)]
pub(super) mod tests;
