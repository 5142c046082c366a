//! Which addresses may be probed (H-6).

use std::net::IpAddr;

use ipnet::IpNet;

/// Prefixes that probes may or must not go to. The default allows every address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetPolicy {
    /// If not empty, only addresses in one of these.
    pub allow: Vec<IpNet>,
    /// Never these; stronger than `allow`.
    pub deny: Vec<IpNet>,
}

impl TargetPolicy {
    /// Whether an address may be probed. An IPv4 address written as IPv6 counts as the IPv4 address it reaches.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let within = |prefixes: &[IpNet]| prefixes.iter().any(|prefix| prefix.contains(&address));
        (self.allow.is_empty() || within(&self.allow)) && !within(&self.deny)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_is_stronger_than_allow_h6() {
        let prefixes = |list: &[&str]| list.iter().map(|prefix| prefix.parse().unwrap()).collect();
        let policy = TargetPolicy {
            allow: prefixes(&["10.0.0.0/8", "2001:db8::/32"]),
            deny: prefixes(&["10.1.0.0/16"]),
        };
        let permits = |address: &str| policy.permits(address.parse().unwrap());
        assert!(permits("10.0.0.1") && permits("2001:db8::1") && permits("::ffff:10.0.0.1"));
        assert!(!permits("10.1.0.1") && !permits("::ffff:10.1.0.1") && !permits("127.0.0.1"));
        assert!(TargetPolicy::default().permits([127, 0, 0, 1].into()));
    }
}
