//! Giving up: account, capabilities, new privileges and system calls, in this order, for the calling thread and all it starts.

use std::ffi::CString;

use caps::{CapSet, Capability, CapsHashSet};
use nix::unistd::{initgroups, setresgid, setresuid};

use super::account::Account;
use super::system_calls::{self, Filtering};

/// Why privileges could not be given up; serving on with them is no choice.
#[derive(Debug, thiserror::Error)]
#[error("cannot {attempt}: {source}")]
pub struct GiveUpError {
    attempt: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

fn failed<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    attempt: &'static str,
) -> impl FnOnce(E) -> GiveUpError {
    move |source| GiveUpError { attempt, source: source.into() }
}

/// Keeps what serving takes and gives up the rest, for good.
///
/// With a kernel half, units are loaded and attached again while serving, so that takes CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN to
/// the end (CAP_SYS_ADMIN where it stands for the first two). Who stays root keeps CAP_DAC_OVERRIDE, too: root expects to read
/// every file. Must be called before any other thread is started, since capabilities and filters belong to threads.
pub fn give_up(
    account: Option<&Account>,
    kernel_half: bool,
    filtering: Filtering,
) -> Result<(), GiveUpError> {
    let held = caps::read(None, CapSet::Permitted).map_err(failed("read this process's capabilities"))?;
    let stays_root = account.is_none() && nix::unistd::geteuid().is_root();
    let kept = kept(&held, kernel_half, stays_root);
    if held.contains(&Capability::CAP_SETPCAP) {
        for capability in caps::runtime::thread_all_supported() {
            caps::drop(None, CapSet::Bounding, capability)
                .map_err(failed("give up capabilities for programs it might start"))?;
        }
    }
    if let Some(account) = account {
        become_account(account)?;
    }
    // CAP_SETPCAP is not needed for this, nor is anything else.
    caps::clear(None, CapSet::Inheritable).map_err(failed("give up inheritable capabilities"))?;
    caps::set(None, CapSet::Effective, &kept).map_err(failed("give up effective capabilities"))?;
    caps::set(None, CapSet::Permitted, &kept).map_err(failed("give up permitted capabilities"))?;
    rustix::thread::set_no_new_privs(true).map_err(failed("rule out new privileges"))?;
    system_calls::filter(filtering, kernel_half)
        .map_err(failed("filter system calls (`[server] seccomp`)"))?;
    let (user, capabilities) = (account.map(|account| account.name.as_str()), words(&kept));
    tracing::info!(user, capabilities, ?filtering, "privileges given up");
    if stays_root {
        tracing::warn!(
            "serving as root: make an account, as by `useradd --system pulse53`, and name it in `[server] user`"
        );
    }
    Ok(())
}

/// What of the capabilities held serving takes.
fn kept(held: &CapsHashSet, kernel_half: bool, stays_root: bool) -> CapsHashSet {
    let mut kept = CapsHashSet::new();
    if kernel_half {
        kept.extend(super::TO_LOAD);
        if !kept.is_subset(held) {
            kept.insert(Capability::CAP_SYS_ADMIN);
        }
    }
    if stays_root {
        kept.insert(Capability::CAP_DAC_OVERRIDE);
    }
    kept.intersection(held).copied().collect()
}

/// Makes the process this account's; what it may is kept until it is said what is not.
fn become_account(account: &Account) -> Result<(), GiveUpError> {
    let name = CString::new(account.name.as_str()).map_err(failed("use this account's name"))?;
    caps::securebits::set_keepcaps(true)
        .map_err(failed("keep capabilities while becoming another account"))?;
    initgroups(&name, account.gid).map_err(failed("join the account's groups"))?;
    setresgid(account.gid, account.gid, account.gid).map_err(failed("take the account's group"))?;
    setresuid(account.uid, account.uid, account.uid).map_err(failed("become the account"))
}

fn words(capabilities: &CapsHashSet) -> String {
    let mut words: Vec<String> = capabilities.iter().map(ToString::to_string).collect();
    words.sort_unstable();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Capability::*;

    #[test]
    fn what_is_kept() {
        let set = |of: &[Capability]| of.iter().copied().collect::<CapsHashSet>();
        let root = caps::all();
        assert_eq!(kept(&root, true, false), set(&[CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON]));
        assert_eq!(kept(&root, false, false), set(&[]));
        assert_eq!(kept(&root, false, true), set(&[CAP_DAC_OVERRIDE]));
        let older = set(&[CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_CHOWN]);
        assert_eq!(kept(&older, true, false), set(&[CAP_SYS_ADMIN, CAP_NET_ADMIN]));
        assert_eq!(kept(&set(&[CAP_NET_BIND_SERVICE]), true, false), set(&[]));
    }
}
