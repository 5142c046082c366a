//! The answer of a signed zone: the finished records of [`resolve`](crate::resolve::resolve), with signatures and denials among them.

use std::borrow::Cow;
use std::time::Duration;

use super::denial::{nsec, types_at};
use super::{DNSKEY_TTL, RRset, Signing, SigningFailed, TTL_MAX};
use crate::body::{Body, BodyRecord, BodyWriter, RecordOwner, rcode};
use crate::model::{Name, Rdata, RecordType};
use crate::resolve::{Answer, Question, owner_of};
use crate::table::{AnswerTable, ZoneTable};

/// What an answer of a signed zone is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Whether signatures are asked for (DO=1, RFC 4035 section 3.2.1).
    pub signatures: bool,
    /// When that is, as the time since 1970.
    pub at: Duration,
}

/// Makes an answer of a signed zone of what was resolved: times to live no longer than [`TTL_MAX`] and the zone's own records for everyone,
/// signatures for those who want them.
pub fn answer<'t>(
    table: &'t AnswerTable,
    zone: &'t ZoneTable,
    signing: &Signing,
    question: &Question<'_>,
    resolved: Answer<'t>,
    wanted: Wanted,
) -> Result<Answer<'t>, SigningFailed> {
    let Ok(qname) = Name::from_wire(question.qname) else { return Ok(resolved) };
    let is_beside = table.zone_of(question.qname).is_some_and(|own| own.apex != zone.apex);
    let draft = Draft { zone, signing, wanted, qname: &qname, is_beside };
    let is_as_wanted =
        |body: &Body| !wanted.signatures && !is_beside && body.records().all(|record| record.ttl <= TTL_MAX);
    let body = match draft.own_records(table, question)? {
        Some(body) => body,
        None if is_as_wanted(&resolved.body) => return Ok(resolved),
        None => draft.rewritten(table, question, &resolved)?,
    };
    Ok(Answer { body: Cow::Owned(body), rotation: 0, scope: resolved.scope })
}

/// What all records of one answer have in common.
struct Draft<'a> {
    zone: &'a ZoneTable,
    signing: &'a Signing,
    wanted: Wanted,
    qname: &'a Name,
    /// Whether the name is that of another zone, whose DS records are asked for.
    is_beside: bool,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Answer,
    Authority,
    Additional,
}

impl Draft<'_> {
    /// The answer to a question for what exists only in a signed zone, if this is one.
    fn own_records(
        &self,
        table: &AnswerTable,
        question: &Question<'_>,
    ) -> Result<Option<Body>, SigningFailed> {
        let mut writer = BodyWriter::new(rcode::NOERROR, true);
        if question.qtype == RecordType::DNSKEY && *self.qname == self.zone.apex {
            let rdatas = Cow::Borrowed(&*self.signing.dnskeys);
            let set = RRset { owner: self.qname, rtype: RecordType::DNSKEY, ttl: DNSKEY_TTL, rdatas };
            self.write(&mut writer, Section::Answer, &set, true)?;
            return Ok(Some(writer.finish()));
        }
        if !matches!(question.qtype, RecordType::NSEC | RecordType::RRSIG) {
            return Ok(None);
        }
        let Some((zone, name)) = owner_of(table, question) else { return Ok(None) };
        let Some(owner) = zone.owner(name.as_wire()) else { return Ok(None) };
        let set = nsec(self.zone, self.qname, types_at(zone, name, owner));
        if question.qtype == RecordType::NSEC {
            self.write(&mut writer, Section::Answer, &set, true)?;
        } else {
            // One of many: all that the name has would be signed for nobody's use (as in RFC 8482 section 4.1).
            let signatures = self.signing.signer.sign(&set, self.wanted.at)?;
            signatures.iter().for_each(|rdata| writer.answer(RecordType::RRSIG, set.ttl, rdata));
        }
        Ok(Some(writer.finish()))
    }

    /// What was resolved, once more.
    fn rewritten(
        &self,
        table: &AnswerTable,
        question: &Question<'_>,
        resolved: &Answer<'_>,
    ) -> Result<Body, SigningFailed> {
        // A zone that is served here exists, though this one may not say so.
        let is_unknown = self.is_beside && resolved.body.rcode == rcode::NXDOMAIN;
        let body: &Body = if is_unknown { &self.zone.nodata } else { &resolved.body };
        let is_negative = body.authoritative && body.counts[0] == 0;
        let code = if is_negative && self.wanted.signatures { rcode::NOERROR } else { body.rcode };
        let mut writer = BodyWriter::new(code, body.authoritative);
        let [answers, authorities, _] = body.counts.map(usize::from);
        let mut records: Vec<BodyRecord<'_>> = body.records().collect();
        records[..answers].rotate_left(resolved.rotation.into());
        let required = body.required();
        let required: usize = required.counts.iter().map(|count| usize::from(*count)).sum();

        let mut cut = None;
        let mut at = 0;
        while at < records.len() {
            if at == required {
                // Signatures are worth more than what saves a further query.
                if self.wanted.signatures {
                    break;
                }
                writer.optional();
            }
            let (section, end) = match at {
                _ if at < answers => (Section::Answer, answers),
                _ if at < answers + authorities => (Section::Authority, answers + authorities),
                _ => (Section::Additional, records.len()),
            };
            if section == Section::Additional
                && let Some(cut) = cut.take()
            {
                self.write_delegation(&mut writer, table, &cut)?;
            }
            let end = if at < required { end.min(required) } else { end };
            let alike = |record: &&BodyRecord<'_>| {
                record.owner == records[at].owner && record.rtype == records[at].rtype
            };
            let of_set: Vec<&BodyRecord<'_>> = records[at..end].iter().take_while(alike).collect();
            let owner = self.owner(records[at].owner);
            let set = RRset {
                owner: &owner,
                rtype: records[at].rtype,
                ttl: records[at].ttl.min(TTL_MAX),
                rdatas: of_set.iter().map(|record| Rdata(record.rdata.into())).collect::<Vec<_>>().into(),
            };
            // A CNAME behind a DNAME is made for this answer (RFC 6672 section 5.3.1); NS records of a cut are the child's.
            let is_made = section == Section::Answer && at > 0;
            let is_own = section == Section::Answer || body.authoritative;
            self.write(&mut writer, section, &set, is_own && !is_made && section != Section::Additional)?;
            if section == Section::Authority && !body.authoritative {
                cut = Some(owner.clone());
            }
            at += of_set.len();
        }
        if let Some(cut) = cut {
            self.write_delegation(&mut writer, table, &cut)?;
        }
        if is_negative && self.wanted.signatures {
            let types = match owner_of(table, question) {
                _ if self.is_beside => vec![RecordType::NS],
                Some((zone, name)) => {
                    zone.owner(name.as_wire()).map_or_else(Vec::new, |owner| types_at(zone, name, owner))
                }
                // A type that no record has tells it from a name without records (RFC 9824 section 2).
                None => vec![RecordType::NXNAME],
            };
            // A group that has nothing for this client is denied to it, as if it were not there.
            let denied = |rtype: &RecordType| *rtype == question.qtype || *rtype == RecordType::CNAME;
            let types = types.into_iter().filter(|rtype| !denied(rtype)).collect();
            self.write(&mut writer, Section::Authority, &nsec(self.zone, self.qname, types), true)?;
        }
        Ok(writer.finish())
    }

    /// Whether the zone below a cut is signed: the keys that the parent knows, or that it knows of none (RFC 4035 section 3.1.4).
    fn write_delegation(
        &self,
        writer: &mut BodyWriter,
        table: &AnswerTable,
        cut: &Name,
    ) -> Result<(), SigningFailed> {
        if !self.wanted.signatures {
            return Ok(());
        }
        let group = self.zone.owner(cut.as_wire()).and_then(|owner| owner.group(RecordType::DS));
        let records = group.map(|group| table.plan(group).choose(|_| 0, 0));
        match records.filter(|body| body.counts[0] > 0) {
            Some(body) => {
                let ttl = body.records().next().map_or(TTL_MAX, |record| record.ttl.min(TTL_MAX));
                let rdatas: Vec<Rdata> = body.answers().map(|(_, rdata)| rdata).collect();
                let set = RRset { owner: cut, rtype: RecordType::DS, ttl, rdatas: rdatas.into() };
                self.write(writer, Section::Authority, &set, true)
            }
            None => {
                let set = nsec(self.zone, cut, vec![RecordType::NS]);
                self.write(writer, Section::Authority, &set, true)
            }
        }
    }

    /// Appends a record set, and its signatures if they are wanted.
    fn write(
        &self,
        writer: &mut BodyWriter,
        section: Section,
        set: &RRset<'_>,
        is_signed: bool,
    ) -> Result<(), SigningFailed> {
        let mut record = |rtype, rdata: &Rdata| match section {
            Section::Answer if set.owner == self.qname => writer.answer(rtype, set.ttl, rdata),
            Section::Answer => writer.answer_above(set.owner, rtype, set.ttl, rdata),
            Section::Authority => writer.authority(set.owner, rtype, set.ttl, rdata),
            Section::Additional => writer.additional(set.owner, rtype, set.ttl, rdata),
        };
        set.rdatas.iter().for_each(|rdata| record(set.rtype, rdata));
        if is_signed && self.wanted.signatures {
            let signatures = self.signing.signer.sign(set, self.wanted.at)?;
            signatures.iter().for_each(|rdata| record(RecordType::RRSIG, rdata));
        }
        Ok(())
    }

    /// An owner by its name. What stands in a body are names.
    fn owner(&self, owner: RecordOwner<'_>) -> Name {
        let qname = self.qname.as_wire();
        let wire = match owner {
            RecordOwner::Question => return self.qname.clone(),
            RecordOwner::Suffix(length) => &qname[qname.len().saturating_sub(length)..],
            RecordOwner::Name(wire) => wire,
        };
        Name::from_wire(wire).unwrap_or_else(|_| self.zone.apex.clone())
    }
}
