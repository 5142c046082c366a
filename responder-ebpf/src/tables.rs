//! The few look-ups the path may make, its clock, and its only source of randomness.

use pulse53_abi::client::ClientNode;
use pulse53_abi::entry::{BodyLarge, BodyMedium, BodySmall, Column, NameRest, RECORDS_INLINE, Slot};
use pulse53_abi::live::LiveSettings;
use pulse53_abi::node::{Node, NodesHead};
use pulse53_abi::served::Served;
use pulse53_abi::shared::Shared;

use crate::cookie::Exchange;
use crate::limit::{self, Response};
use crate::negative::Substitute;
use crate::route::Route;

/// Memory shared with userspace. An index that is out of range finds nothing.
pub trait Tables {
    /// Seed of the question hash.
    fn seed(&self) -> u64;
    /// Number of slots less one.
    fn slot_mask(&self) -> u32;
    /// The largest reply sent, in octets of DNS message (D-16).
    fn message_max(&self) -> u16;
    /// An entry of the table of served addresses.
    fn served(&self, index: u32) -> Option<&Served>;
    /// A slot of the hot table.
    fn slot(&self, index: u32) -> Option<&Slot>;
    /// What concerns all nodes; always there.
    fn nodes_head(&self) -> Option<&NodesHead>;
    /// A name that exists.
    fn node(&self, index: u32) -> Option<&Node>;
    /// What is answered for names of a zone that do not exist, as [`pulse53_abi::node::ZoneWord`] packs it.
    fn zone(&self, number: u32) -> Option<&Shared>;
    /// The end of a long name.
    fn name_rest(&self, index: u32) -> Option<&NameRest>;
    /// A column of an alias table.
    fn column(&self, index: u32) -> Option<&Column>;
    /// A choice among bodies that some of an answer's clients get, as [`pulse53_abi::entry::Choice`] packs it.
    fn variant(&self, index: u32) -> Option<&Shared>;
    /// A node of the tries in which client networks are looked up.
    fn client_node(&self, index: u32) -> Option<&ClientNode>;
    /// A word of the partitions of classes.
    fn partition_word(&self, index: u32) -> Option<&Shared>;
    /// Whether the class of a subnet shorter than a client network is always that of its first address.
    fn short_subnets(&self) -> bool;
    /// A body of up to 240 octets.
    fn body_small(&self, index: u32) -> Option<&BodySmall>;
    /// A body of up to 496 octets.
    fn body_medium(&self, index: u32) -> Option<&BodyMedium>;
    /// A body of up to 1216 octets.
    fn body_large(&self, index: u32) -> Option<&BodyLarge>;
    /// Whether userspace has not been heard of for longer than the tables are good (D-25).
    #[inline(always)]
    fn is_stale(&self) -> bool {
        false
    }
    /// Whether replies go where the kernel's routes lead, and not to who sent the query.
    #[inline(always)]
    fn routes_replies(&self) -> bool {
        false
    }
    /// A random number, spent as [`pulse53_abi::draw`] says; never zero.
    fn draw(&self) -> u64;
    /// What may change while the program runs; always there.
    fn live(&self) -> Option<&LiveSettings>;
    /// A bucket of the rate limit.
    fn bucket(&self, index: u32) -> Option<&Shared>;
    /// Nanoseconds since 1970, as coarse as the kernel's tick.
    fn now(&self) -> u64;
    /// Answers a cookie; whether it was valid.
    #[inline(always)]
    fn answer_cookie(&self, exchange: &mut Exchange) -> bool {
        exchange.answer()
    }
    /// See [`limit::rule`].
    #[inline(always)]
    fn rule(&self, response: &mut Response) -> u64
    where
        Self: Sized,
    {
        limit::rule(self, response)
    }
}

/// Words of the longest name.
pub const NAME_WORDS: usize = 32;
/// Labels of the longest name, with the root's.
pub const LABELS: usize = 128;
/// Octets that inline records may take twice, with what is written behind them in whole words; a multiple of a word.
pub const RECORDS_ROOM: usize = 3 * RECORDS_INLINE;
/// Words of the longest OPT record in a reply up to a client subnet: 11 octets, and 24 of that.
pub const OPT_WORDS: usize = 5;

/// Working memory of one packet; its contents do not matter when a packet begins.
#[repr(C)]
#[derive(Debug)]
pub struct Scratch {
    /// The Ethernet header, which growing the frame overwrites: destination and first half of the source, and the second half.
    pub link: [u64; 2],
    /// Its tags, behind the addresses, if it has any.
    pub tags: [u32; 2],
    /// Where the query comes from, as it stands in the IP header; an IPv4 address is the lower half of the first word.
    pub source: [u64; 2],
    /// Which address it asks.
    pub destination: [u64; 2],
    /// The question's name as it came, zero-padded.
    pub name: [u64; NAME_WORDS],
    /// Records copied out of a slot; twice in a row if they rotate, so that they can be read from any of them on.
    pub records: [u8; RECORDS_ROOM],
    /// The reply's OPT up to a client subnet, if it has one, zero-padded.
    pub opt: [u64; OPT_WORDS],
    /// The query's cookie, and then the reply's, if it has one.
    pub cookie: Exchange,
    /// The response that the rate limit is asked about.
    pub response: Response,
    /// The way of the reply, if it is routed.
    pub route: Route,
    /// An ancestor of the question's name, or a wildcard below one; zero-padded as far as slots and nodes compare names whole.
    pub owner: [u64; NAME_WORDS],
    /// Where each label of the question's name begins.
    pub labels: [u8; LABELS],
    /// The slot of the entry that answers, whose heat is measured.
    pub slot: u64,
    /// What was found in place of a hot entry, for the program that goes on with it; inline records are in `records`.
    pub found: Substitute,
}

impl Scratch {
    /// Empty working memory.
    pub const fn new() -> Self {
        Self {
            link: [0; 2],
            tags: [0; 2],
            source: [0; 2],
            destination: [0; 2],
            name: [0; NAME_WORDS],
            records: [0; RECORDS_ROOM],
            opt: [0; OPT_WORDS],
            cookie: Exchange::new(),
            response: Response::new(),
            route: Route::new(),
            owner: [0; NAME_WORDS],
            labels: [0; LABELS],
            slot: 0,
            found: Substitute::new(),
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}
