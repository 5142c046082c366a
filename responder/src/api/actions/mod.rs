//! The operations, a file for each resource.

mod changes;
mod health_check_xml;
mod health_checks;
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
    health_checks::ROUTES,
    tags::ROUTES,
    missing::ROUTES,
];
