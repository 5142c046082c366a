//! The operations, a file for each resource.

mod changes;
mod hosted_zone_lists;
mod hosted_zones;
mod missing;
mod record_set_xml;
mod record_sets;
mod tags;

use super::route::Route;

/// Every operation of the model.
pub const TABLES: &[&[Route]] = &[
    hosted_zones::ROUTES,
    hosted_zone_lists::ROUTES,
    record_sets::ROUTES,
    changes::ROUTES,
    tags::ROUTES,
    missing::ROUTES,
];
