//! The glue: kernel memory behind the fast path's traits.
//!
//! Everything is inlined into one program. `asm!` appears where the compiler would otherwise turn a bounds check into a form the verifier
//! does not follow; each such place says which.
#![expect(
    unsafe_code,
    reason = "packet and context memory are raw pointers; the verifier proves every access"
)]

use core::arch::asm;
use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::bindings::{xdp_action, xdp_md};
use aya_ebpf::btf_maps::{Array, PerCpuArray, ProgramArray};
use aya_ebpf::helpers::{
    bpf_get_prandom_u32, bpf_ktime_get_coarse_ns, bpf_xdp_adjust_head, bpf_xdp_adjust_tail,
    bpf_xdp_store_bytes,
};
use aya_ebpf::macros::{btf_map, xdp};
use aya_ebpf::programs::XdpContext;
use aya_ebpf::{EbpfContext, Global};
use aya_log_ebpf::debug;
use fastpath::abi::ABI_VERSION;
use fastpath::abi::client::ClientNode;
use fastpath::abi::draw;
use fastpath::abi::entry::{BodyLarge, BodyMedium, BodySmall, Column, NameRest, Slot};
use fastpath::abi::limits::{FRAME_OFFSET_MASK, RATE_BUCKETS, SERVED_ENTRIES};
use fastpath::abi::live::LiveSettings;
use fastpath::abi::node::{Node, NodesHead, REST_FOUND, REST_PROGRAMS, REST_SEARCH};
use fastpath::abi::served::Served;
use fastpath::abi::settings::Settings;
use fastpath::abi::shared::Shared;
use fastpath::abi::verdict::{Counters, PassReason, Verdict};
use fastpath::cookie::Exchange;
use fastpath::limit::{self, Response};
use fastpath::route::Route;
use fastpath::{Packet, Scratch, Tables, Word};

use crate::{routing, sampling};

/// `BPF_F_MMAPABLE`: userspace writes these through its own mapping, without a system call an entry.
const MMAPABLE: usize = 1024;

// Entries are given when the program is loaded; one is the least that can be declared.
#[btf_map]
static SLOTS: Array<Slot, 1, MMAPABLE> = Array::new();
#[btf_map]
static HEAT: Array<Shared, 1, MMAPABLE> = Array::new();
#[btf_map]
static NODES: Array<Node, 1, MMAPABLE> = Array::new();
#[btf_map]
static NODES_HEAD: Array<NodesHead, 1, MMAPABLE> = Array::new();
#[btf_map]
static ZONES: Array<Shared, 1, MMAPABLE> = Array::new();
#[btf_map]
static NAMES: Array<NameRest, 1, MMAPABLE> = Array::new();
#[btf_map]
static COLUMNS: Array<Column, 1, MMAPABLE> = Array::new();
#[btf_map]
static VARIANTS: Array<Shared, 1, MMAPABLE> = Array::new();
#[btf_map]
static CLIENT_NODES: Array<ClientNode, 1, MMAPABLE> = Array::new();
#[btf_map]
static PARTITIONS: Array<Shared, 1, MMAPABLE> = Array::new();
#[btf_map]
static BODIES_SMALL: Array<BodySmall, 1, MMAPABLE> = Array::new();
#[btf_map]
static BODIES_MEDIUM: Array<BodyMedium, 1, MMAPABLE> = Array::new();
#[btf_map]
static BODIES_LARGE: Array<BodyLarge, 1, MMAPABLE> = Array::new();
#[btf_map]
static SERVED: Array<Served, { SERVED_ENTRIES as usize }, MMAPABLE> = Array::new();
#[btf_map]
pub(crate) static LIVE: Array<LiveSettings, 1, MMAPABLE> = Array::new();
#[btf_map]
static BUCKETS: Array<Shared, { RATE_BUCKETS as usize }, MMAPABLE> = Array::new();
#[btf_map]
static COUNTERS: PerCpuArray<Counters, 1> = PerCpuArray::new();
#[btf_map]
static WORK: PerCpuArray<Work, 1> = PerCpuArray::new();

/// What [`pulse53`] goes on in where the hot table has no answer.
#[btf_map]
static REST: ProgramArray<{ REST_PROGRAMS.len() }> = ProgramArray::new();

#[unsafe(no_mangle)]
pub(crate) static SETTINGS: Global<Settings> = Global::new(Settings {
    abi_version: 0,
    log_one_in: 0,
    seed: 0,
    slot_mask: 0,
    message_max: 0,
    short_subnets: 0,
    sample_one_in: 0,
    expires: 0,
    routes_replies: 0,
    heat_one_in: 0,
});

/// One of the settings: no more is loaded than is used.
macro_rules! setting {
    ($field:ident) => {
        // SAFETY: `Global` is transparent, and the settings are plain words. Volatile, as the loader puts in others than are seen here.
        unsafe { read_volatile(&raw const (*(&raw const SETTINGS).cast::<Settings>()).$field) }
    };
}
pub(crate) use setting;

/// What one CPU needs for one packet, too large or too long-lived for the stack.
#[repr(C)]
struct Work {
    scratch: Scratch,
    /// State of the random generator; zero before its first use.
    random: u64,
    /// Where [`Packet::forget`] sends numbers through.
    spill: u64,
    /// Passed packets since the last debug line.
    unlogged: u64,
}

/// Answers what is in the hot table.
///
/// `frags`: drivers may hand over long frames in several pieces, and need not be held to an MTU that fits a page. A query lies in the
/// first piece, or is passed.
#[xdp(frags)]
#[inline(always)]
pub fn pulse53(ctx: XdpContext) -> u32 {
    if setting!(abi_version) != ABI_VERSION {
        return xdp_action::XDP_ABORTED;
    }
    let Some(mut run) = Run::begin(&ctx) else { return xdp_action::XDP_PASS };
    sampling::keep_query(&ctx, run.packet.frame_len());
    let verdict = fastpath::run_hot(&mut run.packet, &run.tables, run.scratch);
    if verdict == Verdict::Pass(PassReason::NotHot) {
        go_on(&ctx, REST_SEARCH);
    }
    run.end(verdict)
}

/// Finds what answers for what is not there.
#[xdp(frags)]
#[inline(always)]
pub fn pulse53_search(ctx: XdpContext) -> u32 {
    let Some(mut run) = Run::begin(&ctx) else { return xdp_action::XDP_PASS };
    match fastpath::run_search(&mut run.packet, &run.tables, run.scratch) {
        Ok(()) => {
            go_on(&ctx, REST_FOUND);
            run.end(Verdict::Pass(PassReason::NotHot))
        }
        Err(verdict) => run.end(verdict),
    }
}

/// Answers with what was found.
#[xdp(frags)]
#[inline(always)]
pub fn pulse53_found(ctx: XdpContext) -> u32 {
    let Some(mut run) = Run::begin(&ctx) else { return xdp_action::XDP_PASS };
    let verdict = fastpath::run_found(&mut run.packet, &run.tables, run.scratch);
    run.end(verdict)
}

/// Goes on in another program, and does not return but if that is not there.
#[inline(always)]
fn go_on(ctx: &XdpContext, program: u32) {
    // SAFETY: nothing is borrowed that would have to be dropped.
    unsafe { REST.tail_call(ctx, program) };
}

/// A packet, and what this CPU needs for it.
struct Run<'a> {
    packet: XdpPacket<'a>,
    tables: KernelTables,
    scratch: &'a mut Scratch,
    unlogged: &'a mut u64,
    counters: &'a mut Counters,
}

impl<'a> Run<'a> {
    #[inline(always)]
    fn begin(ctx: &'a XdpContext) -> Option<Self> {
        let (work, counters) = (WORK.get_ptr_mut(0)?, COUNTERS.get_ptr_mut(0)?);
        // SAFETY: the elements are this CPU's own, and nothing else runs a program of this object on this CPU before this one returns. The
        // borrowed fields are disjoint.
        unsafe {
            Some(Self {
                packet: XdpPacket::new(ctx, &raw mut (*work).spill),
                tables: KernelTables { random: &raw mut (*work).random },
                scratch: &mut (*work).scratch,
                unlogged: &mut (*work).unlogged,
                counters: &mut *counters,
            })
        }
    }

    /// Counts, and says what becomes of the packet.
    #[inline(always)]
    fn end(mut self, verdict: Verdict) -> u32 {
        // The index is below the array's length, or nothing is counted.
        if let Some(counter) = self.counters.packets.get_mut(verdict.slot() as usize) {
            *counter += 1;
            if verdict == Verdict::Reply {
                warm(*counter, self.scratch.slot);
            }
        }
        match verdict {
            Verdict::Reply | Verdict::NoAnswer(_) => {
                self.packet.refresh();
                // SAFETY: the element is this CPU's own.
                let draw = unsafe { *self.tables.random };
                sampling::send(self.packet.ctx, self.packet.frame_len(), draw);
                routing::send(self.scratch.route.way_out)
            }
            Verdict::Slip => routing::send(self.scratch.route.way_out),
            Verdict::Pass(reason) => {
                let one_in = setting!(log_one_in);
                if one_in != 0 {
                    *self.unlogged += 1;
                    if *self.unlogged >= u64::from(one_in) {
                        *self.unlogged = 0;
                        // Plain numbers: the line is written by a function, and what that refers to would have to stand in memory throughout.
                        let (ctx, slot, len) = (self.packet.ctx, reason.slot(), self.packet.frame_len());
                        debug!(ctx, "passed {}: {} octets", slot, len);
                    }
                }
                xdp_action::XDP_PASS
            }
            Verdict::Drop(_) => xdp_action::XDP_DROP,
        }
    }
}

/// Counts a reply at the slot it came from, if it is one of those that are: which, the number of this CPU's replies decides.
#[inline(always)]
fn warm(replies: u64, slot: u64) {
    let one_in = SETTINGS.load().heat_one_in;
    // Multiples of the golden ratio spread evenly, whatever the step in which clients ask.
    let spread = replies.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    if one_in == 0 || spread & (one_in - 1) != 0 {
        return;
    }
    if let Some(heat) = HEAT.get(slot as u32) {
        // Of two CPUs at once one may be lost.
        heat.store(heat.load() + 1);
    }
}

/// Passes everything: what the other end of a veth pair needs for replies to come through.
#[xdp(frags)]
pub fn pass(_: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// Answers a cookie; whether it was valid. Its signature lets the verifier follow it once and on its own, not at the end of each path that leads
/// here.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn answer_cookie(exchange: *mut Exchange) -> u64 {
    // SAFETY: the verifier holds callers to a whole exchange, or none.
    unsafe { exchange.as_mut() }.is_some_and(Exchange::answer).into()
}

/// Rules on a response, which must be there; apart for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rule(response: *mut Response) -> u64 {
    // SAFETY: the verifier holds callers to a whole response, or none.
    let (Some(response), Some(work)) = (unsafe { response.as_ref() }, WORK.get_ptr_mut(0)) else {
        return u64::MAX;
    };
    // SAFETY: the element is this CPU's own, and the field is another one than that of the response.
    let tables = KernelTables { random: unsafe { &raw mut (*work).random } };
    limit::rule(&tables, response)
}

/// The frame behind an XDP context.
struct XdpPacket<'a> {
    ctx: &'a XdpContext,
    start: usize,
    end: usize,
    spill: *mut u64,
}

impl<'a> XdpPacket<'a> {
    #[inline(always)]
    fn new(ctx: &'a XdpContext, spill: *mut u64) -> Self {
        let mut packet = Self { ctx, start: 0, end: 0, spill };
        packet.refresh();
        packet
    }

    /// Takes fresh packet pointers: volatile, or the compiler reuses those the verifier has forgotten.
    #[inline(always)]
    fn refresh(&mut self) {
        let ctx: *const xdp_md = self.ctx.as_ptr().cast();
        // SAFETY: the kernel hands every program a valid context.
        unsafe {
            self.start = read_volatile(&raw const (*ctx).data) as usize;
            self.end = read_volatile(&raw const (*ctx).data_end) as usize;
        }
    }

    /// A pointer to so many octets, if they are there.
    #[inline(always)]
    fn pointer(&self, place: usize, ahead: usize, len: usize) -> Option<usize> {
        let pointer = place + ahead;
        // A check of one octet compiles to a comparison that proves nothing; ask for two.
        if pointer + len.max(2) > self.end {
            return None;
        }
        // Said, as a reference that might be null would be compared with that once more.
        // SAFETY: frames do not lie at address zero.
        unsafe { core::hint::assert_unchecked(pointer != 0) };
        Some(pointer)
    }
}

/// `value & mask` in the very register that is used next, where the verifier sees it.
#[inline(always)]
fn bound(mut value: u64, mask: u64) -> u64 {
    // SAFETY: one arithmetic instruction on one register.
    unsafe { asm!("{0} &= {1}", inout(reg) value, in(reg) mask) };
    value
}

/// `value` held in 1 to `max` in the very register that is used next: helpers take sizes only so.
#[inline(always)]
pub(crate) fn clamp(mut value: u64, max: u64) -> u64 {
    // SAFETY: comparisons and moves on two registers.
    unsafe {
        asm!(
            "if {value} < {max} goto +1",
            "{value} = {max}",
            "if {value} > 0 goto +1",
            "{value} = 1",
            max = in(reg) max,
            value = inout(reg) value
        )
    };
    value
}

impl Packet for XdpPacket<'_> {
    type Place = usize;

    #[inline(always)]
    fn frame_len(&self) -> usize {
        let mut len = self.end;
        // In assembly: the compiler would otherwise move `end` across comparisons, and arithmetic on it is forbidden.
        // SAFETY: one arithmetic instruction on two registers.
        unsafe { asm!("{0} -= {1}", inout(reg) len, in(reg) self.start) };
        len
    }

    #[inline(always)]
    fn place(&self, offset: usize) -> usize {
        if core::intrinsics::is_val_statically_known(offset) {
            self.start + offset
        } else {
            self.start + bound(offset as u64, FRAME_OFFSET_MASK) as usize
        }
    }

    #[inline(always)]
    fn octets<const N: usize>(&self, place: usize, ahead: usize) -> Option<&[u8; N]> {
        let pointer = self.pointer(place, ahead, N)?;
        // SAFETY: `pointer` to `pointer + N` lies inside the frame, which nobody else touches while it is borrowed.
        Some(unsafe { &*(pointer as *const [u8; N]) })
    }

    #[inline(always)]
    fn octets_mut<const N: usize>(&mut self, place: usize, ahead: usize) -> Option<&mut [u8; N]> {
        let pointer = self.pointer(place, ahead, N)?;
        // SAFETY: as above.
        Some(unsafe { &mut *(pointer as *mut [u8; N]) })
    }

    #[inline(always)]
    fn load<T: Word>(&self, place: usize, ahead: usize) -> Option<T> {
        let pointer = self.pointer(place, ahead, size_of::<T>())?;
        // SAFETY: `pointer` to `pointer + size_of::<T>()` lies inside the frame; T is an integer.
        Some(unsafe { (pointer as *const T).read_unaligned() })
    }

    #[inline(always)]
    fn store<T: Word>(&mut self, place: usize, ahead: usize, value: T) -> Option<()> {
        let pointer = self.pointer(place, ahead, size_of::<T>())?;
        // SAFETY: as above.
        unsafe { (pointer as *mut T).write_unaligned(value) };
        Some(())
    }

    #[inline(always)]
    fn store_words<const WORDS: usize>(
        &mut self,
        offset: usize,
        words: &[Shared; WORDS],
        len: usize,
    ) -> Option<()> {
        let len = clamp(len as u64, 8 * WORDS as u64);
        // SAFETY: `words` is `8 * WORDS` octets long, and the helper checks offset and length against the frame.
        let stored = unsafe {
            bpf_xdp_store_bytes(self.ctx.as_ptr().cast(), offset as u32, words.as_ptr() as *mut _, len as u32)
        };
        if stored == 0 { Some(()) } else { None }
    }

    #[inline(always)]
    fn resize(&mut self, growth: i32) -> Option<()> {
        let ctx: *mut xdp_md = self.ctx.as_ptr().cast();
        // In front first: drivers leave room there, behind the frame few do.
        // SAFETY: the helpers check every argument.
        let refused =
            unsafe { bpf_xdp_adjust_head(ctx, -growth) != 0 && bpf_xdp_adjust_tail(ctx, growth) != 0 };
        // Both helpers make packet pointers invalid, also when they refuse.
        self.refresh();
        if refused { None } else { Some(()) }
    }

    #[inline(always)]
    fn find_route(&self, route: &mut Route) -> Option<()> {
        if routing::find_route(self.ctx.as_ptr().cast(), route) != 0 { Some(()) } else { None }
    }

    #[inline(always)]
    fn forget(&self, value: u64) -> u64 {
        // Through memory: of a number that is computed from another the verifier would follow that one's past, too.
        // SAFETY: `spill` is this CPU's own element.
        unsafe {
            write_volatile(self.spill, value);
            read_volatile(self.spill)
        }
    }

    #[inline(always)]
    fn forget_frame(&mut self) {
        self.refresh();
    }
}

/// The maps.
struct KernelTables {
    random: *mut u64,
}

impl Tables for KernelTables {
    #[inline(always)]
    fn seed(&self) -> u64 {
        setting!(seed)
    }

    #[inline(always)]
    fn slot_mask(&self) -> u32 {
        setting!(slot_mask)
    }

    #[inline(always)]
    fn message_max(&self) -> u16 {
        setting!(message_max) as u16
    }

    #[inline(always)]
    fn served(&self, index: u32) -> Option<&Served> {
        SERVED.get(index)
    }

    #[inline(always)]
    fn slot(&self, index: u32) -> Option<&Slot> {
        SLOTS.get(index)
    }

    #[inline(always)]
    fn nodes_head(&self) -> Option<&NodesHead> {
        NODES_HEAD.get(0)
    }

    #[inline(always)]
    fn node(&self, index: u32) -> Option<&Node> {
        NODES.get(index)
    }

    #[inline(always)]
    fn zone(&self, number: u32) -> Option<&Shared> {
        ZONES.get(number)
    }

    #[inline(always)]
    fn name_rest(&self, index: u32) -> Option<&NameRest> {
        NAMES.get(index)
    }

    #[inline(always)]
    fn column(&self, index: u32) -> Option<&Column> {
        COLUMNS.get(index)
    }

    #[inline(always)]
    fn variant(&self, index: u32) -> Option<&Shared> {
        VARIANTS.get(index)
    }

    #[inline(always)]
    fn client_node(&self, index: u32) -> Option<&ClientNode> {
        CLIENT_NODES.get(index)
    }

    #[inline(always)]
    fn partition_word(&self, index: u32) -> Option<&Shared> {
        PARTITIONS.get(index)
    }

    #[inline(always)]
    fn short_subnets(&self) -> bool {
        setting!(short_subnets) != 0
    }

    #[inline(always)]
    fn body_small(&self, index: u32) -> Option<&BodySmall> {
        BODIES_SMALL.get(index)
    }

    #[inline(always)]
    fn body_medium(&self, index: u32) -> Option<&BodyMedium> {
        BODIES_MEDIUM.get(index)
    }

    #[inline(always)]
    fn body_large(&self, index: u32) -> Option<&BodyLarge> {
        BODIES_LARGE.get(index)
    }

    #[inline(always)]
    fn live(&self) -> Option<&LiveSettings> {
        LIVE.get(0)
    }

    #[inline(always)]
    fn bucket(&self, index: u32) -> Option<&Shared> {
        BUCKETS.get(index)
    }

    #[inline(always)]
    fn now(&self) -> u64 {
        let offset = self.live().map_or(0, |live| live.clock_offset.load());
        // SAFETY: it takes nothing.
        unsafe { bpf_ktime_get_coarse_ns() }.wrapping_add(offset)
    }

    #[inline(always)]
    fn rule(&self, response: &mut Response) -> u64 {
        rule(response)
    }

    #[inline(always)]
    fn answer_cookie(&self, exchange: &mut Exchange) -> bool {
        answer_cookie(exchange) != 0
    }

    #[inline(always)]
    fn is_stale(&self) -> bool {
        if setting!(expires) == 0 {
            return false;
        }
        // A clock of some milliseconds' ticks will do, and costs less.
        // SAFETY: it takes nothing.
        let now = unsafe { bpf_ktime_get_coarse_ns() };
        self.live().is_none_or(|live| now > live.good_until.load())
    }

    #[inline(always)]
    fn routes_replies(&self) -> bool {
        setting!(routes_replies) != 0
    }

    #[inline(always)]
    fn draw(&self) -> u64 {
        // SAFETY: `random` is this CPU's own element.
        unsafe {
            let mut state = *self.random;
            if state == 0 {
                state = (bpf_get_prandom_u32() as u64) << 32 | bpf_get_prandom_u32() as u64 | 1;
            }
            *self.random = draw::next(state);
            *self.random
        }
    }
}

/// The helpers used want a GPL-compatible licence.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
