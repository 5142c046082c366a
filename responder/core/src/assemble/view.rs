//! Zones of a batch as rules across zones see them: some being built, some served as they are.

use super::zone::ZoneBuilder;
use crate::model::{Name, RecordSet, RecordType, Zone, ZoneId};

/// A zone in either state.
pub(super) enum View<'z> {
    /// Written in this batch, at least in part.
    Built(&'z ZoneBuilder),
    /// Untouched.
    Served(&'z Zone),
}

impl<'z> View<'z> {
    pub(super) fn id(&self) -> &'z ZoneId {
        match self {
            Self::Built(zone) => &zone.id,
            Self::Served(zone) => &zone.id,
        }
    }

    pub(super) fn apex(&self) -> &'z Name {
        match self {
            Self::Built(zone) => &zone.apex,
            Self::Served(zone) => &zone.apex,
        }
    }

    /// Whether the zone has a group of this owner and type.
    pub(super) fn has_group(&self, owner: &Name, record_type: RecordType) -> bool {
        let key = (owner.clone(), record_type);
        match self {
            Self::Built(zone) => zone.groups.contains_key(&key),
            Self::Served(zone) => zone.groups.contains_key(&key),
        }
    }

    /// Calls `see` for every record set, group by group, with whether it is new in this batch.
    pub(super) fn visit(&self, see: &mut dyn FnMut(&'z Name, RecordType, &'z RecordSet, bool)) {
        match *self {
            Self::Built(zone) => {
                for ((owner, record_type), members) in &zone.groups {
                    members.iter().for_each(|member| see(owner, *record_type, &member.set, member.written));
                }
            }
            Self::Served(zone) => {
                for ((owner, record_type), group) in &zone.groups {
                    group.members.iter().for_each(|set| see(owner, *record_type, set, false));
                }
            }
        }
    }
}
