//! CIDR collections, their locations and their blocks, listed.

use pulse53_core::model::CidrBlock;

use super::cidr_collections::{find, write};
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, route};
use crate::api::xml::Xml;
use crate::store::CollectionRow;

pub(super) const ROUTES: &[Route] = &[
    route("GET", "cidrcollection", "ListCidrCollections", collections),
    route("GET", "cidrcollection/*", "ListCidrLocations", locations),
    route("GET", "cidrcollection/*/cidrblocks", "ListCidrBlocks", blocks),
];

/// Most items on a page.
const PAGE_MAX: usize = 100;

/// Cuts a page out of sorted items from the request's token on; gives the token of the next.
fn page<T>(
    request: &Request,
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> String,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let (max, from) = request.token_page(PAGE_MAX, "InvalidInput")?;
    let mut page: Vec<T> = items.filter(|item| key(item) >= from).take(max + 1).collect();
    let next = if page.len() > max { page.pop() } else { None };
    Ok((page, next.map(|next| hex::encode(key(&next)))))
}

fn reply<T>(
    list: &str,
    (items, next): (Vec<T>, Option<String>),
    mut item: impl FnMut(&mut Xml, &T),
) -> Reply {
    Reply::ok(|xml| {
        xml.optional("NextToken", next);
        xml.list(list, &items, |xml, each| xml.element("member", |xml| item(xml, each)));
    })
}

fn collections(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let reading = api.store.read()?;
    let mut listed = Vec::new();
    for (id, collection) in &reading.declared().collections {
        // Those of files have no versions.
        let version = reading.row::<CollectionRow>(&[id])?.map_or(1, |row| row.version);
        listed.push((id, &collection.name, version));
    }
    let page = page(request, listed.into_iter(), |(id, ..)| id.to_string())?;
    Ok(reply("CidrCollections", page, |xml, (id, name, version)| write(xml, id, name, *version)))
}

fn locations(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let reading = api.store.read()?;
    let collection = find(&reading, request.parameter(0))?;
    let page = page(request, collection.locations.keys(), |name| (*name).clone())?;
    Ok(reply("CidrLocations", page, |xml, name| xml.text("LocationName", name)))
}

fn blocks(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let reading = api.store.read()?;
    let collection = find(&reading, request.parameter(0))?;
    let wanted = request.query("location");
    if let Some(name) = wanted.filter(|name| !collection.locations.contains_key(*name)) {
        let what = format!("No CIDR location found with name: {name}");
        return Err(ApiError::not_found("NoSuchCidrLocationException", what));
    }
    let chosen = collection.locations.iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
    let mut listed: Vec<(&String, CidrBlock)> = Vec::new();
    for (name, blocks) in chosen {
        listed.extend(blocks.iter().map(|block| (name, *block)));
    }
    let key = |(name, block): &(&String, CidrBlock)| format!("{name} {block}");
    listed.sort_by_key(key);
    let page = page(request, listed.into_iter(), key)?;
    Ok(reply("CidrBlocks", page, |xml, (name, block)| {
        xml.text("CidrBlock", block);
        xml.text("LocationName", name);
    }))
}
