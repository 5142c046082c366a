//! What operators ask of health checking and order it to do, in the words of the control API.

use std::sync::Arc;

use pulse53_core::health::{self, Override};
use pulse53_core::model::CheckId;
use serde::Serialize;
use serde_json::Value;

use crate::api::control::{CheckSetting, CommandError, RoutingControl, SwitchState};
use crate::config;
use crate::health::{Handle, HealthError};

/// One check in full.
pub(super) async fn check(health: &Handle, id: &str) -> Result<Value, CommandError> {
    let report = health.show(CheckId::from(id)).await.map_err(failed)?;
    json(&report)
}

/// Sets a check by hand (H-38).
pub(super) async fn set_check(health: &Handle, id: &str, set: CheckSetting) -> Result<Value, CommandError> {
    let operator = match set {
        CheckSetting::Healthy => Some(Override::Healthy),
        CheckSetting::Unhealthy => Some(Override::Unhealthy),
        CheckSetting::Auto => None,
    };
    tracing::info!(check = id, setting = ?set, "set by an operator");
    health.set_override(CheckId::from(id), operator).await.map_err(failed)?;
    check(health, id).await
}

/// Every routing control, by ARN.
pub(super) async fn controls(
    health: &Handle,
    declared: &[config::RoutingControl],
) -> Result<Vec<RoutingControl>, CommandError> {
    let states = health.routing_controls().await.map_err(failed)?;
    let named = |arn: &str| declared.iter().find(|control| control.arn == arn);
    let control = |(arn, control): (Arc<str>, health::RoutingControl)| RoutingControl {
        name: named(&arn).map_or_else(|| arn.to_string(), |declared| declared.name.clone()),
        arn: arn.to_string(),
        state: if control.on { SwitchState::On } else { SwitchState::Off },
        version: control.version,
    };
    Ok(states.into_iter().map(control).collect())
}

/// Switches a routing control, found by name or ARN (H-31).
pub(super) async fn set_control(
    health: &Handle,
    declared: &[config::RoutingControl],
    control: &str,
    set: SwitchState,
) -> Result<RoutingControl, CommandError> {
    let is_meant = |known: &RoutingControl| known.arn == control || known.name == control;
    let no_such = || CommandError::NoSuchControl(control.to_owned());
    let meant = controls(health, declared).await?.into_iter().find(is_meant).ok_or_else(no_such)?;
    tracing::info!(control = meant.arn, state = ?set, "switched by an operator");
    health.set_routing_control(&meant.arn, set == SwitchState::On).await.map_err(failed)?;
    controls(health, declared).await?.into_iter().find(is_meant).ok_or_else(no_such)
}

pub(super) fn failed(error: HealthError) -> CommandError {
    match error {
        HealthError::UnknownCheck(unknown) => CommandError::NoSuchCheck(unknown.0.to_string()),
        other => CommandError::Failed(other.to_string()),
    }
}

pub(super) fn json(report: &impl Serialize) -> Result<Value, CommandError> {
    serde_json::to_value(report).map_err(|error| CommandError::Failed(error.to_string()))
}
