//! Where the client is: the network it is routed by, and which variant of an answer that network gets.

use pulse53_abi::client::{
    ByClass, CLASS_FLAG, CLASSES_PER_WORD, CLIENT_OCTETS_V4, CLIENT_OCTETS_V6, ROOT_NODE_V4, ROOT_NODE_V6,
    variant_in,
};
use pulse53_abi::shared::Shared;
use pulse53_abi::verdict::{PassReason, Verdict};

use crate::edns::Edns;
use crate::ip::Network;
use crate::{Packet, Scratch, Step, Tables};

/// A client network.
#[derive(Clone, Copy)]
pub(crate) struct Client {
    pub(crate) is_v6: bool,
    /// The address's first octets as they stand in a packet, the very first one in the low bits. Those behind the client network do not
    /// count.
    pub(crate) octets: u64,
    /// Whether the client named fewer bits than a client network has.
    pub(crate) is_short: bool,
}

/// The client of a query: its subnet option, or else where it comes from.
#[inline(always)]
pub(crate) fn of_query(network: &Network, edns: &Edns, scratch: &Scratch) -> Client {
    match edns.client {
        Some(client) => client,
        None => Client { is_v6: network.is_v6, octets: scratch.source[0], is_short: false },
    }
}

/// The choice for a client, as [`pulse53_abi::entry::Choice`] packs it.
#[inline(always)]
pub(crate) fn choice(
    packet: &mut impl Packet,
    tables: &impl Tables,
    by_class: ByClass,
    client: Client,
) -> Step<u64> {
    let inconsistent = Verdict::Pass(PassReason::Inconsistent);
    if client.is_short && !tables.short_subnets() {
        return Err(Verdict::Pass(PassReason::Option));
    }
    let class = class(packet, tables, client).ok_or(inconsistent)?;
    let at = by_class.partition.wrapping_add(u32::from(class) / CLASSES_PER_WORD);
    let variant = variant_in(tables.partition_word(at).ok_or(inconsistent)?.load(), class);
    let choice = tables.variant(by_class.variants.wrapping_add(u32::from(variant)));
    Ok(choice.ok_or(inconsistent)?.load())
}

/// The class of a client network.
#[inline(always)]
fn class(packet: &mut impl Packet, tables: &impl Tables, client: Client) -> Option<u16> {
    let known = client.octets & 0xffff_ffff_ffff | u64::from(client.is_v6) << 63;
    let mut rest = packet.forget(known);
    let (root, levels) =
        if rest >> 63 != 0 { (ROOT_NODE_V6, CLIENT_OCTETS_V6) } else { (ROOT_NODE_V4, CLIENT_OCTETS_V4) };
    let mut entry = root + (rest & 0xff) as u32;
    for level in 1..CLIENT_OCTETS_V6 {
        rest >>= 8;
        let node = tables.client_node(entry)?;
        entry = Shared::load_half(&node.entries, (rest & 0xff) as usize)?;
        if entry & CLASS_FLAG != 0 {
            break;
        }
        if level + 1 >= levels {
            return None;
        }
    }
    let entry = packet.forget(u64::from(entry)) as u32;
    if entry & CLASS_FLAG != 0 { Some(entry as u16) } else { None }
}
