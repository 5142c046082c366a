//! The wire between the guest's two network interfaces: virtio_net at both ends, several queues where that can be had.
//!
//! Only tap devices give a guest several queues. They are made in a network namespace of their own, which takes root, or a
//! /dev/net/tun and user namespaces that are open to everyone. Elsewhere the ends meet in a hub inside qemu, with one queue.

use std::process::Command;

use crate::process;

/// For the guest; the first is the client's.
pub const ENDS: [&str; 2] = ["eth0", "eth1"];

/// Of receive queues as many as there are processors, of queues to send on as many again for XDP: without those the driver
/// sends under a lock.
const QUEUES: usize = 2 * super::machine::PROCESSORS;

/// Two taps on a bridge, then what follows.
const TAPS: &str = "set -e; PATH=$PATH:/usr/sbin:/sbin
ip link add name wire type bridge stp_state 0 mcast_snooping 0
for tap in tap0 tap1; do ip tuntap add dev $tap mode tap multi_queue; ip link set dev $tap master wire up; done
ip link set dev wire up
exec \"$@\"";

/// What joins the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Taps on a bridge in a network namespace of their own, made by root or by a user who is root in that namespace.
    Taps { root: bool },
    /// A hub inside qemu.
    Hub,
}

impl Wire {
    /// The best that can be had here: tried, not guessed.
    pub fn find() -> Self {
        let taps = Self::Taps { root: rustix::process::geteuid().is_root() };
        let mut trial = taps.command("true").expect("taps need a command");
        if process::succeeds(&mut trial) { taps } else { Self::Hub }
    }

    /// Starts a program at the wire, if that must be made first.
    pub fn command(self, program: &str) -> Option<Command> {
        let Self::Taps { root } = self else { return None };
        let mut command = Command::new("unshare");
        if !root {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--net", "sh", "-c", TAPS, "sh", program]);
        Some(command)
    }

    /// qemu's arguments for both ends.
    pub fn arguments(self) -> Vec<String> {
        let mut arguments = Vec::new();
        for end in 0..ENDS.len() {
            let (backend, queues) = match self {
                Self::Taps { .. } => (
                    format!("tap,ifname=tap{end},script=no,downscript=no,vhost=off,queues={QUEUES}"),
                    format!(",mq=on,vectors={}", 2 * QUEUES + 2),
                ),
                Self::Hub => ("hubport,hubid=0".to_owned(), String::new()),
            };
            arguments.extend(["-netdev".to_owned(), format!("{backend},id=n{end}")]);
            arguments.extend(["-device".to_owned(), format!("virtio-net-pci,netdev=n{end}{queues}")]);
        }
        arguments
    }

    /// For the reader.
    pub fn told(self) -> &'static str {
        match self {
            Self::Taps { .. } => {
                "virtio_net with a receive queue a processor, over taps in a namespace of their own"
            }
            Self::Hub => {
                "virtio_net with one queue, over a hub: taps, which give several, take root or an open /dev/net/tun"
            }
        }
    }
}
