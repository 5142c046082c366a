//! Where a reply goes: back to who sent the query, where it came in; or, if userspace wants that, where the kernel's routes lead.
//!
//! Routes are asked as for a packet that this machine makes itself: one that came in by the loopback interface. So rules and routes by source
//! address hold as they do for sockets, and no interface to the network has to forward.

use pulse53_abi::verdict::{PassReason, Verdict};

use crate::ethernet::{self, Ethernet};
use crate::ip::Network;
use crate::udp;
use crate::{Packet, Scratch, Step, Tables};

/// A question for the kernel's routes and its answer: `struct bpf_fib_lookup` of include/uapi/linux/bpf.h as words, in an order of octets that
/// this crate's other words have, too.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Route {
    words: [u64; 8],
    /// The interface by which the reply leaves, if that is not the one by which the query came in, else 0.
    pub way_out: u64,
}

/// Family, protocol, ports and length.
const HEAD: usize = 0;
/// In the question, the interface that the packet came in by; in the answer, the one it leaves by. Then the type of service, or the flow.
const INTERFACE: usize = 1;
const SOURCE: usize = 2;
const DESTINATION: usize = 4;
/// VLAN, which the kernel does not tell; then, over two words, the reply's link addresses: source and destination.
const LINKS: usize = 6;

/// `AF_INET` and `AF_INET6`.
const FAMILIES: [u64; 2] = [2, 10];
/// The loopback interface has this number in each network namespace.
const LOOPBACK: u64 = 1;

impl Route {
    /// No question.
    pub const fn new() -> Self {
        Self { words: [0; 8], way_out: 0 }
    }

    /// The way of a reply of so many octets from the IP header on.
    #[inline(always)]
    fn ask(&mut self, is_v6: bool, source: [u64; 2], destination: [u64; 2], ports: u32, len: usize) {
        let family = FAMILIES[usize::from(is_v6)];
        self.words[HEAD] = family | 17 << 8 | u64::from(ports.rotate_left(16)) << 16 | (len as u64) << 48;
        self.words[INTERFACE] = LOOPBACK;
        self.words[SOURCE] = source[0];
        self.words[SOURCE + 1] = source[1];
        self.words[DESTINATION] = destination[0];
        self.words[DESTINATION + 1] = destination[1];
        self.words[LINKS] = 0;
        self.words[LINKS + 1] = 0;
    }

    /// What the kernel's helper reads and writes.
    #[inline(always)]
    pub fn words(&mut self) -> &mut [u64; 8] {
        &mut self.words
    }

    /// The interface that the kernel has answered with.
    #[inline(always)]
    pub fn interface(&self) -> u32 {
        self.words[INTERFACE] as u32
    }

    /// The reply's source and destination on the link, their octets from the least significant on.
    #[inline(always)]
    fn links(&self) -> [u64; 2] {
        let last = self.words[LINKS + 1];
        [self.words[LINKS] >> 32 | (last & 0xffff) << 32, last >> 16]
    }
}

impl Default for Route {
    fn default() -> Self {
        Self::new()
    }
}

/// Settles where a reply with a message of so many octets goes. Whoever is on the link itself is answered there; so is everyone, unless routes are
/// to be asked.
#[inline(always)]
pub(crate) fn find(
    packet: &impl Packet,
    tables: &impl Tables,
    link: &Ethernet,
    network: &Network,
    ports: u32,
    message_len: usize,
    scratch: &mut Scratch,
) -> Step<()> {
    if !tables.routes_replies() {
        return Ok(());
    }
    scratch.route.way_out = 0;
    if network.source_is_link_local(scratch) {
        return Ok(());
    }
    let none = Verdict::Pass(PassReason::NoRoute);
    // Which tag belongs to a route, the kernel does not tell.
    if link.is_tagged() {
        return Err(none);
    }
    let len = network.payload_at - link.len + udp::HEADER + message_len;
    scratch.route.ask(network.is_v6, scratch.destination, scratch.source, ports, len);
    packet.find_route(&mut scratch.route).ok_or(none)?;
    let [from, to] = scratch.route.links();
    ethernet::reply_between(scratch, from, to);
    Ok(())
}

const _: () = assert!(size_of::<Route>() == 72);

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::host::Frame;
    use crate::{ethernet, ip, udp};

    #[test]
    fn a_question_lies_in_memory_as_the_kernel_reads_it() {
        let mut octets = vec![0x11; 14];
        octets[12..].copy_from_slice(&[0x08, 0]);
        octets.extend([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0, 198, 51, 100, 7, 192, 0, 2, 53]);
        octets.extend([0x12, 0x34, 0, 53, 0, 20, 0, 0]);
        octets.extend([0; 12]);
        let frame = Frame::new(octets);
        let mut scratch = Scratch::new();
        let link = ethernet::parse(&frame, &mut scratch).unwrap();
        let network = ip::parse(&frame, &link, &mut scratch).unwrap();
        let datagram = udp::parse(&frame, &network).unwrap();
        let mut route = Route::new();
        route.ask(network.is_v6, scratch.destination, scratch.source, datagram.ports, 0x0321);
        let asked: Vec<u8> = route.words().iter().flat_map(|word| word.to_le_bytes()).collect();
        // AF_INET, UDP, both ports, length, interface, type of service.
        assert_eq!(asked[..16], [2, 17, 0, 53, 0x12, 0x34, 0x21, 0x03, 1, 0, 0, 0, 0, 0, 0, 0]);
        // From the served address to the client, each in the first of four words.
        assert_eq!(asked[16..32], [192, 0, 2, 53, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(asked[32..48], [198, 51, 100, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn an_answer_turns_the_reply_to_the_next_hop() {
        let mut route = Route::new();
        let answer = [0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        for (word, octets) in route.words()[LINKS..].iter_mut().zip(answer.chunks(8)) {
            *word = u64::from_le_bytes(octets.try_into().unwrap());
        }
        let mut frame = Frame::new(vec![0x11; 60]);
        frame.octets[12..14].copy_from_slice(&[0x08, 0]);
        let mut scratch = Scratch::new();
        let link = ethernet::parse(&frame, &mut scratch).unwrap();
        let [from, to] = route.links();
        ethernet::reply_between(&mut scratch, from, to);
        ethernet::write_reply(&mut frame, &scratch, link.len, link.ethertype).unwrap();
        assert_eq!(frame.octets[..14], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0]);
    }
}
