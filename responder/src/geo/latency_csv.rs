//! Latencies from a CSV file: a line for each network and region, under the header `network,region,latency_ms`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use csv::{ErrorKind, ReaderBuilder, StringRecord};
use pulse53_core::geo::{GeoDbBuilder, Latency, Network};
use pulse53_core::model::Problem;

use super::{PROBLEMS_MAX, file_name, position};

const HEADER: [&str; 3] = ["network", "region", "latency_ms"];
/// Longest name of a region, in characters.
const REGION_LENGTH_MAX: usize = 64;

/// Adds every row of the file, or tells all that is wrong with it, up to a bound.
pub(super) fn read(path: &Path, builder: &mut GeoDbBuilder) -> Result<(), Vec<Problem>> {
    let file = file_name(path);
    match std::fs::read(path) {
        Ok(octets) => parse(&file, &octets, builder),
        Err(error) => {
            let what = format!(
                "cannot read the latency table: {error}; check the path and the permissions of [geo] latency"
            );
            Err(vec![Problem::of_syntax(position(&file, 1, 1), what)])
        }
    }
}

/// One row, its line and what it says.
struct Row<'r> {
    network: Network,
    region: &'r str,
    latency: Latency,
}

/// What is wrong with a row: from which field on, and what to do.
type RowError = (usize, String);

fn parse(file: &Arc<str>, octets: &[u8], builder: &mut GeoDbBuilder) -> Result<(), Vec<Problem>> {
    // Spreadsheets like to begin a file with a byte order mark.
    let text = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let mut record = StringRecord::new();
    let mut problems = Vec::new();
    let mut header_seen = false;
    // The first line of each network and region, by the number of the region.
    let mut regions: HashMap<String, u32> = HashMap::new();
    let mut lines: HashMap<(Network, u32), u64> = HashMap::new();
    while problems.len() < PROBLEMS_MAX {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                let (line, what, fatal) = unreadable(&error);
                problems.push(Problem::of_syntax(position(file, line, 1), what));
                if fatal {
                    break;
                }
                continue;
            }
        }
        let line = record.position().map_or(1, csv::Position::line);
        let mut refuse = |(field, what): RowError| {
            problems.push(Problem::of_syntax(position(file, line, column_of(&record, field)), what));
        };
        if !header_seen {
            header_seen = true;
            if record != HEADER[..] {
                refuse((0, format!("the first line must be {}", HEADER.join(","))));
            }
            continue;
        }
        let Row { network, region, latency } = match row(&record) {
            Ok(row) => row,
            Err(errors) => {
                errors.into_iter().for_each(refuse);
                continue;
            }
        };
        let number = match regions.get(region) {
            Some(number) => *number,
            None => {
                let number = regions.len() as u32;
                regions.insert(region.to_owned(), number);
                number
            }
        };
        match lines.insert((network, number), line) {
            Some(first) => {
                let what =
                    format!("line {first} already gives {network} a latency to {region}: remove one of them");
                refuse((0, what));
            }
            None => builder.latency(network, region, latency),
        }
    }
    if !header_seen && problems.is_empty() {
        let what = format!("the file is empty: its first line must be {}", HEADER.join(","));
        problems.push(Problem::of_syntax(position(file, 1, 1), what));
    }
    if problems.len() >= PROBLEMS_MAX {
        problems.truncate(PROBLEMS_MAX);
        let what = format!("more than the {PROBLEMS_MAX} problems above: mend these first");
        problems.push(Problem::of_syntax(position(file, reader.position().line(), 1), what));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The row that a record is, or everything wrong with it.
fn row(record: &StringRecord) -> Result<Row<'_>, Vec<RowError>> {
    let fields: Vec<&str> = record.iter().collect();
    let [network, region, latency] = fields[..] else {
        let what = format!(
            "{} instead of 3 fields: a line is {}, as in 198.51.100.0/24,eu-west-1,23.5",
            fields.len(),
            HEADER.join(",")
        );
        return Err(vec![(0, what)]);
    };
    let mut errors = Vec::new();
    let network: Option<Network> =
        network.parse().map_err(|problem| errors.push((0, format!("network `{network}`: {problem}")))).ok();
    let length = region.chars().count();
    if !(1..=REGION_LENGTH_MAX).contains(&length) {
        errors.push((1, format!("the region must have 1 to {REGION_LENGTH_MAX} characters, not {length}")));
    } else if region.trim() != region {
        errors.push((1, format!("region `{region}`: remove the space around it")));
    }
    let milliseconds = decimal(latency);
    if milliseconds.is_none() {
        let what = format!("latency_ms `{latency}`: write milliseconds as a number from 0, such as 23.5");
        errors.push((2, what));
    }
    match (network, milliseconds) {
        (Some(network), Some(latency)) if errors.is_empty() => Ok(Row { network, region, latency }),
        _ => Err(errors),
    }
}

/// Milliseconds in plain decimal digits: no sign, exponent, infinity or the like.
fn decimal(text: &str) -> Option<Latency> {
    let plain = text.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
    if plain { Latency::from_ms(text.parse().ok()?) } else { None }
}

/// Where a field begins, from 1. Quotes are gone from the record; a quoted field is seldom, and then a little further on.
fn column_of(record: &StringRecord, field: usize) -> usize {
    1 + record.iter().take(field).map(|before| before.chars().count() + 1).sum::<usize>()
}

/// The line of a record that could not be read, what to do about it, and whether reading on is pointless.
fn unreadable(error: &csv::Error) -> (u64, String, bool) {
    let line = error.position().map_or(1, csv::Position::line);
    match error.kind() {
        ErrorKind::Utf8 { .. } => (line, "not UTF-8: save the file as UTF-8 text".to_owned(), false),
        _ => (line, format!("not readable as CSV: {error}"), true),
    }
}
