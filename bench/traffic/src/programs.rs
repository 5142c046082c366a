//! The three programs, over kernel memory.
#![expect(unsafe_code, reason = "packet and map memory are raw pointers; the verifier proves every access")]

use aya_ebpf::Global;
use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX};
use aya_ebpf::btf_maps::{Array, PerCpuArray};
use aya_ebpf::helpers::{bpf_get_prandom_u32, bpf_ktime_get_ns};
use aya_ebpf::macros::{btf_map, xdp};
use aya_ebpf::programs::XdpContext;
use traffic::label;
use traffic::plan::{
    BUCKET_NS, BUCKETS, FRAME_WORDS, ID_AND_PORT, IDS, PLAN_WORDS, POPULARITY_MAX, Plan, count, fold, sum_at,
};

#[btf_map]
static TEMPLATE: Array<[u64; FRAME_WORDS], 1> = Array::new();
#[btf_map]
static POPULARITY: Array<u32, { POPULARITY_MAX as usize }> = Array::new();
#[btf_map]
static SENT_AT: Array<u64, { IDS as usize }> = Array::new();
#[btf_map]
static STATE: PerCpuArray<State, 1> = PerCpuArray::new();
#[btf_map]
static COUNTS: PerCpuArray<[u64; count::WORDS], 1> = PerCpuArray::new();
#[btf_map]
static LATENCY: PerCpuArray<[u64; BUCKETS], 1> = PerCpuArray::new();

#[unsafe(no_mangle)]
static PLAN: Global<[u64; PLAN_WORDS]> = Global::new([0; PLAN_WORDS]);

/// What one CPU's generator remembers.
#[repr(C)]
struct State {
    /// Of the random numbers; zero before the first.
    random: u64,
    /// When the next query may go.
    due: u64,
    /// Place in the popularity table.
    at: u64,
}

#[inline(always)]
fn plan() -> Plan {
    // SAFETY: a plan is words, `repr(C)`, and as long as the array (asserted where it is defined).
    unsafe { core::mem::transmute(PLAN.load()) }
}

/// A pointer into the frame if so many octets are there.
#[inline(always)]
fn at<T>(ctx: &XdpContext, offset: usize) -> Option<*mut T> {
    let pointer = ctx.data() + offset;
    // A check of one octet compiles to a comparison that proves nothing; ask for two.
    if pointer + size_of::<T>().max(2) > ctx.data_end() { None } else { Some(pointer as *mut T) }
}

#[inline(always)]
fn read<T: Copy>(ctx: &XdpContext, offset: usize) -> Option<T> {
    // SAFETY: checked by `at`; T is an integer.
    at::<T>(ctx, offset).map(|pointer| unsafe { pointer.read_unaligned() })
}

#[inline(always)]
fn write<T: Copy>(ctx: &XdpContext, offset: usize, value: T) -> Option<()> {
    // SAFETY: as above.
    at::<T>(ctx, offset).map(|pointer| unsafe { pointer.write_unaligned(value) })
}

#[inline(always)]
fn add(slot: usize, amount: u64) {
    if let Some(counts) = COUNTS.get_ptr_mut(0) {
        // SAFETY: the element is this CPU's own; slots are constants below its length.
        unsafe { (*counts)[slot] += amount };
    }
}

/// Writes a whole query over the frame, whatever it held, and sends it.
#[xdp]
pub fn generate(ctx: XdpContext) -> u32 {
    let Some(state) = STATE.get_ptr_mut(0) else { return XDP_ABORTED };
    // SAFETY: the element is this CPU's own, and nothing else runs the program on this CPU before it returns.
    let state = unsafe { &mut *state };
    let plan = plan();
    if plan.interval_ns != 0 {
        // SAFETY: the helper has no conditions.
        let now = unsafe { bpf_ktime_get_ns() };
        if now < state.due {
            return XDP_DROP;
        }
        // What was missed is not made up for: a burst would measure itself.
        let due = state.due + plan.interval_ns;
        state.due = if due < now { now } else { due };
    }
    match query(&ctx, state, &plan) {
        Some(()) => {
            add(count::SENT, 1);
            XDP_TX
        }
        None => XDP_ABORTED,
    }
}

#[inline(always)]
fn query(ctx: &XdpContext, state: &mut State, plan: &Plan) -> Option<()> {
    let random = draw(state);
    let template = TEMPLATE.get_ptr(0)?;
    let len = plan.frame_len as usize;
    for index in 0..FRAME_WORDS {
        if 8 * index + 8 > len {
            break;
        }
        // SAFETY: the index is below the array's length. Volatile, or the loop becomes a call that copies octets.
        write(ctx, 8 * index, unsafe { (&raw const (*template)[index]).read_volatile() })?;
    }
    if len & 7 != 0 && len >= 8 {
        // SAFETY: as above; the last eight octets once more, in one piece.
        let last = unsafe { (template.cast::<u8>().add(len - 8) as *const u64).read_unaligned() };
        write(ctx, len - 8, last)?;
    }

    let label = if (random as u32 as u64) < plan.absent {
        label::absent((random >> 32) as u32)
    } else if plan.popularity_mask != 0 {
        state.at += 1;
        label::of(*POPULARITY.get((state.at & plan.popularity_mask) as u32)?)
    } else {
        label::of((((random >> 32) * plan.names) >> 32) as u32)
    };
    let label_at = plan.label_at as usize;
    write(ctx, label_at, label)?;
    let udp_at = plan.udp_at as usize;
    let mut sum = plan.udp_sum + sum_at(plan.label_at ^ plan.udp_at, label);

    let id = random as u16 & (IDS - 1) as u16;
    write(ctx, udp_at, (ID_AND_PORT - id).to_be())?;
    write(ctx, udp_at + 8, id.to_be())?;

    if plan.subnet_at != 0 {
        let subnet = (random >> 20) as u16;
        write(ctx, plan.subnet_at as usize, subnet)?;
        sum += sum_at(plan.subnet_at ^ plan.udp_at, subnet as u64);
    }
    if plan.source_at != 0 {
        let source = (random >> 40 & plan.source_mask) as u16;
        write(ctx, plan.source_at as usize, source)?;
        sum += source as u64;
        if plan.ip_sum != 0 {
            // Behind the Ethernet header, octets 10 and 11 of IPv4.
            write(ctx, 14 + 10, !fold(plan.ip_sum + source as u64) as u16)?;
        }
    }
    let checksum = match !fold(sum) as u16 {
        0 => 0xffff, // zero would mean "none" (RFC 768)
        checksum => checksum,
    };
    write(ctx, udp_at + 6, checksum)?;
    if plan.latency != 0 {
        let sent_at = SENT_AT.get_ptr_mut(id as u32)?;
        // SAFETY: the element is a word; a query with the same id in flight is the only other writer.
        unsafe { *sent_at = bpf_ktime_get_ns() };
    }
    Some(())
}

/// The next random number (xorshift).
#[inline(always)]
fn draw(state: &mut State) -> u64 {
    let mut random = state.random;
    if random == 0 {
        // SAFETY: the helper has no conditions.
        random = unsafe { (bpf_get_prandom_u32() as u64) << 32 | bpf_get_prandom_u32() as u64 | 1 };
        state.at = random >> 32;
    }
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    state.random = random;
    // The lowest bits of a xorshift are its weakest.
    random.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Counts replies by kind and ends them; passes everything else.
#[xdp]
pub fn sink(ctx: XdpContext) -> u32 {
    let plan = plan();
    if count_reply(&ctx, &plan).is_some() { XDP_DROP } else { XDP_PASS }
}

#[inline(always)]
fn count_reply(ctx: &XdpContext, plan: &Plan) -> Option<()> {
    const PORT: u16 = 53;
    const QR: u16 = 0x8000;
    const TC: u16 = 0x0200;
    const RCODE: u16 = 0x000f;
    const NXDOMAIN: u16 = 3;
    let udp_at = plan.udp_at as usize;
    let source: u16 = read(ctx, udp_at)?;
    let header: u64 = read(ctx, udp_at + 8)?;
    let flags = u16::from_be((header >> 16) as u16);
    if source != PORT.to_be() {
        return None;
    }
    if flags & QR == 0 {
        add(count::REFLECTED, 1);
        if plan.latency != 0 {
            note_latency(u16::from_be(header as u16));
        }
        return Some(());
    }
    let answers = u16::from_be((header >> 48) as u16);
    let slot = match (flags & RCODE, answers) {
        _ if flags & TC != 0 => count::OTHER,
        (0, 0) => count::NODATA,
        (0, _) => count::ANSWERED,
        (NXDOMAIN, _) => count::NXDOMAIN,
        _ => count::OTHER,
    };
    let counts = COUNTS.get_ptr_mut(0)?;
    // SAFETY: the element is this CPU's own; slots are constants below its length.
    unsafe {
        match slot {
            count::ANSWERED => (*counts)[count::ANSWERED] += 1,
            count::NODATA => (*counts)[count::NODATA] += 1,
            count::NXDOMAIN => (*counts)[count::NXDOMAIN] += 1,
            _ => (*counts)[count::OTHER] += 1,
        }
        (*counts)[count::OCTETS] += (ctx.data_end() - ctx.data()) as u64;
    }
    if plan.latency != 0 {
        note_latency(u16::from_be(header as u16));
    }
    if plan.checked != 0 {
        match check(ctx, plan, answers) {
            Checked::Right => {}
            Checked::Torn => add(count::TORN, 1),
            Checked::Wrong => add(count::WRONG, 1),
        }
    }
    Some(())
}

#[inline(always)]
fn note_latency(id: u16) {
    let Some(sent_at) = SENT_AT.get(id as u32 & (IDS - 1)) else { return };
    let Some(buckets) = LATENCY.get_ptr_mut(0) else { return };
    // SAFETY: the helper has no conditions.
    let taken = unsafe { bpf_ktime_get_ns() }.wrapping_sub(*sent_at) / BUCKET_NS;
    let bucket = if taken < BUCKETS as u64 - 1 { taken as usize } else { BUCKETS - 1 };
    // SAFETY: the element is this CPU's own.
    if let Some(bucket) = unsafe { (*buckets).get_mut(bucket) } {
        *bucket += 1;
    }
}

enum Checked {
    Right,
    Torn,
    Wrong,
}

/// Whether the answers are those of the question, all of one version and each there once.
#[inline(always)]
fn check(ctx: &XdpContext, plan: &Plan, answers: u16) -> Checked {
    // Pointer to the question's name, A, IN.
    const OWNER_TYPE_CLASS: u64 = 0x0100_0100_0cc0;
    const RECORD: usize = 16;
    if answers as u64 != plan.checked {
        return Checked::Wrong;
    }
    let Some(label) = read::<u64>(ctx, plan.label_at as usize) else { return Checked::Wrong };
    let stamp = label::stamp(label::number(label)) as u32;
    let mut version = None;
    let mut seen = 0u32;
    for index in 0..label::ANSWERS_MAX as usize {
        if index as u64 >= plan.checked {
            break;
        }
        let record = plan.answers_at as usize + RECORD * index;
        let (Some(head), Some(address)) = (read::<u64>(ctx, record), read::<u32>(ctx, record + 12)) else {
            return Checked::Wrong;
        };
        let address = u32::from_be(address);
        if head & 0xffff_ffff_ffff != OWNER_TYPE_CLASS || address >> 16 != stamp {
            return Checked::Wrong;
        }
        let found = address >> 4 & (label::VERSIONS - 1);
        if *version.get_or_insert(found) != found {
            return Checked::Torn;
        }
        seen |= 1 << (address & (label::ANSWERS_MAX - 1));
    }
    if seen as u64 == (1 << plan.checked) - 1 { Checked::Right } else { Checked::Wrong }
}

/// Sends every DNS query back as it came, with addresses and ports swapped.
#[xdp]
pub fn reflect(ctx: XdpContext) -> u32 {
    if turn(&ctx).is_some() { XDP_TX } else { XDP_PASS }
}

#[inline(always)]
fn turn(ctx: &XdpContext) -> Option<()> {
    const IPV4: u16 = 0x0800;
    const IPV6: u16 = 0x86dd;
    const PORT: u16 = 53;
    let udp_at = match u16::from_be(read(ctx, 12)?) {
        IPV4 => 34,
        IPV6 => 54,
        _ => return None,
    };
    let ports: u32 = read(ctx, udp_at)?;
    if (ports >> 16) as u16 != PORT.to_be() {
        return None;
    }
    if udp_at == 34 {
        let [source, destination]: [u32; 2] = read(ctx, 26)?;
        write(ctx, 26, [destination, source])?;
    } else {
        let [s0, s1, d0, d1]: [u64; 4] = read(ctx, 22)?;
        write(ctx, 22, [d0, d1, s0, s1])?;
    }
    let (first, last): (u64, u32) = (read(ctx, 0)?, read(ctx, 8)?);
    write(ctx, 0, first >> 48 | (last as u64) << 16 | first << 48)?;
    write(ctx, 8, (first >> 16) as u32)?;
    write(ctx, udp_at, ports.rotate_left(16))
}

/// The helpers used want a GPL-compatible licence.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
