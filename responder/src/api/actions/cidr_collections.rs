//! CIDR collections: make, change, delete.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pulse53_core::model::{CidrBlock, CidrCollection, RoutingPolicy};
use pulse53_core::route53::is_location_name;

use super::changes;
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::identifiers;
use crate::api::route::{Reply, Request, Route, route};
use crate::api::xml::{Element, Xml};
use crate::store::{CollectionRow, Reading};

pub(super) const ROUTES: &[Route] = &[
    route("POST", "cidrcollection", "CreateCidrCollection", create),
    route("POST", "cidrcollection/*", "ChangeCidrCollection", change),
    route("DELETE", "cidrcollection/*", "DeleteCidrCollection", delete),
];

/// Most characters of a collection's name, and of its caller reference.
const NAME_MAX: usize = 64;
/// Most blocks in one request, and in one collection.
const BLOCKS_MAX: usize = 1000;

/// Blocks by location.
type Locations = BTreeMap<String, BTreeSet<CidrBlock>>;

/// The members that a collection and its summary share.
pub(super) fn write(xml: &mut Xml, id: &str, name: &str, version: u64) {
    xml.text("Arn", format_args!("arn:aws:route53:::cidrcollection/{id}"));
    xml.text("Id", id);
    xml.text("Name", name);
    xml.text("Version", version);
}

/// `NoSuchCidrCollectionException`
pub(super) fn find<'r>(reading: &'r Reading, id: &str) -> Result<&'r Arc<CidrCollection>, ApiError> {
    let found = reading.declared().collections.get(id);
    found.ok_or_else(|| {
        let what = format!("No CIDR collection found with ID: {id}");
        ApiError::not_found("NoSuchCidrCollectionException", what)
    })
}

fn find_writable(reading: &Reading, id: &str) -> Result<(Arc<CidrCollection>, CollectionRow), ApiError> {
    let collection = find(reading, id)?.clone();
    let of_file = || ApiError::access_denied(format!("CIDR collection {id} is managed by a file."));
    let row = reading.row::<CollectionRow>(&[id])?.ok_or_else(of_file)?;
    Ok((collection, row))
}

fn create(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let xml = request.xml()?;
    let (name, reference) = (xml.required("Name")?, xml.required("CallerReference")?);
    let is_allowed = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-');
    if name.len() > NAME_MAX || !name.bytes().all(is_allowed) {
        let what = format!("Name must be 1 to {NAME_MAX} of the characters 0-9 A-Z a-z _ -, not '{name}'");
        return Err(ApiError::invalid_input(what));
    }
    if reference.chars().count() > NAME_MAX {
        return Err(ApiError::invalid_input(format!("CallerReference must have 1 to {NAME_MAX} characters")));
    }
    let ((id, row), _) = api.store.change(|reading, commit| {
        let same_name = reading.declared().collections.values().find(|other| other.name == name);
        if let Some(other) = same_name {
            let made = reading.row::<CollectionRow>(&[&other.id])?;
            return match made.filter(|made| made.caller_reference == reference) {
                Some(made) => Ok((other.id.to_string(), made)),
                None => Err(ApiError::new(
                    "CidrCollectionAlreadyExistsException",
                    format!(
                        "A CIDR collection with the name {name} and another caller reference already exists."
                    ),
                )),
            };
        }
        let max = api.settings.limits.cidr_collections;
        if reading.declared().collections.len() >= max {
            let what = format!("The limit of {max} CIDR collections is reached.");
            return Err(ApiError::new("LimitsExceeded", what));
        }
        let id = identifiers::uuid();
        let row = CollectionRow {
            name: name.clone(),
            caller_reference: reference.clone(),
            version: 1,
            locations: BTreeMap::new(),
        };
        commit.put(&[&id], &row)?;
        commit.declare_collection(declare(&id, &name, Locations::new()));
        Ok((id, row))
    })?;
    Ok(Reply::created(format!("cidrcollection/{id}"), |xml| {
        xml.element("Collection", |xml| write(xml, &id, &row.name, row.version));
    }))
}

fn declare(id: &str, name: &str, locations: Locations) -> Arc<CidrCollection> {
    let locations = locations.into_iter().map(|(name, blocks)| (name, blocks.into_iter().collect()));
    let (id, name) = (id.into(), name.to_owned());
    Arc::new(CidrCollection { id, name, locations: locations.collect(), source: None })
}

/// One change of a request.
struct LocationChange {
    location: String,
    is_put: bool,
    blocks: Vec<CidrBlock>,
}

fn read_changes(xml: &Element) -> Result<Vec<LocationChange>, ApiError> {
    // The model gives the items no name.
    let changes = xml.child("Changes").map(|changes| &*changes.children).unwrap_or_default();
    let changes: Vec<_> = changes.iter().map(read_change).collect::<Result<_, _>>()?;
    let count: usize = changes.iter().map(|change| change.blocks.len()).sum();
    if changes.is_empty() || count > BLOCKS_MAX {
        return Err(ApiError::invalid_input(format!(
            "Invalid request: Changes must hold 1 to {BLOCKS_MAX} CIDR blocks, not {count}"
        )));
    }
    Ok(changes)
}

fn read_change(xml: &Element) -> Result<LocationChange, ApiError> {
    let location = xml.required("LocationName")?;
    if !is_location_name(&location) {
        return Err(ApiError::invalid_input(format!(
            "LocationName must be 1 to 16 of the characters 0-9 A-Z a-z _ -, not '{location}'"
        )));
    }
    let is_put = match xml.required("Action")?.as_str() {
        "PUT" => true,
        "DELETE_IF_EXISTS" => false,
        other => {
            let what = format!("Action must be PUT or DELETE_IF_EXISTS, not '{other}'");
            return Err(ApiError::invalid_input(what));
        }
    };
    let mut blocks = Vec::new();
    for text in xml.items("CidrList", "Cidr").into_iter().flatten().map(|item| item.text.trim()) {
        let block = text.parse().map_err(|error| {
            ApiError::invalid_input(format!("CidrList: '{text}' is not a CIDR block: {error}"))
        })?;
        blocks.push(block);
    }
    if blocks.is_empty() {
        return Err(ApiError::invalid_input("Invalid request: Missing field 'CidrList' in Change"));
    }
    Ok(LocationChange { location, is_put, blocks })
}

fn change(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    let xml = request.xml()?;
    let expected = xml.integer("CollectionVersion")?;
    let changes = read_changes(&xml)?;
    let (change, _) = api.store.change(|reading, commit| {
        let (collection, row) = find_writable(reading, id)?;
        if expected.is_some_and(|expected| u64::try_from(expected) != Ok(row.version)) {
            let what = format!("The collection's version is {}, not the one in the request.", row.version);
            return Err(ApiError::conflict("CidrCollectionVersionMismatchException", what));
        }
        let locations = carry_out(&collection, &changes)?;
        for gone in collection.locations.keys().filter(|name| !locations.contains_key(*name)) {
            if let Some(user) = user_of(reading, id, Some(gone)) {
                return Err(in_use(format!("The CIDR location {gone} is in use by {user}.")));
            }
        }
        let texts = |blocks: &BTreeSet<CidrBlock>| blocks.iter().map(ToString::to_string).collect();
        let stored = locations.iter().map(|(name, blocks)| (name.clone(), texts(blocks))).collect();
        commit.put(&[id], &CollectionRow { version: row.version + 1, locations: stored, ..row })?;
        commit.declare_collection(declare(id, &collection.name, locations));
        Ok(changes::record(reading, commit, None)?)
    })?;
    Ok(Reply::ok(|xml| xml.text("Id", format_args!("/change/{}", change.0))))
}

/// The locations as they will be: all deletes first, then what is put. A location whose last block goes, goes too.
fn carry_out(collection: &CidrCollection, changes: &[LocationChange]) -> Result<Locations, ApiError> {
    let of = |(name, blocks): (&String, &Vec<CidrBlock>)| (name.clone(), blocks.iter().copied().collect());
    let mut locations: Locations = collection.locations.iter().map(of).collect();
    for change in changes.iter().filter(|change| !change.is_put) {
        if let Some(blocks) = locations.get_mut(&change.location) {
            blocks.retain(|block| !change.blocks.contains(block));
        }
    }
    let mut owners: BTreeMap<CidrBlock, String> = BTreeMap::new();
    for (name, blocks) in &locations {
        owners.extend(blocks.iter().map(|block| (*block, name.clone())));
    }
    for change in changes.iter().filter(|change| change.is_put) {
        for block in &change.blocks {
            let owner = owners.entry(*block).or_insert_with(|| change.location.clone());
            if *owner != change.location {
                return Err(in_use(format!(
                    "The CIDR block {block} is in use by the CIDR location {owner}."
                )));
            }
            locations.entry(change.location.clone()).or_default().insert(*block);
        }
    }
    locations.retain(|_, blocks| !blocks.is_empty());
    if owners.len() > BLOCKS_MAX {
        let what = format!("A CIDR collection holds at most {BLOCKS_MAX} blocks.");
        return Err(ApiError::new("LimitsExceeded", what));
    }
    Ok(locations)
}

fn in_use(what: String) -> ApiError {
    ApiError::new("CidrBlockInUseException", what)
}

/// A record set that names the collection, and this location if one is given.
fn user_of(reading: &Reading, id: &str, location: Option<&str>) -> Option<String> {
    let groups = reading.declared().zones.values().flat_map(|zone| zone.groups.iter());
    let mut users = groups.filter(|(_, group)| {
        group.members.iter().any(|member| match &member.policy {
            RoutingPolicy::Cidr { collection, location: named } => {
                collection == id && location.is_none_or(|location| named == location)
            }
            _ => false,
        })
    });
    users.next().map(|((owner, record_type), _)| format!("{owner} {record_type}"))
}

fn delete(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let id = request.parameter(0);
    api.store.change(|reading, commit| {
        let (collection, _) = find_writable(reading, id)?;
        let refuse = |what: String| Err(ApiError::new("CidrCollectionInUseException", what));
        if !collection.locations.is_empty() {
            return refuse(format!("The CIDR collection {id} is not empty and cannot be deleted."));
        }
        if let Some(user) = user_of(reading, id, None) {
            return refuse(format!("The CIDR collection {id} is in use by {user}."));
        }
        commit.remove::<CollectionRow>(&[id]);
        commit.drop_collection(collection.id.clone());
        Ok(())
    })?;
    Ok(Reply::ok(|_| {}))
}
