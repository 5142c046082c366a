//! Ethernet II, with up to two VLAN tags (IEEE 802.1Q, D-23).

use pulse53_abi::verdict::{PassReason, Verdict};

use crate::{Packet, Scratch, Step, Word};

/// EtherTypes.
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;

/// Octets of the header without tags.
const HEADER: usize = 14;

/// The header; its addresses and tags are in the scratch memory.
pub(crate) struct Ethernet {
    /// What follows.
    pub(crate) ethertype: u16,
    /// Where it begins: 14, 18 or 22.
    pub(crate) len: usize,
}

#[inline(always)]
pub(crate) fn parse(packet: &impl Packet, scratch: &mut Scratch) -> Step<Ethernet> {
    let short = Verdict::Pass(PassReason::Short);
    let start = packet.place(0);
    let header = packet.octets::<HEADER>(start, 0).ok_or(short)?;
    scratch.link = [u64::at::<0, HEADER>(header), u64::from(u32::at::<8, HEADER>(header))];
    let mut ethernet = Ethernet { ethertype: u16::from_be(u16::at::<12, HEADER>(header)), len: HEADER };
    if is_tag(ethernet.ethertype) {
        scratch.tags[0] = packet.load(start, 12).ok_or(short)?;
        ethernet.ethertype = u16::from_be(packet.load(start, 16).ok_or(short)?);
        ethernet.len = HEADER + 4;
        if is_tag(ethernet.ethertype) {
            scratch.tags[1] = packet.load(start, 16).ok_or(short)?;
            ethernet.ethertype = u16::from_be(packet.load(start, 20).ok_or(short)?);
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
}

/// Has the reply go between other addresses than the query; their octets from the least significant on.
#[inline(always)]
pub(crate) fn reply_between(scratch: &mut Scratch, from: u64, to: u64) {
    scratch.link = [from | to << 48, to >> 16];
}

/// Writes the header of so many octets with its addresses swapped.
#[inline(always)]
pub(crate) fn write_reply(
    packet: &mut impl Packet,
    scratch: &Scratch,
    len: usize,
    ethertype: u16,
) -> Option<()> {
    let [first, source_end] = scratch.link;
    // Destination is octets 0-5 of `first`; source is its octets 6-7 and `source_end`.
    let source = first >> 48 | source_end << 16;
    let start = packet.place(0);
    let header = packet.octets_mut::<HEADER>(start, 0)?;
    (source | first << 48).put::<0, HEADER>(header);
    ((first >> 16) as u32).put::<8, HEADER>(header);
    let ethertype = ethertype.to_be();
    match len {
        HEADER => ethertype.put::<12, HEADER>(header),
        18 => {
            packet.store(start, 12, scratch.tags[0])?;
            packet.store(start, 16, ethertype)?;
        }
        _ => {
            packet.store(start, 12, scratch.tags[0])?;
            packet.store(start, 16, scratch.tags[1])?;
            packet.store(start, 20, ethertype)?;
        }
    }
    Some(())
}
