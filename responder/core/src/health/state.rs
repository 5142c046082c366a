//! The state of all checks, and the one place where it changes.
//!
//! Every method takes the moment and what happened, and returns the changes of final status it caused, parents after
//! their children. A change is published in the [`HealthView`] before the method returns (H-37).

mod declare;
mod observe;
mod operate;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

pub use observe::PeerReport;

use super::track::{Data, Track};
use super::{
    Checker, CheckerName, HealthStatus, HealthView, Moment, Outcome, OutcomeKind, RoutingControl,
    StoredCheck, StoredHealth, Transition, TransitionReason, final_status, quorum,
};
use crate::model::check::{CheckId, CheckKind, HealthCheck};

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
        // A status taken up after a restart is as old as it was before.
        if before.is_some() || !track.resumed {
            track.changed_at = Some(now);
            changes.stored = true;
        }
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
