//! The walk of resolve, told step by step: who is asked, what health leaves, what the policy makes of it, what comes out.
//!
//! It decides nothing itself. Names are found by [`crate::resolve`], each group decides as in [`crate::compile`], and the kernel's
//! part is that of [`crate::lower`]; so what it tells is what the table answers.

mod told;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, ToPrimitive, Zero};

use crate::compile::{Compiler, Distribution, Health, Outcome, TOGETHER_MAX, policy::Selection};
use crate::dnssec::{DNSKEY_TTL, TTL_MAX};
use crate::geo::{Client, GeoDb, Network, biased_distance_km};
use crate::lower::{NotHot, lower_group};
use crate::model::policy::{GeoLocation, GeoProximityPlace};
use crate::model::{
    CheckId, FailoverRole, Name, PolicyKind, RRsetGroup, Rdata, RecordData, RecordSet, RecordType,
    RoutingPolicy, Snapshot, Zone,
};
use crate::nearest::nearest;
use crate::nodes::answered;
use crate::rdata::to_route53;
use crate::resolve::{Located, Question, Reason, locate, owner_of};
use crate::table::{AnswerTable, Generation, ancestors};
pub use told::{
    AnswerTold, CheckTold, ClientTold, DataTold, Explanation, Found, GroupTold, MemberTold, OutcomeTold,
    PathTold, Share,
};
use walk::{Step, walk};

/// A question to be explained.
#[derive(Debug, Clone)]
pub struct Asked {
    /// QNAME.
    pub name: Name,
    /// QTYPE.
    pub rtype: RecordType,
    /// The client, or the network it is in; none: nothing is known of it.
    pub client: Option<IpAddr>,
}

/// The health that is asked about.
#[derive(Clone, Copy)]
pub struct Statuses<'a> {
    /// Whether a check counts as healthy, and why; none if there is no such check.
    pub of: &'a dyn Fn(&CheckId) -> Option<(bool, String)>,
    /// Checks that this takes for healthy or unhealthy, whatever they are.
    pub supposed: &'a BTreeMap<CheckId, bool>,
}

impl Statuses<'_> {
    fn is_healthy(&self, check: &CheckId) -> bool {
        (self.of)(check).is_none_or(|(healthy, _)| healthy)
    }

    fn told(&self, check: &CheckId) -> CheckTold {
        let unknown = || (true, "does not exist and counts as healthy".to_owned());
        let (healthy, reason) = (self.of)(check).unwrap_or_else(unknown);
        CheckTold { id: check.to_string(), healthy, reason }
    }
}

/// Why a question has no explanation but this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unexplained {
    /// D-3.
    #[error(
        "{name} lies in no zone served here, and is answered REFUSED{}",
        hint(.nearest, "did you mean a name in")
    )]
    NotServed {
        /// The name asked for.
        name: String,
        /// The zone most like it.
        nearest: Option<String>,
    },
    ///
    #[error(
        "{name} does not exist in zone {zone}, nor a wildcard for it, and is answered NXDOMAIN{}",
        hint(.nearest, "did you mean")
    )]
    NoName {
        /// The name asked for.
        name: String,
        /// Its zone.
        zone: String,
        /// The name most like it.
        nearest: Option<String>,
    },
    /// Table and declarations are of different revisions.
    #[error("the records of {0} are being exchanged; ask again")]
    Exchanged(String),
}

fn hint(nearest: &Option<String>, words: &str) -> String {
    nearest.as_ref().map_or_else(String::new, |nearest| format!("; {words} {nearest}?"))
}

/// Explains the answer to a question. `table` is compiled from the snapshot and the database; if something is supposed, its plans are
/// not looked at, but only its names.
pub fn explain(
    snapshot: &Snapshot,
    geo: &GeoDb,
    table: &AnswerTable,
    asked: &Asked,
    statuses: Statuses<'_>,
) -> Result<Explanation, Unexplained> {
    let question = Question { qname: asked.name.as_wire(), qtype: asked.rtype };
    let network = asked.client.map(|address| Network::of_client(address, 128));
    let client =
        network.map_or_else(Client::unknown, |network| Client::at(geo, &snapshot.collections, network));
    let supposed = |(id, _): (&CheckId, _)| statuses.told(id);
    let mut explanation = Explanation {
        name: asked.name.to_string(),
        rtype: asked.rtype.to_string(),
        zone: table.zone_of(question.qname).map_or_else(String::new, |zone| zone.apex.to_string()),
        client: asked.client.zip(network).map(|(address, network)| client_told(address, network, &client)),
        supposed: statuses.supposed.iter().map(supposed).collect(),
        found: Found::Group,
        owner: None,
        groups: Vec::new(),
        answers: Vec::new(),
        path: PathTold { kernel: false, why: None },
    };
    let owner = owner_of(table, &question);
    explanation.owner = owner.map(|(_, owner)| owner.to_string());
    let mut fixed = |found, answer, why_not: Option<String>| {
        explanation.found = found;
        let share = share_told(&BigRational::one());
        explanation.answers = vec![AnswerTold { share, answer }];
        explanation.path = PathTold { kernel: why_not.is_none(), why: why_not };
    };
    if let Some((zone, signing)) = table.signed_zone_for(&question)
        && (asked.rtype, &asked.name) == (RecordType::DNSKEY, &zone.apex)
    {
        let values = values_told(RecordType::DNSKEY, &signing.dnskeys);
        let (rtype, ttl) = (asked.rtype.to_string(), DNSKEY_TTL.0);
        fixed(Found::Keys, OutcomeTold::Records { rtype, ttl, values }, Some(NotHot::Signed.to_string()));
        return Ok(explanation);
    }
    match locate(table, &question) {
        Located::Fixed(_, Reason::NotServed) => return Err(not_served(snapshot, &asked.name)),
        Located::Fixed(_, Reason::NoName) => return Err(no_name(table, &asked.name)),
        Located::Fixed(_, Reason::NoType) => {
            let lacking = |why| format!("the kernel does not hold all types of the name: {why}");
            fixed(Found::NoType, OutcomeTold::NoData, answered(table, &question).err().map(lacking));
        }
        Located::Fixed(_, Reason::Delegated) => {
            let lacking = |why| format!("the kernel does not hold the referral: {why}");
            fixed(Found::Delegated, OutcomeTold::Referral, answered(table, &question).err().map(lacking));
        }
        Located::Redirected(redirection) => {
            let target = redirection.target(asked.name.as_wire());
            let values = target.and_then(|target| Name::from_wire(&target.0).ok());
            let values = values.iter().map(Name::to_string).collect();
            let (rtype, ttl) = ("CNAME".to_owned(), redirection.ttl.0);
            let answer = OutcomeTold::Records { rtype, ttl, values };
            fixed(Found::Redirected, answer, Some("the kernel does not follow DNAME".to_owned()));
        }
        Located::Fixed(_, Reason::Any) => {
            let values = vec!["RFC8482".to_owned()];
            let answer = OutcomeTold::Records { rtype: "HINFO".to_owned(), ttl: 3600, values };
            fixed(Found::Any, answer, Some("the kernel does not answer type ANY".to_owned()));
        }
        Located::Group(_) => {
            let exchanged = || Unexplained::Exchanged(asked.name.to_string());
            let (zone, owner) = owner.ok_or_else(exchanged)?;
            let zone = snapshot.zones.values().find(|declared| declared.apex == zone.apex);
            let zone = zone.ok_or_else(exchanged)?;
            let has = |rtype| zone.groups.contains_key(&(owner.clone(), rtype));
            //
            let rtype = if has(asked.rtype) { asked.rtype } else { RecordType::CNAME };
            let health: Health<'_> = &|check| statuses.is_healthy(check);
            let steps = walk(snapshot, &client, health, zone, owner, rtype).ok_or_else(exchanged)?;
            explanation.groups =
                steps.iter().map(|step| group_told(step, &steps, &client, statuses)).collect();
            explanation.answers = answers_told(rtype, &steps[0].distribution);
            explanation.path = if statuses.supposed.is_empty() {
                path_told(table, owner, rtype, asked.rtype)
            } else {
                let part = part(snapshot, zone, &steps);
                let compiler = Compiler::with_geo(&part, geo, health, Generation(1));
                path_told(compiler.table(), owner, rtype, asked.rtype)
            };
        }
    }
    if table.signed_zone_for(&question).is_some() {
        explanation.answers.iter_mut().for_each(|told| told.answer.live_at_most(TTL_MAX));
    }
    Ok(explanation)
}

/// No more of a snapshot than one answer depends on: the groups walked through, the cuts above the first, and each zone's apex.
fn part(snapshot: &Snapshot, asked: &Zone, steps: &[Step<'_>]) -> Snapshot {
    let mut part = Snapshot { zones: BTreeMap::new(), ..snapshot.clone() };
    let mut keep = |zone: &Zone, owner: &Name, rtype: RecordType| {
        let kept = part.zones.entry(zone.id.clone()).or_insert_with(|| {
            Arc::new(Zone { id: zone.id.clone(), apex: zone.apex.clone(), groups: BTreeMap::new() })
        });
        let key = (owner.clone(), rtype);
        if let Some(group) = zone.groups.get(&key) {
            Arc::make_mut(kept).groups.insert(key, group.clone());
        }
    };
    for step in steps {
        keep(step.zone, step.owner, step.rtype);
        keep(step.zone, &step.zone.apex, RecordType::SOA);
    }
    let above = ancestors(steps[0].owner.as_wire()).filter_map(|wire| Name::from_wire(wire).ok());
    above.for_each(|name| keep(asked, &name, RecordType::NS));
    part
}

fn path_told(table: &AnswerTable, owner: &Name, rtype: RecordType, qtype: RecordType) -> PathTold {
    let of_type = |asked| lower_group(table, owner, rtype).find(|lowered| lowered.qtype == asked);
    // A CNAME answers for types that it is not held under, too.
    match of_type(qtype).or_else(|| of_type(rtype)).map(|lowered| lowered.entry) {
        Some(Ok(_)) => PathTold { kernel: true, why: None },
        Some(Err(why)) => PathTold { kernel: false, why: Some(why.to_string()) },
        None => PathTold { kernel: false, why: None },
    }
}

fn not_served(snapshot: &Snapshot, name: &Name) -> Unexplained {
    let zones: Vec<String> = snapshot.zones.values().map(|zone| zone.apex.to_string()).collect();
    let name = name.to_string();
    let nearest = nearest(&name, zones.iter().map(String::as_str)).map(str::to_owned);
    Unexplained::NotServed { name, nearest }
}

fn no_name(table: &AnswerTable, name: &Name) -> Unexplained {
    let zone = table.zone_of(name.as_wire());
    let owners = zone.into_iter().flat_map(|zone| zone.owners());
    let mut owners: Vec<String> = owners
        .filter(|(name, owner)| !owner.is_empty_non_terminal() && !name.is_wildcard())
        .map(|(name, _)| name.to_string())
        .collect();
    owners.sort_unstable();
    let name = name.to_string();
    let nearest = nearest(&name, owners.iter().map(String::as_str)).map(str::to_owned);
    Unexplained::NoName { name, zone: zone.map_or_else(String::new, |zone| zone.apex.to_string()), nearest }
}

fn client_told(address: IpAddr, network: Network, client: &Client) -> ClientTold {
    let location = client.location();
    let code = |code: [u8; 2]| String::from_utf8_lossy(&code).into_owned();
    ClientTold {
        address,
        network: format!("{}/{}", network.address(), network.length()),
        country: location.country().map(code),
        subdivision: location.subdivision().map(|name| name.to_string()),
        continent: location.continent().map(code),
        latitude: location.coordinates().map(|place| place.latitude()),
        longitude: location.coordinates().map(|place| place.longitude()),
    }
}

fn group_told(step: &Step<'_>, steps: &[Step<'_>], client: &Client, statuses: Statuses<'_>) -> GroupTold {
    let member = |index: usize| member_told(step, index, steps, client, statuses);
    GroupTold {
        name: step.owner.to_string(),
        rtype: step.rtype.to_string(),
        zone: step.zone.apex.to_string(),
        policy: step.group.policy().as_str().to_owned(),
        healthy: step.decision.healthy,
        last_resort: step.decision.is_last_resort(),
        members: (0..step.group.members.len()).map(member).collect(),
    }
}

fn member_told(
    step: &Step<'_>,
    index: usize,
    steps: &[Step<'_>],
    client: &Client,
    statuses: Statuses<'_>,
) -> MemberTold {
    let member = &step.group.members[index];
    let place = step.applicable.iter().position(|&applicable| applicable == index);
    let check = member.check.as_ref().map(|check| statuses.told(check));
    let data = match &member.data {
        RecordData::Values { ttl, rdatas } => {
            DataTold::Values { ttl: ttl.0, values: values_told(step.rtype, rdatas) }
        }
        RecordData::Alias(alias) => DataTold::Alias {
            name: alias.name.to_string(),
            zone: alias.zone.to_string(),
            evaluate_target_health: alias.evaluate_target_health,
            target: step.targets[index],
        },
    };
    let target_healthy =
        step.targets[index].and_then(|target| steps.get(target)).map(|target| target.decision.healthy);
    MemberTold {
        set_id: member.set_id.as_ref().map(|id| id.0.to_string()),
        says: says(member, client),
        preference: place.filter(|_| is_ordered(step.group)).map(|place| place + 1),
        applicable: place.is_some(),
        healthy: step.healthy[index],
        why: why(&data, check.as_ref(), target_healthy),
        in_pool: step.decision.pool.contains(&index),
        share: share_told(&share(&step.decision.selection, index)),
        check,
        data,
        source: member.source.as_ref().map(ToString::to_string),
    }
}

/// Whether the policy goes by an order of preference that depends on the client.
fn is_ordered(group: &RRsetGroup) -> bool {
    match group.policy() {
        PolicyKind::Latency | PolicyKind::Geolocation | PolicyKind::Cidr | PolicyKind::Geoproximity => true,
        PolicyKind::Simple | PolicyKind::Weighted | PolicyKind::Failover | PolicyKind::Multivalue => false,
    }
}

/// How often a member answers, of the times its group is asked.
fn share(selection: &Selection, index: usize) -> BigRational {
    match selection {
        Selection::OneOf(shares) => {
            let sum: BigInt = shares.iter().map(|(_, weight)| BigInt::from(*weight)).sum();
            let own = shares.iter().find(|(member, _)| *member == index).map_or(0, |(_, weight)| *weight);
            if own == 0 { BigRational::zero() } else { BigRational::new(own.into(), sum) }
        }
        Selection::Together(together) if !together.contains(&index) => BigRational::zero(),
        Selection::Together(together) if together.len() <= TOGETHER_MAX => BigRational::one(),
        Selection::Together(together) => BigRational::new(TOGETHER_MAX.into(), together.len().into()),
    }
}

/// What the policy field says, and what it comes to for this client.
fn says(member: &RecordSet, client: &Client) -> String {
    match &member.policy {
        RoutingPolicy::Simple | RoutingPolicy::Multivalue => String::new(),
        RoutingPolicy::Weighted(weight) => format!("weight {weight}"),
        RoutingPolicy::Failover(FailoverRole::Primary) => "primary".to_owned(),
        RoutingPolicy::Failover(FailoverRole::Secondary) => "secondary".to_owned(),
        RoutingPolicy::Latency(region) => {
            let measured = client.measured_latency(region).map(|latency| format!("{latency}"));
            let estimated = || client.estimated_latency(region).map(|latency| format!("about {latency}"));
            let latency = measured.or_else(estimated).unwrap_or_else(|| "latency unknown".to_owned());
            format!("region {region}, {latency}")
        }
        RoutingPolicy::Geolocation(place) => match place {
            GeoLocation::Continent(code) => format!("continent {}", String::from_utf8_lossy(code)),
            GeoLocation::Country(code) => format!("country {}", String::from_utf8_lossy(code)),
            GeoLocation::Subdivision(state) => format!("country US, subdivision {state}"),
            GeoLocation::Default => "default".to_owned(),
        },
        RoutingPolicy::Cidr { location, .. } if location == "*" => "default".to_owned(),
        RoutingPolicy::Cidr { collection, location } => format!("location {location} of {collection}"),
        RoutingPolicy::Geoproximity { place, bias } => {
            let name = match place {
                GeoProximityPlace::Region(region) => format!("region {region}"),
                GeoProximityPlace::LocalZoneGroup(group) => format!("local zone group {group}"),
                GeoProximityPlace::Coordinates { latitude_centi, longitude_centi } => {
                    let degrees = |centi: i16| f64::from(centi) / 100.0;
                    format!("at {}, {}", degrees(*latitude_centi), degrees(*longitude_centi))
                }
            };
            let biased = if *bias == 0 { String::new() } else { format!(", bias {bias}") };
            let (here, there) = (client.location().coordinates(), client.coordinates_of(place));
            let distance = match (here, there) {
                (Some(_), Some(_)) => format!("{:.0} km", biased_distance_km(here, there, *bias)),
                _ => "distance unknown".to_owned(),
            };
            format!("{name}{biased}, {distance}")
        }
    }
}

/// Why a member is healthy or not: its own check, then its target.
fn why(data: &DataTold, check: Option<&CheckTold>, target_healthy: Option<bool>) -> String {
    let mut parts = Vec::new();
    if let Some(check) = check {
        let status = if check.healthy { "healthy" } else { "unhealthy" };
        let reason = if check.reason.is_empty() { String::new() } else { format!(", {}", check.reason) };
        parts.push(format!("check {} is {status}{reason}", check.id));
    }
    if let DataTold::Alias { evaluate_target_health, .. } = data {
        parts.push(match (evaluate_target_health, target_healthy) {
            (_, None) => "its target does not exist".to_owned(),
            (false, Some(_)) => "EvaluateTargetHealth is off".to_owned(),
            (true, Some(true)) => "its target is healthy".to_owned(),
            (true, Some(false)) => "its target is unhealthy".to_owned(),
        });
    }
    if parts.is_empty() { "no health check".to_owned() } else { parts.join("; ") }
}

fn values_told(rtype: RecordType, rdatas: &[Rdata]) -> Vec<String> {
    rdatas.iter().map(|rdata| to_route53(rtype, rdata)).collect()
}

/// The answers of a distribution of records of one type, likeliest first.
pub fn answers_told(rtype: RecordType, distribution: &Distribution) -> Vec<AnswerTold> {
    let name = rtype.to_string();
    let mut outcomes = distribution.outcomes();
    // Stable: equally likely ones stay in the order of their values.
    outcomes.sort_by(|(_, a), (_, b)| b.cmp(a));
    let told = |(outcome, share): (Outcome, BigRational)| {
        let answer = match &outcome {
            Outcome::NoData => OutcomeTold::NoData,
            Outcome::Set(ttl, rdatas) => {
                let values = values_told(rtype, rdatas);
                OutcomeTold::Records { rtype: name.clone(), ttl: ttl.0, values }
            }
            Outcome::Choose(ttl, members) => {
                let members = members.iter().map(|member| values_told(rtype, member)).collect();
                OutcomeTold::EightOf { rtype: name.clone(), ttl: ttl.0, members }
            }
        };
        AnswerTold { share: share_told(&share), answer }
    };
    outcomes.into_iter().map(told).collect()
}

fn share_told(share: &BigRational) -> Share {
    let percent = (share * BigInt::from(100)).to_f64().unwrap_or(f64::NAN);
    Share { fraction: share.to_string(), percent }
}
