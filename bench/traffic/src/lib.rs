//! Load from inside the kernel: queries made where packets are, and replies counted there.
//!
//! A sender in userspace costs many times what answering does, so that it would be the sender that is measured. Here an XDP program
//! writes whole query frames; `BPF_PROG_RUN` with live frames runs it on one end of a veth pair, and each frame it lets go
//! arrives at the other end. A second program, the sink, counts what comes back. Nothing of this is in the shipped binary.
//!
//! [`plan`] and [`label`] are what programs and driver must agree on; [`question`] makes the frame; [`driver`] loads and runs.

#![cfg_attr(target_arch = "bpf", no_std)]

#[cfg(not(target_arch = "bpf"))]
pub mod driver;
pub mod label;
pub mod plan;
#[cfg(not(target_arch = "bpf"))]
pub mod popularity;
#[cfg(not(target_arch = "bpf"))]
pub mod question;
#[cfg(not(target_arch = "bpf"))]
pub mod tally;
