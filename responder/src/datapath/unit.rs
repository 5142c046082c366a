//! A unit that is filled with a table, and told all that does not stand in tables.

use pulse53_core::heat::HITS_ONE_IN;
use pulse53_core::lower::HotKey;
use pulse53_core::table::AnswerTable;

use super::hot_table::{Distrusted, HotTable, Sizes};
use super::live::{Live, write_clock};
use super::load::{LoadOptions, Loaded};
use super::sync::{Entries, Synced, fill};
use super::{DatapathError, Settings, heat};
use crate::clock;

/// What another unit goes on with.
#[derive(Debug, Default)]
pub(super) struct Before {
    distrusted: Distrusted,
    heats: Vec<(HotKey, f64)>,
}

impl Before {
    pub(super) fn of(hot: &HotTable) -> Self {
        let heats = hot.heats().map(|(key, heat)| (key.clone(), heat)).collect();
        Self { distrusted: hot.all_distrusted(), heats }
    }
}

/// Loads a unit large enough for what a table needs, and fills it: where there is no room for all, with what was held before first.
pub(super) fn load_filled(
    settings: &Settings,
    needed: Sizes,
    table: &AnswerTable,
    before: Before,
) -> Result<(Loaded, Synced), DatapathError> {
    let sizes = needed.with_headroom(settings.capacity);
    let options = LoadOptions {
        expires: settings.max_stale.is_some(),
        samples: settings.samples.clone(),
        routes_replies: settings.reply_route.is_routed(),
        heat_one_in: if needed.slots > settings.capacity { HITS_ONE_IN } else { 0 },
    };
    let mut loaded =
        Loaded::load_with(sizes, table.clients(), settings.message_max, settings.log_one_in, &options)?;
    loaded.hot_table_mut().serve(&settings.served);
    let hot = loaded.hot_table_mut();
    hot.set_capacity(settings.capacity as usize);
    hot.set_distrusted(before.distrusted);
    if needed.slots > settings.capacity {
        let keys = before.heats.iter().map(|(key, _)| key);
        Entries::new(hot, table).extend(keys.flat_map(|key| heat::lowered(table, key)));
        before.heats.iter().for_each(|(key, heat)| hot.set_heat(key, *heat));
    }
    tell_live(&loaded, settings);
    let synced = fill(loaded.hot_table_mut(), table);
    Ok((loaded, synced))
}

/// Tells a unit what changes while it runs, as it is now.
pub(super) fn tell_live(loaded: &Loaded, settings: &Settings) {
    keep_fresh(loaded, settings);
    set_clock(loaded);
    settings.live.write(loaded.hot_table().memory().live());
}

/// Makes the tables good for as long as configured from now on.
pub(super) fn keep_fresh(loaded: &Loaded, settings: &Settings) {
    if let Some(max_stale) = settings.max_stale {
        let max_stale = u64::try_from(max_stale.as_nanos()).unwrap_or(u64::MAX);
        loaded.set_deadline(clock::monotonic_ns().saturating_add(max_stale));
    }
}

/// Tells the kernel half what time it is.
pub(super) fn set_clock(loaded: &Loaded) {
    write_clock(loaded.hot_table().memory().live(), clock::since_1970());
}

/// Has userspace spend from a unit's buckets, which begin with what was spent before.
pub(super) fn share_buckets(loaded: &Loaded, live: &Live) -> Result<(), DatapathError> {
    if let Some(limit) = &live.limit {
        limit.buckets.move_to(Box::new(loaded.buckets()?));
    }
    Ok(())
}
