//! A zone: the groups of record sets at and below one apex.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::RecordType;
use super::name::Name;
use super::policy::PolicyKind;
use super::record::{Rdata, RecordData, RecordSet, SetId, Ttl};

/// Hosted zone id, as alias targets name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZoneId(pub Arc<str>);

impl ZoneId {
    /// The id of a zone that is given none: a stable function of its name, `Z` and 19 more characters.
    ///
    /// With them `/hostedzone/` and the id still fit the 32 characters that Route 53 clients expect.
    pub fn derived_from(apex: &Name) -> Self {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        // FNV-1a with 128 bits: not secret, but the same for ever and on every machine.
        let mut hash = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
        for octet in apex.as_wire() {
            hash ^= u128::from(*octet);
            hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
        let mut id = String::from("Z");
        for digit in 0..19 {
            id.push(char::from(ALPHABET[(hash >> (digit * 5)) as usize & 31]));
        }
        Self(id.into())
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All record sets of one owner name and type; never empty, all of one policy.
#[derive(Debug, Clone, PartialEq)]
pub struct RRsetGroup {
    /// The members, in order of declaration.
    pub members: Vec<RecordSet>,
}

impl RRsetGroup {
    /// The policy all members share.
    pub fn policy(&self) -> PolicyKind {
        self.members[0].policy.kind()
    }
}

/// A zone that obeys the rules of the routing specification.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Its hosted zone id.
    pub id: ZoneId,
    /// Its topmost name.
    pub apex: Name,
    /// Every group, by owner and type.
    pub groups: BTreeMap<(Name, RecordType), Arc<RRsetGroup>>,
}

impl Zone {
    /// The records of one owner and type that are the same for everyone; none where a policy or an alias decides.
    pub fn values(&self, owner: &Name, record_type: RecordType) -> Option<(Ttl, &[Rdata])> {
        let group = self.groups.get(&(owner.clone(), record_type))?;
        match (group.policy(), &group.members[0].data) {
            (PolicyKind::Simple, RecordData::Values { ttl, rdatas }) => Some((*ttl, rdatas)),
            _ => None,
        }
    }

    /// Removes one record set; says whether it was there. An emptied group goes with it.
    pub fn remove(&mut self, owner: &Name, record_type: RecordType, set_id: Option<&SetId>) -> bool {
        let key = (owner.clone(), record_type);
        let Some(group) = self.groups.get_mut(&key) else { return false };
        let Some(at) = group.members.iter().position(|member| member.set_id.as_ref() == set_id) else {
            return false;
        };
        if group.members.len() == 1 {
            self.groups.remove(&key);
        } else {
            Arc::make_mut(group).members.remove(at);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_never_change() {
        let id = |name: &str| ZoneId::derived_from(&Name::from_route53(name).unwrap()).to_string();
        assert_eq!(id("example.com"), id("EXAMPLE.com."));
        assert_ne!(id("example.com"), id("example.net"));
        assert_eq!(id("example.com").len(), 20);
        assert_eq!(id("example.com"), "ZW2NTD6V422I3VWQJYQK");
    }
}
