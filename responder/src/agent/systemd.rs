//! What systemd is told (sd_notify(3)): readiness, reloads, the end; and, where it keeps watch, that the agent does not hang.

use sd_notify::NotifyState;
use tokio::sync::mpsc;

use crate::publish::Event;

/// Tells it. Without systemd there is nobody to tell, which is no error.
pub(super) fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot tell systemd");
    }
}

/// Tells it that a reload begins; it ends by readiness.
pub(super) fn tell_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no monotonic clock to tell systemd"),
    }
}

/// Answers the watchdog, twice in its interval (`WatchdogSec=`), as long as tasks run and there is somebody who publishes.
pub(super) fn answer_watchdog(publisher: mpsc::WeakSender<Event>) {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(interval / 2);
        loop {
            ticks.tick().await;
            // Gone: the agent stops. Closed: the publishing thread has ended, and answers would go stale.
            match publisher.upgrade() {
                Some(events) if !events.is_closed() => tell(&[NotifyState::Watchdog]),
                _ => return,
            }
        }
    });
}
