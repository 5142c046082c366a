//! Every bound of the kernel half. What exceeds one is not hot; it is never an error.

/// Octets of records in a body of each class; with 16 octets before them.
pub const BODY_SMALL: usize = 240;
/// See [`BODY_SMALL`].
pub const BODY_MEDIUM: usize = 496;
/// See [`BODY_SMALL`]. A reply of 1232 octets has at most 1215 of records.
pub const BODY_LARGE: usize = 1216;

/// The largest DNS message sent over UDP, in octets (D-16).
pub const UDP_PAYLOAD_MAX: u16 = 1232;
/// The largest message without EDNS, in octets (RFC 1035 section 4.2.1).
pub const UDP_PAYLOAD_PLAIN: u16 = 512;

/// Slots looked at from a question's first one on.
pub const SLOT_PROBES: u32 = 16;
/// Names looked for from the one that is asked upwards, until one exists; a wildcard counts as one more.
pub const NODE_STEPS: u32 = 16;
/// Authority records of a referral.
pub const AUTHORITIES_MAX: u8 = 16;
/// Entries of the table of served addresses; a power of two.
pub const SERVED_ENTRIES: u32 = 256;
/// Entries looked at from an address's first one on.
pub const SERVED_PROBES: u32 = 8;
/// Columns of one choice by weight; a power of two.
pub const COLUMNS_MAX: u32 = 1024;
/// Nodes of the client map: 256 MiB of them.
pub const CLIENT_NODES_MAX: u32 = 1 << 18;
/// Words of all partitions together: 64 MiB of them.
pub const PARTITION_WORDS_MAX: u32 = 1 << 23;
/// EDNS options looked at before a query is passed.
pub const OPTIONS_MAX: u32 = 6;
/// Buckets of the rate limit, a power of two: half a mebibyte, whatever the flood (D-21).
pub const RATE_BUCKETS: u32 = 1 << 16;
/// Networks that are exempt from the rate limit; of more than these userspace decides.
pub const EXEMPT_MAX: usize = 16;
/// Interfaces by which replies may leave that are routed.
pub const WAYS_OUT_MAX: usize = 16;

/// Where a query may end in its frame, in octets; longer ones are passed.
pub const QUERY_FRAME_MAX: usize = 1024;
/// Offsets in a frame that are not constant are held below this, for the verifier's sake.
pub const FRAME_OFFSET_MASK: u64 = 2047;
const _: () = assert!(QUERY_FRAME_MAX + 8 <= FRAME_OFFSET_MASK as usize);
const _: () = assert!(14 + 8 + 40 + 8 + UDP_PAYLOAD_MAX as usize + 8 <= FRAME_OFFSET_MASK as usize);

/// How long a body, column or name stays untouched after the last slot let go of it, in milliseconds. Far above the few
/// microseconds a program runs.
pub const QUARANTINE_MS: u64 = 1_000;
