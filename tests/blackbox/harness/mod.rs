//! A site: two network namespaces joined by veth, XDP at both ends, a directory and a BPF file system; and those who work there.

pub mod agent;
pub mod client;
pub mod command;
pub mod endpoint;
pub mod lane;
pub mod location;
pub mod network;
pub mod peer;
pub mod place;
pub mod route53;
pub mod second;
pub mod site;

use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

/// How often something is looked for before it counts as missing, and how long a look is put off.
const LOOKS: usize = 400;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Raises the limit of open files as far as it may be; whether that is so many.
pub fn may_open(files: u64) -> bool {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).is_ok() && limit.maximum.is_none_or(|maximum| maximum >= files)
}

/// Looks until something is there; panics after a bounded number of looks, telling what was seen last.
pub fn eventually<T, S: std::fmt::Debug>(what: &str, mut look: impl FnMut() -> Result<T, S>) -> T {
    let mut seen = None;
    for _ in 0..LOOKS {
        match look() {
            Ok(found) => return found,
            Err(instead) => seen = Some(instead),
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    panic!("{what}: not in {LOOKS} looks; the last one saw {seen:?}")
}
