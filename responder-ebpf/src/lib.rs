//! The fast path: a query frame becomes its reply, or is passed on untouched.
//!
//! This library holds every step and no line of BPF: it reads and writes a frame through [`Packet`] and looks things up
//! through [`Tables`], so that unit tests, property tests and fuzzers run the very code the kernel runs. The binary
//! `pulse53-xdp` implements the two traits on kernel memory.
//!
//! [`run`] reads top to bottom. Law 2: all that can fail is settled before the first octet changes. The path knows no health, no records and no
//! zones, only keys, choices and finished octets (law 6).

#![no_std]

#[cfg(not(target_arch = "bpf"))]
extern crate alloc;

mod ancestors;
mod choose;
mod client;
pub mod cookie;
mod dns;
mod edns;
mod ethernet;
#[cfg(not(target_arch = "bpf"))]
pub mod host;
mod ip;
pub mod limit;
mod negative;
pub mod packet;
mod reply;
pub mod route;
mod table;
pub mod tables;
mod udp;

pub use packet::{Packet, Word};
pub use pulse53_abi as abi;
pub use tables::{Scratch, Tables};

use abi::verdict::{PassReason, Verdict};
use choose::Chosen;
use dns::Query;
use edns::Edns;
use ethernet::Ethernet;
use ip::Network;
use udp::Datagram;

/// What a step gives: its result, or the verdict that ends the path.
pub(crate) type Step<T> = Result<T, Verdict>;

/// Answers one frame, or says why not.
///
/// This is what the kernel does in three programs, each of which begins anew: hits, which most queries are, need the first alone and cost no more
/// for the others, and the verifier follows each on its own.
#[inline(always)]
pub fn run(packet: &mut impl Packet, tables: &impl Tables, scratch: &mut Scratch) -> Verdict {
    match run_hot(packet, tables, scratch) {
        Verdict::Pass(PassReason::NotHot) => match run_search(packet, tables, scratch) {
            Ok(()) => run_found(packet, tables, scratch),
            Err(verdict) => verdict,
        },
        verdict => verdict,
    }
}

/// First: answers from the hot table, and knows of no other names.
#[inline(always)]
pub fn run_hot(packet: &mut impl Packet, tables: &impl Tables, scratch: &mut Scratch) -> Verdict {
    let (Ok(verdict) | Err(verdict)) = answer::<false>(packet, tables, scratch);
    verdict
}

/// Then, of what the first has passed as not hot: finds what answers in place of a hot entry, and leaves it in the working memory.
#[inline(always)]
pub fn run_search(
    packet: &mut impl Packet,
    tables: &impl Tables,
    scratch: &mut Scratch,
) -> Result<(), Verdict> {
    let Parsed { query, .. } = parse(packet, tables, scratch)?;
    negative::find(packet, tables, &query, scratch)
}

/// Last: answers with what was found.
#[inline(always)]
pub fn run_found(packet: &mut impl Packet, tables: &impl Tables, scratch: &mut Scratch) -> Verdict {
    let (Ok(verdict) | Err(verdict)) = answer::<true>(packet, tables, scratch);
    verdict
}

/// What every program begins with.
struct Parsed {
    link: Ethernet,
    network: Network,
    transport: Datagram,
    query: Query,
}

#[inline(always)]
fn parse(packet: &mut impl Packet, tables: &impl Tables, scratch: &mut Scratch) -> Step<Parsed> {
    let mut link = ethernet::parse(packet)?;
    let mut network = ip::parse(packet, &link)?;
    let mut transport = udp::parse(packet, &network)?;
    udp::check_served(&network, &transport, tables)?;
    if tables.is_stale() {
        return Err(Verdict::Pass(PassReason::Stale));
    }
    forget_layout(packet, &mut link, &mut network, &mut transport);
    let query = dns::parse(packet, &transport, tables.seed(), scratch)?;
    Ok(Parsed { link, network, transport, query })
}

/// Answers with what the hot table says, or with what was found before.
#[inline(always)]
fn answer<const FOUND: bool>(
    packet: &mut impl Packet,
    tables: &impl Tables,
    scratch: &mut Scratch,
) -> Step<Verdict> {
    let Parsed { mut link, mut network, mut transport, mut query } = parse(packet, tables, scratch)?;
    let found = if FOUND { scratch.found.entry() } else { table::find(tables, &query, scratch)? };
    let mut edns = edns::parse(packet, &transport, &query, tables, scratch)?;
    let mut chosen = choose::choose(packet, tables, &found, &network, &edns, scratch)?;
    if FOUND {
        negative::complete(&mut chosen, scratch);
    }
    let message_len = reply::fit(&query, &edns, &chosen)?;
    route::find(packet, tables, &mut link, &network, &transport, message_len, scratch)?;
    let is_proven = cookie::answer_query(tables, &network, &edns, scratch)?;
    let mut slips = !is_proven && limit::rule_reply(tables, &network, &chosen, scratch)?;
    if slips {
        chosen.empty();
    }
    let reply = reply::plan(&network, &query, &edns, &chosen.head, slips, scratch);
    // All is decided. From here on only sizes and places matter.
    forget_layout(packet, &mut link, &mut network, &mut transport);
    forget_contents(packet, &mut query, &mut edns, &mut chosen, &mut slips);
    reply::write(packet, tables, scratch, &link, &network, &transport, &query, &edns, &chosen, &reply)?;
    if slips {
        return Ok(Verdict::Slip);
    }
    let kind = if FOUND { negative::write_owners(packet, &transport, &query, scratch)? } else { None };
    Ok(kind.map_or(Verdict::Reply, Verdict::NoAnswer))
}

/// Makes the verifier forget which headers there were: it would follow each combination to the end.
#[inline(always)]
fn forget_layout(
    packet: &mut impl Packet,
    link: &mut Ethernet,
    network: &mut Network,
    transport: &mut Datagram,
) {
    let known = link.len | usize::from(network.is_v6) << 8 | transport.at << 16;
    let forgotten = packet.forget(known as u64) as usize;
    link.len = forgotten & 0xff;
    network.is_v6 = forgotten & 0x100 != 0;
    network.at = link.len;
    transport.at = (forgotten >> 16) & 0xff;
    transport.payload_at = transport.at + udp::HEADER;
}

/// The same for what the reply holds.
#[inline(always)]
fn forget_contents(
    packet: &mut impl Packet,
    query: &mut Query,
    edns: &mut Edns,
    chosen: &mut Chosen,
    slips: &mut bool,
) {
    let known = query.name_len as u64
        | u64::from(edns.len & 0xff) << 8
        | u64::from(chosen.head.len) << 16
        | (chosen.turn as u64) << 32
        | u64::from(edns.cookie_len & 0xff) << 48
        | u64::from(*slips) << 56;
    let forgotten = packet.forget(known);
    query.name_len = (forgotten & 0xff) as usize;
    edns.len = (forgotten >> 8 & 0xff) as u16;
    edns.cookie_len = (forgotten >> 48 & 0xff) as u16;
    chosen.head.len = (forgotten >> 16) as u16;
    chosen.turn = ((forgotten >> 32) & 0xffff) as usize;
    *slips = forgotten >> 56 != 0;
    chosen.link.0 = packet.forget(u64::from(chosen.link.0)) as u32;
}
