//! What replies need that go where routes lead (`[xdp] reply_route = "kernel"`): look-ups that the kernel allows, and drivers that take replies
//! from other interfaces.

use super::judge::Findings;
use super::probe::{self, Interface};
use super::{Finding, drivers};
use crate::datapath::Redirects;

/// What is to be said of the machine, whose loopback interface forwards or does not, by family.
pub fn machine(forwarding: &[Option<bool>; 2]) -> Vec<Finding> {
    let mut findings = Findings::about("this machine");
    for (family, forwards) in ["IPv4", "IPv6"].into_iter().zip(forwarding) {
        match forwards {
            Some(true) => findings.good(format!("lo forwards {family}, so that programs may look up routes")),
            Some(false) => findings.bad(
                format!(
                    "the kernel lets programs look up no {family} routes while lo does not forward: sockets reply to all (packets from the \
                     network are forwarded only if the interface they come in by forwards, too)"
                ),
                format!("sysctl -w net.{}.conf.lo.forwarding=1", family.to_ascii_lowercase()),
            ),
            None => {}
        }
    }
    findings.all
}

/// What is to be said of an interface.
pub(super) fn interface(findings: &mut Findings<'_>, interface: &Interface) {
    let redirects = of_driver(interface);
    let is_generic = interface.attached.iter().any(|(mode, _)| *mode == "generic");
    if is_generic {
        findings.good("in generic mode replies to what came in elsewhere may leave here, if all of `[xdp] interfaces` are in it");
    } else if !redirects.hands_over {
        findings.warning(
            "its driver sends replies by no other interface: sockets reply to all whose route leaves by another",
            "`mode = \"generic\"`, or another card, if there are such",
        );
    } else if !redirects.takes {
        findings.warning(
            "its driver takes no replies from other interfaces as things are: sockets send those whose route leaves here",
            "on a veth pair, a program on the other end; else `mode = \"generic\"`, or another card, if there are such",
        );
    } else {
        findings.good("replies to what came in elsewhere may leave here");
    }
}

/// What the driver of an interface does in native mode with packets of other interfaces; nothing if that cannot be learned.
pub fn redirects(interface: &str) -> Redirects {
    // On a thread of its own: this one may be one of tokio's already.
    let asked = std::thread::scope(|scope| scope.spawn(|| probe::driver(interface)).join());
    match asked {
        Ok(Ok(interface)) => of_driver(&interface),
        _ => Redirects { hands_over: false, takes: false },
    }
}

/// What the driver says, or what is known of it.
fn of_driver(interface: &Interface) -> Redirects {
    match interface.xdp {
        Some(features) => Redirects { hands_over: features.hands_over(), takes: features.takes() },
        None => {
            let known = interface.driver.as_deref().and_then(drivers::find);
            let redirects = known.is_some_and(|driver| driver.redirects);
            Redirects { hands_over: redirects, takes: redirects }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Weight;
    use super::super::netdev::XdpFeatures;
    use super::*;

    #[test]
    fn routes_cannot_be_looked_up_unless_lo_forwards() {
        let weights =
            |forwarding| machine(&forwarding).iter().map(|finding| finding.weight).collect::<Vec<_>>();
        assert_eq!(weights([Some(true), Some(true)]), [Weight::Good; 2]);
        assert_eq!(weights([Some(true), None]), [Weight::Good]);
        let told = machine(&[Some(true), Some(false)]);
        assert_eq!(told[1].mend.as_deref(), Some("sysctl -w net.ipv6.conf.lo.forwarding=1"));
    }

    #[test]
    fn what_drivers_do_with_replies_of_other_interfaces_is_told() {
        let told = |driver: &str, xdp| {
            let mut findings = Findings::about("eth0");
            interface(&mut findings, &Interface { driver: Some(driver.into()), xdp, ..Interface::default() });
            findings.all.remove(0).weight
        };
        assert_eq!([told("ice", None), told("ixgbevf", None)], [Weight::Good, Weight::Warning]);
        assert_eq!(told("ixgbevf", Some(XdpFeatures::ALL)), Weight::Good);
        assert_eq!(told("ice", Some(XdpFeatures::NATIVE)), Weight::Warning);
    }
}
