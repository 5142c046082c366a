//! A network of either family: what databases describe, and what a query comes from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::space::Family;
use crate::model::CidrBlock;

/// An address and how many of its leading bits count; the others are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

/// Why some text is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not an address, a slash and a number.
    #[error("not an address, a slash and a length such as 198.51.100.0/24")]
    Syntax,
    /// A length the family does not have.
    #[error("the length must be 0 to 32 for IPv4, 0 to 128 for IPv6")]
    Length,
}

impl Network {
    /// A network; bits of the address beyond the length are cleared.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, NetworkError> {
        if length > Family::of(address).address_bits() {
            return Err(NetworkError::Length);
        }
        Ok(Self { address: cut(address, length), length })
    }

    /// The client network of a query: from its source address, with all bits as prefix, or from the client subnet option
    /// . Cut to the 24 or 48 bits that routing looks at.
    ///
    /// An IPv4-mapped address is IPv6 here; a socket that speaks both families canonicalizes its peers first.
    pub fn of_client(address: IpAddr, source_prefix: u8) -> Self {
        let length = source_prefix.min(Family::of(address).client_bits());
        Self { address: cut(address, length), length }
    }

    /// The first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits count.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// Whether every address of the other network is in this one; a network contains itself.
    pub fn contains(&self, other: &Network) -> bool {
        self.length <= other.length && cut(other.address, self.length) == self.address
    }
}

/// The address with only its leading bits. A shift by all bits, as for length 0, leaves none.
fn cut(address: IpAddr, length: u8) -> IpAddr {
    let length = u32::from(length);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
    }
}

impl From<CidrBlock> for Network {
    fn from(block: CidrBlock) -> Self {
        Self { address: block.address(), length: block.length() }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, length) = text.split_once('/').ok_or(NetworkError::Syntax)?;
        if length.is_empty() || !length.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(NetworkError::Syntax);
        }
        let address = address.parse().map_err(|_| NetworkError::Syntax)?;
        Self::new(address, length.parse().map_err(|_| NetworkError::Length)?)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_made_canonical() {
        let check = |text: &str, expect: &str| {
            assert_eq!(text.parse::<Network>().map(|network| network.to_string()), Ok(expect.to_owned()));
        };
        check("198.51.100.9/24", "198.51.100.0/24");
        check("198.51.100.9/32", "198.51.100.9/32");
        check("255.1.2.3/0", "0.0.0.0/0");
        check("2001:db8::1/0", "::/0");
        check("2001:db8::1/128", "2001:db8::1/128");
        check("2001:db8:ffff::/33", "2001:db8:8000::/33");
        for text in ["198.51.100.0", "198.51.100.0/", "198.51.100.0/+8", "198.51.100/24", "/8"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Syntax), "{text}");
        }
        for text in ["198.51.100.0/33", "::/129", "::/999"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Length), "{text}");
        }
    }

    /// at most 24 and 48 bits; a shorter source prefix stays as short as it is.
    #[test]
    fn client_networks_are_cut() {
        let check = |address: &str, prefix, expect: &str| {
            assert_eq!(Network::of_client(address.parse().unwrap(), prefix).to_string(), expect);
        };
        check("198.51.100.9", 32, "198.51.100.0/24");
        check("198.51.100.9", 16, "198.51.0.0/16");
        check("2001:db8:1:2::3", 128, "2001:db8:1::/48");
        check("2001:db8:1:2::3", 56, "2001:db8:1::/48");
        check("2001:db8:1:2::3", 24, "2001:d00::/24");
        check("198.51.100.9", 255, "198.51.100.0/24");
    }
}
