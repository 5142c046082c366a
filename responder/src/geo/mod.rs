//! Reads what the operator's databases say about clients (`[geo]`) into the table that routing asks.
//!
//! A file is read as a whole or not at all: any problem in it refuses it, and what ran before keeps running.

mod latency_csv;
mod mmdb;

use std::path::Path;
use std::sync::Arc;

use pulse53_core::geo::{Coordinates, GeoDb, GeoDbBuilder};
use pulse53_core::model::{Problem, Source};

/// Problems told about one file; what is wrong a hundred times over is rarely seen better the next hundred.
const PROBLEMS_MAX: usize = 100;

/// The location database and the latency table, either of which may be missing, and the places of regions; every problem of both files
/// otherwise.
pub fn load<'r>(
    database: Option<&Path>,
    latency: Option<&Path>,
    regions: impl IntoIterator<Item = (&'r str, Coordinates)>,
) -> Result<GeoDb, Vec<Problem>> {
    let mut builder = GeoDbBuilder::default();
    regions.into_iter().for_each(|(region, place)| builder.place(region, place));
    let mut problems = Vec::new();
    if let Some(path) = database {
        problems.extend(mmdb::read(path, &mut builder).err());
    }
    if let Some(path) = latency {
        problems.extend(latency_csv::read(path, &mut builder).err().unwrap_or_default());
    }
    if problems.is_empty() { Ok(builder.build()) } else { Err(problems) }
}

/// A position in a file, for messages.
fn position(file: &Arc<str>, line: u64, column: usize) -> Option<Source> {
    let clamp = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Some(Source { file: file.clone(), line: clamp(line), column: clamp(column as u64) })
}

/// The file's name as messages show it.
fn file_name(path: &Path) -> Arc<str> {
    path.display().to_string().into()
}

#[cfg(test)]
mod mmdb_writer;
#[cfg(test)]
mod tests;
