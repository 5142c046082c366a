//! Whether the kernel's answer is the one userspace gives to the same query with the same draw, at the same time.

use std::time::Duration;

use pulse53_abi::sample::Sample;
use pulse53_core::lower::HotKey;
use pulse53_core::model::{Name, RecordType};
use pulse53_core::table::AnswerTable;

use super::frame::Datagram;
use crate::clock;
use crate::serve::reply::{Received, ReplySettings, Transport, respond};

const SECOND: Duration = Duration::from_secs(1);

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// The same octets, and a frame around them that is right.
    Same,
    /// Anything else.
    Different(Difference),
    /// The sample makes no sense.
    Unreadable,
}

/// How a kernel answer is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The question; none if it could not be read.
    pub key: Option<HotKey>,
    /// Which part differs.
    pub what: &'static str,
    /// The query's frame.
    pub query: Vec<u8>,
    /// The frame that the kernel sent back.
    pub reply: Vec<u8>,
    /// The message that userspace replies; empty if nothing.
    pub expected: Vec<u8>,
}

/// Answers a sampled query again and compares. The link addresses of a reply that `is_routed` are the neighbor's to which it goes.
pub fn judge(sample: &Sample, table: &AnswerTable, settings: &ReplySettings, is_routed: bool) -> Judged {
    let frame = |words: &[u64], len: u64| {
        let octets: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        usize::try_from(len).ok().and_then(|len| octets.get(..len).map(<[u8]>::to_vec))
    };
    let frames = frame(&sample.query, sample.query_len).zip(frame(&sample.reply, sample.reply_len));
    let Some((query_frame, reply_frame)) = frames else { return Judged::Unreadable };
    let Some(query) = Datagram::read(&query_frame) else { return Judged::Unreadable };
    let mut expected = Vec::new();
    let what = match Datagram::read(&reply_frame) {
        None => Some("the reply is no datagram"),
        Some(reply) => around(&query, &reply, is_routed).or_else(|| {
            let age = Duration::from_nanos(clock::monotonic_ns().saturating_sub(sample.began_at));
            let began = clock::since_1970().saturating_sub(age);
            // Cookies tell the second, and the kernel half's clock is some milliseconds off at times.
            let clocks = [began, began.saturating_sub(SECOND), began + SECOND];
            let same = clocks
                .into_iter()
                .any(|at| is_same(&query, reply.message, sample.draw, at, table, settings, &mut expected));
            (!same).then_some("the message differs")
        }),
    };
    match what {
        None => Judged::Same,
        Some(what) => Judged::Different(Difference {
            key: question(query.message),
            what,
            query: query_frame,
            reply: reply_frame,
            expected,
        }),
    }
}

/// What is wrong with everything but the message (D-19, D-24).
fn around(query: &Datagram<'_>, reply: &Datagram<'_>, is_routed: bool) -> Option<&'static str> {
    let [from, to] = query.addresses;
    let [hardware_from, hardware_to] = query.hardware;
    let goes_back = is_routed || reply.hardware == [hardware_to, hardware_from];
    if reply.addresses != [to, from] || !goes_back {
        return Some("the addresses are not those of the query, turned round");
    }
    if reply.tags != query.tags {
        return Some("the tags are not those of the query");
    }
    match reply.sums {
        [false, _] => Some("the IPv4 header checksum is wrong"),
        [_, false] => Some("the UDP checksum is wrong"),
        [true, true] => None,
    }
}

/// Whether userspace replies the same message; `expected` is what it replies.
fn is_same(
    query: &Datagram<'_>,
    reply: &[u8],
    draw: u64,
    at: Duration,
    table: &AnswerTable,
    settings: &ReplySettings,
    expected: &mut Vec<u8>,
) -> bool {
    // Whoever asks twice must not pay twice.
    let settings = ReplySettings { limiter: None, ..settings.clone() };
    let source = query.addresses[0].ip();
    let received = Received { packet: query.message, source, transport: Transport::Udp, at };
    respond(table, &settings, &received, draw, expected).is_ok() && expected == reply
}

/// The question of a well-formed message.
fn question(message: &[u8]) -> Option<HotKey> {
    let question = message.get(12..)?;
    // The name ends at its first zero octet, as far as the kernel looks.
    let end = question.iter().position(|octet| *octet == 0)? + 1;
    let name = Name::from_wire(&question[..end].to_ascii_lowercase()).ok()?;
    let qtype = question.get(end..end + 2)?.try_into().map(u16::from_be_bytes).ok()?;
    Some(HotKey { name, qtype: RecordType::from_int(qtype) })
}
