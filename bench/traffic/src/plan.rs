//! What the programs are told when they are loaded, and what they count. Words only: the layout needs no second thought.

/// Octets of the longest query frame.
pub const FRAME_MAX: usize = 192;
/// Words of a frame.
pub const FRAME_WORDS: usize = FRAME_MAX / 8;
/// Message ids in use; the source port follows the id, so that the checksum does not depend on it.
pub const IDS: u32 = 1 << 15;
/// Id and source port add up to this.
pub const ID_AND_PORT: u16 = 0xC000;
/// The most entries of a table of popularity.
pub const POPULARITY_MAX: u32 = 1 << 18;

/// Nanoseconds that one bucket of the latency histogram covers.
pub const BUCKET_NS: u64 = 32;
/// Buckets; the last one holds all that took longer.
pub const BUCKETS: usize = 2048;

/// What to ask and what to expect.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plan {
    /// Octets of the query frame.
    pub frame_len: u64,
    /// Where the UDP header begins.
    pub udp_at: u64,
    /// Where the eight octets of the first label stand.
    pub label_at: u64,
    /// Where the answers begin in a reply.
    pub answers_at: u64,
    /// Where the two octets of the client subnet stand that vary; 0 without.
    pub subnet_at: u64,
    /// Where the last two octets of the source address stand, if they vary; else 0.
    pub source_at: u64,
    /// Which bits of these two octets vary, as they stand in the frame.
    pub source_mask: u64,
    /// Ones' complement sum of all the UDP checksum covers but label, subnet and varying source.
    pub udp_sum: u64,
    /// The same of the IPv4 header; 0 in IPv6.
    pub ip_sum: u64,
    /// Names asked: 1 to 2^32 - 1.
    pub names: u64,
    /// Entries of the popularity table less one; 0: all names alike.
    pub popularity_mask: u64,
    /// Of 2^32 queries, how many ask for names that do not exist.
    pub absent: u64,
    /// Nanoseconds from one query to the next; 0: as fast as can be.
    pub interval_ns: u64,
    /// 1 if the time to each reply is measured.
    pub latency: u64,
    /// Answers that every reply must have, all of one version and to this question; 0: unchecked.
    pub checked: u64,
}

/// Words of a plan.
pub const PLAN_WORDS: usize = 15;
const _: () = assert!(size_of::<Plan>() == 8 * PLAN_WORDS);

impl Plan {
    /// The same as words, in the order of the fields.
    pub const fn words(self) -> [u64; PLAN_WORDS] {
        [
            self.frame_len,
            self.udp_at,
            self.label_at,
            self.answers_at,
            self.subnet_at,
            self.source_at,
            self.source_mask,
            self.udp_sum,
            self.ip_sum,
            self.names,
            self.popularity_mask,
            self.absent,
            self.interval_ns,
            self.latency,
            self.checked,
        ]
    }
}

/// Places of the words that are counted, per CPU.
pub mod count {
    /// Queries sent.
    pub const SENT: usize = 0;
    /// Replies: NOERROR with answers.
    pub const ANSWERED: usize = 1;
    /// NOERROR without answers.
    pub const NODATA: usize = 2;
    /// NXDOMAIN.
    pub const NXDOMAIN: usize = 3;
    /// Every other reply, truncated ones among them.
    pub const OTHER: usize = 4;
    /// Octets of all reply frames.
    pub const OCTETS: usize = 5;
    /// Replies of which one part is of another version than the rest.
    pub const TORN: usize = 6;
    /// Replies that are not the answer to their question.
    pub const WRONG: usize = 7;
    /// Queries that came back as they went.
    pub const REFLECTED: usize = 8;
    /// How many there are.
    pub const WORDS: usize = 9;
}

/// Both halves of a word added: its 16-bit ones' complement sum once folded.
#[inline(always)]
pub const fn halves(word: u64) -> u64 {
    (word & 0xffff_ffff) + (word >> 32)
}

/// Folds a ones' complement sum to 16 bits (RFC 1071).
#[inline(always)]
pub const fn fold(sum: u64) -> u64 {
    let mut sum = halves(sum);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) + (sum >> 16)
}

/// The sum of what stands at an odd or an even offset.
#[inline(always)]
pub const fn sum_at(offset: u64, word: u64) -> u64 {
    let folded = fold(halves(word));
    if offset & 1 == 0 { folded } else { (folded as u16).swap_bytes() as u64 }
}
