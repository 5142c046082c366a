//! UDP (RFC 768), and whether the packet is to a served address and port (D-22).

use pulse53_abi::limits::{QUERY_FRAME_MAX, SERVED_ENTRIES, SERVED_PROBES};
use pulse53_abi::served::served_start;
use pulse53_abi::verdict::{PassReason, Verdict};

use crate::ip::Network;
use crate::{Packet, Scratch, Step, Tables, Word};

pub(crate) const HEADER: usize = 8;

/// What the UDP header says.
pub(crate) struct Datagram<Place> {
    /// Both ports as they stand in the header.
    pub(crate) ports: u32,
    /// Where the header begins; its payload begins [`HEADER`] ahead.
    pub(crate) at: usize,
    pub(crate) place: Place,
    /// Where its payload ends.
    pub(crate) end: usize,
}

#[inline(always)]
pub(crate) fn parse<P: Packet>(packet: &P, network: &Network) -> Step<Datagram<P::Place>> {
    let short = Verdict::Pass(PassReason::Short);
    let at = network.payload_at;
    let place = packet.place(at);
    let header = packet.octets::<HEADER>(place, 0).ok_or(short)?;
    let ports = u32::at::<0, HEADER>(header);
    let len = usize::from(u16::from_be(u16::at::<4, HEADER>(header)));
    if len != network.payload_len || len < HEADER || at + len > packet.frame_len() {
        return Err(short);
    }
    // Every later offset stays below this: the verifier is told so, and what is longer is no plain query.
    if at + len > QUERY_FRAME_MAX {
        return Err(Verdict::Pass(PassReason::NotPlainQuery));
    }
    Ok(Datagram { ports, at, place, end: at + len })
}

#[inline(always)]
pub(crate) fn check_served<Place>(
    network: &Network,
    datagram: &Datagram<Place>,
    tables: &impl Tables,
    scratch: &Scratch,
) -> Step<()> {
    let address = network.destination(scratch);
    let port = u16::from_be((datagram.ports >> 16) as u16);
    // Port 0 marks free entries; a source port of 0 cannot be replied to.
    if port != 0 && datagram.ports as u16 != 0 && network.source_is_unicast(scratch) {
        let start = served_start(address, port);
        for probe in 0..SERVED_PROBES {
            let entry = tables.served(start.wrapping_add(probe) & (SERVED_ENTRIES - 1));
            if entry.is_some_and(|entry| entry.is(address, port)) {
                return Ok(());
            }
        }
    }
    Err(Verdict::Pass(PassReason::NotServed))
}
