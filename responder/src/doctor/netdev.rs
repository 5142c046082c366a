//! What a driver itself says of its XDP: generic netlink's family `netdev`, since Linux 6.3 (Documentation/netlink/specs/netdev.yaml).

use ethtool::EthtoolHandle;
use futures_util::StreamExt;
use netlink_packet_core::{
    DecodeError, Emitable, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload, ParseableParametrized,
};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};

/// `NETDEV_XDP_ACT_…` of include/uapi/linux/netdev.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XdpFeatures(u64);

impl XdpFeatures {
    #[cfg(test)]
    pub const NONE: Self = Self(0);
    #[cfg(test)]
    pub const NATIVE: Self = Self(1);
    #[cfg(test)]
    pub const ALL: Self = Self(0x7f);

    /// Native XDP: programs may pass, drop and send back.
    pub fn is_native(self) -> bool {
        self.0 & 1 != 0
    }

    /// Programs may hand packets over to other interfaces.
    pub fn hands_over(self) -> bool {
        self.0 & 1 << 1 != 0
    }

    /// Packets that programs of other interfaces hand over are sent.
    pub fn takes(self) -> bool {
        self.0 & 1 << 2 != 0
    }

    /// Frames may come in several pieces, so that no page bounds the MTU.
    pub fn takes_pieces(self) -> bool {
        self.0 & 1 << 5 != 0
    }
}

/// Asks about an interface; none where the kernel does not know the family, or says nothing.
pub async fn xdp_features(handle: &mut EthtoolHandle, index: u32) -> Option<XdpFeatures> {
    let mut message = NetlinkMessage::from(GenlMessage::from_payload(Netdev::Get { index }));
    message.header.flags = NLM_F_REQUEST;
    let mut replies = Box::pin(handle.handle.request(message).await.ok()?);
    while let Some(reply) = replies.next().await {
        match reply.ok()?.payload {
            NetlinkPayload::InnerMessage(GenlMessage { payload: Netdev::Device(features), .. }) => {
                return features;
            }
            NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => return None,
            _ => {}
        }
    }
    None
}

/// Messages of the family.
#[derive(Debug)]
enum Netdev {
    /// The question about one device.
    Get { index: u32 },
    /// The answer.
    Device(Option<XdpFeatures>),
}

const DEV_GET: u8 = 1;
const ATTRIBUTE_INDEX: u16 = 1;
const ATTRIBUTE_XDP_FEATURES: u16 = 3;
/// Length and type of an attribute.
const ATTRIBUTE_HEADER: usize = 4;

impl GenlFamily for Netdev {
    fn family_name() -> &'static str {
        "netdev"
    }

    fn command(&self) -> u8 {
        DEV_GET
    }

    fn version(&self) -> u8 {
        1
    }
}

impl Emitable for Netdev {
    fn buffer_len(&self) -> usize {
        ATTRIBUTE_HEADER + size_of::<u32>()
    }

    fn emit(&self, buffer: &mut [u8]) {
        let Self::Get { index } = self else { return };
        buffer[..2].copy_from_slice(&(self.buffer_len() as u16).to_ne_bytes());
        buffer[2..4].copy_from_slice(&ATTRIBUTE_INDEX.to_ne_bytes());
        buffer[4..8].copy_from_slice(&index.to_ne_bytes());
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Netdev {
    fn parse_with_param(buffer: &[u8], _: GenlHeader) -> Result<Self, DecodeError> {
        let mut rest = buffer;
        while let Some((header, behind)) = rest.split_first_chunk::<ATTRIBUTE_HEADER>() {
            let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
            let kind = u16::from_ne_bytes([header[2], header[3]]);
            let Some(value) = length.checked_sub(ATTRIBUTE_HEADER).and_then(|length| behind.get(..length))
            else {
                return Err(DecodeError::from("an attribute of netdev is longer than its message"));
            };
            if kind == ATTRIBUTE_XDP_FEATURES
                && let Ok(features) = value.try_into()
            {
                return Ok(Self::Device(Some(XdpFeatures(u64::from_ne_bytes(features)))));
            }
            // Attributes begin at multiples of four.
            rest = behind.get(value.len().next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(Self::Device(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_found_behind_other_attributes() {
        let header = GenlHeader { cmd: DEV_GET, version: 1 };
        let attribute = |kind: u16, value: &[u8]| {
            let length = (ATTRIBUTE_HEADER + value.len()) as u16;
            let padding = vec![0; value.len().next_multiple_of(4) - value.len()];
            [&length.to_ne_bytes(), &kind.to_ne_bytes(), value, &padding].concat()
        };
        let features = |octets: &[u8]| match Netdev::parse_with_param(octets, header).unwrap() {
            Netdev::Device(features) => features,
            Netdev::Get { .. } => panic!("an answer"),
        };
        let octets = [
            attribute(ATTRIBUTE_INDEX, &7_u32.to_ne_bytes()),
            attribute(2, &[1]),
            attribute(ATTRIBUTE_XDP_FEATURES, &0x21_u64.to_ne_bytes()),
        ]
        .concat();
        let found = features(&octets).unwrap();
        assert!(found.is_native() && found.takes_pieces());
        assert!(!found.hands_over() && !found.takes());
        assert_eq!(features(&octets[..16]), None);
        assert!(Netdev::parse_with_param(&octets[..10], header).is_ok());
        assert!(Netdev::parse_with_param(&[200, 0, 3, 0, 1], header).is_err());
    }

    #[test]
    fn a_question_names_the_device() {
        let mut octets = [0; 8];
        Netdev::Get { index: 0x0102_0304 }.emit(&mut octets);
        assert_eq!(octets[4..], 0x0102_0304_u32.to_ne_bytes());
        assert_eq!(octets[..4], [8_u16.to_ne_bytes(), ATTRIBUTE_INDEX.to_ne_bytes()].concat());
    }
}
