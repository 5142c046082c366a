//! An XDP program on the client's end of the pair: without one, veth drops what the other end sends by XDP_TX.

use anyhow::{Context, Result};
use aya::programs::{Xdp, XdpMode, xdp::XdpLink};

use super::network::Namespace;
use crate::object;

/// The program of the BPF object that lets everything pass.
const PROGRAM: &str = "pass";

/// Attached until dropped.
pub struct Peer {
    _link: XdpLink,
}

impl Peer {
    pub fn attach(namespace: &Namespace, interface: &str) -> Result<Self> {
        let path = object::path();
        let object = std::fs::read(&path)
            .with_context(|| format!("reading {}: run `cargo xtask build`", path.display()))?;
        namespace.within(|| {
            let mut programs = aya::Ebpf::load(&object).context("loading the BPF object")?;
            let pass = programs.program_mut(PROGRAM).context("the BPF object has no program `pass`")?;
            let pass: &mut Xdp = pass.try_into().context("`pass` is no XDP program")?;
            pass.load().context("loading `pass` into the kernel")?;
            let link =
                pass.attach(interface, XdpMode::Driver).context("attaching `pass` to the client's end")?;
            // The link keeps the program; the object's maps, which it does not use, go now.
            Ok(Self { _link: pass.take_link(link)? })
        })
    }
}
