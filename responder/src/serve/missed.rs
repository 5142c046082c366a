//! What userspace answers and the kernel might: counted by sample, where the kernel has no room for all.

use hickory_proto::op::Header;
use hickory_proto::rr::DNSClass;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use pulse53_core::body::rcode;
use pulse53_core::heat::MISSES_ONE_IN;
use pulse53_core::lower::HotKey;
use pulse53_core::resolve::{Question, owner_of};
use pulse53_core::table::AnswerTable;

use super::query::AskedQuestion;
use super::reply::{Received, Replied, Silence};
use crate::heat::Misses;

/// Counts a reply over UDP, if it is one of those that are counted.
pub(super) fn count(
    misses: &Misses,
    table: &AnswerTable,
    received: &Received<'_>,
    replied: Result<Replied, Silence>,
    random: &mut fastrand::Rng,
) {
    // What does not fit the client would not be answered by the kernel, either.
    let could_be_hot =
        replied.is_ok_and(|replied| replied.rcode == u16::from(rcode::NOERROR) && !replied.truncated);
    if misses.are_wanted()
        && could_be_hot
        && random.u32(..MISSES_ONE_IN) == 0
        && let Some(key) = key(table, received.packet)
    {
        misses.count(key);
    }
}

/// The question that a query's answer is held under: that of the name itself, or of the wildcard that covers it.
///
/// The query is read once more: samples alone pay for that.
fn key(table: &AnswerTable, packet: &[u8]) -> Option<HotKey> {
    let mut decoder = BinDecoder::new(packet);
    Header::read(&mut decoder).ok()?;
    let asked = AskedQuestion::read(&mut decoder).ok().filter(|asked| asked.qclass == DNSClass::IN)?;
    let (_, name) = owner_of(table, &Question { qname: asked.qname(), qtype: asked.qtype })?;
    Some(HotKey { name: name.clone(), qtype: asked.qtype })
}
