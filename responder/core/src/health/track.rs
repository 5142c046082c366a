//! What is remembered about one check.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{
    AlarmMachine, CheckerName, Latency, Moment, Observation, Outcome, Override, RecentProbe, Share,
    StoredAlarm, StoredCheck, Verdict, VerdictMachine, fingerprint, freshness_window,
};
use crate::model::check::{CheckKind, HealthCheck};

/// Probes kept for a user to see.
const RECENT: usize = 60;

/// The longest time that checkers no longer assigned go on (H-26).
const RETIREMENT_MAX: Duration = Duration::from_secs(3600);

/// One check and all that is known about it.
#[derive(Debug, Clone)]
pub(super) struct Track {
    pub(super) check: Arc<HealthCheck>,
    pub(super) raw: bool,
    pub(super) operator: Option<Override>,
    /// The final status published last, none for a check that is just being added.
    pub(super) published: Option<bool>,
    pub(super) changed_at: Option<Moment>,
    pub(super) resumed: bool,
    pub(super) data: Data,
}

/// What depends on the check's type.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Endpoint(EndpointTrack),
    Alarm { machine: AlarmMachine, record: Option<AlarmRecord> },
    Calculated,
    RecoveryControl,
}

/// What the node last saw of an alarm.
#[derive(Debug, Clone)]
pub(super) struct AlarmRecord {
    pub(super) last: (Moment, Outcome),
    pub(super) last_failure: Option<(Moment, Outcome)>,
}

/// Who probes an endpoint check, and what they say.
#[derive(Debug, Clone, Default)]
pub(super) struct EndpointTrack {
    pub(super) checkers: BTreeMap<CheckerName, CheckerTrack>,
    pub(super) assigned: Vec<CheckerName>,
    retirement: Option<Retirement>,
}

/// Checkers that were assigned before, until the new ones know enough (H-26).
#[derive(Debug, Clone)]
struct Retirement {
    leaving: Vec<CheckerName>,
    joining: Vec<CheckerName>,
    until: Moment,
}

/// What one checker says about one check.
#[derive(Debug, Clone, Default)]
pub(super) struct CheckerTrack {
    pub(super) machine: VerdictMachine,
    /// When the first probe of the present run of equal results began.
    run_began: Moment,
    pub(super) reported_at: Option<Moment>,
    pub(super) last: Option<(Moment, Observation)>,
    pub(super) last_failure: Option<(Moment, Observation)>,
    pub(super) latency: Option<Latency>,
    pub(super) recent: VecDeque<RecentProbe>,
}

impl Track {
    /// A check just declared, with what is stored about it.
    pub(super) fn new(check: Arc<HealthCheck>, stored: Option<StoredCheck>) -> Self {
        let mut track = Self {
            raw: true,
            operator: None,
            published: None,
            changed_at: None,
            resumed: false,
            data: Data::of(&check),
            check,
        };
        let Some(stored) = stored else { return track };
        track.operator = stored.operator;
        if stored.fingerprint != fingerprint(&track.check) || track.check.disabled {
            return track;
        }
        track.raw = stored.raw_healthy;
        track.changed_at = stored.changed_at;
        track.resumed = true;
        match &mut track.data {
            Data::Endpoint(endpoint) => {
                // Not counted before its first new report: until then the stored raw status holds (H-25).
                endpoint.checkers = stored
                    .verdicts
                    .into_iter()
                    .map(|(name, verdict)| {
                        (
                            name,
                            CheckerTrack {
                                machine: VerdictMachine::resume(verdict),
                                ..CheckerTrack::default()
                            },
                        )
                    })
                    .collect();
            }
            Data::Alarm { machine, .. } => {
                if let Some(StoredAlarm { state, last_known }) = stored.alarm {
                    *machine = AlarmMachine::resume(state, last_known);
                }
            }
            Data::Calculated | Data::RecoveryControl => {}
        }
        track
    }

    /// What is to be stored about it.
    pub(super) fn to_stored(&self) -> StoredCheck {
        StoredCheck {
            fingerprint: fingerprint(&self.check),
            raw_healthy: self.raw,
            changed_at: self.changed_at,
            operator: self.operator,
            verdicts: match &self.data {
                Data::Endpoint(endpoint) => endpoint
                    .checkers
                    .iter()
                    .filter(|(_, track)| track.machine.verdict() != Verdict::Initial)
                    .map(|(name, track)| (name.clone(), track.machine.verdict()))
                    .collect(),
                _ => BTreeMap::new(),
            },
            alarm: match &self.data {
                Data::Alarm { machine, .. } => {
                    Some(StoredAlarm { state: machine.state(), last_known: machine.last_known() })
                }
                _ => None,
            },
        }
    }

    /// Takes a new definition of the same check.
    pub(super) fn redefine(&mut self, check: Arc<HealthCheck>) {
        let old = std::mem::replace(&mut self.check, check);
        if std::mem::discriminant(&old.kind) != std::mem::discriminant(&self.check.kind)
            || old.disabled != self.check.disabled
        {
            // Disabled checks forget, and start over when enabled again (H-36).
            self.data = Data::of(&self.check);
            self.raw = true;
            self.resumed = false;
        } else if fingerprint(&old) != fingerprint(&self.check) {
            match &mut self.data {
                Data::Endpoint(endpoint) => {
                    endpoint.checkers.values_mut().for_each(|track| track.machine.restart_counts());
                }
                Data::Alarm { machine, .. } => machine.restart(),
                Data::Calculated | Data::RecoveryControl => {}
            }
        }
    }
}

impl Data {
    fn of(check: &HealthCheck) -> Self {
        match &check.kind {
            CheckKind::Endpoint(_) => Self::Endpoint(EndpointTrack::default()),
            CheckKind::Alarm(_) => Self::Alarm { machine: AlarmMachine::default(), record: None },
            CheckKind::Calculated { .. } => Self::Calculated,
            CheckKind::RecoveryControl { .. } => Self::RecoveryControl,
        }
    }
}

impl EndpointTrack {
    /// Changes who is assigned. Those that drop out stay while a new one is `Initial`, if `gently` (H-26).
    pub(super) fn assign(&mut self, now: Moment, assigned: Vec<CheckerName>, gently: bool) {
        if assigned == self.assigned {
            return;
        }
        let before = std::mem::replace(&mut self.assigned, assigned);
        let mut leaving: Vec<CheckerName> =
            self.retirement.take().map(|retirement| retirement.leaving).unwrap_or_default();
        leaving.extend(before.iter().cloned());
        leaving.retain(|name| !self.assigned.contains(name));
        leaving.dedup();
        if gently && !before.is_empty() && !leaving.is_empty() {
            let joining = self.assigned.iter().filter(|name| !before.contains(name)).cloned().collect();
            self.retirement = Some(Retirement { leaving, joining, until: now.after(RETIREMENT_MAX) });
        }
        self.retire(now);
    }

    /// Lets checkers go whose time is over.
    pub(super) fn retire(&mut self, now: Moment) {
        if let Some(Retirement { joining, until, .. }) = &self.retirement {
            let settled = joining.iter().all(|name| self.verdict(name) != Verdict::Initial);
            if settled || now >= *until {
                self.retirement = None;
            }
        }
        if self.retirement.is_none() && self.checkers.len() > self.assigned.len() {
            self.checkers.retain(|name, _| self.assigned.contains(name));
        }
    }

    /// What a checker thinks.
    pub(super) fn verdict(&self, name: &CheckerName) -> Verdict {
        self.checkers.get(name).map(|track| track.machine.verdict()).unwrap_or_default()
    }

    /// Whether a checker is to probe: it is assigned, or on its way out.
    pub(super) fn includes(&self, name: &CheckerName) -> bool {
        self.assigned.contains(name)
            || self.retirement.as_ref().is_some_and(|retirement| retirement.leaving.contains(name))
    }

    /// All that probe.
    pub(super) fn included(&self) -> impl Iterator<Item = &CheckerName> {
        self.assigned.iter().chain(self.retirement.iter().flat_map(|retirement| &retirement.leaving))
    }

    /// Whether a checker's latest report is fresh enough (H-24).
    pub(super) fn is_counted(&self, name: &CheckerName, window: Duration, now: Moment) -> bool {
        self.includes(name)
            && self
                .checkers
                .get(name)
                .and_then(|track| track.reported_at)
                .is_some_and(|reported_at| now.since(reported_at) <= window)
    }

    /// The counted checkers and those that see it healthy (H-22, H-24).
    pub(super) fn share(&self, check: &HealthCheck, now: Moment) -> Share {
        let CheckKind::Endpoint(probe) = &check.kind else { return Share::default() };
        let window = freshness_window(probe);
        Share::of(
            self.checkers
                .iter()
                .filter(|(name, _)| self.is_counted(name, window, now))
                .map(|(_, track)| track.machine.verdict()),
        )
    }
}

impl CheckerTrack {
    /// Takes the result of one probe of this node's checker; whether its verdict changed.
    pub(super) fn observe(&mut self, now: Moment, observation: Observation, threshold: u8) -> bool {
        let changed = self.machine.observe(observation.passed(), threshold);
        if self.machine.run_length() == 1 {
            self.run_began = now.before(observation.duration);
        }
        self.reported_at = Some(now);
        self.record(now, observation);
        changed
    }

    /// How long the present run of equal results has taken so far.
    pub(super) fn run_duration(&self, now: Moment) -> Duration {
        now.since(self.run_began)
    }

    /// Remembers what users want to see of a probe.
    pub(super) fn record(&mut self, now: Moment, observation: Observation) {
        let passed = observation.passed();
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        let duration_ms = observation.duration.as_millis().try_into().unwrap_or(u32::MAX);
        self.recent.push_back(RecentProbe { passed, duration_ms });
        if passed {
            self.latency = observation.latency.or(self.latency);
        } else {
            self.last_failure = Some((now, observation.clone()));
        }
        self.last = Some((now, observation));
    }
}
