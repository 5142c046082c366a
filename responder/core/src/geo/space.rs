//! The client space: every client network of a family as one number, its *key*.
//!
//! A network no longer than a client network is a range of keys. A longer one says something about a client network only
//! if it covers its first address, by which R-61 looks clients up; it then counts for that one key, and more than any
//! shorter network does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pulse53_abi::client::{CLIENT_OCTETS_V4, CLIENT_OCTETS_V6};

use super::network::Network;

/// How many bits of an IPv4 address routing looks at.
pub const IPV4_CLIENT_BITS: u8 = 8 * CLIENT_OCTETS_V4 as u8;
/// How many bits of an IPv6 address routing looks at.
pub const IPV6_CLIENT_BITS: u8 = 8 * CLIENT_OCTETS_V6 as u8;

/// The two families, each with its own client space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const ALL: [Self; 2] = [Self::V4, Self::V6];

    pub(super) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    pub(super) fn address_bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    pub(super) fn client_bits(self) -> u8 {
        match self {
            Self::V4 => IPV4_CLIENT_BITS,
            Self::V6 => IPV6_CLIENT_BITS,
        }
    }

    /// How many client networks there are: keys are below this.
    pub(super) fn keys(self) -> u64 {
        1 << self.client_bits()
    }

    /// The network of a given length that starts at a client network.
    pub(super) fn network(self, key: u64, length: u8) -> Network {
        let address = match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::from((key as u32) << (32 - IPV4_CLIENT_BITS))),
            Self::V6 => IpAddr::V6(Ipv6Addr::from(u128::from(key) << (128 - IPV6_CLIENT_BITS))),
        };
        Network::new(address, length).expect("a client network is no longer than an address")
    }
}

/// The client network an address is in.
pub(super) fn key_of(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => u64::from(u32::from(v4) >> (32 - IPV4_CLIENT_BITS)),
        IpAddr::V6(v6) => (u128::from(v6) >> (128 - IPV6_CLIENT_BITS)) as u64,
    }
}

/// The client networks that a network decides about: the first key and how many; none if it misses their first address.
pub(super) fn keys_of(network: &Network) -> Option<(u64, u64)> {
    let address = network.address();
    let family = Family::of(address);
    let key = key_of(address);
    match family.client_bits().checked_sub(network.length()) {
        Some(spare) => Some((key, 1 << spare)),
        None => (family.network(key, family.client_bits()).address() == address).then_some((key, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_ranges_of_client_networks() {
        let check =
            |network: &str, expect| assert_eq!(keys_of(&network.parse().unwrap()), expect, "{network}");
        check("0.0.0.0/0", Some((0, 1 << 24)));
        check("255.255.255.0/24", Some(((1 << 24) - 1, 1)));
        check("192.0.2.0/23", Some((0xc0_00_02, 2)));
        check("::/0", Some((0, 1 << 48)));
        check("2001:db8::/32", Some((0x2001_0db8_0000, 1 << 16)));
    }

    /// location attributes are looked up with the first address of the client network.
    #[test]
    fn longer_networks_count_by_the_first_address() {
        let check =
            |network: &str, expect| assert_eq!(keys_of(&network.parse().unwrap()), expect, "{network}");
        check("192.0.2.0/25", Some((0xc0_00_02, 1)));
        check("192.0.2.128/25", None);
        check("192.0.2.0/32", Some((0xc0_00_02, 1)));
        check("192.0.2.1/32", None);
        check("2001:db8::/64", Some((0x2001_0db8_0000, 1)));
        check("2001:db8:0:1::/64", None);
    }
}
