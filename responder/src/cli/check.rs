//! `pulse53 check`: every error of every file, a line each.

use std::path::Path;
use std::process::ExitCode;

use pulse53_core::compile::Compiler;
use pulse53_core::model::Revision;
use pulse53_core::table::Generation;

use crate::config::{Config, Overrides};
use crate::declared;

/// Prints what is wrong on standard output, as a linter does, and ends with a line about what was read.
pub fn check(file: &Path) -> ExitCode {
    let overrides = Overrides::from_environment(std::env::vars());
    let config = match Config::read(file, &overrides) {
        Ok(config) => config,
        Err(problems) => {
            println!("{problems}");
            return ExitCode::FAILURE;
        }
    };
    let loaded = declared::load(&config, Revision(1));
    for warning in &loaded.warnings {
        println!("warning: {warning}");
    }
    let (snapshot, geo) = match loaded.declared {
        Ok(declared) => declared,
        Err(problems) => {
            println!("{problems}");
            return ExitCode::FAILURE;
        }
    };
    let compiler = Compiler::with_geo(&snapshot, &geo, &|_| true, Generation(1));
    for finding in compiler.findings() {
        println!("warning: {}: {} {}: {}", finding.zone, finding.owner, finding.rtype, finding.what);
    }
    let record_sets: usize = snapshot.zones.values().map(|zone| declared::record_set_count(zone)).sum();
    println!(
        "{}: no errors; zones: {}, record sets: {record_sets}, health checks: {}",
        file.display(),
        snapshot.zones.len(),
        snapshot.checks.len(),
    );
    ExitCode::SUCCESS
}
