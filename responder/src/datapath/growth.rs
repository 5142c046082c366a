//! A larger unit for a table that its unit has no room for, made while that one goes on.
//!
//! The verifier takes a good part of a second for a unit, and a large table takes a while to be filled in. Changes of health and of records
//! would wait for all that. So another thread does it, with the table as it is now; what changes meanwhile is noted and brought in at the end.

use std::collections::HashSet;
use std::io;
use std::thread::JoinHandle;

use pulse53_core::model::{Name, RecordType};
use pulse53_core::table::AnswerTable;

use super::hot_table::Sizes;
use super::load::Loaded;
use super::sync::{Synced, fill, sync_declared};
use super::unit::{Before, load_filled};
use super::{DatapathError, Settings};

/// A unit on its way.
#[derive(Debug)]
pub(super) struct Growth {
    filling: JoinHandle<Result<(Loaded, Synced), DatapathError>>,
    missed: Missed,
}

/// What has changed since the table that a unit is filled from.
#[derive(Debug)]
enum Missed {
    Groups(HashSet<(Name, RecordType)>),
    /// More than groups.
    Anything,
}

impl Growth {
    /// Begins to load a unit large enough for a table, and to fill it.
    pub(super) fn begin(
        settings: Settings,
        needed: Sizes,
        table: AnswerTable,
        before: Before,
    ) -> io::Result<Self> {
        // Of the thread that begins it, since a thread has the privileges of the one that started it.
        let filling = std::thread::Builder::new()
            .name("grow".to_owned())
            .spawn(move || load_filled(&settings, needed, &table, before))?;
        Ok(Self { filling, missed: Missed::Groups(HashSet::new()) })
    }

    /// Notes groups that the unit may hold as they were.
    pub(super) fn miss<'a>(&mut self, groups: impl IntoIterator<Item = (&'a Name, RecordType)>) {
        if let Missed::Groups(missed) = &mut self.missed {
            missed.extend(groups.into_iter().map(|(owner, rtype)| (owner.clone(), rtype)));
        }
    }

    /// Notes that anything may be different.
    pub(super) fn miss_anything(&mut self) {
        self.missed = Missed::Anything;
    }

    /// Whether the other thread is done.
    pub(super) fn is_done(&self) -> bool {
        self.filling.is_finished()
    }

    /// The unit, in step with the table of now. Waits for it.
    pub(super) fn finish(self, table: &AnswerTable) -> Result<(Loaded, Synced), DatapathError> {
        let filled = self.filling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (mut loaded, mut synced) = filled?;
        let hot = loaded.hot_table_mut();
        match self.missed {
            Missed::Anything => synced = fill(hot, table),
            Missed::Groups(missed) => {
                let late = sync_declared(hot, table, missed.iter().map(|(owner, rtype)| (owner, *rtype)));
                synced.refused += late.refused;
                synced.beyond += late.beyond;
                synced.refused_names += late.refused_names;
                synced.held = late.held;
            }
        }
        Ok((loaded, synced))
    }
}
