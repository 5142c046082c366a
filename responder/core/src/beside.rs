//! What a positive answer carries beside the answer itself where `minimal_responses` is false (D-9, R-70): the apex NS set, and addresses of
//! the names that either mentions. All of it may be left out where it does not fit.

use std::collections::BTreeSet;

use crate::body::BodyWriter;
use crate::model::{Name, Rdata, RecordType, Zone};

/// The zone and the owner of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// Whose apex NS set and addresses are added.
    pub zone: &'a Zone,
    /// The owner of the answer.
    pub owner: &'a Name,
}

impl Beside<'_> {
    /// Adds to an answer of these records.
    pub(crate) fn write<'r>(
        &self,
        writer: &mut BodyWriter,
        rtype: RecordType,
        rdatas: impl IntoIterator<Item = &'r Rdata>,
    ) {
        writer.optional();
        let apex = &self.zone.apex;
        let mut targets: Vec<Name> = rdatas.into_iter().filter_map(|rdata| target(rtype, rdata)).collect();
        let is_ns_set = rtype == RecordType::NS && self.owner == apex;
        let servers = self.zone.values(apex, RecordType::NS).filter(|_| !is_ns_set);
        if let Some((ttl, servers)) = servers {
            for server in servers {
                writer.authority(apex, RecordType::NS, ttl, server);
            }
            targets.extend(servers.iter().filter_map(|server| target(RecordType::NS, server)));
        }
        let mut told = BTreeSet::new();
        for target in targets {
            for rtype in [RecordType::A, RecordType::AAAA] {
                let is_new = told.insert((target.clone(), rtype));
                if let Some((ttl, rdatas)) = self.zone.values(&target, rtype).filter(|_| is_new) {
                    rdatas.iter().for_each(|rdata| writer.additional(&target, rtype, ttl, rdata));
                }
            }
        }
    }
}

/// The name whose addresses are of use to whoever asked for this record.
fn target(rtype: RecordType, rdata: &Rdata) -> Option<Name> {
    let before = match rtype {
        RecordType::NS => 0,
        RecordType::MX => 2,
        RecordType::SRV => 6,
        _ => return None,
    };
    Name::from_wire(rdata.0.get(before..)?).ok()
}
