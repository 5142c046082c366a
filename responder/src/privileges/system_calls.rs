//! Which system calls a serving process may make: those it makes, and what the C library and the allocator make of them.
//!
//! Whatever else is asked for fails as if this kernel did not have it (ENOSYS), which libraries know how to live with; so no other program is
//! started, nothing is mounted, traced or made executable, and no packet socket is opened, whoever got hold of the process. The kernel answers
//! for calls that are always allowed from a bitmap (Linux 5.11), so queries pay nothing for the length of the list.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// `[server] seccomp`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filtering {
    /// Other calls fail.
    Enforce,
    /// Other calls are made, and told in the kernel's log.
    Log,
    /// No filter.
    Off,
}

/// Filters what the calling thread, and those it starts, may ask of the kernel.
pub(super) fn filter(filtering: Filtering, kernel_half: bool) -> Result<(), seccompiler::Error> {
    let otherwise = match filtering {
        Filtering::Enforce => SeccompAction::Errno(libc::ENOSYS as u32),
        Filtering::Log => SeccompAction::Log,
        Filtering::Off => return Ok(()),
    };
    seccompiler::apply_filter(&program(otherwise, kernel_half)?)
}

fn program(otherwise: SeccompAction, kernel_half: bool) -> Result<BpfProgram, seccompiler::Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALWAYS.iter().map(|call| (*call, Vec::new())).collect();
    if kernel_half {
        rules.insert(libc::SYS_bpf, Vec::new());
    }
    for (call, argument, test, values) in ARGUMENTS {
        let of_call = values.iter().map(|value| {
            // What the kernel looks at is 32 bits of each.
            let condition = SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, test.clone(), *value)?;
            SeccompRule::new(vec![condition])
        });
        rules.insert(*call, of_call.collect::<Result<_, _>>()?);
    }
    let architecture = std::env::consts::ARCH.try_into()?;
    Ok(SeccompFilter::new(rules, otherwise, SeccompAction::Allow, architecture)?.try_into()?)
}

const EXECUTABLE: u64 = libc::PROT_EXEC as u64;
const THREAD: u64 = libc::CLONE_THREAD as u64;
/// Names memory, for people to read in /proc; not every version of the library has it.
const PR_SET_VMA: u64 = 0x5356_4d41;

/// Calls of which one argument decides: which argument, how it is compared, and with what.
const ARGUMENTS: &[(i64, u8, SeccompCmpOp, &[u64])] = &[
    (
        libc::SYS_socket,
        0,
        SeccompCmpOp::Eq,
        // Of the second, getifaddrs and the look-up of interfaces; of the first, sd_notify.
        &[libc::AF_UNIX as u64, libc::AF_NETLINK as u64, libc::AF_INET as u64, libc::AF_INET6 as u64],
    ),
    // No memory is executable that was not at the start.
    (libc::SYS_mmap, 2, SeccompCmpOp::MaskedEq(EXECUTABLE), &[0]),
    (libc::SYS_mprotect, 2, SeccompCmpOp::MaskedEq(EXECUTABLE), &[0]),
    // Threads, never processes. The arguments of clone3 cannot be seen; without it the C library takes this one.
    (libc::SYS_clone, 0, SeccompCmpOp::MaskedEq(THREAD), &[THREAD]),
    (
        libc::SYS_ioctl,
        1,
        SeccompCmpOp::Eq,
        &[libc::FIONBIO, libc::FIONREAD, libc::TCGETS, libc::SIOCGIFINDEX, libc::SIOCGIFNAME],
    ),
    (
        libc::SYS_prctl,
        0,
        SeccompCmpOp::Eq,
        &[
            libc::PR_SET_NAME as u64,
            libc::PR_GET_NAME as u64,
            libc::PR_CAPBSET_READ as u64,
            libc::PR_GET_THP_DISABLE as u64,
            PR_SET_VMA,
        ],
    ),
    // Limits of this process alone.
    (libc::SYS_prlimit64, 0, SeccompCmpOp::Eq, &[0]),
];

/// Calls that are made with any arguments.
const ALWAYS: &[i64] = &[
    // Files and what else has a descriptor.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_access,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getdents64,
    libc::SYS_readlink,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_fcntl,
    libc::SYS_flock,
    libc::SYS_dup,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_ftruncate,
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_rm_watch,
    // Waiting.
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    // Sockets.
    libc::SYS_socketpair,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_shutdown,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Threads, signals and the end.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Time and chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_time,
    libc::SYS_getrandom,
    // What it is, and where.
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_capget,
    libc::SYS_getrlimit,
    libc::SYS_getrusage,
    libc::SYS_uname,
    libc::SYS_sysinfo,
];

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::UdpSocket;
    use std::process::Command;

    use nix::errno::Errno;
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

    use super::*;

    #[test]
    fn the_list_names_each_call_once() {
        let mut calls: Vec<i64> =
            ALWAYS.iter().chain(ARGUMENTS.iter().map(|(call, ..)| call)).copied().collect();
        calls.push(libc::SYS_bpf);
        let count = calls.len();
        calls.sort_unstable();
        calls.dedup();
        assert_eq!(calls.len(), count);
    }

    #[test]
    fn a_filtered_thread_serves_and_does_nothing_else() {
        // A filter belongs to the thread, so the other tests keep theirs.
        let filtered = std::thread::spawn(|| {
            filter(Filtering::Enforce, false).expect("the kernel takes the filter");
            let here = UdpSocket::bind("127.0.0.1:0").expect("a socket can be made");
            here.send_to(b"ping", here.local_addr().expect("it is bound")).expect("it can send");
            assert_eq!(here.recv(&mut [0; 8]).expect("it can receive"), 4);
            let started = std::thread::spawn(|| {
                let packet = socket(AddressFamily::Packet, SockType::Datagram, SockFlag::empty(), None);
                (packet.map(drop), Command::new("true").status().map_err(|error| error.raw_os_error()))
            });
            let (packet, program) = started.join().expect("threads can be started");
            assert_eq!(packet, Err(Errno::ENOSYS));
            assert_eq!(program.expect_err("programs cannot"), Some(libc::ENOSYS));
            let executable =
                memmap2::MmapOptions::new().len(4096).map_anon().and_then(|page| page.make_exec());
            assert_eq!(executable.map(drop).map_err(|error| error.raw_os_error()), Err(Some(libc::ENOSYS)));
            io::Result::Ok(())
        });
        filtered.join().expect("all of it came out as expected").expect("no other error");
    }
}
