//! What of a frame matters to who compares: the message in it, who sent it, and whether its checksums are right.

use std::net::{IpAddr, SocketAddr};

use etherparse::{LinkSlice, NetSlice, SlicedPacket, TransportSlice};

/// A datagram in its frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Datagram<'f> {
    /// Hardware addresses: from and to.
    pub(super) hardware: [[u8; 6]; 2],
    /// VLAN tags and types, as they stand between hardware addresses and IP header.
    pub(super) tags: &'f [u8],
    /// From and to.
    pub(super) addresses: [SocketAddr; 2],
    /// The DNS message.
    pub(super) message: &'f [u8],
    /// Whether the header checksum of IPv4 and that of UDP are right.
    pub(super) sums: [bool; 2],
}

impl<'f> Datagram<'f> {
    /// Reads a frame; none if it holds no datagram.
    pub(super) fn read(frame: &'f [u8]) -> Option<Self> {
        let packet = SlicedPacket::from_ethernet(frame).ok()?;
        let Some(LinkSlice::Ethernet2(link)) = &packet.link else { return None };
        let Some(TransportSlice::Udp(udp)) = &packet.transport else { return None };
        let message = udp.payload();
        let (from, to, header_sum, udp_sum): (IpAddr, IpAddr, _, _) = match packet.net.as_ref()? {
            NetSlice::Ipv4(ip) => {
                let header = ip.header();
                let right = header.to_header().calc_header_checksum() == header.header_checksum();
                let (from, to) = (header.source(), header.destination());
                let sum = udp.to_header().calc_checksum_ipv4_raw(from, to, message).ok()?;
                (from.into(), to.into(), right, sum)
            }
            NetSlice::Ipv6(ip) => {
                let (from, to) = (ip.header().source(), ip.header().destination());
                let sum = udp.to_header().calc_checksum_ipv6_raw(from, to, message).ok()?;
                (from.into(), to.into(), true, sum)
            }
            NetSlice::Arp(_) => return None,
        };
        // The IP header begins where its payload's length says, counted from the end of the datagram.
        let header_len = if from.is_ipv4() { 20 } else { 40 };
        let message_at = message.as_ptr().addr() - frame.as_ptr().addr();
        let tags = frame.get(12..message_at.checked_sub(8 + header_len)?)?;
        Some(Self {
            hardware: [link.source(), link.destination()],
            tags,
            addresses: [
                SocketAddr::new(from, udp.source_port()),
                SocketAddr::new(to, udp.destination_port()),
            ],
            message,
            sums: [header_sum, udp_sum == udp.checksum()],
        })
    }
}
