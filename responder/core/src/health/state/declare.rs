//! What is declared: checks and live checkers come, change and go.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Changes, HealthState};
use crate::health::track::{Data, Track};
use crate::health::{Checker, HealthStatus, Moment, Transition, TransitionReason, assigned};
use crate::model::check::{CheckId, CheckKind, HealthCheck};

impl HealthState {
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
}
