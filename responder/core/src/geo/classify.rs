//! Divides the client space into classes: asks about every distinct client once, and paints the answers on a map.

use std::collections::{BTreeMap, HashMap};

use super::cidr::{CidrCollections, CidrIndex};
use super::client::Client;
use super::client_map::{ClientMap, Run};
use super::database::GeoDb;
use super::space::Family;
use super::sweep::Ranges;

/// The class of every client network. `signature` says which class a client belongs to; it is asked about
/// [`Client::unknown`] first, and then once for each distinct combination of location, latency rows and CIDR matches
/// that occurs, however many networks share it.
pub fn classify(
    geo: &GeoDb,
    collections: &CidrCollections,
    signature: &mut dyn FnMut(&Distinct<'_>) -> u16,
) -> ClientMap {
    let cidr = CidrIndex::new(collections);
    let mut classes = Classes { geo, cidr: &cidr, signature, known: HashMap::new() };
    classes.of(Attributes::default());
    let [v4, v6] = Family::ALL.map(|family| classes.runs(family));
    let mut shorter = BTreeMap::new();
    for family in Family::ALL {
        for (start, length, set) in cidr.partly_covered(family) {
            let by_address = classes.at(family, start);
            let class = classes.of(Attributes { set, ..by_address });
            if class != classes.of(by_address) {
                shorter.insert(family.network(start, length), class);
            }
        }
    }
    ClientMap::of_runs(&v4, &v6, shorter)
}

/// A client that differs from all others asked about. Equal numbers of a part mean that it is the same, so what follows from one part
/// need not be found for each client; they count from 0, which is the part being unknown.
pub struct Distinct<'a> {
    attributes: Attributes,
    geo: &'a GeoDb,
    cidr: &'a CidrIndex,
}

impl Distinct<'_> {
    /// The number of the location.
    pub fn location(&self) -> usize {
        self.attributes.location as usize
    }

    /// The number of the latency rows.
    pub fn row(&self) -> usize {
        self.attributes.row as usize
    }

    /// The number of the CIDR matches.
    pub fn matches(&self) -> usize {
        self.attributes.set as usize
    }

    /// All that is known.
    pub fn client(&self) -> Client {
        Client {
            location: self.geo.location_numbered(self.attributes.location).clone(),
            row: self.geo.row_numbered(self.attributes.row).cloned(),
            matches: self.cidr.matches(self.attributes.set).clone(),
            places: self.geo.places().clone(),
        }
    }
}

/// What tells clients apart, by number; all unknown by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Attributes {
    location: u32,
    row: u32,
    set: u32,
}

struct Classes<'a> {
    geo: &'a GeoDb,
    cidr: &'a CidrIndex,
    signature: &'a mut dyn FnMut(&Distinct<'_>) -> u16,
    known: HashMap<Attributes, u16>,
}

impl<'a> Classes<'a> {
    fn of(&mut self, attributes: Attributes) -> u16 {
        if let Some(class) = self.known.get(&attributes) {
            return *class;
        }
        let class = (self.signature)(&Distinct { attributes, geo: self.geo, cidr: self.cidr });
        self.known.insert(attributes, class);
        class
    }

    /// The three lists of ranges that say all about a family, in the order of the attributes.
    fn layers(&self, family: Family) -> [&'a Ranges; 3] {
        [self.geo.location_ranges(family), self.geo.row_ranges(family), self.cidr.ranges(family)]
    }

    fn attributes(&self, [location, row, block]: [u32; 3]) -> Attributes {
        Attributes { location, row, set: self.cidr.set_of(block) }
    }

    fn at(&self, family: Family, key: u64) -> Attributes {
        self.attributes(self.layers(family).map(|layer| layer.at(key)))
    }

    /// The family's space in order: a new run wherever the class changes.
    fn runs(&mut self, family: Family) -> Vec<Run> {
        let mut layers = self.layers(family).map(|layer| layer.iter().peekable());
        let mut numbers = [0; 3];
        let mut runs: Vec<Run> = Vec::new();
        while let Some(start) = layers.iter_mut().filter_map(|layer| Some(layer.peek()?.0)).min() {
            for (layer, number) in layers.iter_mut().zip(&mut numbers) {
                if let Some((_, next)) = layer.next_if(|(begin, _)| *begin == start) {
                    *number = next;
                }
            }
            let class = self.of(self.attributes(numbers));
            if runs.last().is_none_or(|last| last.class != class) {
                runs.push(Run { start, class });
            }
        }
        runs
    }
}
