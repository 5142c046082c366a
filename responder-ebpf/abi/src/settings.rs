//! What is fixed when the program is loaded.

/// Load-time settings. The verifier knows their values and removes what they rule out.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Seed of the question hash.
    pub seed: u64,
    /// Number of slots less one, a power of two less one.
    pub slot_mask: u32,
    /// Debug lines: one in this many passed packets is logged, 0 for none.
    pub log_one_in: u32,
}
