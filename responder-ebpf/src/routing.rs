//! Sends a reply where the kernel's routes lead, if userspace wants that: the look-up, and the way out by another interface.
//!
//! Where replies go to who sent the query, the verifier removes all calls of what is here.
#![expect(unsafe_code, reason = "helpers take raw pointers")]

use core::ptr::read_volatile;

use aya_ebpf::bindings::{xdp_action, xdp_md};
use aya_ebpf::helpers::{bpf_fib_lookup, bpf_redirect};
use fastpath::abi::limits::WAYS_OUT_MAX;
use fastpath::abi::settings::Settings;
use fastpath::route::Route;

use crate::program::{LIVE, SETTINGS, setting};

/// Looks up the way of a reply; whether there is one by which it may be sent. Its signature lets the verifier follow it once and on its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn find_route(ctx: *mut xdp_md, route: *mut Route) -> u64 {
    // SAFETY: the verifier holds callers to a whole question, or none.
    let Some(route) = (unsafe { route.as_mut() }) else { return 0 };
    let words = route.words();
    // SAFETY: the words are as long as the structure that the helper takes, and in the order of its fields.
    let found =
        unsafe { bpf_fib_lookup(ctx.cast(), words.as_mut_ptr().cast(), size_of_val(words) as i32, 0) };
    if found != 0 {
        return 0;
    }
    let way_out = route.interface();
    // SAFETY: the kernel hands every program a valid context.
    if way_out == unsafe { (*ctx).ingress_ifindex } {
        return 1;
    }
    route.way_out = way_out.into();
    may_leave_by(way_out).into()
}

/// Whether userspace has found that the interface sends what a program hands to it.
#[inline(always)]
fn may_leave_by(interface: u32) -> bool {
    let Some(live) = LIVE.get(0) else { return false };
    for index in 0..WAYS_OUT_MAX {
        if live.ways_out[index].load() == u64::from(interface) {
            return true;
        }
    }
    false
}

/// Sends the packet back, or out by another interface if one is named.
#[inline(always)]
pub(crate) fn send(way_out: u64) -> u32 {
    if setting!(routes_replies) == 0 || way_out == 0 {
        return xdp_action::XDP_TX;
    }
    // SAFETY: it takes numbers.
    unsafe { bpf_redirect(way_out as u32, 0) as u32 }
}
