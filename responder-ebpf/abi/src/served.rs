//! The addresses the responder serves: what the kernel half answers for, and nothing else (D-22).

use crate::limits::SERVED_PROBES;
use crate::shared::Shared;

/// One served socket address, as an entry of a small open-addressing table.
///
/// IPv4 addresses are held as IPv4-mapped IPv6 ones. The entry is written address first and `port` last; a reader that finds
/// `port` zero passes the packet.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Served {
    /// The address's 16 octets as they stand in a packet, read as two little-endian words.
    pub address: [Shared; 2],
    /// UDP port in host order; 0 marks a free entry.
    pub port: Shared,
}

/// An address as the table holds it.
pub type AddressWords = [u64; 2];

/// The words of an IPv4 address given as it stands in a packet, read little-endian.
#[inline(always)]
pub fn ipv4_words(address: u32) -> AddressWords {
    // ::ffff:a.b.c.d has 0xffff in octets 10 and 11, the address in octets 12 to 15.
    [0, 0xffff_0000 | ((address as u64) << 32)]
}

/// Where a search for an address begins; the next `SERVED_PROBES - 1` entries follow, modulo the table's size.
#[inline(always)]
pub fn served_start(address: AddressWords, port: u16) -> u32 {
    let mut mixed =
        (address[0] ^ address[1].rotate_left(29) ^ port as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^= mixed >> 32;
    mixed as u32
}

impl Served {
    /// Whether this entry is for that address and port.
    #[inline(always)]
    pub fn is(&self, address: AddressWords, port: u16) -> bool {
        self.port.load() == port as u64
            && self.address[0].load() == address[0]
            && self.address[1].load() == address[1]
    }
}

const _: () = assert!(size_of::<Served>() == 24 && SERVED_PROBES >= 1);
