//! `pulse53 export`: what a node holds, as files that `pulse53 import`, the AWS CLI's users and other DNS servers read.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use pulse53_core::model::{Name, Rdata, RecordData, RecordType};
use pulse53_core::rdata::to_master_file;
use pulse53_core::route53::ResourceRecordSet;
use serde_json::{Value, json};

use super::client::Client;
use super::listing::{self, Zone};
use super::{Failure, NodeArgs, print};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The directory to write into; it is made if it is not there
    #[arg(long, short, value_name = "DIRECTORY")]
    output: PathBuf,
    /// Only this zone, and no health checks and collections; may be given several times
    #[arg(long, value_name = "NAME")]
    zone: Vec<String>,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn export(args: &ExportArgs) -> Result<(), Failure> {
    let client = Client::find(&args.node)?;
    std::fs::create_dir_all(&args.output)
        .map_err(|error| Failure(format!("cannot make {}: {error}", args.output.display())))?;
    let mut zones = listing::zones(&client)?;
    if !args.zone.is_empty() {
        let wanted: Vec<Name> =
            args.zone.iter().map(|name| Name::from_route53(name)).collect::<Result<_, _>>()?;
        if let Some(missing) = wanted.iter().find(|name| zones.iter().all(|zone| zone.apex != **name)) {
            return Err(Failure(format!(
                "there is no zone {missing}; `pulse53 status` lists those there are"
            )));
        }
        zones.retain(|zone| wanted.contains(&zone.apex));
    }
    for zone in &zones {
        let sets = listing::record_sets(&client, &zone.id)?;
        let stem = file_stem(&zone.apex);
        write_json(&args.output.join(format!("{stem}.json")), &json!({ "ResourceRecordSets": sets }))?;
        write(&args.output.join(format!("{stem}.zone")), &master_file(zone, &sets))?;
        print(&format!("{stem}: {} record sets\n", sets.len()))?;
    }
    if args.zone.is_empty() {
        let checks = listing::checks(&client)?;
        write_json(&args.output.join("health-checks.json"), &json!({ "HealthChecks": checks }))?;
        let collections = listing::collections(&client)?;
        let listed: Vec<Value> = collections
            .iter()
            .map(|each| json!({ "Id": each.id, "Name": each.name, "Locations": each.locations }))
            .collect();
        write_json(&args.output.join("cidr-collections.json"), &json!(listed))?;
        let (checks, collections) = (checks.len(), collections.len());
        print(&format!("{checks} health checks, {collections} CIDR collections\n"))?;
    }
    Ok(())
}

/// A zone's name as part of a file's name: a backslash of an escape would only be in the way.
fn file_stem(apex: &Name) -> String {
    apex.to_string().trim_end_matches('.').replace('\\', "%")
}

fn write_json(path: &Path, value: &Value) -> Result<(), Failure> {
    write(path, &format!("{}\n", serde_json::to_string_pretty(value)?))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure(format!("cannot write {}: {error}", path.display())))
}

/// RFC 1035 text of what such a file can say: record sets of other policies, and aliases, are told in comments.
fn master_file(zone: &Zone, sets: &[ResourceRecordSet]) -> String {
    let mut text = format!("$ORIGIN {}\n", master_name(&zone.apex));
    // SOA comes first (RFC 1035 section 5.2).
    let (soa, others): (Vec<_>, Vec<_>) = sets.iter().partition(|set| set.record_type == "SOA");
    for set in soa.into_iter().chain(others) {
        match set.declare(None) {
            Ok(declared) if set.set_identifier.is_none() => match &declared.set.data {
                RecordData::Values { ttl, rdatas } => {
                    for data in rdatas.iter() {
                        let (owner, record_type) = (master_name(&declared.owner), declared.record_type);
                        let value = to_master_file(record_type, data);
                        let _ = writeln!(text, "{owner} {} IN {record_type} {value}", ttl.0);
                    }
                }
                RecordData::Alias(target) => {
                    let _ =
                        writeln!(text, "; {} {} is an alias of {}", set.name, set.record_type, target.name);
                }
            },
            _ => {
                let set_id = set.set_identifier.as_deref().unwrap_or_default().escape_debug();
                let _ = writeln!(text, "; {} {} {set_id:?} has a routing policy", set.name, set.record_type);
            }
        }
    }
    text
}

/// A name in a master file's escapes: it is written as the data of an NS record is.
fn master_name(name: &Name) -> String {
    to_master_file(RecordType::NS, &Rdata(name.as_wire().into()))
}
