//! RFC 1035 master files: text to records.
//!
//! The reader keeps going after an error, so that one run shows every mistake, each with file, line and column. It knows
//! `$ORIGIN`, `$TTL` and `$INCLUDE`, parentheses, comments, blank owners, RFC 3597 types and data. It looks at each
//! record alone and at nothing but class and place in the zone; what records mean together is for the zone's builder.
//!
//! `domain`'s own scanner was tried first. It ends at the first error, knows no columns and lacks several types, so
//! only its encodings (base16, base32, base64) and type names are used.

mod lex;
mod reader;

#[cfg(test)]
mod tests;

use crate::model::problem::Findings;
use crate::model::{Name, Rdata, RecordType, Source, Ttl};

/// How deep `$INCLUDE` may nest; the zone's own file is not counted.
pub const INCLUDE_DEPTH_MAX: usize = 8;
/// How many `$INCLUDE` directives one zone may follow, since files that include each other multiply.
pub const INCLUDES_MAX: usize = 1000;
/// After that many errors reading stops: the file is not a zone file.
pub const ERRORS_MAX: usize = 1000;

/// One record of a master file.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneRecord {
    /// Its owner, within the zone.
    pub owner: Name,
    /// Its type.
    pub record_type: RecordType,
    /// Its lifetime.
    pub ttl: Ttl,
    /// Its data.
    pub rdata: Rdata,
    /// Where it begins.
    pub source: Source,
}

/// What a master file holds.
#[derive(Debug, Clone, Default)]
pub struct ZoneFile {
    /// The file's name, as given.
    pub file: std::sync::Arc<str>,
    /// The records without errors, in order.
    pub records: Vec<ZoneRecord>,
    /// What is wrong; with any error the records are not the whole zone.
    pub findings: Findings,
}

/// Reads a zone's master file.
///
/// `file` is its name for messages, `apex` the zone's name and the first origin. `include` gets the path of an
/// `$INCLUDE`, relative to the directory of the zone's file (also in nested files) and already known to stay inside it
/// as far as text can tell, and returns the contents or why they cannot be had.
pub fn read(
    file: &str,
    text: impl AsRef<[u8]>,
    apex: &Name,
    include: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
) -> ZoneFile {
    reader::read(file, text.as_ref(), apex, include)
}
