//! All zones, checks and collections together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::view::View;
use super::zone::ZoneBuilder;
use super::{Limits, alias};
use crate::model::check::CheckKind;
use crate::model::{
    CheckId, CidrCollection, Findings, HealthCheck, Name, Problem, Revision, RoutingPolicy, Snapshot, Zone,
    ZoneId,
};
use crate::route53::label_of;

/// Gathers all declarations of one batch, then judges them as one.
#[derive(Debug, Clone, Default)]
pub struct SnapshotBuilder {
    limits: Limits,
    zones: Vec<ZoneBuilder>,
    served: Vec<Arc<Zone>>,
    checks: Vec<Arc<HealthCheck>>,
    collections: Vec<Arc<CidrCollection>>,
    findings: Findings,
}

impl SnapshotBuilder {
    /// Nothing declared yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Adds a zone.
    pub fn add_zone(&mut self, zone: ZoneBuilder) {
        self.zones.push(zone);
    }

    /// Adds a zone that is served already and stays as it is: only what it refers to is looked at again.
    pub fn add_served_zone(&mut self, zone: Arc<Zone>) {
        self.served.push(zone);
    }

    /// Adds health checks.
    pub fn add_checks(&mut self, checks: impl IntoIterator<Item = Arc<HealthCheck>>) {
        self.checks.extend(checks);
    }

    /// Adds CIDR collections; without them no IP-based record set is accepted.
    pub fn add_collections(&mut self, collections: impl IntoIterator<Item = Arc<CidrCollection>>) {
        self.collections.extend(collections);
    }

    /// Adds what a reader found.
    pub fn add_findings(&mut self, findings: Findings) {
        self.findings.append(findings);
    }

    /// The snapshot and warnings, or everything that is wrong (and the warnings).
    pub fn build(mut self, revision: Revision) -> Result<(Snapshot, Vec<Problem>), Findings> {
        let checks = self.join_checks();
        let collections = self.join_collections();
        for zone in &mut self.zones {
            zone.check(&self.limits);
            self.findings.append(std::mem::take(&mut zone.findings));
        }
        let served = self.served.iter().map(|zone| View::Served(zone));
        let views: Vec<View<'_>> = self.zones.iter().map(View::Built).chain(served).collect();
        check_zone_names(&views, &mut self.findings.errors);
        for view in &views {
            check_references(view, &checks, &collections, &mut self.findings);
        }
        alias::check(&views, &self.limits, &mut self.findings.errors);
        self.findings.warnings.sort_by(|a, b| place(a).cmp(&place(b)));
        if !self.findings.errors.is_empty() {
            // Readers of messages go through files from top to bottom.
            self.findings.errors.sort_by(|a, b| place(a).cmp(&place(b)));
            return Err(self.findings);
        }
        let built = self.zones.into_iter().map(|zone| Arc::new(zone.into_zone()));
        let zones = built.chain(self.served).map(|zone| (zone.id.clone(), zone)).collect();
        let snapshot = Snapshot { revision, zones, checks, collections, ..Snapshot::default() };
        Ok((snapshot, self.findings.warnings))
    }

    /// H-2: no id twice, and children exist and are not themselves CALCULATED.
    fn join_checks(&mut self) -> BTreeMap<CheckId, Arc<HealthCheck>> {
        let mut joined: BTreeMap<CheckId, Arc<HealthCheck>> = BTreeMap::new();
        let errors = &mut self.findings.errors;
        for check in &self.checks {
            if joined.insert(check.id.clone(), check.clone()).is_some() {
                let what = format!("health check {}: Id is given twice; keep one", check.id);
                errors.push(Problem::of_rule(check.source.clone(), "H-3", what));
            }
        }
        for check in joined.values() {
            let CheckKind::Calculated { children, .. } = &check.kind else { continue };
            for child in children {
                let what = match joined.get(child).map(|child| &child.kind) {
                    None => "does not exist; add it or remove it here",
                    Some(CheckKind::Calculated { .. }) => "is CALCULATED itself; name its children instead",
                    Some(_) => continue,
                };
                let what = format!("health check {}: ChildHealthChecks: {child} {what}", check.id);
                errors.push(Problem::of_rule(check.source.clone(), "H-2", what));
            }
        }
        joined
    }

    fn join_collections(&mut self) -> BTreeMap<Arc<str>, Arc<CidrCollection>> {
        let mut joined = BTreeMap::new();
        for collection in &self.collections {
            if joined.insert(collection.id.clone(), collection.clone()).is_some() {
                let what = format!("CIDR collection {}: Id is given twice; keep one", collection.id);
                self.findings.errors.push(Problem::of_rule(collection.source.clone(), "R-35", what));
            }
        }
        if joined.len() > self.limits.cidr_collections {
            let (count, max) = (joined.len(), self.limits.cidr_collections);
            let what = format!(
                "{count} CIDR collections; at most {max} are allowed, raise cidr_collections of [limits]"
            );
            self.findings.errors.push(Problem::of_rule(None, "R-35", what));
        }
        joined
    }
}

/// The order of a report: file, line, column; what has no place comes last.
fn place(problem: &Problem) -> (bool, Option<(&str, u32, u32)>) {
    let place = problem.source.as_ref().map(|source| (&*source.file, source.line, source.column));
    (place.is_none(), place)
}

/// No two zones of one name or id.
fn check_zone_names(zones: &[View<'_>], errors: &mut Vec<Problem>) {
    let mut ids: HashMap<&ZoneId, &Name> = HashMap::with_capacity(zones.len());
    let mut names = HashSet::with_capacity(zones.len());
    for zone in zones {
        let (id, apex) = (zone.id(), zone.apex());
        let what = if apex.is_wildcard() {
            format!("zone {apex} begins with a wildcard; name a zone without")
        } else if !names.insert(apex) {
            format!("zone {apex} is declared twice; keep one")
        } else if let Some(other) = ids.insert(id, apex) {
            format!("zones {other} and {apex} both have the id {id}; change one")
        } else {
            continue;
        };
        errors.push(Problem::of_syntax(None, what));
    }
}

/// What record sets refer to: collections and health checks (R-54, H-18).
fn check_references(
    zone: &View<'_>,
    checks: &BTreeMap<CheckId, Arc<HealthCheck>>,
    collections: &BTreeMap<Arc<str>, Arc<CidrCollection>>,
    findings: &mut Findings,
) {
    zone.visit(&mut |owner, record_type, set, _| {
        let label = || label_of(owner, record_type, set.set_id.as_ref());
        if let RoutingPolicy::Cidr { collection, location } = &set.policy
            && let Some(what) = missing_location(collections, collection, location)
        {
            let what = format!("{}: CidrRoutingConfig.{what}", label());
            findings.errors.push(Problem::of_rule(set.source.clone(), "R-35", what));
        }
        let Some(id) = &set.check else { return };
        let (rule, what) = match checks.get(id) {
            None => ("R-54", format!("HealthCheckId: {id} does not exist and counts as healthy")),
            Some(check) if probes_name(check, owner) => {
                ("H-18", format!("health check {id} probes this very name, so it depends on its own effect"))
            }
            Some(_) => return,
        };
        let what = format!("{}: {what}", label());
        findings.warnings.push(Problem::of_rule(set.source.clone(), rule, what));
    });
}

fn missing_location(
    collections: &BTreeMap<Arc<str>, Arc<CidrCollection>>,
    collection: &str,
    location: &str,
) -> Option<String> {
    let Some(found) = collections.get(collection) else {
        return Some(format!("CollectionId: {collection:?} is no CIDR collection; declare it"));
    };
    if location == "*" || found.locations.contains_key(location) {
        return None;
    }
    let known: Vec<&str> = found.locations.keys().map(String::as_str).collect();
    Some(format!(
        "LocationName: {location:?} is no location of the collection; its locations are {}",
        known.join(", ")
    ))
}

/// Whether an endpoint check resolves this name to find its endpoint.
fn probes_name(check: &HealthCheck, owner: &Name) -> bool {
    let CheckKind::Endpoint(endpoint) = &check.kind else { return false };
    let name = endpoint.endpoint.name.as_deref().filter(|_| endpoint.endpoint.address.is_none());
    name.and_then(|name| Name::from_route53(name).ok()).as_ref() == Some(owner)
}
