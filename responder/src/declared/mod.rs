//! From configuration to [`Snapshot`]: opens the files it names and hands their text to core's readers.
//!
//! Every problem of every file is told at once. Whatever was opened is listed also when reading failed, so that a mended file is
//! noticed.

mod cookie_secrets;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fastpath::cookie::Secret;
use pulse53_core::assemble::{SnapshotBuilder, ZoneBuilder};
use pulse53_core::geo::{Coordinates, GeoDb};
use pulse53_core::model::{self, CheckKind, HealthCheck, Revision, Snapshot, Zone};
use pulse53_core::route53::{read_cidr_collections, read_health_checks, read_record_sets};
use pulse53_core::zonefile;

use crate::config::{Config, DeclaredFile, Origin, Problem, Problems, ZoneFile};
use crate::geo;

/// What the files say.
#[derive(Debug)]
pub struct Loaded {
    /// All that is declared and where clients are, or everything that is wrong.
    pub declared: Result<(Snapshot, Arc<GeoDb>), Problems>,
    /// The secrets of DNS cookies, if a file holds them.
    pub cookie_secrets: Option<[Secret; 2]>,
    /// Accepted, but perhaps not meant.
    pub warnings: Vec<Problem>,
    /// Every file that had a part in it.
    pub files: Vec<PathBuf>,
}

/// Reads all files the configuration names; what they declare may refer to what is `written` already, through the API.
pub fn load(config: &Config, written: &Snapshot) -> Loaded {
    let mut reading = Reading { problems: Vec::new(), files: vec![config.file.clone()] };
    let mut builder = SnapshotBuilder::new(config.limits);
    for zone in &config.zones {
        builder.add_zone(reading.zone(zone));
    }
    let mut of_file = HashSet::new();
    if let Some((name, text)) = config.health_checks.as_ref().and_then(|file| reading.text(file)) {
        let read = read_health_checks(&name, &text);
        builder.add_findings(read.findings);
        of_file.extend(read.checks.iter().map(|check| check.id.clone()));
        reading.problems.extend(undeclared_controls(config, &read.checks));
        builder.add_checks(read.checks.into_iter().map(Arc::new));
    }
    let mut collections_of_file = HashSet::new();
    if let Some((name, text)) = config.cidr_collections.as_ref().and_then(|file| reading.text(file)) {
        let (collections, findings) = read_cidr_collections(&name, &text);
        builder.add_findings(findings);
        collections_of_file.extend(collections.iter().map(|collection| collection.id.clone()));
        builder.add_collections(collections.into_iter().map(Arc::new));
    }
    let cookie_secrets = reading.cookie_secrets(config);
    // What has two owners is told by the store, which knows both.
    let of_files = |zone: &Zone| {
        config.zones.iter().any(|file| file.name == zone.apex || file.id.as_ref() == Some(&zone.id))
    };
    written
        .zones
        .values()
        .filter(|zone| !of_files(zone))
        .for_each(|zone| builder.add_served_zone(zone.clone()));
    builder.add_checks(written.checks.values().filter(|check| !of_file.contains(&check.id)).cloned());
    let of_api =
        written.collections.values().filter(|collection| !collections_of_file.contains(&collection.id));
    builder.add_collections(of_api.cloned());
    let built = builder.build(Revision::default()).map(|(mut snapshot, warnings)| {
        let is_written =
            |zone: &Arc<Zone>| written.zones.get(&zone.id).is_some_and(|other| Arc::ptr_eq(zone, other));
        snapshot.zones.retain(|_, zone| !is_written(zone));
        snapshot.checks.retain(|id, _| of_file.contains(id));
        snapshot.collections.retain(|id, _| collections_of_file.contains(id));
        (snapshot, warnings)
    });
    let geo = reading.geo(config);
    let Reading { mut problems, files } = reading;
    let (snapshot, warnings) = match built {
        Ok((snapshot, warnings)) => (Some(snapshot), warnings),
        Err(findings) => {
            problems.extend(findings.errors.into_iter().map(|problem| told(config, problem)));
            (None, findings.warnings)
        }
    };
    Loaded {
        declared: snapshot
            .map(|snapshot| Snapshot { full_responses: !config.dns.minimal_responses, ..snapshot })
            .zip(geo)
            .filter(|_| problems.is_empty())
            .ok_or(Problems(problems)),
        cookie_secrets,
        warnings: warnings.into_iter().map(|problem| told(config, problem)).collect(),
        files,
    }
}

/// Checks that follow a routing control nobody has declared (H-2): it would be Off for ever.
fn undeclared_controls(config: &Config, checks: &[HealthCheck]) -> Vec<Problem> {
    let undeclared = |check: &HealthCheck| {
        let CheckKind::RecoveryControl { arn } = &check.kind else { return None };
        if config.routing_controls.iter().any(|control| control.arn == *arn) {
            return None;
        }
        let what = format!(
            "health check {}: HealthCheckConfig.RoutingControlArn: {arn:?} is no declared routing control; add a \
             [[routing_control]] with this arn to the configuration",
            check.id
        );
        Some(told(config, model::Problem::of_rule(check.source.clone(), "H-2", what)))
    };
    checks.iter().filter_map(undeclared).collect()
}

/// How many record sets a zone holds, each member of a group counted.
pub fn record_set_count(zone: &Zone) -> usize {
    zone.groups.values().map(|group| group.members.len()).sum()
}

/// Problems of declarations, with their places.
pub fn told_all(config: &Config, problems: Vec<model::Problem>) -> Problems {
    Problems(problems.into_iter().map(|problem| told(config, problem)).collect())
}

/// A problem of a declaration with its place; what no file position explains is put to the configuration.
pub fn told(config: &Config, problem: model::Problem) -> Problem {
    let message = match problem.rule {
        Some(rule) => format!("{} ({rule})", problem.what),
        None => problem.what,
    };
    let origin = match problem.source {
        Some(source) => Origin::File(source),
        None => Origin::WholeFile(config.file.display().to_string().into()),
    };
    Problem { origin, message }
}

struct Reading {
    problems: Vec<Problem>,
    files: Vec<PathBuf>,
}

impl Reading {
    fn zone(&mut self, zone: &ZoneFile) -> ZoneBuilder {
        let mut builder = ZoneBuilder::new(zone.name.clone(), zone.id.clone());
        if let Some((name, octets)) = zone.file.as_ref().and_then(|file| self.octets(file)) {
            let directory = zone.file.as_ref().and_then(|file| file.path.parent()).unwrap_or(Path::new(""));
            let files = &mut self.files;
            let mut include = |path: &str| {
                let path = directory.join(path);
                let text = included(directory, &path);
                files.push(path);
                text
            };
            builder.add_master_file(zonefile::read(&name, &octets, &zone.name, &mut include));
        }
        if let Some((name, text)) = zone.record_sets.as_ref().and_then(|file| self.text(file)) {
            builder.add_record_sets(read_record_sets(&name, &text));
        }
        builder
    }

    /// The location database and the latency table; an empty one without either.
    fn geo(&mut self, config: &Config) -> Option<Arc<GeoDb>> {
        let path = |file: &Option<DeclaredFile>| file.as_ref().map(|file| file.path.clone());
        let (database, latency) = (path(&config.geo.database), path(&config.geo.latency));
        self.files.extend(database.iter().chain(&latency).cloned());
        let regions = config.geo.regions.iter().filter_map(|region| {
            Some((region.name.as_str(), Coordinates::new(region.latitude, region.longitude)?))
        });
        match geo::load(database.as_deref(), latency.as_deref(), regions) {
            Ok(geo) => Some(Arc::new(geo)),
            Err(problems) => {
                self.problems.extend(problems.into_iter().map(|problem| told(config, problem)));
                None
            }
        }
    }

    fn cookie_secrets(&mut self, config: &Config) -> Option<[Secret; 2]> {
        let (name, text) = self.text(config.dns.cookie_secrets.as_ref()?)?;
        cookie_secrets::read(&name, &text).map_err(|problem| self.problems.push(problem)).ok()
    }

    fn octets(&mut self, file: &DeclaredFile) -> Option<(String, Vec<u8>)> {
        let name = file.path.display().to_string();
        self.files.push(file.path.clone());
        match std::fs::read(&file.path) {
            Ok(octets) => Some((name, octets)),
            Err(error) => {
                let message =
                    format!("{name} cannot be read: {error}; mend the path or the file's permissions");
                self.problems.push(Problem { origin: file.origin.clone(), message });
                None
            }
        }
    }

    fn text(&mut self, file: &DeclaredFile) -> Option<(String, String)> {
        let (name, octets) = self.octets(file)?;
        match String::from_utf8(octets) {
            Ok(text) => Some((name, text)),
            Err(_) => {
                self.problems.push(Problem::whole_file(name, "not UTF-8 text; save it as UTF-8"));
                None
            }
        }
    }
}

/// A file that a zone file includes. Links are followed, but not out of the directory: a zone file may come from elsewhere.
fn included(directory: &Path, path: &Path) -> Result<Vec<u8>, String> {
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let inside = here.canonicalize().and_then(|here| Ok(path.canonicalize()?.starts_with(here)));
    match inside {
        Ok(true) => std::fs::read(path).map_err(|error| error.to_string()),
        Ok(false) => Err("it lies outside the directory of the zone's file".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
