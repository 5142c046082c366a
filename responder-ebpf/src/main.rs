//! The XDP program: maps, entry points, and the fast path's two traits over kernel memory. Everything else is in the library.
#![cfg_attr(
    target_arch = "bpf",
    no_std,
    no_main,
    feature(asm_experimental_arch, core_intrinsics),
    allow(internal_features, reason = "`is_val_statically_known` spares bounds on constant offsets")
)]

#[cfg(target_arch = "bpf")]
mod program;
#[cfg(target_arch = "bpf")]
mod routing;
#[cfg(target_arch = "bpf")]
mod sampling;

/// On the host there is no program: the stub lets the package build with the rest of the workspace.
#[cfg(not(target_arch = "bpf"))]
fn main() {}

/// Loops for ever, so that a panic which can be reached makes the verifier refuse the program.
#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
