//! Sends one reply in so many to userspace, with the query it answers.
//!
//! The query is copied before anything else happens, since the reply is written over it: which packet's, a countdown decides, as whether it will be
//! answered is not known then. With sampling off the verifier removes all of this.
#![expect(unsafe_code, reason = "per-CPU memory is reached through raw pointers")]

use core::ptr::read_volatile;

use aya_ebpf::EbpfContext;
use aya_ebpf::btf_maps::{PerCpuArray, RingBuf};
use aya_ebpf::helpers::{bpf_get_prandom_u32, bpf_ktime_get_ns, bpf_xdp_load_bytes};
use aya_ebpf::macros::btf_map;
use aya_ebpf::programs::XdpContext;
use fastpath::abi::sample::{QUERY_MAX, REPLY_MAX, Sample};

use fastpath::abi::settings::Settings;

use crate::program::{SETTINGS, clamp, setting};

// Its size is given when the program is loaded; a page is the least there is.
#[btf_map]
static SAMPLES: RingBuf<Sample, 4096> = RingBuf::new();
#[btf_map]
static SAMPLING: PerCpuArray<Sampling, 1> = PerCpuArray::new();

/// What one CPU keeps from packet to packet.
#[repr(C)]
struct Sampling {
    /// Packets until the next sample.
    until_next: u64,
    /// The sample in the making; its query is there if it has a length.
    sample: Sample,
}

/// Copies the query, if it is this packet's turn.
#[inline(always)]
pub(crate) fn keep_query(ctx: &XdpContext, frame_len: usize) {
    let one_in = setting!(sample_one_in) as u64;
    if one_in == 0 {
        return;
    }
    let Some(sampling) = SAMPLING.get_ptr_mut(0) else { return };
    // SAFETY: the element is this CPU's own, and the helpers check every argument.
    unsafe {
        (*sampling).sample.query_len = 0;
        let until_next = (*sampling).until_next;
        if until_next > 1 {
            (*sampling).until_next = until_next - 1;
            return;
        }
        // At random about the interval, or clients that ask in step would be seen by halves.
        (*sampling).until_next = 1 + bpf_get_prandom_u32() as u64 % (2 * one_in - 1);
        if frame_len > QUERY_MAX {
            return;
        }
        let len = clamp(frame_len as u64, QUERY_MAX as u64);
        (*sampling).sample.began_at = bpf_ktime_get_ns();
        let query = (&raw mut (*sampling).sample.query).cast();
        if bpf_xdp_load_bytes(ctx.as_ptr().cast(), 0, query, len as u32) == 0 {
            (*sampling).sample.query_len = len;
        }
    }
}

/// Sends the reply with its query, if that was kept. `draw` is the last one that this CPU has spent.
#[inline(always)]
pub(crate) fn send(ctx: &XdpContext, frame_len: usize, draw: u64) {
    if setting!(sample_one_in) == 0 {
        return;
    }
    let Some(sampling) = SAMPLING.get_ptr_mut(0) else { return };
    // SAFETY: as above. Volatile, or the verifier would follow both cases from where the length was stored.
    unsafe {
        if read_volatile(&raw const (*sampling).sample.query_len) == 0 || frame_len > REPLY_MAX {
            return;
        }
        let len = clamp(frame_len as u64, REPLY_MAX as u64);
        let reply = (&raw mut (*sampling).sample.reply).cast();
        if bpf_xdp_load_bytes(ctx.as_ptr().cast(), 0, reply, len as u32) != 0 {
            return;
        }
        (*sampling).sample.reply_len = len;
        (*sampling).sample.draw = draw;
        // By reference: the stack has no room for a copy.
        let sample: &Sample = &(*sampling).sample;
        match SAMPLES.output(sample, 0) {
            Ok(()) => (*sampling).sample.lost = 0,
            Err(_) => (*sampling).sample.lost += 1,
        }
    }
}
