//! `pulse53 import`: what files declare is brought into the API. What would change is shown first; what is the same is left alone, so
//! that a second run changes nothing.
//!
//! Collections and health checks come first, for record sets name them. Ids are given by the node: a check of the file is the node's
//! of the same id or caller reference, a collection the one of the same name, an alias's zone the one its target lies in.

mod plan;
mod read;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;
use pulse53_core::model::Name;
use pulse53_core::route53::{HealthCheckConfig, ResourceRecordSet};

use super::client::Client;
use super::listing::{self, Check, Collection, Tag, Zone, escaped};
use super::{Failure, NodeArgs, print};
use crate::api::actions::{health_check_xml, record_set_xml};
use crate::api::xml::{NAMESPACE, Xml};
use read::Contents;

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Exports of `pulse53 export` or of the AWS CLI (list-resource-record-sets, list-health-checks), and master files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The zone that record sets belong to [default: the file's SOA, else its name without .zone or .json]
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// Delete record sets of the zone that the file does not have
    #[arg(long)]
    replace: bool,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn import(args: &ImportArgs) -> Result<(), Failure> {
    let client = Client::find(&args.node)?;
    let zone = args.zone.as_deref().map(Name::from_route53).transpose()?;
    let (mut checks, mut collections, mut zones) = (Vec::new(), Vec::new(), Vec::new());
    for file in &args.files {
        match read::read(file, zone.as_ref())? {
            Contents::Checks(found) => checks.extend(found),
            Contents::Collections(found) => collections.extend(found),
            Contents::RecordSets { apex, sets } => zones.push((apex, sets)),
        }
    }
    // Looked through twice: once to show, once to do, so that both say the same.
    let mut run = Run { client: &client, replace: args.replace, doing: false, changes: 0 };
    run.all(&checks, &collections, &zones)?;
    if run.changes == 0 {
        return print("nothing to change\n");
    }
    if args.dry_run || !(args.yes || agreed(run.changes)?) {
        return print("nothing was changed\n");
    }
    let mut run = Run { doing: true, changes: 0, ..run };
    run.all(&checks, &collections, &zones)?;
    print(&format!("{} changes made\n", run.changes))
}

fn agreed(changes: usize) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure("nothing was changed: give --yes to go on without asking".to_owned()));
    }
    print!("Make these {changes} changes? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Ids of the file → ids of the node.
type Ids = BTreeMap<String, String>;

/// One look through everything.
struct Run<'c> {
    client: &'c Client,
    replace: bool,
    /// Whether changes are made, or only shown.
    doing: bool,
    changes: usize,
}

impl Run<'_> {
    fn all(
        &mut self,
        checks: &[Check],
        collections: &[Collection],
        zones: &[(Name, Vec<ResourceRecordSet>)],
    ) -> Result<(), Failure> {
        let collections = self.collections(collections)?;
        let checks = self.checks(checks)?;
        for (apex, sets) in zones {
            self.zone(apex, sets, &checks, &collections)?;
        }
        Ok(())
    }

    /// Tells a change when it is only shown, and counts it.
    fn change(&mut self, what: &str) -> Result<(), Failure> {
        self.changes += 1;
        if self.doing { Ok(()) } else { print(&format!("{what}\n")) }
    }

    fn collections(&mut self, wanted: &[Collection]) -> Result<Ids, Failure> {
        let mut ids = Ids::new();
        if wanted.is_empty() {
            return Ok(ids);
        }
        let there = listing::collections(self.client)?;
        for collection in wanted {
            let found = there.iter().find(|other| other.name == collection.name);
            let mut changes = Vec::new();
            for (location, blocks) in &collection.locations {
                let known = found.and_then(|found| found.locations.get(location));
                let is_new = |block: &&String| known.is_none_or(|known| !known.contains(block));
                let blocks: Vec<&String> = blocks.iter().filter(is_new).collect();
                if !blocks.is_empty() {
                    changes.push((location, blocks));
                }
            }
            let id = match found {
                Some(found) => found.id.clone(),
                None => {
                    self.change(&format!("+ CIDR collection {}", collection.name))?;
                    self.create_collection(collection)?
                }
            };
            for (location, blocks) in &changes {
                self.change(&format!(
                    "+ CIDR collection {} {location}: {} blocks",
                    collection.name,
                    blocks.len()
                ))?;
            }
            if self.doing && !changes.is_empty() {
                let body = request("ChangeCidrCollectionRequest", |xml| {
                    xml.list("Changes", &changes, |xml, (location, blocks)| {
                        xml.element("member", |xml| {
                            xml.text("LocationName", location);
                            xml.text("Action", "PUT");
                            xml.list("CidrList", blocks, |xml, block| xml.text("Cidr", block));
                        });
                    });
                });
                self.client.route53("POST", &format!("cidrcollection/{id}"), "", &body)?;
            }
            ids.insert(collection.id.clone(), id);
        }
        Ok(ids)
    }

    fn create_collection(&self, collection: &Collection) -> Result<String, Failure> {
        if !self.doing {
            return Ok(collection.id.clone());
        }
        let body = request("CreateCidrCollectionRequest", |xml| {
            xml.text("Name", &collection.name);
            xml.text("CallerReference", &collection.id);
        });
        let made = self.client.route53("POST", "cidrcollection", "", &body)?;
        let id = made.child("Collection").and_then(|collection| collection.value("Id"));
        id.ok_or_else(|| Failure("the node gave the CIDR collection no id".to_owned()))
    }

    /// Endpoints first: calculated checks name them.
    fn checks(&mut self, wanted: &[Check]) -> Result<Ids, Failure> {
        let mut ids = Ids::new();
        if wanted.is_empty() {
            return Ok(ids);
        }
        let there = listing::checks(self.client)?;
        let mut wanted: Vec<&Check> = wanted.iter().collect();
        wanted.sort_by_key(|check| check.health_check_config.child_health_checks.is_some());
        for check in wanted {
            let mut config = check.health_check_config.clone();
            for child in config.child_health_checks.iter_mut().flatten() {
                if let Some(id) = ids.get(child) {
                    child.clone_from(id);
                }
            }
            let same = |other: &&Check| {
                other.id == check.id
                    || (!check.caller_reference.is_empty()
                        && other.caller_reference == check.caller_reference)
            };
            let found = there.iter().find(same);
            let is_same = found.is_some_and(|found| {
                found.health_check_config.clone().with_defaults() == config.clone().with_defaults()
            });
            let id = match found {
                Some(found) if is_same => found.id.clone(),
                Some(found) => {
                    self.change(&format!("~ health check {}", found.id))?;
                    self.update_check(&found.id, &config)?;
                    found.id.clone()
                }
                None => {
                    self.change(&format!("+ health check {} ({})", check.id, config.check_type))?;
                    self.create_check(check, &config)?
                }
            };
            let known = found.map(|found| found.tags.as_slice()).unwrap_or_default();
            let tags: Vec<&Tag> = check.tags.iter().filter(|tag| !known.contains(tag)).collect();
            if !tags.is_empty() {
                self.change(&format!("~ {} tags of health check {}", tags.len(), check.id))?;
                self.tag_check(&id, &tags)?;
            }
            ids.insert(check.id.clone(), id);
        }
        Ok(ids)
    }

    fn create_check(&self, check: &Check, config: &HealthCheckConfig) -> Result<String, Failure> {
        if !self.doing {
            return Ok(check.id.clone());
        }
        let reference = Some(&check.caller_reference).filter(|text| !text.is_empty()).unwrap_or(&check.id);
        let body = request("CreateHealthCheckRequest", |xml| {
            xml.text("CallerReference", reference);
            health_check_xml::write(xml, config);
        });
        let made = self.client.route53("POST", "healthcheck", "", &body)?;
        let id = made.child("HealthCheck").and_then(|check| check.value("Id"));
        id.ok_or_else(|| Failure("the node gave the health check no id".to_owned()))
    }

    fn update_check(&self, id: &str, config: &HealthCheckConfig) -> Result<(), Failure> {
        if !self.doing {
            return Ok(());
        }
        let body = request("UpdateHealthCheckRequest", |xml| health_check_xml::write_fields(xml, config));
        self.client.route53("POST", &format!("healthcheck/{}", escaped(id)), "", &body).map(drop)
    }

    fn tag_check(&self, id: &str, tags: &[&Tag]) -> Result<(), Failure> {
        if !self.doing {
            return Ok(());
        }
        let body = request("ChangeTagsForResourceRequest", |xml| {
            xml.list("AddTags", tags, |xml, tag| {
                xml.element("Tag", |xml| {
                    xml.text("Key", &tag.key);
                    xml.text("Value", &tag.value);
                });
            });
        });
        self.client.route53("POST", &format!("tags/healthcheck/{}", escaped(id)), "", &body).map(drop)
    }

    fn zone(
        &mut self,
        apex: &Name,
        sets: &[ResourceRecordSet],
        checks: &Ids,
        collections: &Ids,
    ) -> Result<(), Failure> {
        let mut zones = listing::zones(self.client)?;
        let current = match zones.iter().find(|zone| zone.apex == *apex) {
            Some(zone) => listing::record_sets(self.client, &zone.id)?,
            None => {
                self.change(&format!("+ zone {apex}"))?;
                zones.push(Zone { id: self.create_zone(apex)?, apex: apex.clone() });
                Vec::new()
            }
        };
        let mut wanted = sets.to_vec();
        for set in &mut wanted {
            plan::translate(set, &zones, checks, collections);
        }
        let id = zones.iter().find(|zone| zone.apex == *apex).map(|zone| zone.id.clone()).unwrap_or_default();
        for batch in plan::plan(apex, &current, &wanted, self.replace)? {
            for (action, set) in &batch {
                self.change(&plan::line(*action, set, &current))?;
            }
            if self.doing {
                let body = request("ChangeResourceRecordSetsRequest", |xml| {
                    xml.element("ChangeBatch", |xml| {
                        xml.list("Changes", &batch, |xml, (action, set)| {
                            xml.element("Change", |xml| {
                                xml.text("Action", action.as_str());
                                record_set_xml::write(xml, set);
                            });
                        });
                    });
                });
                self.client.route53("POST", &format!("hostedzone/{id}/rrset"), "", &body)?;
            }
        }
        Ok(())
    }

    fn create_zone(&self, apex: &Name) -> Result<String, Failure> {
        if !self.doing {
            return Ok("Z0".to_owned());
        }
        let body = request("CreateHostedZoneRequest", |xml| {
            xml.text("Name", apex);
            xml.text("CallerReference", format_args!("import {apex} {}", jiff::Timestamp::now()));
        });
        let made = self.client.route53("POST", "hostedzone", "", &body)?;
        let id = made.child("HostedZone").and_then(|zone| zone.value("Id"));
        let id = id.ok_or_else(|| Failure("the node gave the zone no id".to_owned()))?;
        Ok(id.trim_start_matches("/hostedzone/").to_owned())
    }
}

fn request(name: &str, content: impl FnOnce(&mut Xml)) -> String {
    let mut xml = Xml::document();
    xml.root(name, NAMESPACE, content);
    xml.into_string()
}
