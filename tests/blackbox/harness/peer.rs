//! XDP_PASS on the client's end of the pair: without a program there, veth drops what the other end sends by XDP_TX.

use std::path::Path;

use aya::programs::xdp::XdpLink;
use aya::programs::{Xdp, XdpMode};

use super::network::{INTERFACE, Namespace};

/// Where `cargo xtask build` lays the BPF object.
const OBJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../responder/bpf/pulse53-xdp");

/// Whether the object has been built.
pub fn is_built() -> bool {
    Path::new(OBJECT).is_file()
}

/// Attached until dropped.
#[derive(Debug)]
pub struct Peer {
    _link: XdpLink,
}

impl Peer {
    /// Puts the object's program `pass` on the end that is in a namespace.
    pub fn attach(namespace: &Namespace) -> Self {
        Self::attach_to(namespace, INTERFACE)
    }

    /// The same, on another interface in there.
    pub fn attach_to(namespace: &Namespace, interface: &str) -> Self {
        let object = std::fs::read(OBJECT).expect("the BPF object can be read");
        namespace.within(|| {
            let mut programs = aya::Ebpf::load(&object).expect("the BPF object can be loaded");
            let pass = pass(&mut programs);
            let link = pass.attach(interface, XdpMode::Driver).expect("veth takes it");
            Self { _link: pass.take_link(link).expect("it was just attached") }
        })
    }

    /// Pins the program, attached to nothing.
    pub fn pin(path: &Path) {
        let object = std::fs::read(OBJECT).expect("the BPF object can be read");
        let mut programs = aya::Ebpf::load(&object).expect("the BPF object can be loaded");
        pass(&mut programs).pin(path).expect("it can be pinned");
    }
}

fn pass(programs: &mut aya::Ebpf) -> &mut Xdp {
    let pass = programs.program_mut("pass").expect("the BPF object has the program");
    let pass: &mut Xdp = pass.try_into().expect("it is an XDP program");
    pass.load().expect("the program can be loaded");
    pass
}
