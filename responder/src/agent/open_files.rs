//! How many files may be open, and how many probes at once follow from that.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files as far as this process may, and returns it.
pub(super) fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            limit.current
        }
    };
    // None stands for no limit at all.
    now.unwrap_or(u64::MAX)
}

/// Files of everything but probes and TCP clients: sockets, maps, the journal, the runtime's own.
const RESERVED: u64 = 512;

/// How many probes may be in flight at once, each with one socket and with one more while it resolves a name.
///
/// What is left when every TCP client has its socket; probing must not keep anybody from being answered.
pub(super) fn probes_max(files_max: u64, tcp_connections_max: usize) -> usize {
    let taken = RESERVED + tcp_connections_max as u64;
    usize::try_from(files_max.saturating_sub(taken) / 2).unwrap_or(usize::MAX).max(PROBES_MIN)
}

/// Fewer make no sense, whatever the limit.
const PROBES_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_leave_tcp_clients_their_files() {
        assert_eq!(probes_max(1024, 4096), PROBES_MIN);
        assert_eq!(probes_max(4608 + 20_000, 4096), 10_000);
        assert_eq!(probes_max(u64::MAX, 4096) as u64, (u64::MAX - 4608) / 2);
    }

    #[test]
    fn the_limit_is_as_high_as_it_may_be() {
        let raised = raise_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(Some(raised).filter(|raised| *raised != u64::MAX), limit.maximum);
        assert_eq!(limit.current, limit.maximum);
    }
}
