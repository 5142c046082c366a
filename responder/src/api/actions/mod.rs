//! The operations, a file for each resource.

mod changes;
mod cidr_collections;
mod cidr_lists;
mod delegation_sets;
mod dnssec;
mod geo_locations;
mod health_check_status;
pub mod health_check_xml;
mod health_checks;
mod hosted_zone_lists;
mod hosted_zones;
mod key_signing_keys;
mod limits;
mod missing;
mod place_names;
mod protections;
mod query_logs;
pub mod record_set_xml;
mod record_sets;
mod tags;
mod test_dns_answer;
mod vpcs;

use super::route::Route;

/// Every operation of the model.
pub const TABLES: &[&[Route]] = &[
    hosted_zones::ROUTES,
    hosted_zone_lists::ROUTES,
    record_sets::ROUTES,
    changes::ROUTES,
    health_checks::ROUTES,
    health_check_status::ROUTES,
    cidr_collections::ROUTES,
    cidr_lists::ROUTES,
    test_dns_answer::ROUTES,
    dnssec::ROUTES,
    key_signing_keys::ROUTES,
    delegation_sets::ROUTES,
    geo_locations::ROUTES,
    limits::ROUTES,
    protections::ROUTES,
    query_logs::ROUTES,
    vpcs::ROUTES,
    tags::ROUTES,
    missing::ROUTES,
];
