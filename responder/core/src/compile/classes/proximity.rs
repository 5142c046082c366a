//! Geoproximity looks at coordinates. The distance to a place is measured once for all arrangements that have a resource there.

use std::collections::HashMap;

use super::aspect::{Finder, Memo};
use crate::compile::policy::geoproximity::{Resource, resources};
use crate::geo::{Coordinates, Distinct, GeoDb, biased_km, nearest_first, unbiased_distance_km};

pub(super) struct Proximity<'a> {
    pub(super) finder: Finder<'a>,
    /// Where resources are.
    places: Vec<Option<Coordinates>>,
    /// For each arrangement its resources, each with the number of its place.
    arrangements: Vec<Vec<(usize, Resource<'a>)>>,
    by_location: Memo<u32>,
    by_coordinates: HashMap<Option<Coordinates>, u32>,
}

impl<'a> Proximity<'a> {
    pub(super) fn new(finder: Finder<'a>, geo: &GeoDb) -> Self {
        let mut places = Vec::new();
        let mut numbers: HashMap<Option<Coordinates>, usize> = HashMap::new();
        let mut numbered = |resource: Resource<'a>| {
            let place = resource.place.and_then(|place| geo.places().of(place));
            let number = *numbers.entry(place).or_insert_with(|| {
                places.push(place);
                places.len() - 1
            });
            (number, resource)
        };
        let arrangements =
            finder.groups.iter().map(|group| resources(group).map(&mut numbered).collect()).collect();
        Self { finder, places, arrangements, by_location: Memo::default(), by_coordinates: HashMap::new() }
    }

    pub(super) fn class(&mut self, client: &Distinct<'_>) -> u32 {
        let Self { finder, places, arrangements, by_location, by_coordinates } = self;
        *by_location.get(client.location(), || {
            let here = client.client().location().coordinates();
            *by_coordinates.entry(here).or_insert_with(|| {
                let distances: Vec<f64> =
                    places.iter().map(|&there| unbiased_distance_km(here, there)).collect();
                finder.class(arrangements.iter().map(|resources| {
                    let measured = resources.iter().enumerate().map(|(index, (place, resource))| {
                        (biased_km(distances[*place], resource.bias), resource.set_id, index)
                    });
                    nearest_first(measured).collect()
                }))
            })
        })
    }
}
