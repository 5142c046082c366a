//! What record sets mean next to each other: groups (R-4, R-8, R-9, …) and alias targets.

use super::message;
use super::working::{Member, Working};
use super::{ChangeError, Complaints, SetKey};
use crate::assemble::{self, Limits};
use crate::model::{AliasTarget, RecordData, RecordSet, Snapshot, Zone};

/// Checks every group that was written to.
pub(super) fn check_groups(working: &Working<'_>, complaints: &mut Complaints) {
    for ((owner, record_type), (_, members)) in &working.touched {
        // Behind those that were there, so that what is wrong is said of what is new.
        let (written, kept): (Vec<&Member>, Vec<&Member>) =
            members.iter().partition(|member| member.change.is_some());
        if written.is_empty() {
            continue;
        }
        let in_order: Vec<&Member> = kept.into_iter().chain(written.iter().copied()).collect();
        let sets: Vec<&RecordSet> = in_order.iter().map(|member| &member.set).collect();
        assemble::conflicts(&sets, &mut |set, rule, what| {
            let at = in_order.iter().find(|member| std::ptr::eq(&member.set, set));
            let at = at.and_then(|member| member.change).or(written[0].change).unwrap_or_default();
            let key = SetKey { owner: owner.clone(), record_type: *record_type, set_id: set.set_id.clone() };
            complaints.add(at, message::conflict(&key, set, rule, &what));
        });
    }
}

/// Whether a record set is an alias.
pub(super) fn is_alias(set: &RecordSet) -> bool {
    matches!(set.data, RecordData::Alias(_))
}

/// the targets of what was written exist, once the batch is carried out.
pub(super) fn check_targets(snapshot: &Snapshot, working: &Working<'_>, complaints: &mut Complaints) {
    for (at, key, set) in working.written() {
        let RecordData::Alias(target) = &set.data else { continue };
        let AliasTarget { zone, name, .. } = target;
        let (apex, is_there) = if *zone == working.zone.id {
            (Some(&working.zone.apex), working.has_group(name, key.record_type))
        } else {
            let found = snapshot.zones.get(zone);
            let group = (name.clone(), key.record_type);
            (found.map(|zone| &zone.apex), found.is_some_and(|zone| zone.groups.contains_key(&group)))
        };
        let what = if !apex.is_some_and(|apex| name.is_at_or_below(apex)) {
            "the alias target name does not lie within the target zone"
        } else if !is_there {
            "that target was not found"
        } else {
            continue;
        };
        let record_type = key.record_type;
        complaints.add(
            at,
            format!(
                "Tried to create an alias that targets {name}, type {record_type} in zone {zone}, but {what}"
            ),
        );
    }
}

/// no loop, and no chain that is too long, also through aliases that were there before.
pub(super) fn check_chains(snapshot: &Snapshot, zone: &Zone, bounds: &Limits) -> Result<(), ChangeError> {
    let others = snapshot.zones.values().map(|other| &**other).filter(|other| other.id != zone.id);
    let problems = assemble::check_chains(others.chain(std::iter::once(zone)), bounds);
    if problems.is_empty() {
        return Ok(());
    }
    let messages = problems.into_iter().map(|problem| problem.what).collect();
    Err(ChangeError::InvalidChangeBatch(messages))
}
