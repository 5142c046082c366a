//! What operators decide: routing controls (H-31) and overrides (H-38).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Changes, HealthState, UnknownCheck};
use crate::health::{Moment, Override, RoutingControl, Transition, TransitionReason};
use crate::model::check::{CheckId, CheckKind};

impl HealthState {
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

    /// Switches a routing control, if it is declared, by a version above the one it has.
    pub fn switch(&mut self, now: Moment, arn: &str, on: bool) -> Vec<Transition> {
        let version = self.routing_control(arn).map_or(0, |known| known.version + 1);
        self.set_routing_control(now, arn, RoutingControl { on, version })
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
}
