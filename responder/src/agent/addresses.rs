//! Which addresses the kernel half answers for, where sockets listen on all of them: those the machine has, whatever interface they are on, as
//! they come and go.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;

use super::tell_kernel_half;
use crate::publish;

/// How long an address that has come is left to sockets.
const INTERVAL: Duration = Duration::from_secs(1);

/// The addresses that sockets listen on, and in place of an unspecified one all of its family that packets to the interfaces may have.
pub(super) fn served(listening: &[SocketAddr], interfaces: &[String]) -> Vec<SocketAddr> {
    let any = |is_v4: bool| listening.iter().any(|address| is_any(address) && address.is_ipv4() == is_v4);
    let own = if any(true) || any(false) { own(interfaces) } else { Vec::new() };
    spelled_out(listening, &own)
}

/// Tells the kernel half which addresses there are, if sockets listen on all.
pub(super) async fn follow(published: publish::Shared, listening: Vec<SocketAddr>, interfaces: Vec<String>) {
    if !listening.iter().any(is_any) {
        return;
    }
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        let served = served(&listening, &interfaces);
        if !tell_kernel_half(&published, |datapath| datapath.serve(served)).await {
            return;
        }
    }
}

fn is_any(address: &SocketAddr) -> bool {
    address.ip().is_unspecified()
}

/// Each address once, those named first.
fn spelled_out(listening: &[SocketAddr], own: &[IpAddr]) -> Vec<SocketAddr> {
    let (any, named): (Vec<SocketAddr>, Vec<SocketAddr>) =
        listening.iter().partition(|address| is_any(address));
    let of_any = any.iter().flat_map(|any| {
        let of_family = own.iter().filter(|ip| ip.is_ipv4() == any.is_ipv4());
        of_family.map(|ip| SocketAddr::new(*ip, any.port()))
    });
    let mut served: Vec<SocketAddr> = Vec::new();
    for address in named.iter().copied().chain(of_any) {
        if !served.contains(&address) {
            served.push(address);
        }
    }
    served
}

/// The machine's addresses to which packets come by the interfaces: theirs, then those of others but for such as mean something there alone.
fn own(interfaces: &[String]) -> Vec<IpAddr> {
    let found = listed("the kernel half answers only those that dns.listen names").into_iter();
    let (of_these, of_others): (Vec<_>, Vec<_>) =
        found.partition(|(interface, _)| interfaces.contains(interface));
    let of_these = of_these.into_iter().map(|(_, ip)| ip);
    of_these.chain(of_others.into_iter().map(|(_, ip)| ip).filter(means_the_same_everywhere)).collect()
}

/// All addresses of the machine with their interfaces; none if they cannot be had, and then `otherwise` is told.
pub(super) fn listed(otherwise: &str) -> Vec<(String, IpAddr)> {
    let found = match getifaddrs() {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%error, "cannot list addresses; {otherwise}");
            return Vec::new();
        }
    };
    let found = found.filter_map(|entry| {
        let address = entry.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        let ip = v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))?;
        Some((entry.interface_name, ip))
    });
    found.collect()
}

/// Whether an address is one of this machine beyond the interface that has it.
pub(super) fn means_the_same_everywhere(ip: &IpAddr) -> bool {
    let is_link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    !ip.is_loopback() && !is_link_local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_stands_for_all_of_its_family() {
        let of = |listening: &[&str]| {
            let listening: Vec<SocketAddr> = listening.iter().map(|text| text.parse().unwrap()).collect();
            let own = ["192.0.2.1", "192.0.2.53", "2001:db8::53"].map(|text| text.parse().unwrap());
            spelled_out(&listening, &own).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of(&["192.0.2.9:53"]), ["192.0.2.9:53"]);
        assert_eq!(of(&["0.0.0.0:53", "192.0.2.53:53"]), ["192.0.2.53:53", "192.0.2.1:53"]);
        assert_eq!(of(&["0.0.0.0:53", "[::]:54"]), ["192.0.2.1:53", "192.0.2.53:53", "[2001:db8::53]:54"]);
    }

    #[test]
    fn addresses_of_the_machine_are_found() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        assert!(own(&["lo".to_owned()]).contains(&loopback) && !own(&[]).contains(&loopback));
    }
}
