//! What this process may do: told in words to who started it, and given up once it is not needed any more.
//!
//! What takes privileges comes first, on one thread: sockets below port 1024, the directory of the pins, the data directory. Then
//! [`give_up`] makes the process another account's, with the capabilities that the kernel half takes while it runs, and a
//! filter on its system calls; every thread is started behind that. Files are read as that account from the start, so that a reload finds
//! them as readable as the start did.

mod account;
mod give_up;
mod system_calls;

use std::io;

use caps::{CapSet, Capability};

pub use account::{Account, AccountError, account};
pub use give_up::{GiveUpError, give_up};
pub use system_calls::Filtering;

/// What loading and attaching programs takes.
const TO_LOAD: [Capability; 3] = [Capability::CAP_BPF, Capability::CAP_NET_ADMIN, Capability::CAP_PERFMON];

/// Whether a capability is lacking that loading programs takes.
pub fn are_lacking() -> bool {
    !lacking().is_empty()
}

/// Why programs cannot be loaded, and what to do.
pub fn to_load_programs() -> String {
    let lacking = lacking();
    if lacking.is_empty() {
        // It has all the capabilities, so it is not they.
        return "the kernel forbids bpf() although no capability is lacking; a container's seccomp profile, a user namespace or \
                kernel lockdown does that"
            .to_owned();
    }
    let lacking: Vec<String> = lacking.iter().map(ToString::to_string).collect();
    let all = TO_LOAD.map(|capability| capability.to_string()).join(", ");
    format!("this process lacks {}; run as root, or with {all}", lacking.join(", "))
}

/// What to look at when an address cannot be listened on.
pub fn to_listen(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "a port below 1024 takes root or CAP_NET_BIND_SERVICE, and a network namespace may set \
             net.ipv4.ip_unprivileged_port_start"
        }
        _ => "is it an address of this machine, and free?",
    }
}

fn lacking() -> Vec<Capability> {
    // What cannot be read is not known to be lacking.
    let Ok(here) = caps::read(None, CapSet::Effective) else { return Vec::new() };
    let all_in_one = here.contains(&Capability::CAP_SYS_ADMIN);
    let is_there = |capability: &Capability| {
        // CAP_BPF and CAP_PERFMON were parted from CAP_SYS_ADMIN, which still includes them (capabilities(7)).
        here.contains(capability) || (all_in_one && *capability != Capability::CAP_NET_ADMIN)
    };
    TO_LOAD.into_iter().filter(|capability| !is_there(capability)).collect()
}
