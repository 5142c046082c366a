//! Asks the kernel: /sys, /proc and netlink. Nothing is changed, and what cannot be read is left out.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use ethtool::{EthtoolAttr, EthtoolChannelAttr, EthtoolFeatureAttr, EthtoolRingAttr};
use futures_util::TryStreamExt;
use rtnetlink::packet_route::link::{LinkAttribute, LinkInfo, LinkMessage, LinkXdp, XdpAttached};

use super::netdev::{self, XdpFeatures};
use super::routes;
use crate::causes::chain;
use crate::{datapath, privileges};

/// Why nothing could be learned.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No such interface.
    #[error("there is no network interface {0}; `ip link` lists those there are")]
    NoInterface(String),
    /// Netlink does not work.
    #[error("asking the kernel about its interfaces: {0}")]
    Netlink(#[from] io::Error),
}

/// The machine as a whole.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// As `uname -r` says it.
    pub release: String,
    /// What this process lacks to load programs, told; none: nothing.
    pub lacking: Option<String>,
    /// Where pins would go, and whether that is in a BPF file system.
    pub pin_dir: (String, bool),
    /// Whether BPF programs are compiled; none: it cannot be read.
    pub compiles: Option<bool>,
    /// `none`, `integrity` or `confidentiality`.
    pub lockdown: Option<String>,
    /// Why the kernel does not take the program, if it does not; none: it was not tried.
    pub takes_program: Option<Result<(), String>>,
    /// Processors to answer on.
    pub processors: u32,
}

/// One interface.
#[derive(Debug, Clone, Default)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// The driver, or the kind of a virtual interface.
    pub driver: Option<String>,
    /// Whether /sys shows it; that of another network namespace does not.
    pub is_in_sys: bool,
    /// Whether it is up.
    pub is_up: bool,
    /// In octets.
    pub mtu: u32,
    /// The bond or bridge that it is part of, with its kind.
    pub master: Option<(String, String)>,
    /// VLAN interfaces above it.
    pub vlans: Vec<String>,
    /// Receive queues.
    pub queues: u32,
    /// Combined channels, and the most there can be.
    pub combined: Option<(u32, u32)>,
    /// Slots of the receive ring, and the most there can be.
    pub ring: Option<(u32, u32)>,
    /// Active features, as the kernel names them.
    pub features: BTreeSet<String>,
    /// What the driver says of its XDP; none: the kernel does not ask drivers.
    pub xdp: Option<XdpFeatures>,
    /// Attached XDP programs: the mode, and the program's name where it may be known.
    pub attached: Vec<(&'static str, Option<String>)>,
    /// `rp_filter` in force.
    pub rp_filter: Option<u8>,
    /// By which interfaces packets to clients far away leave: IPv4 and IPv6.
    pub ways_out: [Option<String>; 2],
}

/// Looks at the machine.
pub fn machine(pin_dir: &Path) -> Machine {
    let existing = pin_dir.ancestors().find(|directory| directory.exists()).unwrap_or(Path::new("/"));
    let is_bpf = nix::sys::statfs::statfs(existing)
        .is_ok_and(|statistics| statistics.filesystem_type() == nix::sys::statfs::BPF_FS_MAGIC);
    Machine {
        release: text("/proc/sys/kernel/osrelease").unwrap_or_default(),
        lacking: privileges::are_lacking().then(privileges::to_load_programs),
        pin_dir: (pin_dir.display().to_string(), is_bpf),
        // The same octets as `serve` loads, and gone again at once.
        takes_program: (!privileges::are_lacking())
            .then(|| datapath::try_program().map_err(|error| chain(&error))),
        compiles: text("/proc/sys/net/core/bpf_jit_enable").map(|value| value != "0"),
        lockdown: text("/sys/kernel/security/lockdown")
            .and_then(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned())),
        processors: processors(),
    }
}

/// Processors to answer on.
pub fn processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u32)
}

/// Whether the loopback interface forwards, which the kernel asks before it looks up routes for a program: IPv4 and IPv6; none: there is no such
/// family.
pub fn forwarding() -> [Option<bool>; 2] {
    ["ipv4", "ipv6"]
        .map(|family| text(format!("/proc/sys/net/{family}/conf/lo/forwarding")).map(|value| value != "0"))
}

/// Looks at an interface's driver and what that says of its XDP, and at nothing else.
pub fn driver(name: &str) -> Result<Interface, ProbeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (connection, links, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        let message = link(&links, name).await?;
        let (connection, mut handle, _) = ethtool::new_connection()?;
        tokio::spawn(connection);
        let xdp = netdev::xdp_features(&mut handle, message.header.index).await;
        Ok(Interface { xdp, ..of_message(name, &message) })
    })
}

async fn link(links: &rtnetlink::Handle, name: &str) -> Result<LinkMessage, ProbeError> {
    let mut found = links.link().get().match_name(name.to_owned()).execute();
    found.try_next().await.ok().flatten().ok_or_else(|| ProbeError::NoInterface(name.to_owned()))
}

/// Looks at an interface.
pub fn interface(name: &str) -> Result<Interface, ProbeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (connection, links, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        let message = link(&links, name).await?;
        let mut interface = of_message(name, &message);
        let master = message.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Controller(index) => Some(*index),
            _ => None,
        });
        if let Some(index) = master {
            let mut found = links.link().get().match_index(index).execute();
            let master = found.try_next().await.ok().flatten();
            interface.master = master.and_then(|message| Some((name_of(&message)?, kind(&message)?)));
        }
        of_driver(&mut interface, message.header.index).await?;
        interface.ways_out = routes::ways_out(&links).await;
        Ok(interface)
    })
}

/// What rtnetlink, /sys and /proc say.
fn of_message(name: &str, message: &LinkMessage) -> Interface {
    let sys = Path::new("/sys/class/net").join(name);
    let driver = fs::read_link(sys.join("device/driver")).ok();
    let driver = driver.and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
    let queues = fs::read_dir(sys.join("queues")).into_iter().flatten().flatten();
    let setting = |of: &str| text(format!("/proc/sys/net/ipv4/conf/{of}/rp_filter"))?.parse::<u8>().ok();
    let vlans = text("/proc/net/vlan/config").unwrap_or_default();
    let vlans = vlans.lines().filter_map(|line| {
        let mut parts = line.split('|').map(str::trim);
        let (vlan, _, below) = (parts.next()?, parts.next()?, parts.next()?);
        (below == name).then(|| vlan.to_owned())
    });
    let mut interface = Interface {
        name: name.to_owned(),
        driver: driver.or_else(|| kind(message)),
        is_in_sys: sys.exists(),
        // IFF_UP
        is_up: message.header.flags.bits() & 1 != 0,
        vlans: vlans.collect(),
        queues: queues.filter(|entry| entry.file_name().to_string_lossy().starts_with("rx-")).count() as u32,
        // The larger one is in force (Documentation/networking/ip-sysctl.rst).
        rp_filter: setting("all").max(setting(&name.replace('.', "/"))),
        ..Interface::default()
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
            // Those there could be: as many as /sys would show, but for drivers that hold some back.
            LinkAttribute::NumRxQueues(count) if interface.queues == 0 => interface.queues = *count,
            LinkAttribute::Xdp(attributes) => interface.attached = attached(attributes),
            _ => {}
        }
    }
    interface
}

fn name_of(message: &LinkMessage) -> Option<String> {
    message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    })
}

/// `veth`, `bond`, `bridge` …; an interface with a driver has none.
fn kind(message: &LinkMessage) -> Option<String> {
    message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(parts) => parts.iter().find_map(|part| match part {
            LinkInfo::Kind(kind) => Some(kind.to_string()),
            _ => None,
        }),
        _ => None,
    })
}

fn attached(attributes: &[LinkXdp]) -> Vec<(&'static str, Option<String>)> {
    let mode = attributes.iter().find_map(|attribute| match attribute {
        LinkXdp::Attached(XdpAttached::Driver) => Some("native"),
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some("generic"),
        LinkXdp::Attached(XdpAttached::Hardware) => Some("offloaded"),
        _ => None,
    });
    let ids = attributes.iter().filter_map(|attribute| match attribute {
        LinkXdp::DrvProgId(id) => Some(("native", *id)),
        LinkXdp::SkbProgId(id) => Some(("generic", *id)),
        LinkXdp::HwProgId(id) => Some(("offloaded", *id)),
        LinkXdp::ProgId(id) => mode.map(|mode| (mode, *id)),
        _ => None,
    });
    // One program is told twice, by its mode and in general.
    let ids: BTreeSet<_> = ids.collect();
    ids.into_iter().map(|(mode, id)| (mode, program_name(id))).collect()
}

/// Its name, if this process may ask.
fn program_name(id: u32) -> Option<String> {
    let mut programs = aya::programs::loaded_programs().filter_map(Result::ok);
    programs.find(|program| program.id() == id)?.name_as_str().map(str::to_owned)
}

/// What ethtool says. Many virtual interfaces know nothing of it.
async fn of_driver(interface: &mut Interface, index: u32) -> Result<(), ProbeError> {
    let (connection, mut handle, _) = ethtool::new_connection()?;
    tokio::spawn(connection);
    let name = interface.name.clone();
    let mut told = Vec::new();
    if let Ok(found) = handle.feature().get(Some(&name)).execute().await {
        told.extend(found.try_collect::<Vec<_>>().await.unwrap_or_default());
    }
    if let Ok(found) = handle.channel().get(Some(&name)).execute().await {
        told.extend(found.try_collect::<Vec<_>>().await.unwrap_or_default());
    }
    if let Ok(found) = handle.ring().get(Some(&name)).execute().await {
        told.extend(found.try_collect::<Vec<_>>().await.unwrap_or_default());
    }
    let [mut combined, mut combined_max, mut ring, mut ring_max] = [None; 4];
    for attribute in told.into_iter().flat_map(|message| message.payload.nlas) {
        match attribute {
            EthtoolAttr::Feature(EthtoolFeatureAttr::Active(bits)) => {
                interface.features = bits.into_iter().filter(|bit| bit.value).map(|bit| bit.name).collect();
            }
            EthtoolAttr::Channel(EthtoolChannelAttr::CombinedCount(count)) => combined = Some(count),
            EthtoolAttr::Channel(EthtoolChannelAttr::CombinedMax(count)) => combined_max = Some(count),
            EthtoolAttr::Ring(EthtoolRingAttr::Rx(count)) => ring = Some(count),
            EthtoolAttr::Ring(EthtoolRingAttr::RxMax(count)) => ring_max = Some(count),
            _ => {}
        }
    }
    interface.combined = combined.zip(combined_max);
    interface.ring = ring.zip(ring_max);
    interface.xdp = netdev::xdp_features(&mut handle, index).await;
    Ok(())
}

fn text(path: impl AsRef<Path>) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}
