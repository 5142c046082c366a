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
struct Parsed<Place> {
    link: Ethernet,
    network: Network,
    transport: Datagram<Place>,
    query: Query,
}

#[inline(always)]
fn parse<P: Packet>(packet: &mut P, tables: &impl Tables, scratch: &mut Scratch) -> Step<Parsed<P::Place>> {
    let mut link = ethernet::parse(packet, scratch)?;
    let mut network = ip::parse(packet, &link, scratch)?;
    forget_layout(packet, &mut link, &mut network);
    let transport = udp::parse(packet, &network)?;
    udp::check_served(&network, &transport, tables, scratch)?;
    if tables.is_stale() {
        return Err(Verdict::Pass(PassReason::Stale));
    }
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
    let Parsed { link, network, transport, mut query } = parse(packet, tables, scratch)?;
    let found = if FOUND { scratch.found.entry() } else { table::find(packet, tables, &query, scratch)? };
    let mut edns = edns::parse(packet, &transport, &query, tables, scratch)?;
    let mut chosen = choose::choose(packet, tables, &found, &network, &edns, scratch)?;
    if FOUND {
        negative::complete(&mut chosen, scratch);
    }
    let message_len = reply::fit(&query, &edns, &chosen)?;
    route::find(packet, tables, &link, &network, transport.ports, message_len, scratch)?;
    let is_proven = cookie::answer_query(tables, &network, &edns, scratch)?;
    let mut slips = !is_proven && limit::rule_reply(tables, &network, &chosen, scratch)?;
    if slips {
        chosen.empty();
    }
    let mut reply = reply::plan(&network, &query, &edns, &chosen.head, slips, scratch);
    // All is decided. From here on only sizes and places matter.
    forget_contents(packet, &mut query, &mut edns, &mut chosen, &mut slips);
    reply.forget(packet);
    reply::write(
        packet,
        tables,
        scratch,
        link.len,
        &network,
        transport.at,
        transport.ports,
        &query,
        &edns,
        &chosen,
        &reply,
    )?;
    if slips {
        return Ok(Verdict::Slip);
    }
    let kind = if FOUND { negative::write_owners(packet, transport.at, &query, scratch)? } else { None };
    Ok(kind.map_or(Verdict::Reply, Verdict::NoAnswer))
}

/// Makes the verifier forget which headers there were: it would follow each combination to the end.
#[inline(always)]
fn forget_layout(packet: &mut impl Packet, link: &mut Ethernet, network: &mut Network) {
    packet.forget_frame();
    link.len = (packet.forget(link.len as u64) & 0xff) as usize;
    network.is_v6 = packet.forget(network.is_v6.into()) & 1 != 0;
    network.payload_at = (packet.forget(network.payload_at as u64) & 0xff) as usize;
    network.address_sum = packet.forget(network.address_sum);
    network.payload_len = (packet.forget(network.payload_len as u64) & 0xffff) as usize;
}

/// The same for what the reply holds.
#[inline(always)]
fn forget_contents(
    packet: &impl Packet,
    query: &mut Query,
    edns: &mut Edns,
    chosen: &mut Chosen,
    slips: &mut bool,
) {
    query.name_len = (packet.forget(query.name_len as u64) & 0xff) as usize;
    edns.len = (packet.forget(edns.len.into()) & 0xff) as u16;
    edns.cookie_len = (packet.forget(edns.cookie_len.into()) & 0xff) as u16;
    chosen.head.len = packet.forget(chosen.head.len.into()) as u16;
    chosen.turn = (packet.forget(chosen.turn as u64) & 0xffff) as usize;
    *slips = packet.forget(u64::from(*slips)) & 1 != 0;
    chosen.link.0 = packet.forget(u64::from(chosen.link.0)) as u32;
    chosen.uses = packet.forget(chosen.uses);
}
