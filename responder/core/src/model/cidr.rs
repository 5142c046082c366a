//! CIDR collections: named lists of client networks for IP-based routing.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use super::record::Source;

/// Longest block of IPv4 addresses.
pub const IPV4_LENGTH_MAX: u8 = 24;
/// Longest block of IPv6 addresses.
pub const IPV6_LENGTH_MAX: u8 = 48;

/// A collection as declared; a block is in at most one of its locations.
#[derive(Debug, Clone, PartialEq)]
pub struct CidrCollection {
    /// Its id, as `CollectionId` names it.
    pub id: Arc<str>,
    /// Its name, for people.
    pub name: String,
    /// Blocks by location name, 1 to 16 characters.
    pub locations: BTreeMap<String, Vec<CidrBlock>>,
    /// Where it was declared, when it came from a file.
    pub source: Option<Source>,
}

/// A network of 1 to 24 (IPv4) or 1 to 48 (IPv6) bits; host bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CidrBlock {
    address: IpAddr,
    length: u8,
}

/// Why some text is not a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CidrBlockError {
    /// Not an address, a slash and a number.
    #[error("not an address, a slash and a length such as 198.51.100.0/24")]
    Syntax,
    /// A length the family does not have here.
    #[error("the length must be 1 to 24 for IPv4, 1 to 48 for IPv6")]
    Length,
}

impl CidrBlock {
    /// A block; host bits of the address are cleared.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, CidrBlockError> {
        let address = match address {
            IpAddr::V4(v4) if (1..=IPV4_LENGTH_MAX).contains(&length) => {
                IpAddr::V4(Ipv4Addr::from(u32::from(v4) & u32::MAX << (32 - length)))
            }
            IpAddr::V6(v6) if (1..=IPV6_LENGTH_MAX).contains(&length) => {
                IpAddr::V6(Ipv6Addr::from(u128::from(v6) & u128::MAX << (128 - length)))
            }
            _ => return Err(CidrBlockError::Length),
        };
        Ok(Self { address, length })
    }

    /// The first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits count.
    pub fn length(&self) -> u8 {
        self.length
    }
}

impl FromStr for CidrBlock {
    type Err = CidrBlockError;

    fn from_str(text: &str) -> Result<Self, CidrBlockError> {
        let (address, length) = text.split_once('/').ok_or(CidrBlockError::Syntax)?;
        if length.is_empty() || !length.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(CidrBlockError::Syntax);
        }
        let address = address.parse().map_err(|_| CidrBlockError::Syntax)?;
        Self::new(address, length.parse().map_err(|_| CidrBlockError::Length)?)
    }
}

impl fmt::Display for CidrBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_masked_and_bounded() {
        let check = |text: &str, block: &str| {
            assert_eq!(text.parse::<CidrBlock>().unwrap().to_string(), block);
        };
        check("198.51.100.9/24", "198.51.100.0/24");
        check("255.255.255.255/1", "128.0.0.0/1");
        check("2001:db8:1:2::/48", "2001:db8:1::/48");
        let error = |text: &str| text.parse::<CidrBlock>().unwrap_err();
        assert_eq!(error("198.51.100.0/25"), CidrBlockError::Length);
        assert_eq!(error("::/0"), CidrBlockError::Length);
        assert_eq!(error("198.51.100.0"), CidrBlockError::Syntax);
        assert_eq!(error("198.51.100.0/+8"), CidrBlockError::Syntax);
    }
}
