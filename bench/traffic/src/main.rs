//! The XDP programs: `generate` asks, `sink` counts, `reflect` is the floor that every responder is compared with.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod programs;

/// On the host there is no program: the stub lets the package build with the rest of the workspace.
#[cfg(not(target_arch = "bpf"))]
fn main() {}

/// Loops for ever, so that a panic which can be reached makes the verifier refuse the program.
#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
