//! What others may ask of the health actor.

use std::collections::BTreeMap;
use std::sync::Arc;

use pulse53_core::health::{
    CheckMeasure, CheckReport, CheckSummary, HealthView, Override, RoutingControl, UnknownCheck,
};
use pulse53_core::model::CheckId;
use tokio::sync::{mpsc, oneshot, watch};

use super::metrics::{HealthMetrics, HealthMetricsSnapshot};

/// A question or an order could not be followed.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The node is stopping.
    #[error("health checking has stopped")]
    Stopped,
    /// There is no such check.
    #[error(transparent)]
    UnknownCheck(#[from] UnknownCheck),
    /// It is set, but a restart would forget it.
    #[error(
        "it is set, but cannot be stored: after a restart it is as before; look at data_dir, its space and permissions"
    )]
    NotStored,
    /// There is no such routing control.
    #[error("no routing control is declared as {0}")]
    UnknownRoutingControl(String),
}

/// Tells whether what was ordered is stored.
pub(super) type Stored = oneshot::Receiver<bool>;

/// One question or order.
pub(super) enum Command {
    List(oneshot::Sender<Vec<CheckSummary>>),
    Show(CheckId, oneshot::Sender<Option<CheckReport>>),
    Measures(oneshot::Sender<Vec<CheckMeasure>>),
    SetOverride(CheckId, Option<Override>, oneshot::Sender<Result<Stored, UnknownCheck>>),
    RoutingControls(oneshot::Sender<BTreeMap<Arc<str>, RoutingControl>>),
    SetRoutingControls(Vec<(String, bool)>, oneshot::Sender<Result<Stored, String>>),
    Stop(oneshot::Sender<()>),
}

/// Speaks to the health actor. Clones speak to the same one; it stops when the last is dropped.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) view: watch::Receiver<HealthView>,
    pub(super) metrics: Arc<HealthMetrics>,
}

impl Handle {
    /// All final statuses now.
    pub fn view(&self) -> HealthView {
        self.view.borrow().clone()
    }

    /// All checks in the order of their ids (H-39).
    pub async fn list(&self) -> Result<Vec<CheckSummary>, HealthError> {
        self.ask(Command::List).await
    }

    /// One check in full (H-39, H-40).
    pub async fn show(&self, id: CheckId) -> Result<CheckReport, HealthError> {
        let report = self.ask(|reply| Command::Show(id.clone(), reply)).await?;
        report.ok_or(HealthError::UnknownCheck(UnknownCheck(id)))
    }

    /// The numbers of every check (H-42); none once health checking has stopped.
    ///
    /// Blocks until the actor has answered: not to be called within a task.
    pub fn measures_blocking(&self) -> Vec<CheckMeasure> {
        let (reply, answer) = oneshot::channel();
        if self.commands.blocking_send(Command::Measures(reply)).is_err() {
            return Vec::new();
        }
        answer.blocking_recv().unwrap_or_default()
    }

    /// Sets a check to healthy or unhealthy by hand, or with none back to auto (H-38); returns when that is stored.
    pub async fn set_override(&self, id: CheckId, operator: Option<Override>) -> Result<(), HealthError> {
        let stored = self.ask(|reply| Command::SetOverride(id, operator, reply)).await??;
        until_stored(stored).await
    }

    /// The declared routing controls by ARN (H-31).
    pub async fn routing_controls(&self) -> Result<BTreeMap<Arc<str>, RoutingControl>, HealthError> {
        self.ask(Command::RoutingControls).await
    }

    /// Switches a routing control (H-31); returns when that is stored.
    pub async fn set_routing_control(&self, arn: &str, on: bool) -> Result<(), HealthError> {
        self.set_routing_controls(vec![(arn.to_owned(), on)]).await
    }

    /// Switches routing controls: all of them in one change of statuses, or none; returns when that is stored.
    pub async fn set_routing_controls(&self, wanted: Vec<(String, bool)>) -> Result<(), HealthError> {
        match self.ask(|reply| Command::SetRoutingControls(wanted, reply)).await? {
            Ok(stored) => until_stored(stored).await,
            Err(unknown) => Err(HealthError::UnknownRoutingControl(unknown)),
        }
    }

    /// The counters now.
    pub fn metrics(&self) -> HealthMetricsSnapshot {
        self.metrics.snapshot()
    }

    /// Ends all probes and stores what must survive; returns when that is done.
    pub async fn stop(&self) {
        // An actor that has stopped already needs no order.
        let _ = self.ask(Command::Stop).await;
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, HealthError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| HealthError::Stopped)?;
        answer.await.map_err(|_| HealthError::Stopped)
    }
}

async fn until_stored(stored: Stored) -> Result<(), HealthError> {
    match stored.await {
        Ok(true) => Ok(()),
        Ok(false) => Err(HealthError::NotStored),
        Err(_) => Err(HealthError::Stopped),
    }
}
