//! The conformance cases of `tests/cases`, for this crate's tests.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::Name;

/// The hosted zone id that alias targets in cases name.
pub const ZONE_ID: &str = "ZPULSE53EXAMPLE";

/// One case; queries stay JSON here, since only tests of answers read them.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// Equals the file name without `.json`.
    pub name: String,
    zone: Option<String>,
    cidr_collections: Option<Box<RawValue>>,
    /// The `ResourceRecordSet` objects.
    pub records: Box<RawValue>,
    /// What is deleted after loading.
    #[serde(default)]
    pub then_delete: Vec<Deletion>,
    /// Final status of each check.
    pub health: BTreeMap<String, bool>,
    /// The rule for which loading must fail.
    pub invalid: Option<String>,
}

/// A record set to delete.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Deletion {
    /// Owner name.
    pub name: String,
    /// Type.
    #[serde(rename = "Type")]
    pub record_type: String,
    /// Set identifier, if any.
    pub set_identifier: Option<String>,
}

impl Case {
    /// The zone's name.
    pub fn zone_name(&self) -> Name {
        Name::from_route53(self.zone.as_deref().unwrap_or("example.com.")).unwrap()
    }

    /// The CIDR collections as JSON.
    pub fn collections(&self) -> &str {
        self.cidr_collections.as_ref().map_or("[]", |raw| raw.get())
    }
}

/// Every case, in order of name.
pub fn all() -> Vec<Case> {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases"));
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| -> Case {
        let text = std::fs::read_to_string(path).unwrap();
        let case: Case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(case.name.as_str()));
        case
    };
    paths.iter().map(read).collect()
}
