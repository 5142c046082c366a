//! All that pulse53's two halves must agree on: sizes, layouts, the hash of a question, how a draw is spent, and verdicts.
//!
//! The kernel half reads what is described here, the userspace half writes it. Whatever both would otherwise have to spell
//! twice lives here once. No dependency and no allocation. Shared memory is made of [`shared::Shared`] words, so that both halves
//! touch it through safe references.

#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

pub mod client;
pub mod draw;
pub mod entry;
pub mod key;
pub mod limits;
pub mod live;
pub mod node;
pub mod sample;
pub mod served;
pub mod settings;
pub mod shared;
pub mod verdict;

/// Changes whenever a layout or meaning in this crate does. Userspace writes it into the program's settings; a program that was
/// built with another one refuses every packet, which userspace notices before it attaches it.
pub const ABI_VERSION: u32 = 5;
