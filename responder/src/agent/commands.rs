//! Control requests, carried out by the parts they concern.

use std::collections::HashMap;
use std::sync::Arc;

use pulse53_core::explain::Explanation;
use pulse53_core::health::{CheckSummary, HealthStatus};
use pulse53_core::model::CheckId;

use super::orders::{failed, json};
use super::{Agent, orders};
use crate::api::control::{Answer, CheckCounts, Command, CommandError};
use crate::explain::{self, Known, NO_INTERFACES, Question};

impl Agent {
    pub(super) async fn obey(&mut self, command: Command) {
        // Who asked may have left meanwhile; nobody is there to be told then.
        match command {
            Command::Status(answer) => drop(answer.send(Ok(Box::new(self.status().await)))),
            Command::Checks(answer) => {
                let checks = self.health.list().await.map_err(failed);
                drop(answer.send(checks.and_then(|checks| checks.iter().map(json).collect())));
            }
            Command::Check(id, answer) => drop(answer.send(orders::check(&self.health, &id).await)),
            // What is ordered is stored before it is answered: a slow disk must delay nothing else.
            Command::SetCheck(id, set, answer) => {
                let health = self.health.clone();
                tokio::spawn(async move { drop(answer.send(orders::set_check(&health, &id, set).await)) });
            }
            Command::Explain(question, answer) => self.explain(question, answer).await,
            Command::RoutingControls(answer) => {
                let controls = orders::controls(&self.health, &self.config.routing_controls).await;
                drop(answer.send(controls));
            }
            Command::SetRoutingControl(control, set, answer) => {
                let (health, declared) = (self.health.clone(), self.config.routing_controls.clone());
                tokio::spawn(async move {
                    drop(answer.send(orders::set_control(&health, &declared, &control, set).await));
                });
            }
        }
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
