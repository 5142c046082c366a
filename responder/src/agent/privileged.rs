//! What takes privileges, all of it and nothing else; behind it there are none but those of the kernel half.
//!
//! No file is read here: what may be read is decided by the account that serves.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};

use super::{AgentError, settings};
use crate::config::Config;
use crate::datapath::{AttachError, PinDir};
use crate::{health, privileges, serve, store};

/// What was taken before privileges were given up.
pub(super) struct Taken {
    /// Sockets for DNS, not read yet.
    pub(super) dns: serve::Bound,
    /// Where the API is to answer.
    pub(super) api: TcpListener,
    /// Where metrics are to be had.
    pub(super) exposition: TcpListener,
    /// The directory of the pins, if a kernel half is wanted.
    pub(super) pins: Option<Result<PinDir, AttachError>>,
}

impl Taken {
    /// Takes it, and gives up the rest. While there is only one thread.
    pub(super) fn take(config: &Config) -> Result<Self, AgentError> {
        let account = privileges::account(config.server.user.as_deref())?;
        let dns = serve::bind(settings::serve(&config.dns))?;
        let api = listen(config.api.listen, "api.listen")?;
        let exposition = listen(config.metrics.listen, "metrics.listen")?;
        let kernel_half = !config.xdp.interfaces.is_empty();
        let pins = kernel_half.then(|| PinDir::prepare(&config.xdp.pin_dir, account.as_ref()));
        if let Some(account) = &account {
            let files: Vec<&str> = store::FILES.iter().chain(&health::FILES).copied().collect();
            account.give_directory(&config.data_dir, &files).map_err(|source| AgentError::Give {
                directory: config.data_dir.display().to_string(),
                account: account.name.clone(),
                source,
            })?;
        }
        privileges::give_up(account.as_ref(), kernel_half, config.server.seccomp)?;
        if let Err(error) = File::open(&config.file) {
            let file = config.file.display();
            tracing::warn!(%file, %error, "a reload will fail: let the account that serves read the configuration");
        }
        Ok(Self { dns, api, exposition, pins })
    }
}

fn listen(address: SocketAddr, key: &'static str) -> Result<TcpListener, AgentError> {
    serve::listen_tcp(address).map_err(|source| AgentError::Listen { address, key, source })
}
