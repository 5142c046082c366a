//! What drivers are known for where native XDP is concerned. From the kernel's sources, 6.1 to 6.12; none of it is guessed.

/// The longest MTU whose frame fits a page, beside 256 octets of headroom, 320 of `skb_shared_info` and the Ethernet header: what a
/// driver takes that hands frames over in one piece.
pub const MTU_MAX: u32 = 3506;

/// The longest MTU whose frame fits the 3,072 octets of Intel's larger buffers, beside the Ethernet header, two VLAN tags and the checksum.
const MTU_MAX_INTEL: u32 = 3046;

/// Queues that a driver wants for XDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queues {
    /// It finds them by itself.
    OfItsOwn,
    /// As many again as are in use, or it refuses.
    HalfOfMaximum,
    /// One a processor beside those in use, or it sends under a lock.
    OneAProcessor,
    /// Combined ones, or it refuses.
    Combined,
}

/// What is known of a driver.
#[derive(Debug, Clone, Copy)]
pub struct Driver {
    /// As `ethtool -i` names it.
    pub name: &'static str,
    /// The longest MTU with XDP, unless the driver hands frames over in pieces.
    pub mtu_max: u32,
    /// Whether it does so in every kernel from 6.1 on; since 6.3 the kernel tells (`netdev`).
    pub has_pieces: bool,
    /// What it wants of queues.
    pub queues: Queues,
    /// Whether it hands packets over to other interfaces and takes them from there in every kernel from 6.1 on that has XDP for it; since 6.3 the
    /// kernel tells (`netdev`).
    pub redirects: bool,
    /// Features with which it refuses XDP, as the kernel names them, and as `ethtool -K` does.
    pub refuses: &'static [(&'static str, &'static str)],
    /// What else there is to know.
    pub note: Option<&'static str>,
    /// Where in the kernel's sources that is written.
    pub source: &'static str,
}

const LRO: (&str, &str) = ("rx-lro", "lro");
const GRO_HW: (&str, &str) = ("rx-gro-hw", "rx-gro-hw");

const fn plain(name: &'static str, source: &'static str) -> Driver {
    Driver {
        name,
        mtu_max: MTU_MAX,
        has_pieces: false,
        queues: Queues::OfItsOwn,
        redirects: true,
        refuses: &[],
        note: None,
        source,
    }
}

/// All that have native XDP and are known here.
pub const DRIVERS: &[Driver] = &[
    Driver {
        queues: Queues::OneAProcessor,
        note: Some(
            "a host that lets the guest not turn off its offloads (ctrl_guest_offloads=off) refuses XDP while it has any on",
        ),
        ..plain("virtio_net", "drivers/net/virtio_net.c, virtnet_xdp_set")
    },
    Driver {
        has_pieces: true,
        note: Some(
            "the other end needs an XDP program, too, one that passes everything will do, or replies vanish (veth_xdp_flush)",
        ),
        ..plain("veth", "drivers/net/veth.c, veth_xdp_set")
    },
    Driver {
        mtu_max: 3498,
        queues: Queues::HalfOfMaximum,
        ..plain("ena", "drivers/net/ethernet/amazon/ena/ena_xdp.c, ena_xdp_set")
    },
    Driver {
        mtu_max: MTU_MAX_INTEL,
        note: Some(
            "it turns LRO off by itself, and refuses XDP where virtual functions or DCB are configured",
        ),
        ..plain(
            "ixgbe",
            "drivers/net/ethernet/intel/ixgbe/ixgbe_main.c, ixgbe_xdp_setup, ixgbe_max_xdp_frame_size and ixgbe_fix_features",
        )
    },
    Driver {
        // There it counts one tag.
        mtu_max: MTU_MAX_INTEL + 4,
        redirects: false,
        note: Some("it sends replies back where queries came in, and by no other interface"),
        ..plain(
            "ixgbevf",
            "drivers/net/ethernet/intel/ixgbevf/ixgbevf_main.c, ixgbevf_xdp_setup and ixgbevf_run_xdp",
        )
    },
    Driver {
        mtu_max: MTU_MAX_INTEL,
        note: Some("attaching resets its queues: some packets are lost at that moment"),
        ..plain(
            "i40e",
            "drivers/net/ethernet/intel/i40e/i40e_main.c, i40e_xdp_setup and i40e_max_xdp_frame_size",
        )
    },
    Driver {
        mtu_max: MTU_MAX_INTEL,
        note: Some(
            "without its DDP firmware package it runs in safe mode, which has no XDP: look for `DDP` in dmesg",
        ),
        ..plain(
            "ice",
            "drivers/net/ethernet/intel/ice/ice_main.c, ice_xdp_setup_prog, ice_max_xdp_frame_size and ice_xdp_safe_mode",
        )
    },
    Driver {
        has_pieces: true,
        refuses: &[LRO, GRO_HW],
        ..plain("mlx5_core", "drivers/net/ethernet/mellanox/mlx5/core/en_main.c, mlx5e_xdp_allowed")
    },
    Driver {
        has_pieces: true,
        queues: Queues::Combined,
        note: Some("header-data split must be off: `ethtool -g` shows `TCP data split`"),
        ..plain("bnxt_en", "drivers/net/ethernet/broadcom/bnxt/bnxt_xdp.c, bnxt_xdp_set")
    },
    Driver {
        mtu_max: 2032,
        queues: Queues::HalfOfMaximum,
        refuses: &[LRO, GRO_HW],
        note: Some("which queue formats have XDP depends on the kernel: before 6.16 GQI-QPL alone"),
        ..plain("gve", "drivers/net/ethernet/google/gve/gve_main.c, verify_xdp_configuration")
    },
    Driver {
        refuses: &[LRO],
        note: Some(
            "with accelerated networking the program goes to the virtual function as well, whose rules then hold, too",
        ),
        ..plain("hv_netvsc", "drivers/net/hyperv/netvsc_bpf.c, netvsc_xdp_set")
    },
];

/// What is known of a driver, if anything.
pub fn find(name: &str) -> Option<&'static Driver> {
    DRIVERS.iter().find(|driver| driver.name == name)
}
