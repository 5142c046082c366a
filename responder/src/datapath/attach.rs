//! Puts the program on an interface, and keeps it there when the agent dies.
//!
//! Every interface has one link, pinned as `native:<interface>` or `generic:<interface>`. A pinned link outlives the agent; the next one puts its own program
//! into it in one step.

use std::io;
use std::path::{Path, PathBuf};

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::xdp::{XdpLink, XdpMode};
use aya::programs::{ProgramError, Xdp};
use nix::net::if_::if_nametoindex;

use super::pins::PinDir;
use crate::causes::{chain, errno};

/// How the program meets packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Native, else generic.
    Auto,
    /// In the driver.
    Native,
    /// Behind the driver, on any interface; slower.
    Generic,
}

impl Mode {
    /// The word used in configuration, pins and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

/// Why the program is not on an interface.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The pin directory cannot hold pins.
    #[error(
        "{0} is not in a BPF file system; mount one with `mount -t bpf bpf /sys/fs/bpf`, or set `[xdp] pin_dir`"
    )]
    NotBpffs(PathBuf),
    /// The pin directory could not be made or read.
    #[error("preparing the pin directory {0}")]
    PinDir(PathBuf, #[source] io::Error),
    /// No such interface.
    #[error("there is no network interface {interface}; `ip link` lists those there are")]
    NoInterface {
        /// The name asked for.
        interface: String,
    },
    /// Another program is attached.
    #[error(
        "another XDP program is attached to {interface}, and is left alone; `ip link show {interface}` names it, \
         `ip link set dev {interface} xdp off` takes it away"
    )]
    Occupied {
        /// The interface.
        interface: String,
    },
    /// The driver has no native XDP.
    #[error("the driver of {interface} has no native XDP; set `[xdp] mode = \"auto\"` or \"generic\"")]
    NoNative {
        /// The interface.
        interface: String,
    },
    /// Anything else.
    #[error("attaching to {interface} in {} mode", mode.as_str())]
    Refused {
        /// The interface.
        interface: String,
        /// The mode tried.
        mode: Mode,
        /// What the kernel said.
        #[source]
        source: ProgramError,
    },
    /// The link could not be pinned or unpinned.
    #[error("keeping the link in {0}")]
    Pin(PathBuf, #[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The program on one interface.
#[derive(Debug)]
pub struct Attached {
    /// The interface.
    pub interface: String,
    /// Native or generic.
    pub mode: Mode,
    /// The interface's number: another one of the same name has another.
    index: u32,
    /// The pin's name.
    pin: String,
    /// Keeps the link while the agent runs, even if somebody removes the pin.
    _link: FdLink,
}

impl Attached {
    /// Whether the interface it was put on is still there. With the interface went the program.
    pub fn is_there(&self) -> bool {
        if_nametoindex(self.interface.as_str()) == Ok(self.index)
    }

    /// The interface's number.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Takes the program off the interface.
    pub fn detach(self, pins: &PinDir) -> Result<(), AttachError> {
        std::fs::remove_file(pins.reach(&self.pin))
            .map_err(|error| AttachError::Pin(pins.told(&self.pin), Box::new(error)))
    }
}

/// The name under which the link of an interface is pinned. The BPF file system refuses names with a dot, which interfaces of VLANs
/// have; a colon no interface can have.
fn pin_name(interface: &str, mode: Mode) -> String {
    format!("{}:{}", mode.as_str(), interface.replace('.', ":"))
}

/// Whether a pin of this name is a link's.
pub fn is_link(name: &str) -> bool {
    [Mode::Native, Mode::Generic]
        .iter()
        .any(|mode| name.strip_prefix(mode.as_str()).is_some_and(|rest| rest.starts_with(':')))
}

/// Puts the program into the pinned link of an interface, or onto the interface if there is none.
pub fn attach(
    program: &mut Xdp,
    interface: &str,
    mode: Mode,
    pins: &PinDir,
) -> Result<Attached, AttachError> {
    let modes: &[Mode] = match mode {
        Mode::Auto => &[Mode::Native, Mode::Generic],
        Mode::Native => &[Mode::Native],
        Mode::Generic => &[Mode::Generic],
    };
    let index = if_nametoindex(interface)
        .map_err(|_| AttachError::NoInterface { interface: interface.to_owned() })?;
    for mode in [Mode::Native, Mode::Generic] {
        let pin = pin_name(interface, mode);
        let reached = pins.reach(&pin);
        if !reached.exists() {
            continue;
        }
        if modes.contains(&mode) {
            match take_over(program, &reached) {
                Ok(link) => {
                    return Ok(Attached { interface: interface.to_owned(), mode, index, pin, _link: link });
                }
                Err(error) => {
                    tracing::info!(interface, error = %chain(&*error), "the pinned link is dead; attaching anew")
                }
            }
        }
        // Of another mode than is wanted, or of an interface that is gone.
        std::fs::remove_file(&reached).map_err(|error| AttachError::Pin(pins.told(&pin), Box::new(error)))?;
    }
    let mut refused = None;
    for &mode in modes {
        match attach_anew(program, interface, mode) {
            Ok(link) => {
                let pin = pin_name(interface, mode);
                let pinned = link
                    .pin(pins.reach(&pin))
                    .map_err(|error| AttachError::Pin(pins.told(&pin), Box::new(error)))?;
                let link: FdLink = pinned.into();
                return Ok(Attached { interface: interface.to_owned(), mode, index, pin, _link: link });
            }
            // What the driver refuses in native mode the next mode may do.
            Err(error @ AttachError::NoNative { .. }) => refused = Some(error),
            Err(error @ AttachError::Refused { mode: Mode::Native, .. }) if modes.len() > 1 => {
                tracing::warn!(
                    interface,
                    error = %chain(&error),
                    "the driver refuses native XDP as things are; `pulse53 doctor` may tell why"
                );
                refused = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| AttachError::NoInterface { interface: interface.to_owned() }))
}

/// Puts the program in the place of the one in a pinned link, in one step.
fn take_over(program: &mut Xdp, pin: &Path) -> Result<FdLink, Box<dyn std::error::Error>> {
    let pinned = PinnedLink::from_pin(pin)?;
    let link: XdpLink = FdLink::from(pinned).try_into()?;
    let id = program.attach_to_link(link)?;
    Ok(program.take_link(id)?.try_into()?)
}

fn attach_anew(program: &mut Xdp, interface: &str, mode: Mode) -> Result<FdLink, AttachError> {
    let kernel_mode = if mode == Mode::Native { XdpMode::Driver } else { XdpMode::Skb };
    let interface = interface.to_owned();
    let attached = program.attach(&interface, kernel_mode).and_then(|id| program.take_link(id));
    let link = attached.map_err(|error| match (errno(&error), error) {
        (_, ProgramError::UnknownInterface { .. }) => {
            AttachError::NoInterface { interface: interface.clone() }
        }
        (Some(nix::errno::Errno::EBUSY | nix::errno::Errno::EEXIST), _) => {
            AttachError::Occupied { interface: interface.clone() }
        }
        (Some(nix::errno::Errno::EOPNOTSUPP), _) if mode == Mode::Native => {
            AttachError::NoNative { interface: interface.clone() }
        }
        (_, source) => AttachError::Refused { interface: interface.clone(), mode, source },
    })?;
    link.try_into().map_err(|error| AttachError::Pin(PathBuf::from(&interface), Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_of_links_are_names_that_the_bpf_file_system_takes() {
        for (interface, name) in [("eth0", "native:eth0"), ("eth0.100", "native:eth0:100")] {
            assert_eq!(pin_name(interface, Mode::Native), name);
            assert!(is_link(name));
        }
        assert!(!is_link("slots") && !is_link("native"));
    }
}
