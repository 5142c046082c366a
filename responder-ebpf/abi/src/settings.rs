//! What is fixed when the program is loaded.

/// Load-time settings. The verifier knows their values and removes what they rule out.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// [`crate::ABI_VERSION`] of the userspace half; a program of another version aborts every packet.
    pub abi_version: u32,
    /// Debug lines: one in this many passed packets is logged, 0 for none.
    pub log_one_in: u32,
    /// Seed of the question hash.
    pub seed: u64,
    /// Number of slots less one, a power of two less one.
    pub slot_mask: u32,
    /// The largest reply sent, in octets of DNS message: 512 to [`crate::limits::UDP_PAYLOAD_MAX`].
    pub message_max: u32,
    /// 1 if the class of a client subnet shorter than a client network is always that of its first address, else 0.
    pub short_subnets: u64,
    /// Samples: one in this many replies is sent to userspace with its query, 0 for none.
    pub sample_one_in: u32,
    /// 1 if the tables are good only until the deadline that userspace puts off (D-25), else 0.
    pub expires: u32,
    /// 1 if replies go where the kernel's routes lead, 0 if to who sent the query, where it came in.
    pub routes_replies: u64,
    /// Heat: one in this many replies out of slots is counted at its slot, a power of two, 0 for none.
    pub heat_one_in: u64,
}

impl Settings {
    /// The same octets as words, in the order of the fields.
    pub const fn words(self) -> [u64; 7] {
        [
            self.abi_version as u64 | (self.log_one_in as u64) << 32,
            self.seed,
            self.slot_mask as u64 | (self.message_max as u64) << 32,
            self.short_subnets,
            self.sample_one_in as u64 | (self.expires as u64) << 32,
            self.routes_replies,
            self.heat_one_in,
        ]
    }
}

const _: () = assert!(size_of::<Settings>() == 56);
