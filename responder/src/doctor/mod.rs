//! What works on this machine, what does not, and the command that mends it: `pulse53 doctor`.
//!
//! `probe` asks the kernel and changes nothing; what it finds are values (`Machine`, `Interface`), and `judge` turns them into
//! findings without looking anywhere else. `netdev` asks what drivers say of themselves, `routes` where packets go; `routed` knows what replies need that go there; `drivers` is the table of what single drivers are known for.

mod drivers;
mod judge;
mod netdev;
mod probe;
mod routed;
mod routes;

use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;

pub use probe::ProbeError;
pub use routed::redirects;

/// How much a finding matters. The worst comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// It is as it should be.
    Good,
    /// It works, but not as well as it could.
    Warning,
    /// It does not work.
    Bad,
}

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// The machine, an interface, or an address.
    pub about: String,
    /// What is so, in plain words.
    pub what: String,
    /// The command that changes it, or what else to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// Looks at the machine, at interfaces, and at the addresses that are served. `is_routed`: whether the kernel half sends replies where routes lead.
///
/// # Errors
///
/// If the kernel cannot be asked at all, or there is no such interface.
pub fn examine(
    interfaces: &[String],
    addresses: &[SocketAddr],
    pin_dir: &Path,
    is_routed: bool,
) -> Result<Vec<Finding>, ProbeError> {
    let machine = probe::machine(pin_dir);
    let mut findings = judge::machine(&machine);
    if is_routed {
        findings.extend(routed::machine(&probe::forwarding()));
    }
    let interfaces = interfaces.iter().map(|name| probe::interface(name)).collect::<Result<Vec<_>, _>>()?;
    for interface in &interfaces {
        findings.extend(judge::interface(interface, machine.processors, is_routed));
    }
    for address in addresses.iter().filter(|address| !address.ip().is_unspecified()) {
        findings.push(judge::address(&routes::address(*address), &interfaces));
    }
    Ok(findings)
}

/// What keeps interfaces from answering well.
///
/// # Errors
///
/// As those of [`examine`].
pub fn troubles(interfaces: &[String], is_routed: bool) -> Result<Vec<Finding>, ProbeError> {
    let mut findings = Vec::new();
    if is_routed {
        findings.extend(routed::machine(&probe::forwarding()));
    }
    for name in interfaces {
        findings.extend(judge::interface(&probe::interface(name)?, probe::processors(), is_routed));
    }
    findings.retain(|finding| finding.weight == Weight::Bad);
    Ok(findings)
}
