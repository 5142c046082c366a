//! Control requests, carried out by the parts they concern.

use std::collections::HashMap;
use std::sync::Arc;

use pulse53_core::explain::Explanation;
use pulse53_core::health::{self, CheckSummary, HealthStatus, Override};
use pulse53_core::model::CheckId;
use serde::Serialize;
use serde_json::Value;

use super::Agent;
use crate::api::control::{
    Answer, CheckCounts, CheckSetting, Command, CommandError, RoutingControl, SwitchState,
};
use crate::explain::{self, Known, NO_INTERFACES, Question};
use crate::health::HealthError;

impl Agent {
    pub(super) async fn obey(&mut self, command: Command) {
        // Who asked may have left meanwhile; nobody is there to be told then.
        match command {
            Command::Status(answer) => drop(answer.send(Ok(Box::new(self.status().await)))),
            Command::Checks(answer) => {
                let checks = self.health.list().await.map_err(failed);
                drop(answer.send(checks.and_then(|checks| checks.iter().map(json).collect())));
            }
            Command::Check(id, answer) => drop(answer.send(self.check(&id).await)),
            Command::SetCheck(id, set, answer) => drop(answer.send(self.set_check(&id, set).await)),
            Command::Explain(question, answer) => self.explain(question, answer).await,
            Command::RoutingControls(answer) => drop(answer.send(self.routing_controls().await)),
            Command::SetRoutingControl(control, set, answer) => {
                drop(answer.send(self.set_routing_control(&control, set).await));
            }
        }
    }

    async fn check(&self, id: &str) -> Result<Value, CommandError> {
        let report = self.health.show(CheckId::from(id)).await.map_err(failed)?;
        json(&report)
    }

    async fn set_check(&self, id: &str, set: CheckSetting) -> Result<Value, CommandError> {
        let operator = match set {
            CheckSetting::Healthy => Some(Override::Healthy),
            CheckSetting::Unhealthy => Some(Override::Unhealthy),
            CheckSetting::Auto => None,
        };
        self.health.set_override(CheckId::from(id), operator).await.map_err(failed)?;
        tracing::info!(check = id, setting = ?set, "set by an operator");
        self.check(id).await
    }

    /// Explains on another thread: a large answer takes a while, and other requests wait here.
    async fn explain(&self, question: Question, answer: Answer<Box<Explanation>>) {
        let (snapshot, geo) = (self.snapshot.borrow().clone(), self.geo.load_full());
        let (table, view) = (self.published.table.load_full(), self.health.view());
        if snapshot.revision != self.published.revision() {
            let compiling = "changed declarations are being compiled; ask again in a moment".to_owned();
            drop(answer.send(Err(CommandError::Failed(compiling))));
            return;
        }
        let checks = match self.health.list().await.map_err(failed) {
            Ok(checks) => checks,
            Err(error) => return drop(answer.send(Err(error))),
        };
        let occupancy = self.published.datapath().as_ref().map(|datapath| datapath.occupancy());
        let without_room = occupancy.map_or(0, |(_, without_room)| without_room);
        let kernel_off = match occupancy.is_some() {
            true => None,
            false if self.config.xdp.interfaces.is_empty() => Some(NO_INTERFACES.to_owned()),
            false => Some(self.kernel_problem.clone().unwrap_or_else(|| "no program is attached".to_owned())),
        };
        let explain = move || {
            let reasons: HashMap<Arc<str>, (String, bool)> =
                checks.into_iter().map(|check| (check.id.clone(), reason(check))).collect();
            let reason = |id: &CheckId| reasons.get(&id.0).cloned().unwrap_or_default();
            let known = Known {
                snapshot: &snapshot,
                geo: &geo,
                table: &table,
                view: &view,
                reason: &reason,
                kernel_off: kernel_off.as_deref(),
                without_room,
            };
            let explanation = explain::explain(&question, &known).map(Box::new);
            drop(answer.send(explanation.map_err(CommandError::from)));
        };
        tokio::task::spawn_blocking(explain);
    }

    async fn routing_controls(&self) -> Result<Vec<RoutingControl>, CommandError> {
        let states = self.health.routing_controls().await.map_err(failed)?;
        let named = |arn: &str| self.config.routing_controls.iter().find(|control| control.arn == arn);
        let control = |(arn, control): (Arc<str>, health::RoutingControl)| RoutingControl {
            name: named(&arn).map_or_else(|| arn.to_string(), |declared| declared.name.clone()),
            arn: arn.to_string(),
            state: if control.on { SwitchState::On } else { SwitchState::Off },
            version: control.version,
        };
        Ok(states.into_iter().map(control).collect())
    }

    async fn set_routing_control(
        &self,
        control: &str,
        set: SwitchState,
    ) -> Result<RoutingControl, CommandError> {
        let is_meant = |known: &RoutingControl| known.arn == control || known.name == control;
        let no_such = || CommandError::NoSuchControl(control.to_owned());
        let meant = self.routing_controls().await?.into_iter().find(is_meant).ok_or_else(no_such)?;
        self.health.set_routing_control(&meant.arn, set == SwitchState::On).await.map_err(failed)?;
        tracing::info!(control = meant.arn, state = ?set, "switched by an operator");
        self.routing_controls().await?.into_iter().find(is_meant).ok_or_else(no_such)
    }

    /// Checks by final status.
    pub(super) async fn check_counts(&self) -> CheckCounts {
        let mut counts = CheckCounts::default();
        for check in self.health.list().await.unwrap_or_default() {
            match check.status {
                HealthStatus::Healthy => counts.healthy += 1,
                HealthStatus::Unhealthy => counts.unhealthy += 1,
                HealthStatus::Unknown => counts.unknown += 1,
            }
        }
        counts
    }
}

/// Why a check has its status, and whether it was set by hand.
fn reason(check: CheckSummary) -> (String, bool) {
    match check.operator {
        Some(_) => ("set by an operator".to_owned(), true),
        None if check.reason.is_empty() => ("not probed yet".to_owned(), false),
        None => (check.reason, false),
    }
}

fn failed(error: HealthError) -> CommandError {
    match error {
        HealthError::UnknownCheck(unknown) => CommandError::NoSuchCheck(unknown.0.to_string()),
        other => CommandError::Failed(other.to_string()),
    }
}

fn json(report: &impl Serialize) -> Result<Value, CommandError> {
    serde_json::to_value(report).map_err(|error| CommandError::Failed(error.to_string()))
}
