//! What is declared, read without asking a node: by the files of a configuration, and through the API into its data directory.

use std::sync::Arc;

use pulse53_core::geo::GeoDb;
use pulse53_core::model::Snapshot;

use crate::causes::chain;
use crate::config::{Config, Problem, Problems};
use crate::declared::{self, Loaded};
use crate::store;

/// Both together, or every error.
pub struct Offline {
    /// What a node would start with, and where clients are.
    pub declared: Result<(Snapshot, Arc<GeoDb>), Problems>,
    /// What is odd in files.
    pub warnings: Vec<Problem>,
    /// That the data directory could not be read.
    pub unread: Option<Problem>,
}

/// Reads everything, also while a node is running. A data directory that cannot be read is no error: it need not be this machine's,
/// nor this user's.
pub fn read(config: &Config) -> Offline {
    let (written, unread) = match store::written(&config.data_dir) {
        Ok(written) => (written.unwrap_or_default(), None),
        Err(error) => {
            let what = format!("{}; what the API wrote is left out here", chain(&error));
            (Snapshot::default(), Some(Problem::whole_file(config.file.display().to_string(), what)))
        }
    };
    let Loaded { declared, warnings, .. } = declared::load(config, &written);
    let declared = declared.and_then(|(files, geo)| {
        let all = store::join(&files, written).map_err(|problems| declared::told_all(config, problems))?;
        Ok((all, geo))
    });
    Offline { declared, warnings, unread }
}
