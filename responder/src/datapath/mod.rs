//! The kernel's lower half: loads the XDP program, keeps its tables in step with the answer table, and attaches it.
//!
//! The program and its tables are one unit: a restart, an upgrade or a table that outgrew its memory all load a new unit, fill it
//! completely, and then put it into the existing link in one atomic step. So the interface is never without a program, and no
//! program ever meets tables it was not made for.

mod attach;
mod growth;
mod heat;
mod hot_table;
mod live;
mod load;
mod log;
mod memory;
mod oversight;
mod pins;
mod sync;
mod unit;
mod ways_out;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::causes::chain;
use crate::heat::Misses;
pub use attach::{AttachError, Attached, Mode};
use growth::Growth;
use heat::Heat;
pub use heat::{Exchanged, exchange};
use hot_table::names_max;
pub use hot_table::{Asked, Distrusted, HotTable, Refused, Sizes};
pub use live::{Live, LiveCookies, LiveLimit, write_clock};
pub use load::{LoadError, LoadOptions, Loaded, Runner};
pub use memory::{HotMemory, Region};
pub use oversight::Samples;
pub use pins::PinDir;
use pulse53_abi::limits::UDP_PAYLOAD_PLAIN;
use pulse53_core::compile::{Clients, Compiler, GroupIndex};
use pulse53_core::lower::HotKey;
use pulse53_core::model::{Name, RecordType};
use pulse53_core::table::{AnswerTable, Generation};
pub use sync::{Synced, fill, sync_declared, sync_touched};
use unit::{Before, keep_fresh, load_filled, set_clock, share_buckets, tell_live};
pub use ways_out::{Redirects, ReplyRoute};

/// What the kernel half is told by the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Interfaces to attach to.
    pub interfaces: Vec<String>,
    /// Native, generic, or whichever works.
    pub mode: Mode,
    /// Whether the program goes on answering after an orderly stop.
    pub stay: bool,
    /// The most questions held.
    pub capacity: u32,
    /// The largest reply, in octets of DNS message: 512 to 1232 (D-16).
    pub message_max: u16,
    /// Where replies go.
    pub reply_route: ReplyRoute,
    /// One in this many passed packets writes a debug line; 0 for none.
    pub log_one_in: u32,
    /// The addresses answered for; none of them unspecified.
    pub served: Vec<SocketAddr>,
    /// What may change while the program runs.
    pub live: Live,
    /// How long answers are good without being [kept fresh](Datapath::keep_fresh); none: for ever (D-25).
    pub max_stale: Option<Duration>,
    /// Where samples of replies go, if any are taken.
    pub samples: Option<Samples>,
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

impl DatapathError {
    /// Whether the operator must, and can, mend this: build, privileges, configuration. Otherwise the machine lacks something.
    pub fn is_mistake(&self) -> bool {
        match self {
            Self::Load(error) => {
                matches!(error, LoadError::NoObject | LoadError::OtherAbi | LoadError::NotPermitted(_))
            }
            Self::Attach(error) => matches!(
                error,
                AttachError::NotBpffs(_) | AttachError::PinDir(..) | AttachError::NoInterface { .. }
            ),
        }
    }
}

/// The attached fast path.
#[derive(Debug)]
pub struct Datapath {
    settings: Settings,
    pins: PinDir,
    loaded: Loaded,
    attached: Vec<Attached>,
    /// Interfaces that are gone and may come back.
    missed: BTreeSet<String>,
    /// Which questions are worth their room, where there is not enough.
    heat: Heat,
    /// Whether names are more than are to be held, so that no larger unit would have room for all.
    names_beyond: bool,
    /// What units before this one counted.
    counted_before: Vec<u64>,
    /// A larger unit, if one is on its way.
    growth: Option<Growth>,
}

impl Datapath {
    /// Loads the program, fills its tables and attaches it; or, where an earlier agent left one attached, takes its place.
    ///
    /// What the directory of the pins lacks is told after what loading lacks.
    pub fn start(
        settings: Settings,
        pins: Result<PinDir, AttachError>,
        table: &AnswerTable,
    ) -> Result<Self, DatapathError> {
        let needed = Sizes::needed(table);
        let (mut loaded, synced) = load_filled(&settings, needed, table, Before::default())?;
        let pins = pins?;
        let mut attached = Vec::new();
        for interface in &settings.interfaces {
            match attach(&mut loaded, interface, settings.mode, &pins) {
                Ok(link) => attached.push(link),
                Err(error) => {
                    // All interfaces or none: a start that failed leaves nothing behind.
                    attached.into_iter().try_for_each(|link: Attached| link.detach(&pins))?;
                    pins.clear()?;
                    return Err(error);
                }
            }
        }
        settings.reply_route.write(&attached, loaded.hot_table().memory().live());
        loaded.pin(&pins)?;
        share_buckets(&loaded, &settings.live)?;
        tracing::info!(
            held = synced.held,
            not_hot = synced.not_hot,
            without_room = synced.refused + synced.beyond,
            refused_names = synced.refused_names,
            "hot table filled"
        );
        Ok(Self {
            names_beyond: needed.nodes > names_max(settings.capacity),
            settings,
            pins,
            loaded,
            attached,
            missed: BTreeSet::new(),
            heat: Heat::default(),
            counted_before: Vec::new(),
            growth: None,
        })
    }

    /// Brings the whole table into the kernel: at once in another unit if this one tells clients apart differently, else as far as there is room,
    /// while a larger unit is made.
    pub fn sync_all(&mut self, table: &AnswerTable) -> Synced {
        let needed = Sizes::needed(table);
        self.names_beyond = needed.nodes > names_max(self.settings.capacity);
        let hot = self.loaded.hot_table_mut();
        if !hot.tells_apart(table.clients()) {
            match load_filled(&self.settings, needed, table, Before::of(hot)) {
                Ok((loaded, synced)) => {
                    // It would tell clients apart as before, too.
                    self.growth = None;
                    self.swap_in(loaded);
                    return synced;
                }
                Err(error) => tracing::error!(
                    error = %chain(&error),
                    "no other fast path could be loaded: what goes by client is answered in userspace"
                ),
            }
        }
        let synced = fill(self.loaded.hot_table_mut(), table);
        if let Some(growth) = &mut self.growth {
            growth.miss_anything();
        } else if !self.has_room(needed) {
            self.grow(needed, table);
        }
        synced
    }

    /// Whether this unit holds as much of that as any would, and knows what of it is worth its room.
    fn has_room(&self, needed: Sizes) -> bool {
        let capacity = self.settings.capacity;
        let has_heat = needed.slots <= capacity || self.loaded.measures_heat();
        has_heat && needed.fit(self.loaded.hot_table().sizes(), capacity)
    }

    /// Begins to make a larger unit.
    fn grow(&mut self, needed: Sizes, table: &AnswerTable) {
        let before = Before::of(self.loaded.hot_table());
        match Growth::begin(self.settings.clone(), needed, table.clone(), before) {
            Ok(growth) => self.growth = Some(growth),
            Err(error) => tracing::error!(%error, "no thread could be started that makes a larger fast path"),
        }
    }

    /// Takes a larger unit up that has been made meanwhile.
    pub fn take_up_growth(&mut self, table: &AnswerTable) {
        let Some(growth) = self.growth.take_if(|growth| growth.is_done()) else { return };
        match growth.finish(table) {
            Ok((mut loaded, synced)) => {
                tracing::info!(held = synced.held, refused = synced.refused, "the fast path has more room");
                let hot = loaded.hot_table_mut();
                for key in self.loaded.hot_table().distrusted().clone() {
                    hot.distrust(key, table.generation(), Instant::now());
                }
                // What was exchanged meanwhile will be again, if it is still worth it.
                self.loaded.hot_table().heats().for_each(|(key, heat)| hot.set_heat(key, heat));
                self.swap_in(loaded);
                // What came meanwhile may have been too much again.
                self.grow_if_crowded(table, &synced);
            }
            Err(error) => tracing::error!(
                error = %chain(&error),
                "no larger fast path could be loaded: what does not fit the present one is answered in userspace"
            ),
        }
    }

    /// Gives room to what is asked most, where there is not enough for all, and where there is room again to what had none: after a while, and
    /// so much at once at most.
    pub fn follow_heat(&mut self, table: &AnswerTable, misses: &Misses) {
        let hot = self.loaded.hot_table_mut();
        self.heat.follow(hot, table, misses, self.names_beyond, Instant::now());
    }

    /// Questions that have found room and those that have made it since the agent started.
    pub fn exchanged(&self) -> Exchanged {
        self.heat.exchanged()
    }

    /// Leaves a question to userspace for as long as the agent runs.
    pub fn distrust(&mut self, key: HotKey, generation: Generation) {
        self.loaded.hot_table_mut().distrust(key, generation, Instant::now());
    }

    /// How many questions are left to userspace because the kernel's answer was wrong.
    pub fn distrusted(&self) -> usize {
        self.loaded.hot_table().distrusted().len()
    }

    /// Says that the tables are what they should be, which makes them good for as long as configured from now on.
    pub fn keep_fresh(&self) {
        keep_fresh(&self.loaded, &self.settings);
    }

    /// Answers for these addresses and no others from now on; none of them unspecified.
    pub fn serve(&mut self, addresses: Vec<SocketAddr>) {
        if addresses != self.settings.served {
            tracing::info!(?addresses, "the kernel half answers for other addresses now");
            self.loaded.hot_table_mut().serve(&addresses);
            self.settings.served = addresses;
        }
    }

    /// Follows interfaces that went and came back: one of the same name gets the program, and what is refused is told once. Follows what they
    /// do with replies that are routed, too.
    pub fn follow_interfaces(&mut self) {
        for attached in self.attached.extract_if(.., |attached| !attached.is_there()) {
            let interface = attached.interface.clone();
            tracing::warn!(interface, "the interface is gone, and the program with it; it is looked for");
            if let Err(error) = attached.detach(&self.pins) {
                tracing::warn!(interface, error = %chain(&error), "its pin is left");
            }
            self.missed.insert(interface);
        }
        let missed: Vec<String> = self.missed.iter().cloned().collect();
        for interface in missed {
            match attach(&mut self.loaded, &interface, self.settings.mode, &self.pins) {
                Ok(link) => {
                    tracing::info!(interface, mode = link.mode.as_str(), "the interface is back");
                    self.missed.remove(&interface);
                    self.attached.push(link);
                }
                Err(DatapathError::Attach(AttachError::NoInterface { .. })) => {}
                Err(error) => {
                    tracing::error!(interface, error = %chain(&error), "userspace alone answers here now");
                    self.missed.remove(&interface);
                }
            }
        }
        self.settings.reply_route.write(&self.attached, self.loaded.hot_table().memory().live());
    }

    /// Puts another unit in the place of this one. An interface that refuses it gets none: its old tables would go stale.
    fn swap_in(&mut self, mut loaded: Loaded) {
        tell_live(&loaded, &self.settings);
        // It was made for the addresses of before.
        loaded.hot_table_mut().serve(&self.settings.served);
        self.settings.reply_route.write(&self.attached, loaded.hot_table().memory().live());
        let counted = self.loaded.counters().unwrap_or_default();
        self.counted_before.resize(counted.len(), 0);
        for (before, (_, now)) in self.counted_before.iter_mut().zip(counted) {
            *before += now;
        }
        for attached in std::mem::take(&mut self.attached) {
            let interface = attached.interface.clone();
            match attach(&mut loaded, &interface, self.settings.mode, &self.pins) {
                Ok(link) => self.attached.push(link),
                Err(error) => {
                    tracing::error!(interface, error = %chain(&error), "userspace alone answers here now");
                    if let Err(error) = attached.detach(&self.pins) {
                        tracing::error!(interface, error = %chain(&error), "the old program is still attached");
                    }
                }
            }
        }
        if let Err(error) = share_buckets(&loaded, &self.settings.live) {
            tracing::warn!(error = %chain(&error), "kernel and userspace keep the rate limit each for itself");
        }
        self.loaded = loaded;
        if let Err(error) = self.loaded.pin(&self.pins) {
            tracing::warn!(error = %chain(&error), "program and maps are not pinned");
        }
    }

    /// Brings groups into the kernel that came, went or changed; if that crowds the unit, a larger one is made.
    pub fn sync_changed<'a>(
        &mut self,
        table: &AnswerTable,
        groups: impl IntoIterator<Item = (&'a Name, RecordType)>,
    ) -> Synced {
        let groups: Vec<(&Name, RecordType)> = groups.into_iter().collect();
        let synced = sync_declared(self.loaded.hot_table_mut(), table, groups.iter().copied());
        if let Some(growth) = &mut self.growth {
            growth.miss(groups);
            return synced;
        }
        if !self.grow_if_crowded(table, &synced) && self.lacks_room(&synced) {
            return self.sync_all(table);
        }
        synced
    }

    /// Begins to make a larger unit, if this one is crowded, or had no room for something and is too small; whether it does.
    fn grow_if_crowded(&mut self, table: &AnswerTable, synced: &Synced) -> bool {
        let hot = self.loaded.hot_table();
        let capacity = self.settings.capacity;
        let is_crowded = |held: usize, room: u32, max: u32| 2 * held > room as usize && held < max as usize;
        let crowded = is_crowded(hot.len(), hot.sizes().slots, capacity)
            || is_crowded(hot.names(), hot.sizes().nodes, names_max(capacity));
        let lacks_heat = synced.beyond > 0 && !self.loaded.measures_heat();
        if !crowded && !lacks_heat && !self.lacks_room(synced) {
            return false;
        }
        let needed = Sizes::needed(table);
        let grows = !self.has_room(needed);
        if grows {
            self.grow(needed, table);
        }
        grows
    }

    /// Whether an array had no room; what is beyond the capacity no other unit would hold.
    fn lacks_room(&self, synced: &Synced) -> bool {
        synced.refused > 0 || (synced.refused_names > 0 && !self.names_beyond)
    }

    /// Takes up what has changed in the configuration. A rate limit of before goes on, if it keeps its budgets in the same place.
    pub fn set_live(&mut self, live: Live) -> Result<(), DatapathError> {
        let buckets = |live: &Live| live.limit.as_ref().map(|limit| Arc::as_ptr(&limit.buckets));
        if buckets(&live) != buckets(&self.settings.live) {
            share_buckets(&self.loaded, &live)?;
        }
        live.write(self.loaded.hot_table().memory().live());
        self.settings.live = live;
        Ok(())
    }

    /// Tells the kernel half what time it is: it follows from the monotonic clock, until the clock is set.
    pub fn set_clock(&self) {
        set_clock(&self.loaded);
    }

    /// Brings groups into the kernel that a change of health has touched.
    pub fn sync_touched(&mut self, compiler: &Compiler, touched: &[GroupIndex]) -> Synced {
        if let Some(growth) = &mut self.growth {
            growth.miss(touched.iter().map(|&index| compiler.question(index)));
        }
        sync_touched(self.loaded.hot_table_mut(), compiler, touched)
    }

    /// Counters of the fast path by label, summed over CPUs, since the agent started.
    pub fn counters(&self) -> Result<Vec<(&'static str, u64)>, DatapathError> {
        let mut counters = self.loaded.counters()?;
        for ((_, now), before) in counters.iter_mut().zip(&self.counted_before) {
            *now += before;
        }
        Ok(counters)
    }

    /// Interfaces with the mode in use.
    pub fn attached(&self) -> impl Iterator<Item = (&str, Mode)> {
        self.attached.iter().map(|attached| (attached.interface.as_str(), attached.mode))
    }

    /// Questions in the kernel, and how many are left out for want of room.
    pub fn occupancy(&self) -> (usize, usize) {
        let hot = self.loaded.hot_table();
        (hot.len(), hot.without_room().len())
    }

    /// Names the kernel half knows of; zones for which it answers whether a name exists, and zones in all.
    pub fn names(&self) -> (usize, (usize, usize)) {
        let hot = self.loaded.hot_table();
        (hot.names(), hot.whole_zones())
    }

    /// The most questions that are to be held.
    pub fn capacity(&self) -> u32 {
        self.settings.capacity
    }

    /// Ends the fast path as configured: detached, or pinned and answering on.
    pub fn stop(self) -> Result<(), DatapathError> {
        if self.settings.stay {
            return Ok(());
        }
        self.attached.into_iter().try_for_each(|link| link.detach(&self.pins))?;
        self.pins.clear()?;
        Ok(())
    }
}

/// Puts a unit's program into an interface.
fn attach(
    loaded: &mut Loaded,
    interface: &str,
    mode: Mode,
    pins: &PinDir,
) -> Result<Attached, DatapathError> {
    Ok(attach::attach(loaded.program()?, interface, mode, pins)?)
}

/// Whether the kernel takes the program; it is attached to nothing, and unloaded again.
pub fn try_program() -> Result<(), DatapathError> {
    let sizes = Sizes::default().with_headroom(1);
    Ok(Loaded::load(sizes, &Clients::alike(), UDP_PAYLOAD_PLAIN, 0).map(drop)?)
}
