//! A reply's line in the query log of its zone.

use hickory_proto::op::Header;
use hickory_proto::rr::DNSClass;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use jiff::Timestamp;
use pulse53_core::model::Name;
use pulse53_core::table::AnswerTable;

use super::counters::rcode_name;
use super::query::{self, AskedQuestion};
use super::reply::{Received, Replied, Silence, Transport};
use crate::query_log::{Line, QueryLog};

/// Has a reply logged, if it is to be.
pub(super) fn log(
    query_log: &QueryLog,
    table: &AnswerTable,
    received: &Received<'_>,
    replied: Result<Replied, Silence>,
) {
    if table.logs_queries()
        && let Ok(replied) = replied
        && let Some(line) = line(table, query_log.node(), received, replied)
    {
        query_log.write(line);
    }
}

/// The line of a reply, if the question is one about a zone whose queries are logged.
///
/// The query is read once more: only zones that are logged pay for their logs.
fn line(table: &AnswerTable, node: &str, received: &Received<'_>, replied: Replied) -> Option<Line> {
    let mut decoder = BinDecoder::new(received.packet);
    let header = Header::read(&mut decoder).ok()?;
    let question = AskedQuestion::read(&mut decoder).ok().filter(|asked| asked.qclass == DNSClass::IN)?;
    let logged = table.zone_of(question.qname())?.logged.as_ref()?;
    let name = Name::from_wire(question.qname()).ok()?.to_string();
    let edns = query::edns(&mut decoder, &header).ok().flatten();
    let subnet = edns.and_then(|edns| edns.options(false).ok()?.subnet);
    let subnet = subnet
        .map_or_else(|| "-".to_owned(), |subnet| format!("{}/{}", subnet.addr(), subnet.source_prefix()));
    let at = i64::try_from(received.at.as_millis()).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    let protocol = match received.transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    };
    let text = format!(
        "1.0 {at:.3} {zone} {name} {qtype} {rcode} {protocol} {node} {resolver} {subnet}\n",
        at = at.unwrap_or_default(),
        zone = logged.id,
        name = name.trim_end_matches('.'),
        qtype = question.qtype,
        rcode = rcode_name(replied.rcode),
        resolver = received.source.to_canonical(),
    );
    Some(Line { group: logged.group.clone(), text })
}
