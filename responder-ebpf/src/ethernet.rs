//! Ethernet II, with up to two VLAN tags (IEEE 802.1Q, D-23).

use pulse53_abi::verdict::{PassReason, Verdict};

use crate::{Packet, Step};

/// EtherTypes.
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;

/// Octets of the header without tags.
const HEADER: usize = 14;

/// The header, kept because growing the frame overwrites it.
pub(crate) struct Ethernet {
    /// Destination and first half of the source.
    first: u64,
    /// Second half of the source.
    source_end: u32,
    /// EtherType and tags as they stand behind the addresses: two octets, or six, or ten.
    types: [u32; 2],
    /// What follows.
    pub(crate) ethertype: u16,
    /// Where it begins: 14, 18 or 22.
    pub(crate) len: usize,
}

#[inline(always)]
pub(crate) fn parse(packet: &impl Packet) -> Step<Ethernet> {
    let short = Verdict::Pass(PassReason::Short);
    let first = packet.load(0).ok_or(short)?;
    let source_end = packet.load(8).ok_or(short)?;
    let mut ethernet = Ethernet { first, source_end, types: [0; 2], ethertype: 0, len: HEADER };
    ethernet.ethertype = u16::from_be(packet.load(12).ok_or(short)?);
    if is_tag(ethernet.ethertype) {
        ethernet.types[0] = packet.load(12).ok_or(short)?;
        ethernet.ethertype = u16::from_be(packet.load(16).ok_or(short)?);
        ethernet.len = HEADER + 4;
        if is_tag(ethernet.ethertype) {
            ethernet.types[1] = packet.load(16).ok_or(short)?;
            ethernet.ethertype = u16::from_be(packet.load(20).ok_or(short)?);
            ethernet.len = HEADER + 8;
        }
    }
    Ok(ethernet)
}

#[inline(always)]
fn is_tag(ethertype: u16) -> bool {
    ethertype == VLAN || ethertype == SERVICE_VLAN
}

impl Ethernet {
    #[inline(always)]
    pub(crate) fn is_tagged(&self) -> bool {
        self.len != HEADER
    }

    /// Has the reply go between other addresses than the query; their octets from the least significant on.
    #[inline(always)]
    pub(crate) fn reply_between(&mut self, from: u64, to: u64) {
        self.first = from | to << 48;
        self.source_end = (to >> 16) as u32;
    }

    /// Writes the header with its addresses swapped.
    #[inline(always)]
    pub(crate) fn write_reply(&self, packet: &mut impl Packet) -> Option<()> {
        // Destination is octets 0-5 of `first`; source is its octets 6-7 and `source_end`.
        let source = self.first >> 48 | (self.source_end as u64) << 16;
        packet.store(0, source | self.first << 48)?;
        packet.store(8, (self.first >> 16) as u32)?;
        let ethertype = self.ethertype.to_be();
        match self.len {
            HEADER => packet.store(12, ethertype),
            18 => {
                packet.store(12, self.types[0])?;
                packet.store(16, ethertype)
            }
            _ => {
                packet.store(12, self.types[0])?;
                packet.store(16, self.types[1])?;
                packet.store(20, ethertype)
            }
        }
    }
}
