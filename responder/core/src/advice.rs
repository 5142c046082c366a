//! Declarations that are accepted, but perhaps not meant: what an experienced colleague would ask about before they are served.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use crate::geo::GeoDb;
use crate::health::TimeLimits;
use crate::lower::lower;
use crate::model::check::{AlarmCheck, CheckKind};
use crate::model::policy::{GeoLocation, GeoProximityPlace};
use crate::model::{
    AliasTarget, CheckId, FailoverRole, HealthCheck, Name, PolicyKind, Problem, RRsetGroup, RecordData,
    RecordSet, RecordType, RoutingPolicy, Snapshot, Source, Ttl, Zone,
};
use crate::route53::label_of;
use crate::table::AnswerTable;

/// The longest TTL of a health-checked record that is not remarked upon: Route 53 advises 60 seconds or less.
const CHECKED_TTL_MAX: Ttl = Ttl(60);

/// What a remark is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// A group of several members, none of which can ever be unhealthy.
    NoHealthCheck,
    /// An alias with `EvaluateTargetHealth` off.
    TargetHealthOff,
    /// Some clients may get no answer.
    NoDefault,
    /// Caches keep what has failed for longer than a minute.
    LongTtl,
    /// A region or local zone that nobody has placed or measured, so no client prefers it.
    UnknownPlace,
    /// The kernel cannot answer it.
    Userspace,
}

impl Topic {
    /// One word for scripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoHealthCheck => "no-health-check",
            Self::TargetHealthOff => "target-health-off",
            Self::NoDefault => "no-default",
            Self::LongTtl => "long-ttl",
            Self::UnknownPlace => "unknown-place",
            Self::Userspace => "userspace",
        }
    }
}

/// What there is several of, and what it means.
impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHealthCheck => "groups without health checks: what fails stays in the answer",
            Self::TargetHealthOff => {
                "aliases with EvaluateTargetHealth off: they lead to their target also when it is down"
            }
            Self::NoDefault => "groups without a default: clients that no member is for get no answer",
            Self::LongTtl => {
                "health-checked record sets with a TTL above 60 s: caches keep what has failed that long"
            }
            Self::UnknownPlace => {
                "regions whose place nobody knows: add [[geo.region]], or rows to the latency table"
            }
            Self::Userspace => "questions that the kernel cannot answer: userspace does",
        })
    }
}

/// All remarks about records, in order of topics and places. `table` is compiled from the snapshot and the databases.
pub fn remarks(snapshot: &Snapshot, geo: &GeoDb, table: &AnswerTable) -> Vec<(Topic, Problem)> {
    let mut failing = Failing { snapshot, known: HashMap::new() };
    let mut remarks = Vec::new();
    for zone in snapshot.zones.values() {
        for ((owner, rtype), group) in &zone.groups {
            let mut remark = |topic, rule, source: &Option<Source>, set_id, what: &str| {
                let what = format!("{}: {what}", label_of(owner, *rtype, set_id));
                remarks.push((topic, Problem { source: source.clone(), rule, what }));
            };
            if let Some((member, what)) = failing.never_fails(group, *rtype) {
                remark(Topic::NoHealthCheck, Some("R-49"), &member.source, None, what);
            }
            if let Some(what) = lacks_default(group) {
                remark(Topic::NoDefault, Some("R-30"), &group.members[0].source, None, what);
            }
            for member in &group.members {
                let set_id = member.set_id.as_ref();
                if let Some(what) = unknown_place(member, geo) {
                    remark(Topic::UnknownPlace, Some("R-38"), &member.source, set_id, &what);
                }
                match &member.data {
                    RecordData::Alias(AliasTarget { name, evaluate_target_health: false, .. }) => {
                        let what = format!("AliasTarget.EvaluateTargetHealth is false towards {name}");
                        remark(Topic::TargetHealthOff, Some("R-52"), &member.source, set_id, &what);
                    }
                    RecordData::Values { ttl, .. } if member.check.is_some() && *ttl > CHECKED_TTL_MAX => {
                        remark(Topic::LongTtl, None, &member.source, set_id, &format!("TTL is {}", ttl.0));
                    }
                    _ => {}
                }
            }
        }
    }
    remarks.extend(in_userspace(snapshot, table));
    // Readers of messages go through files from top to bottom.
    let place = |problem: &Problem| {
        let source = problem.source.as_ref();
        source.map(|source| (source.file.clone(), source.line, source.column))
    };
    remarks.sort_by_cached_key(|(topic, problem)| (*topic, place(problem)));
    remarks
}

/// Questions that the kernel cannot answer, by name.
fn in_userspace(snapshot: &Snapshot, table: &AnswerTable) -> Vec<(Topic, Problem)> {
    let zones: HashMap<&Name, &Zone> = snapshot.zones.values().map(|zone| (&zone.apex, &**zone)).collect();
    let mut cold: Vec<_> =
        lower(table).filter_map(|lowered| Some((lowered.key(), lowered.entry.err()?))).collect();
    cold.sort_by(|(a, _), (b, _)| a.cmp(b));
    let remark = |(key, why): (crate::lower::HotKey, crate::lower::NotHot)| {
        let zone = table.zone_of(key.name.as_wire()).and_then(|zone| zones.get(&zone.apex));
        let group = zone.and_then(|zone| {
            let of = |rtype| zone.groups.get(&(key.name.clone(), rtype));
            of(key.qtype).or_else(|| of(RecordType::CNAME))
        });
        let source = group.and_then(|group| group.members[0].source.clone());
        (Topic::Userspace, Problem { source, rule: None, what: format!("{} {}: {why}", key.name, key.qtype) })
    };
    cold.into_iter().map(remark).collect()
}

/// Why some clients may get no answer.
fn lacks_default(group: &RRsetGroup) -> Option<&'static str> {
    let is_default = |member: &RecordSet| match &member.policy {
        RoutingPolicy::Geolocation(place) => *place == GeoLocation::Default,
        RoutingPolicy::Cidr { location, .. } => location == "*",
        _ => true,
    };
    let what = match group.policy() {
        PolicyKind::Geolocation => "no member has GeoLocation.CountryCode *",
        PolicyKind::Cidr => "no member has CidrRoutingConfig.LocationName *",
        _ => return None,
    };
    (!group.members.iter().any(is_default)).then_some(what)
}

/// Why no client can be said to be near a member.
fn unknown_place(member: &RecordSet, geo: &GeoDb) -> Option<String> {
    match &member.policy {
        RoutingPolicy::Latency(region) => {
            let known = geo.places().region(region).is_some() || geo.regions().any(|known| known == region);
            (!known).then(|| format!("Region {region:?} has neither coordinates nor measured latencies"))
        }
        RoutingPolicy::Geoproximity { place, .. } if geo.places().of(place).is_none() => match place {
            GeoProximityPlace::Region(region) => {
                Some(format!("GeoProximityLocation.AWSRegion {region:?} has no coordinates"))
            }
            GeoProximityPlace::LocalZoneGroup(group) => {
                Some(format!("GeoProximityLocation.LocalZoneGroup {group:?} has no coordinates"))
            }
            GeoProximityPlace::Coordinates { .. } => None,
        },
        _ => None,
    }
}

/// Finds what can ever be unhealthy.
struct Failing<'s> {
    snapshot: &'s Snapshot,
    /// Groups looked at, by address; false while one is being looked at.
    known: HashMap<*const RRsetGroup, bool>,
}

impl Failing<'_> {
    /// Why a group of several members may as well have no other members, with the member to look at.
    fn never_fails<'g>(
        &mut self,
        group: &'g RRsetGroup,
        rtype: RecordType,
    ) -> Option<(&'g RecordSet, &'static str)> {
        if group.policy() == PolicyKind::Simple || group.members.len() < 2 {
            return None;
        }
        let fails: Vec<bool> = group.members.iter().map(|member| self.member(member, rtype)).collect();
        if !fails.contains(&true) {
            let what = "no member has a HealthCheckId or an alias that evaluates a target with one";
            return Some((&group.members[0], what));
        }
        let primary = RoutingPolicy::Failover(FailoverRole::Primary);
        let at = group.members.iter().position(|member| member.policy == primary)?;
        let what = "the PRIMARY has no HealthCheckId, so the SECONDARY never answers";
        (!fails[at]).then_some((&group.members[at], what))
    }

    fn member(&mut self, member: &RecordSet, rtype: RecordType) -> bool {
        if member.check.as_ref().is_some_and(|check| self.snapshot.checks.contains_key(check)) {
            return true;
        }
        let RecordData::Alias(alias) = &member.data else { return false };
        let snapshot = self.snapshot;
        let zone = snapshot.zones.get(&alias.zone).filter(|_| alias.evaluate_target_health);
        let target = zone.and_then(|zone| zone.groups.get(&(alias.name.clone(), rtype)));
        match target {
            Some(target) => self.group(target, rtype),
            // A missing target is unhealthy.
            None => alias.evaluate_target_health,
        }
    }

    /// Whether a group is unhealthy under some health, for some client.
    fn group(&mut self, group: &RRsetGroup, rtype: RecordType) -> bool {
        if let Some(known) = self.known.get(&std::ptr::from_ref(group)) {
            return *known;
        }
        self.known.insert(group, false);
        let mut fails = group.members.iter().map(|member| self.member(member, rtype));
        let some_fail = match group.policy() {
            // For some client these members are all there are.
            PolicyKind::Geolocation | PolicyKind::Cidr => fails.any(|fails| fails),
            _ => fails.all(|fails| fails),
        };
        let fails = some_fail || lacks_default(group).is_some();
        self.known.insert(group, fails);
        fails
    }
}

/// How long it takes at most from a failure to the change of status of a check: its endpoint drops all packets, and one checker
/// decides. The TTL of the records comes on top. None if nothing that fails changes the status.
///
/// An endpoint check takes its threshold times the interval and the limit for connecting (health-check specification, section 9); an alarm
/// its evaluations and the limit of the last query (H-27, H-28); a calculated one is as slow as its slowest child.
pub fn detection_time(check: &HealthCheck, child: &dyn Fn(&CheckId) -> Option<Duration>) -> Option<Duration> {
    if check.disabled {
        return None;
    }
    match &check.kind {
        CheckKind::Endpoint(endpoint) => {
            let probe = endpoint.interval + TimeLimits::of(endpoint).connect;
            Some(probe * u32::from(endpoint.failure_threshold))
        }
        CheckKind::Alarm(AlarmCheck { query: Some(_), period, evaluation_periods, .. }) => {
            Some(*period * *evaluation_periods + Duration::from_secs(10).min(*period))
        }
        CheckKind::Calculated { children, .. } => children.iter().filter_map(child).max(),
        CheckKind::Alarm(_) | CheckKind::RecoveryControl { .. } => None,
    }
}

/// [`detection_time`] of every check that has one, slowest first.
pub fn detection_times(snapshot: &Snapshot) -> Vec<(&CheckId, Duration)> {
    let of_child = |id: &CheckId| detection_time(snapshot.checks.get(id)?, &|_| None);
    let mut times: Vec<(&CheckId, Duration)> = snapshot
        .checks
        .iter()
        .filter_map(|(id, check)| Some((id, detection_time(check, &of_child)?)))
        .collect();
    times.sort_by(|(a, slow), (b, fast)| fast.cmp(slow).then_with(|| a.cmp(b)));
    times
}

#[cfg(test)]
#[path = "advice_tests.rs"]
mod tests;
