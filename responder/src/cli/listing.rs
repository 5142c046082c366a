//! What a node holds, listed over its Route 53 API to the last page.

use percent_encoding::utf8_percent_encode;
use pulse53_core::model::Name;
use pulse53_core::route53::{HealthCheckConfig, ResourceRecordSet};
use serde::{Deserialize, Serialize};

use super::Failure;
use super::client::Client;
use crate::api::actions::{health_check_xml, record_set_xml};
use crate::api::error::ApiError;
use crate::api::sigv4::RESERVED;
use crate::api::xml::Element;

/// A hosted zone.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    /// Bare id.
    pub id: String,
    /// Its topmost name.
    pub apex: Name,
}

/// A health check as `aws route53 list-health-checks` prints it, with its tags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Check {
    pub id: String,
    #[serde(default)]
    pub caller_reference: String,
    pub health_check_config: HealthCheckConfig,
    #[serde(default = "first_version")]
    pub health_check_version: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

fn first_version() -> u64 {
    1
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    pub key: String,
    pub value: String,
}

/// A CIDR collection with its blocks by location.
#[derive(Debug, Clone, Default)]
pub(super) struct Collection {
    pub id: String,
    pub name: String,
    pub locations: std::collections::BTreeMap<String, Vec<String>>,
}

fn misread(error: ApiError) -> Failure {
    Failure(format!("the node answered what is not understood: {}", error.message))
}

/// Escaped for a path or a query.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Asks for page after page; `next` gives the query of the following one.
fn pages(
    client: &Client,
    path: &str,
    mut take: impl FnMut(&Element) -> Result<(), Failure>,
    next: impl Fn(&Element) -> Option<String>,
) -> Result<(), Failure> {
    let mut query = String::new();
    loop {
        let page = client.route53("GET", path, &query, "")?;
        take(&page)?;
        match next(&page) {
            Some(following) => query = following,
            None => return Ok(()),
        }
    }
}

fn by_marker(page: &Element) -> Option<String> {
    Some(format!("marker={}", escaped(&page.value("NextMarker")?)))
}

fn by_token(page: &Element) -> Option<String> {
    Some(format!("nexttoken={}", escaped(&page.value("NextToken")?)))
}

/// Every zone.
pub(super) fn zones(client: &Client) -> Result<Vec<Zone>, Failure> {
    let mut zones = Vec::new();
    let take = |page: &Element| {
        for zone in page.items("HostedZones", "HostedZone").into_iter().flatten() {
            let id = zone.required("Id").map_err(misread)?;
            let apex = Name::from_route53(&zone.required("Name").map_err(misread)?)?;
            zones.push(Zone { id: id.trim_start_matches("/hostedzone/").to_owned(), apex });
        }
        Ok(())
    };
    pages(client, "hostedzone", take, by_marker)?;
    Ok(zones)
}

/// Every record set of a zone.
pub(super) fn record_sets(client: &Client, zone: &str) -> Result<Vec<ResourceRecordSet>, Failure> {
    let mut sets = Vec::new();
    let take = |page: &Element| {
        for set in page.items("ResourceRecordSets", "ResourceRecordSet").into_iter().flatten() {
            sets.push(record_set_xml::read(set).map_err(misread)?);
        }
        Ok(())
    };
    let next = |page: &Element| {
        let of = |name: &str| page.value(name).map(|value| escaped(&value));
        let mut query = format!("name={}&type={}", of("NextRecordName")?, of("NextRecordType")?);
        if let Some(identifier) = of("NextRecordIdentifier") {
            query.push_str(&format!("&identifier={identifier}"));
        }
        Some(query)
    };
    pages(client, &format!("hostedzone/{}/rrset", escaped(zone)), take, next)?;
    Ok(sets)
}

/// Every health check.
pub(super) fn checks(client: &Client) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    let take = |page: &Element| {
        for check in page.items("HealthChecks", "HealthCheck").into_iter().flatten() {
            let config = check.child("HealthCheckConfig").cloned().unwrap_or_default();
            let check_type = config.required("Type").map_err(misread)?;
            let mut read = HealthCheckConfig { check_type, ..HealthCheckConfig::default() };
            health_check_xml::read(&config, &mut read).map_err(misread)?;
            let version = check.integer("HealthCheckVersion").map_err(misread)?;
            checks.push(Check {
                id: check.required("Id").map_err(misread)?,
                caller_reference: check.value("CallerReference").unwrap_or_default(),
                health_check_config: read,
                health_check_version: version.and_then(|version| u64::try_from(version).ok()).unwrap_or(1),
                tags: Vec::new(),
            });
        }
        Ok(())
    };
    pages(client, "healthcheck", take, by_marker)?;
    for check in &mut checks {
        let page = client.route53("GET", &format!("tags/healthcheck/{}", escaped(&check.id)), "", "")?;
        let set = page.child("ResourceTagSet").cloned().unwrap_or_default();
        for tag in set.items("Tags", "Tag").into_iter().flatten() {
            let (key, value) =
                (tag.required("Key").map_err(misread)?, tag.value("Value").unwrap_or_default());
            check.tags.push(Tag { key, value });
        }
    }
    Ok(checks)
}

/// Every CIDR collection.
pub(super) fn collections(client: &Client) -> Result<Vec<Collection>, Failure> {
    let mut collections: Vec<Collection> = Vec::new();
    let take = |page: &Element| {
        for collection in page.items("CidrCollections", "member").into_iter().flatten() {
            collections.push(Collection {
                id: collection.required("Id").map_err(misread)?,
                name: collection.value("Name").unwrap_or_default(),
                ..Collection::default()
            });
        }
        Ok(())
    };
    pages(client, "cidrcollection", take, by_token)?;
    for collection in &mut collections {
        let take = |page: &Element| {
            for block in page.items("CidrBlocks", "member").into_iter().flatten() {
                let location = block.required("LocationName").map_err(misread)?;
                let block = block.required("CidrBlock").map_err(misread)?;
                collection.locations.entry(location).or_default().push(block);
            }
            Ok(())
        };
        pages(client, &format!("cidrcollection/{}/cidrblocks", escaped(&collection.id)), take, by_token)?;
    }
    Ok(collections)
}
