//! What the fast path decided, and why not more; the numbers are counter slots.

/// One decision about one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The packet now is the reply: send it back.
    Reply,
    /// The same with a reply that has no answer.
    NoAnswer(NoAnswer),
    /// The packet now is an empty reply with TC=1, as the client's network has had its share: send it back.
    Slip,
    /// Hand the untouched packet to the kernel's network stack.
    Pass(PassReason),
    /// Send nothing; see [`DropReason`].
    Drop(DropReason),
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident, $first:literal: $($(#[$variant_doc:meta])* $variant:ident = $label:literal,)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u32)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every reason, in the order of the counter slots.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The label under which it is counted.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// Its counter slot.
            #[inline(always)]
            pub const fn slot(self) -> u32 {
                $first + self as u32
            }
        }
    };
}

/// Counter slot of [`Verdict::Reply`].
pub const SLOT_REPLY: u32 = 0;

reasons! {
    /// Why a packet was passed.
    PassReason, 1:
    /// Shorter than the headers it announces, or with lengths that contradict each other.
    Short = "short",
    /// Neither IPv4 nor IPv6.
    NotIp = "not_ip",
    /// IPv4 with options, or a fragment.
    Ipv4Special = "ipv4_special",
    /// Not UDP; IPv6 with extension headers among them.
    NotUdp = "not_udp",
    /// To another address or port than the served ones.
    NotServed = "not_served",
    /// Not a standard query with one question and nothing but OPT behind it.
    NotPlainQuery = "not_plain_query",
    /// The name is malformed, compressed or longer than 255 octets.
    BadName = "bad_name",
    /// Class other than IN.
    NotInternet = "not_internet",
    /// OPT malformed, of another version than 0, or with more options than are looked at.
    BadOpt = "bad_opt",
    /// An EDNS option that only userspace answers.
    Option = "option",
    /// The question is not in the hot table.
    NotHot = "not_hot",
    /// The reply would exceed what the client takes; userspace truncates.
    TooLong = "too_long",
    /// The driver left no room to grow the packet.
    NoRoom = "no_room",
    /// The entry was being replaced.
    Replaced = "replaced",
    /// Something that userspace never writes into the tables.
    Inconsistent = "inconsistent",
    /// Beyond the rate limit, and whether the client is exempt userspace alone knows.
    PerhapsExempt = "perhaps_exempt",
    /// Userspace has not been heard of for longer than answers are good (D-25).
    Stale = "stale",
    /// The kernel has no way for the reply that a program could send it by; only where replies are routed.
    NoRoute = "no_route",
}

/// First counter slot of [`DropReason`].
pub const SLOT_DROPS: u32 = 1 + PassReason::ALL.len() as u32;

reasons! {
    /// Why a packet was dropped. Neither of the first two should ever be counted.
    DropReason, 19:
    /// A body was put to a new use while it was copied, despite its quarantine.
    Recycled = "recycled",
    /// A write behind all checks failed.
    Damaged = "damaged",
    /// The client's network has had its share of responses.
    Limited = "limited",
}

/// Counter slot of [`Verdict::Slip`].
pub const SLOT_SLIP: u32 = SLOT_DROPS + DropReason::ALL.len() as u32;

/// First counter slot of [`NoAnswer`].
pub const SLOT_NO_ANSWERS: u32 = SLOT_SLIP + 1;

reasons! {
    /// Why a reply has no answer.
    NoAnswer, 23:
    /// The name exists, but has no such type.
    NoData = "nodata",
    /// The name does not exist.
    NxDomain = "nxdomain",
    /// The name is delegated.
    Referral = "referral",
}

/// Counter slots in all.
pub const COUNTERS: u32 = SLOT_NO_ANSWERS + NoAnswer::ALL.len() as u32;

const _: () = assert!(DropReason::Recycled.slot() == SLOT_DROPS);
const _: () = assert!(NoAnswer::NoData.slot() == SLOT_NO_ANSWERS);

/// Per-CPU counters of the fast path.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Packets, by counter slot.
    pub packets: [u64; COUNTERS as usize],
}

impl Verdict {
    /// Whether the packet now is a reply, to be sent back.
    pub const fn is_reply(self) -> bool {
        matches!(self, Self::Reply | Self::NoAnswer(_) | Self::Slip)
    }

    /// Its counter slot.
    #[inline(always)]
    pub const fn slot(self) -> u32 {
        match self {
            Self::Reply => SLOT_REPLY,
            Self::NoAnswer(reason) => reason.slot(),
            Self::Slip => SLOT_SLIP,
            Self::Pass(reason) => reason.slot(),
            Self::Drop(reason) => reason.slot(),
        }
    }
}
