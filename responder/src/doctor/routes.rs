//! What routing says: where the way back to clients leaves, and of which interface a served address is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use futures_util::TryStreamExt;
use nix::ifaddrs::getifaddrs;
use rtnetlink::packet_route::link::LinkAttribute;
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage};
use rtnetlink::{Handle, RouteMessageBuilder};

/// Somebody far away, of each family, whom the kernel is asked the way to; nothing is sent there (RFC 5737, RFC 3849).
const FAR: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// A served address, and where this machine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// With its port.
    pub socket: SocketAddr,
    /// Whether a socket could have it.
    pub can_be_taken: bool,
    /// The interface it is given to; none: it is a local route's, or nobody's.
    pub interface: Option<String>,
}

/// Looks for an address.
pub fn address(socket: SocketAddr) -> Address {
    let is_it = |found: &nix::sys::socket::SockaddrStorage| {
        let v4 = found.as_sockaddr_in().map(|found| IpAddr::V4(found.ip()));
        v4.or_else(|| found.as_sockaddr_in6().map(|found| IpAddr::V6(found.ip()))) == Some(socket.ip())
    };
    let given =
        getifaddrs().ok().and_then(|mut all| all.find(|entry| entry.address.as_ref().is_some_and(is_it)));
    let mut bound = socket;
    bound.set_port(0);
    Address {
        socket,
        can_be_taken: UdpSocket::bind(bound).is_ok(),
        interface: given.map(|entry| entry.interface_name),
    }
}

/// By which interfaces packets to clients far away leave: IPv4 and IPv6; none: there is no way.
pub async fn ways_out(netlink: &Handle) -> [Option<String>; 2] {
    [way_out(netlink, FAR[0]).await, way_out(netlink, FAR[1]).await]
}

async fn way_out(netlink: &Handle, to: IpAddr) -> Option<String> {
    let question: RouteMessage = match to {
        IpAddr::V4(to) => RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(to, 32).build(),
        IpAddr::V6(to) => RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(to, 128).build(),
    };
    let route = netlink.route().get(question).execute().try_next().await.ok()??;
    let index = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    })?;
    let link = netlink.link().get().match_index(index).execute().try_next().await.ok()??;
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    })
}
