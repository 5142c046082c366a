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

mod choose;
mod dns;
mod edns;
mod ethernet;
#[cfg(not(target_arch = "bpf"))]
pub mod host;
mod ip;
pub mod packet;
mod reply;
mod table;
pub mod tables;
mod udp;

pub use packet::{Packet, Word};
pub use pulse53_abi as abi;
pub use tables::{Scratch, Tables};

use abi::verdict::Verdict;

/// What a step gives: its result, or the verdict that ends the path.
pub(crate) type Step<T> = Result<T, Verdict>;

/// Answers one frame, or says why not.
#[inline(always)]
pub fn run(packet: &mut impl Packet, tables: &impl Tables, scratch: &mut Scratch) -> Verdict {
    match answer(packet, tables, scratch) {
        Ok(()) => Verdict::Reply,
        Err(verdict) => verdict,
    }
}

#[inline(always)]
fn answer(packet: &mut impl Packet, tables: &impl Tables, scratch: &mut Scratch) -> Step<()> {
    let link = ethernet::parse(packet)?;
    let network = ip::parse(packet, &link)?;
    let transport = udp::parse(packet, &network)?;
    udp::check_served(&network, &transport, tables)?;
    let query = dns::parse(packet, &transport, tables.seed(), scratch)?;
    let edns = edns::parse(packet, &transport, &query, tables.message_max())?;
    let found = table::find(tables, &query, scratch)?;
    let chosen = choose::choose(tables, &found)?;
    let reply = reply::plan(&network, &query, &edns, &chosen)?;
    reply::write(packet, tables, scratch, &link, &network, &transport, &query, &edns, &chosen, &reply)
}
