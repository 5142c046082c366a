//! One answer of the kernel half with the question it answers, for userspace to answer again and compare.

/// Octets of the largest query frame that is sampled.
pub const QUERY_MAX: usize = 512;
/// Octets of the largest reply frame: link layer with two tags, IPv6, UDP and the longest message, rounded up.
pub const REPLY_MAX: usize = 1344;
const _: () = assert!(14 + 8 + 40 + 8 + crate::limits::UDP_PAYLOAD_MAX as usize <= REPLY_MAX);

/// Octets of the ring that holds samples until userspace takes them: some hundred; a power of two, and whole pages.
pub const RING_OCTETS: u32 = 1 << 18;

/// One sample.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When the program began, in nanoseconds of the machine's monotonic clock.
    pub began_at: u64,
    /// The draw that was spent, if one was.
    pub draw: u64,
    /// Samples that were lost on this CPU since the one before, for want of room in the ring.
    pub lost: u64,
    /// Octets of the query's frame.
    pub query_len: u64,
    /// Octets of the reply's.
    pub reply_len: u64,
    /// The frame as it came, from its Ethernet header on, as words in memory.
    pub query: [u64; QUERY_MAX / 8],
    /// The frame as it was sent back.
    pub reply: [u64; REPLY_MAX / 8],
}

impl Sample {
    /// A sample as the ring holds it; none if it is cut short.
    pub fn read(octets: &[u8]) -> Option<Self> {
        let mut words = octets.chunks_exact(8).map(|chunk| chunk.try_into().map_or(0, u64::from_ne_bytes));
        let mut next = || words.next();
        let mut sample = Self {
            began_at: next()?,
            draw: next()?,
            lost: next()?,
            query_len: next()?,
            reply_len: next()?,
            query: [0; QUERY_MAX / 8],
            reply: [0; REPLY_MAX / 8],
        };
        for word in sample.query.iter_mut().chain(&mut sample.reply) {
            *word = next()?;
        }
        Some(sample)
    }
}
