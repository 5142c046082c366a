//! The hot table's entries: a question, and the prebuilt records that answer it.
//!
//! A [`Slot`] holds the question and either the records themselves or a [`Choice`] among [`Body`] elements in other arrays.
//! A slot carries a version, odd while it is being written; a reader copies what it needs and takes the copy only if
//! the version was even and unchanged. Bodies and columns never change while a slot leads to them, and are
//! left alone for [`limits::QUARANTINE_MS`] after the last slot stopped doing so.

use crate::limits;
use crate::shared::Shared;

/// Octets of a name held in its slot; longer ones continue in a [`NameRest`].
pub const NAME_INLINE: usize = 32;
/// Octets of records that fit into a slot.
pub const RECORDS_INLINE: usize = 64;

/// `tag` of a slot that was never used: a search ends here.
pub const TAG_EMPTY: u64 = 0;
/// `tag` of a slot whose entry was removed: a search goes on.
pub const TAG_REMOVED: u64 = 1;

/// One entry of the hot table, found by [`crate::key::hash`].
#[repr(C)]
#[derive(Debug, Default)]
pub struct Slot {
    /// The question's hash, or [`TAG_EMPTY`] or [`TAG_REMOVED`].
    pub tag: Shared,
    /// [`SlotVersion`]: odd while the slot is being written.
    pub version: Shared,
    /// [`SlotHead`]: type, length of the name, form of the answer, and where the name continues.
    pub head: Shared,
    /// The first octets of the name in lower-case wire form, zero-padded, as little-endian words.
    pub name: [Shared; NAME_INLINE / 8],
    /// [`BodyHead`] of inline records, or the [`Choice`].
    pub answer: Shared,
    /// Inline records, zero-padded.
    pub records: [Shared; RECORDS_INLINE / 8],
}

/// How a slot's version word is put together: a write counter in bits 0-15, odd while the slot is being written, and the
/// generation that wrote it above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotVersion(pub u64);

impl SlotVersion {
    /// The version while a generation writes a slot that had this version.
    pub const fn writing(self, generation: u64) -> Self {
        Self(generation << 16 | ((self.0 & 0xffff) | 1))
    }

    /// The version once the writing is done.
    pub const fn written(self) -> Self {
        Self(self.0 & !0xffff | ((self.0 + 1) & 0xffff))
    }

    /// Whether a writer is at work.
    #[inline(always)]
    pub const fn is_being_written(self) -> bool {
        self.0 & 1 != 0
    }

    /// The generation that wrote the slot, modulo 2^48.
    pub const fn generation(self) -> u64 {
        self.0 >> 16
    }
}

/// The fixed part of a slot, packed into one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotHead {
    /// QTYPE.
    pub qtype: u16,
    /// Octets of the name in wire form, 1 to 255.
    pub name_len: u8,
    /// What `answer` holds.
    pub form: u8,
    /// Index of the [`NameRest`] of a name longer than [`NAME_INLINE`].
    pub rest: u32,
}

/// `SlotHead::form`: `answer` is a [`BodyHead`], the records are in the slot.
pub const FORM_INLINE: u8 = 1;
/// `SlotHead::form`: `answer` is a [`Choice`].
pub const FORM_CHOICE: u8 = 2;
/// `SlotHead::form`: `answer` is a [`crate::client::ByClass`].
pub const FORM_BY_CLASS: u8 = 3;

impl SlotHead {
    /// As a word.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        self.qtype as u64 | (self.name_len as u64) << 16 | (self.form as u64) << 24 | (self.rest as u64) << 32
    }

    /// From a word.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        Self {
            qtype: word as u16,
            name_len: (word >> 16) as u8,
            form: (word >> 24) as u8,
            rest: (word >> 32) as u32,
        }
    }
}

/// What must be known of finished records, packed into one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BodyHead {
    /// Octets of all records.
    pub len: u16,
    /// Ones' complement sum of the records, as 16-bit words in the machine's order from an even offset, folded.
    pub sum: u16,
    /// ANCOUNT.
    pub answers: u8,
    /// NSCOUNT.
    pub authorities: u8,
    /// ARCOUNT without OPT.
    pub additionals: u8,
    /// RCODE in bits 0-3, [`FLAG_ROTATES`], [`FLAG_AUTHORITATIVE`].
    pub flags: u8,
}

/// `BodyHead::flags`: all answers have one length, a multiple of four octets, in no more than [`limits::BODY_SMALL`], and the draw
/// decides which comes first.
pub const FLAG_ROTATES: u8 = 0x40;
/// `BodyHead::flags`: the AA bit.
pub const FLAG_AUTHORITATIVE: u8 = 0x80;

impl BodyHead {
    /// As a word.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        self.len as u64
            | (self.sum as u64) << 16
            | (self.answers as u64) << 32
            | (self.authorities as u64) << 40
            | (self.additionals as u64) << 48
            | (self.flags as u64) << 56
    }

    /// From a word.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        Self {
            len: word as u16,
            sum: (word >> 16) as u16,
            answers: (word >> 32) as u8,
            authorities: (word >> 40) as u8,
            additionals: (word >> 48) as u8,
            flags: (word >> 56) as u8,
        }
    }
}

/// A choice among bodies, packed into one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Where it leads.
    pub link: Link,
    /// For [`Link::COLUMNS`]: number of columns less one, a power of two less one; else 0.
    pub mask: u32,
}

impl Choice {
    /// As a word.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        self.link.0 as u64 | (self.mask as u64) << 32
    }

    /// From a word.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        Self { link: Link(word as u32), mask: (word >> 32) as u32 }
    }
}

/// A kind in bits 28-31 and an index in the array of that kind in bits 0-27.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link(pub u32);

impl Link {
    /// Nowhere: the records are in the slot itself.
    pub const INLINE: Self = Self(0);
    /// A [`Body`] of [`limits::BODY_SMALL`] octets.
    pub const SMALL: u32 = 1;
    /// A [`Body`] of [`limits::BODY_MEDIUM`] octets.
    pub const MEDIUM: u32 = 2;
    /// A [`Body`] of [`limits::BODY_LARGE`] octets.
    pub const LARGE: u32 = 3;
    /// The first of `mask + 1` columns: choose by weight.
    pub const COLUMNS: u32 = 4;

    /// A link of one kind.
    #[inline(always)]
    pub const fn new(kind: u32, index: u32) -> Self {
        Self(kind << 28 | (index & 0x0fff_ffff))
    }

    /// One of the constants above, or 0 for [`Self::INLINE`].
    #[inline(always)]
    pub const fn kind(self) -> u32 {
        self.0 >> 28
    }

    /// The index in the array of that kind.
    #[inline(always)]
    pub const fn index(self) -> u32 {
        self.0 & 0x0fff_ffff
    }
}

/// Finished records too large for a slot, or shared by the columns of a choice.
#[repr(C)]
#[derive(Debug)]
pub struct Body<const WORDS: usize> {
    /// [`BodyHead`].
    pub head: Shared,
    /// Rises each time the element is put to a new use: a reader that sees it change while copying was overtaken.
    pub uses: Shared,
    /// The records, zero-padded.
    pub records: [Shared; WORDS],
}

impl<const WORDS: usize> Default for Body<WORDS> {
    fn default() -> Self {
        Self { head: Shared::default(), uses: Shared::default(), records: [const { Shared::new(0) }; WORDS] }
    }
}

/// A body of the smallest class.
pub type BodySmall = Body<{ limits::BODY_SMALL / 8 }>;
/// A body of the middle class.
pub type BodyMedium = Body<{ limits::BODY_MEDIUM / 8 }>;
/// A body of the largest class.
pub type BodyLarge = Body<{ limits::BODY_LARGE / 8 }>;

/// One column of an alias table (Walker, Vose): with one draw, one of two bodies.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Column {
    /// Low half: the first body's [`Link`]; high half: the second's.
    pub bodies: Shared,
    /// The first body answers if the draw's low half is below this, 0 to 2^32 - 1.
    pub threshold: Shared,
}

/// The octets of a name from [`NAME_INLINE`] on, zero-padded.
#[repr(C)]
#[derive(Debug, Default)]
pub struct NameRest {
    /// Little-endian words.
    pub words: [Shared; NAME_REST_WORDS],
}

/// Words of a [`NameRest`]: names have at most 255 octets.
pub const NAME_REST_WORDS: usize = (256 - NAME_INLINE) / 8;

const _: () = assert!(size_of::<Slot>() == 128);
const _: () = assert!(size_of::<BodySmall>() == 256);
const _: () = assert!(size_of::<BodyMedium>() == 512);
const _: () = assert!(size_of::<BodyLarge>() == 1232);
const _: () = assert!(size_of::<Column>() == 16);
const _: () = assert!(size_of::<NameRest>() == 224);
