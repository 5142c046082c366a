//! What the members of one group must agree on.

use std::collections::HashMap;
use std::hash::Hash;

use crate::model::policy::GeoLocation;
use crate::model::{Name, PolicyKind, Problem, RecordData, RecordSet, RecordType, RoutingPolicy, SetId, Ttl};
use crate::route53::label_of;

/// Checks one group; reports every member that does not fit those before it.
pub(super) fn check(
    owner: &Name,
    record_type: RecordType,
    members: &[&RecordSet],
    problems: &mut Vec<Problem>,
) {
    let label = |member: &RecordSet| label_of(owner, record_type, member.set_id.as_ref());
    conflicts(members, &mut |member: &RecordSet, rule, what: String| {
        problems.push(Problem::of_rule(member.source.clone(), rule, format!("{}: {what}", label(member))));
    });
}

/// Calls `report` with every member that does not fit those before it, the rule it breaks, and what is wrong.
pub(crate) fn conflicts(members: &[&RecordSet], report: &mut Report<'_>) {
    let [first, rest @ ..] = members else { return };
    let policy = first.policy.kind();
    for member in rest {
        let kind = member.policy.kind();
        if kind == PolicyKind::Simple && policy == PolicyKind::Simple {
            let what = format!(
                "Name: a simple group has one record set, and there is one{}; join the values, or add a policy",
                at(first)
            );
            report(member, "R-4", what);
        } else if kind != policy {
            let what = match (kind.field(), policy.field()) {
                (None, Some(field)) => format!("{field}: missing in a group"),
                (field, _) => format!("{}: policy {} in a group", field.unwrap_or("Name"), kind.as_str()),
            };
            let what = format!(
                "{what} whose policy is {}{}; give all members one policy",
                policy.as_str(),
                at(first)
            );
            report(member, "R-4", what);
        }
    }
    if policy != PolicyKind::Simple && members.len() > policy.members_max() {
        let what = format!(
            "{}: {} members; a {} group has at most {}",
            policy.field().unwrap_or("Name"),
            members.len(),
            policy.as_str(),
            policy.members_max()
        );
        report(first, "R-9", what);
    }
    once(
        members,
        |member| member.set_id.clone(),
        |member, earlier, SetId(set_id)| {
            let what = format!("SetIdentifier: {set_id:?} is taken{}; choose another", at(earlier));
            report(member, "R-5", what);
        },
    );
    check_policies(members, report);
    check_weighted_ttls(members, report);
}

/// Where the other one is, for a message.
fn at(other: &RecordSet) -> String {
    other.source.as_ref().map_or_else(String::new, |source| format!(" at {source}"))
}

/// Calls `twice` for every member whose key an earlier member has.
fn once<'m, K: Eq + Hash + Clone>(
    members: &[&'m RecordSet],
    key: impl Fn(&RecordSet) -> Option<K>,
    mut twice: impl FnMut(&'m RecordSet, &'m RecordSet, K),
) {
    let mut seen: HashMap<K, &'m RecordSet> = HashMap::with_capacity(members.len());
    for member in members {
        let Some(key) = key(member) else { continue };
        match seen.get(&key) {
            Some(earlier) => twice(member, earlier, key),
            None => {
                seen.insert(key, member);
            }
        }
    }
}

type Report<'r> = dyn FnMut(&RecordSet, &'static str, String) + 'r;

/// No role, place, region or location twice; one collection.
fn check_policies(members: &[&RecordSet], report: &mut Report<'_>) {
    let role = |member: &RecordSet| match &member.policy {
        RoutingPolicy::Failover(role) => Some(*role),
        _ => None,
    };
    once(members, role, |member, earlier, role| {
        let role = format!("{role:?}").to_uppercase();
        report(member, "R-26", format!("Failover: {role} is taken{}; a pair has one of each", at(earlier)));
    });
    let region = |member: &RecordSet| match &member.policy {
        RoutingPolicy::Latency(region) => Some(region.clone()),
        _ => None,
    };
    once(members, region, |member, earlier, region| {
        report(member, "R-32", format!("Region: {region:?} is taken{}; keep one", at(earlier)));
    });
    let place = |member: &RecordSet| match &member.policy {
        RoutingPolicy::Geolocation(place) => Some(place.clone()),
        _ => None,
    };
    once(members, place, |member, earlier, place| {
        let place = match place {
            GeoLocation::Continent(code) | GeoLocation::Country(code) => {
                String::from_utf8_lossy(&code).into_owned()
            }
            GeoLocation::Subdivision(state) => format!("US {state}"),
            GeoLocation::Default => "*".into(),
        };
        report(member, "R-28", format!("GeoLocation: {place} is taken{}; keep one", at(earlier)));
    });
    let cidr = |member: &RecordSet| match &member.policy {
        RoutingPolicy::Cidr { collection, location } => Some((collection.clone(), location.clone())),
        _ => None,
    };
    let mut collections = members.iter().filter_map(|member| Some((member, cidr(member)?.0)));
    if let Some((first, collection)) = collections.next() {
        for (member, _) in collections.filter(|(_, other)| *other != collection) {
            let what = format!(
                "CidrRoutingConfig.CollectionId: differs from {collection:?}{}; a group has one collection",
                at(first)
            );
            report(member, "R-35", what);
        }
    }
    once(members, cidr, |member, earlier, (_, location)| {
        let what = format!("CidrRoutingConfig.LocationName: {location:?} is taken{}; keep one", at(earlier));
        report(member, "R-35", what);
    });
}

/// all non-alias members of a weighted group have the same TTL.
fn check_weighted_ttls(members: &[&RecordSet], report: &mut Report<'_>) {
    let mut ttls = members.iter().filter_map(|member| match (&member.policy, &member.data) {
        (RoutingPolicy::Weighted(_), RecordData::Values { ttl, .. }) => Some((member, *ttl)),
        _ => None,
    });
    let Some((first, Ttl(common))) = ttls.next() else { return };
    for (member, Ttl(ttl)) in ttls.filter(|(_, ttl)| ttl.0 != common) {
        let what = format!("TTL: {ttl} differs from {common}{}; weighted members share one TTL", at(first));
        report(member, "R-8", what);
    }
}
