//! Reads the file of CIDR collections: `[{"Id", "Name", "Locations": {"location": ["block", …]}}]`.

use std::collections::{BTreeMap, HashMap};

use super::declare::is_location_name;
use super::json::{Document, Note, Object, listing};
use crate::model::{CidrBlock, CidrCollection, Findings, Problem};

/// Most blocks in one collection.
const BLOCKS_MAX: usize = 1000;

/// Reads collections: a list, or an object with `CidrCollections`. `file` is its name for messages.
pub fn read_cidr_collections(file: &str, text: &str) -> (Vec<CidrCollection>, Findings) {
    let document = Document::new(file, text);
    let (mut collections, mut findings) = (Vec::new(), Findings::default());
    let items = match listing(&document, "CidrCollections") {
        Ok((items, _)) => items,
        Err(problems) => {
            findings.errors = problems;
            return (collections, findings);
        }
    };
    for raw in items {
        let mut notes = Vec::new();
        let mut id = None;
        if let Some(object) = Object::read(raw, "", &mut notes) {
            id = object.needed::<String>("Id", &mut notes);
            let name: Option<String> = object.field("Name", &mut notes);
            let locations = read_locations(&object, &mut notes);
            if let (Some(id), true) = (&id, notes.is_empty()) {
                collections.push(CidrCollection {
                    id: id.as_str().into(),
                    name: name.unwrap_or_default(),
                    locations,
                    source: Some(document.source(object.whole)),
                });
            }
        }
        let label = format!("CIDR collection {}", id.as_deref().unwrap_or("without Id"));
        findings.errors.extend(notes.into_iter().map(|note| {
            let what = format!("{label}: {}: {}", note.field, note.what);
            Problem::of_rule(Some(document.source(note.at)), "R-35", what)
        }));
    }
    (collections, findings)
}

fn read_locations<'a>(object: &Object<'a>, notes: &mut Vec<Note<'a>>) -> BTreeMap<String, Vec<CidrBlock>> {
    let mut locations: BTreeMap<String, Vec<CidrBlock>> = BTreeMap::new();
    let Some(listed) = object.object("Locations", notes) else { return locations };
    let mut owner_of: HashMap<CidrBlock, String> = HashMap::new();
    for location in listed.names() {
        let field = format!("Locations.{location}");
        let place = listed.raw(location).map_or(listed.whole, |raw| raw.get());
        if !is_location_name(location) {
            let what = "a location name must be 1 to 16 of the characters 0-9 A-Z a-z _ -".into();
            notes.push(Note { at: place, field: field.clone(), what });
        }
        let mut blocks = Vec::new();
        for (at, text) in listed.field::<Vec<String>>(location, notes).unwrap_or_default().iter().enumerate()
        {
            let mut refuse = |what: String| {
                let field = format!("{field}[{at}]");
                notes.push(Note { at: object.locate(&field), field, what });
            };
            match text.parse::<CidrBlock>() {
                Err(error) => refuse(format!("{text:?} is not a block: {error}")),
                Ok(block) => match owner_of.insert(block, location.to_owned()) {
                    Some(other) => refuse(format!("{block} is in location {other:?} already; keep one")),
                    None => blocks.push(block),
                },
            }
        }
        locations.insert(location.to_owned(), blocks);
    }
    if owner_of.len() > BLOCKS_MAX {
        let what = format!("{} blocks; a collection has at most {BLOCKS_MAX}", owner_of.len());
        notes.push(Note { at: listed.whole, field: "Locations".into(), what });
    }
    locations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection() {
        let text =
            "[{\"Id\": \"c1\", \"Name\": \"isp\", \"Locations\": {\"a\": [\"198.51.100.7/24\"], \"b\": []}}]";
        let (collections, findings) = read_cidr_collections("c.json", text);
        assert!(findings.errors.is_empty(), "{findings}");
        assert_eq!(collections[0].locations["a"][0].to_string(), "198.51.100.0/24");
        assert!(collections[0].locations["b"].is_empty());
    }

    #[test]
    fn every_wrong_block_is_named() {
        let text = "[{\"Id\": \"c1\",\n \"Locations\": {\"a\": [\"198.51.100.7/25\",\n  \"10.0.0.0/8\"],\n \"b\": [\"10.0.0.0/8\"],\n \"b b\": []}}]";
        let (collections, findings) = read_cidr_collections("c.json", text);
        assert!(collections.is_empty());
        let places: Vec<(u32, u32)> = findings
            .errors
            .iter()
            .map(|error| error.source.as_ref().map_or((0, 0), |source| (source.line, source.column)))
            .collect();
        assert_eq!(places, [(2, 22), (4, 8), (5, 9)], "{findings}");
    }
}
