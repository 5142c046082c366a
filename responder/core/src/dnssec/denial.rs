//! That something does not exist, in as few words as possible (RFC 4034 section 4, RFC 4470, RFC 9824).

use super::{RRset, TTL_MAX};
use crate::model::{Name, Rdata, RecordType, Ttl};
use crate::rdata::push_types;
use crate::table::{Owner, ZoneTable};

/// The longest name in wire form, and the longest label.
const NAME_LEN_MAX: usize = 255;
const LABEL_LEN_MAX: u8 = 63;

/// The NSEC record of a name, which reaches to the next possible one: nothing else is said by it.
pub(super) fn nsec<'a>(zone: &ZoneTable, owner: &'a Name, types: Vec<RecordType>) -> RRset<'a> {
    let mut octets = next_name(owner.as_wire());
    let own = [RecordType::RRSIG, RecordType::NSEC];
    push_types(types.into_iter().chain(own).map(RecordType::to_int).collect(), &mut octets);
    RRset { owner, rtype: RecordType::NSEC, ttl: ttl(zone), rdatas: vec![Rdata(octets.into())].into() }
}

/// The types of a name that exists, as the zone is responsible for them.
pub(super) fn types_at(zone: &ZoneTable, name: &Name, owner: &Owner) -> Vec<RecordType> {
    let mut types: Vec<RecordType> = owner.groups().iter().map(|(rtype, _)| *rtype).collect();
    if owner.referral.is_some() {
        // All else at a zone cut is the child's, or glue.
        types.retain(|rtype| matches!(*rtype, RecordType::NS | RecordType::DS));
    }
    if *name == zone.apex {
        types.push(RecordType::DNSKEY);
    }
    types
}

/// A denial lives as long as a negative answer (RFC 9077).
fn ttl(zone: &ZoneTable) -> Ttl {
    zone.nodata.records().next().map_or(Ttl(0), |soa| soa.ttl.min(TTL_MAX))
}

/// The first name behind another in the order of names (RFC 4034 section 6.1, RFC 4471 section 3.1.2), of which nearly all are made by a
/// label of one zero octet in front. The zone's own names are far from filling 255 octets, so its apex is never passed.
fn next_name(name: &[u8]) -> Vec<u8> {
    if name.len() + 2 <= NAME_LEN_MAX {
        return [b"\x01\x00", name].concat();
    }
    let mut next = name.to_vec();
    if next.len() < NAME_LEN_MAX && next[0] < LABEL_LEN_MAX {
        let end = 1 + usize::from(next[0]);
        next[0] += 1;
        next.insert(end, 0);
        return next;
    }
    loop {
        let end = 1 + usize::from(next[0]);
        let greater = (1..end).rev().find(|at| next[*at] != 0xFF);
        if let Some(at) = greater {
            next[at] += 1;
            if next[at].is_ascii_uppercase() {
                // Letters sort as their lower case: the first octet behind `@` that is none is `[`.
                next[at] = b'[';
            }
            next.drain(at + 1..end);
            next[0] = at as u8;
            return next;
        }
        if next.len() <= end + 1 {
            return next;
        }
        next.drain(..end);
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;

    /// The order of names (RFC 4034 section 6.1).
    fn compare(a: &[u8], b: &[u8]) -> Ordering {
        let labels = |name: &[u8]| -> Vec<Vec<u8>> {
            let name = Name::from_wire(name).unwrap();
            let mut labels: Vec<Vec<u8>> = name.labels().map(<[u8]>::to_vec).collect();
            labels.reverse();
            labels
        };
        labels(a).cmp(&labels(b))
    }

    #[test]
    fn the_next_name_is_right_behind() {
        assert_eq!(next_name(b"\x01a\x00"), b"\x01\x00\x01a\x00");
        // 255 octets: nothing fits in front.
        let long = |first: &[u8]| {
            let rest = [[&[63][..], &[b'x'; 63]].concat(), [&[63][..], &[b'y'; 63]].concat()].concat();
            let last = [&[63][..], &[b'z'; 63]].concat();
            [&[first.len() as u8][..], first, &rest, &last, b"\x00"].concat()
        };
        let mut label = [b'a'; 61];
        assert_eq!(long(&label).len(), 255);
        label[60] = b'b';
        assert_eq!(next_name(&long(&[b'a'; 61])), long(&label));
        label[60] = 0xFF;
        assert_eq!(next_name(&long(&label)), long(&[&[b'a'; 59][..], b"b"].concat()));
        label[60] = b'@';
        assert_eq!(next_name(&long(&label)), long(&[&[b'a'; 60][..], b"["].concat()));
        // 254 octets: one more still fits behind the label.
        assert_eq!(next_name(&long(&[b'a'; 60])), long(&[&[b'a'; 60][..], b"\x00"].concat()));
        // A label of nothing greater ends where its parent does.
        let full = long(&[0xFF; 61]);
        let parent = next_name(&full);
        assert_eq!(parent[..64], [&[63][..], &[b'x'; 62], b"y"].concat());
    }

    proptest! {
        #[test]
        fn the_next_name_is_greater_and_a_name(
            lengths in prop::collection::vec(1..=63usize, 1..5),
            octet in prop::num::u8::ANY,
            fill in prop_oneof![Just(0u8), Just(b'z'), Just(0xFF), Just(b'@')],
        ) {
            let mut wire = Vec::new();
            for length in lengths {
                if wire.len() + length + 2 <= 255 {
                    wire.push(length as u8);
                    wire.extend(std::iter::repeat_n(fill, length - 1));
                    wire.push(octet.to_ascii_lowercase());
                }
            }
            wire.push(0);
            // All labels at their greatest: what is behind lies beyond the topmost, where no zone is.
            let is_last = wire.len() > 253 && octet == 0xFF && fill == 0xFF;
            let next = next_name(&wire);
            Name::from_wire(&next).unwrap();
            prop_assert!(is_last || compare(&wire, &next) == Ordering::Less);
        }
    }
}
