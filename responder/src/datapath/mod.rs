//! The kernel's lower half: loads the XDP program, keeps its tables in step with the answer table, and attaches it.
//!
//! The program and its tables are one unit: a restart, an upgrade or a table that outgrew its memory all load a new unit, fill it
//! completely, and then put it into the existing link in one atomic step. So the interface is never without a program, and no
//! program ever meets tables it was not made for.

mod attach;
mod hot_table;
mod load;
mod memory;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

pub use attach::{AttachError, Attached, Mode};
pub use hot_table::{HotTable, Refused, Sizes};
pub use load::{LoadError, Loaded};
pub use memory::{HotMemory, Region};
use pulse53_core::lower::{self, HotEntry, HotKey, NotHot};
use pulse53_core::model::{Name, RecordType};
use pulse53_core::table::{AnswerTable, Generation};

/// What the kernel half is told by the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Interfaces to attach to.
    pub interfaces: Vec<String>,
    /// Native, generic, or whichever works.
    pub mode: Mode,
    /// Directory in a BPF file system that holds the pins.
    pub pin_dir: PathBuf,
    /// Whether the program goes on answering after an orderly stop.
    pub stay: bool,
    /// The most questions held.
    pub capacity: u32,
    /// The largest reply, in octets of DNS message: 512 to 1232 (D-16).
    pub message_max: u16,
    /// One in this many passed packets writes a debug line; 0 for none.
    pub log_one_in: u32,
    /// The addresses answered for; none of them unspecified.
    pub served: Vec<SocketAddr>,
}

/// What went wrong with the kernel half.
#[derive(Debug, thiserror::Error)]
pub enum DatapathError {
    /// See [`LoadError`].
    #[error(transparent)]
    Load(#[from] LoadError),
    /// See [`AttachError`].
    #[error(transparent)]
    Attach(#[from] AttachError),
}

/// What a synchronization did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Synced {
    /// Entries written.
    pub written: usize,
    /// Entries removed.
    pub removed: usize,
    /// Entries held afterwards.
    pub held: usize,
    /// Questions that had to be left to userspace for want of room.
    pub refused: usize,
    /// Questions that userspace answers because of what they are.
    pub not_hot: usize,
}

/// The attached fast path.
#[derive(Debug)]
pub struct Datapath {
    settings: Settings,
    loaded: Loaded,
    attached: Vec<Attached>,
    /// Questions left to userspace for want of room at the last full synchronization.
    refused: usize,
}

impl Datapath {
    /// Loads the program, fills its tables and attaches it; or, where an earlier agent left one attached, takes its place.
    pub fn start(settings: Settings, table: &AnswerTable) -> Result<Self, DatapathError> {
        attach::prepare_pin_dir(&settings.pin_dir)?;
        let (loaded, synced) = load_filled(&settings, table)?;
        let mut datapath = Self { settings, loaded, attached: Vec::new(), refused: synced.refused };
        datapath.attach_all()?;
        tracing::info!(
            held = synced.held,
            not_hot = synced.not_hot,
            refused = synced.refused,
            "hot table filled"
        );
        Ok(datapath)
    }

    /// Attaches the loaded unit to every interface, in place of whatever unit of ours is there.
    fn attach_all(&mut self) -> Result<(), DatapathError> {
        let program = self.loaded.program()?;
        let mut attached = Vec::new();
        for interface in &self.settings.interfaces {
            attached.push(attach::attach(program, interface, self.settings.mode, &self.settings.pin_dir)?);
        }
        // Only now the links of the unit before may go: their successors stand.
        self.attached = attached;
        self.loaded.pin(&self.settings.pin_dir)?;
        Ok(())
    }

    /// Brings the whole table into the kernel, in a larger unit if this one has become too small.
    pub fn sync_all(&mut self, table: &AnswerTable) -> Result<Synced, DatapathError> {
        let needed = Sizes::needed(lower::lower(table).filter_map(|(key, entry)| Some((key, entry.ok()?))));
        let synced = if needed.fit(self.loaded.hot_table().sizes(), self.settings.capacity) {
            fill(self.loaded.hot_table_mut(), table)
        } else {
            let (loaded, synced) = load_filled(&self.settings, table)?;
            self.loaded = loaded;
            self.attach_all()?;
            synced
        };
        self.refused = synced.refused;
        Ok(synced)
    }

    /// Brings changed groups into the kernel.
    pub fn sync_groups<'a>(
        &mut self,
        table: &AnswerTable,
        groups: impl IntoIterator<Item = (&'a Name, RecordType)>,
    ) -> Synced {
        let entries = groups.into_iter().flat_map(|(owner, rtype)| lower::lower_group(table, owner, rtype));
        apply(self.loaded.hot_table_mut(), entries, table.generation())
    }

    /// Serves other addresses from now on.
    pub fn serve(&mut self, served: Vec<SocketAddr>) {
        self.loaded.hot_table_mut().serve(&served);
        self.settings.served = served;
    }

    /// Counters of the fast path by label, summed over CPUs.
    pub fn counters(&self) -> Result<Vec<(&'static str, u64)>, DatapathError> {
        Ok(self.loaded.counters()?)
    }

    /// Interfaces with the mode in use.
    pub fn attached(&self) -> impl Iterator<Item = (&str, Mode)> {
        self.attached.iter().map(|attached| (attached.interface.as_str(), attached.mode))
    }

    /// Questions in the kernel, and how many had to be left out for want of room.
    pub fn occupancy(&self) -> (usize, usize) {
        (self.loaded.hot_table().len(), self.refused)
    }

    /// Ends the fast path as configured: detached, or pinned and answering on.
    pub fn stop(self) -> Result<(), DatapathError> {
        if self.settings.stay {
            return Ok(());
        }
        for attached in self.attached {
            attached.detach()?;
        }
        attach::remove_pins(&self.settings.pin_dir)?;
        Ok(())
    }
}

/// Loads a unit large enough for a table, and fills it.
fn load_filled(settings: &Settings, table: &AnswerTable) -> Result<(Loaded, Synced), DatapathError> {
    let needed = Sizes::needed(lower::lower(table).filter_map(|(key, entry)| Some((key, entry.ok()?))));
    let mut loaded =
        Loaded::load(needed.with_headroom(settings.capacity), settings.message_max, settings.log_one_in)?;
    loaded.hot_table_mut().serve(&settings.served);
    let synced = fill(loaded.hot_table_mut(), table);
    Ok((loaded, synced))
}

/// Makes a hot table hold exactly what a table lowers to.
pub fn fill(hot: &mut HotTable, table: &AnswerTable) -> Synced {
    hot.begin_full();
    let mut synced = apply(hot, lower::lower(table), table.generation());
    synced.removed += hot.end_full(table.generation(), Instant::now());
    synced.held = hot.len();
    synced
}

/// Puts entries, and removes those that are not hot any more.
fn apply(
    hot: &mut HotTable,
    entries: impl IntoIterator<Item = (HotKey, Result<HotEntry, NotHot>)>,
    generation: Generation,
) -> Synced {
    let mut synced = Synced::default();
    for (key, entry) in entries {
        let now = Instant::now();
        match entry {
            Ok(entry) => match hot.put(&key, &entry, generation, now) {
                Ok(written) => synced.written += usize::from(written),
                Err(refused) => {
                    tracing::debug!(name = %key.name, qtype = %key.qtype, %refused, "left to userspace");
                    synced.refused += 1;
                }
            },
            Err(_) => {
                synced.not_hot += 1;
                synced.removed += usize::from(hot.remove(&key, generation, now));
            }
        }
    }
    synced.held = hot.len();
    synced
}
