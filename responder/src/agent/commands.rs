//! Control requests, carried out by the parts they concern.

use pulse53_core::health::{HealthStatus, Override};
use pulse53_core::model::CheckId;
use serde::Serialize;
use serde_json::Value;

use super::Agent;
use crate::api::control::{CheckCounts, CheckSetting, Command, CommandError};
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

fn failed(error: HealthError) -> CommandError {
    match error {
        HealthError::UnknownCheck(unknown) => CommandError::NoSuchCheck(unknown.0.to_string()),
        other => CommandError::Failed(other.to_string()),
    }
}

fn json(report: &impl Serialize) -> Result<Value, CommandError> {
    serde_json::to_value(report).map_err(|error| CommandError::Failed(error.to_string()))
}
