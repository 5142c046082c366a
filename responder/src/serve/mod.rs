//! Userspace DNS: whatever the kernel passes on, over UDP and TCP.
//!
//! UDP is answered by plain threads, each with its own socket an address, since an answer takes less time than a task switch; TCP by
//! tasks, one a connection, so that a slow reader waits alone (D-20). Both load the table once a query and call
//! [`reply::respond`], where every rule about messages lives.

pub mod cookies;
pub mod counters;
pub mod limiter;
mod missed;
mod places;
pub mod query;
mod query_line;
pub mod reply;
mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pulse53_core::table::AnswerTable;
use socket2::{Domain, Protocol, Socket, Type};

use crate::heat::Misses;
use crate::privileges;
use crate::query_log::QueryLog;
use counters::Counters;
use reply::ReplySettings;

/// Where to serve, and within which limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeSettings {
    /// UDP and TCP addresses.
    pub listen: Vec<SocketAddr>,
    /// UDP threads; none: one a core.
    pub udp_threads: Option<usize>,
    /// How long a connection may be idle, a message half sent or a reply unread.
    pub tcp_idle_timeout: Duration,
    /// The most connections at once.
    pub tcp_connections_max: usize,
    /// The most connections of one client address at once.
    pub tcp_connections_per_client_max: usize,
}

/// What every query reads.
#[derive(Debug)]
pub struct Shared {
    /// The table in force.
    pub table: Arc<ArcSwap<AnswerTable>>,
    /// What shapes replies; a reload replaces it.
    pub settings: ArcSwap<ReplySettings>,
    /// Takes a line for each reply that is to be logged.
    pub query_log: QueryLog,
    /// Counts what the kernel has no room for.
    pub misses: Arc<Misses>,
}

/// Why serving did not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address could not be taken.
    #[error("cannot listen on {address} ({transport}): {source}; {}", privileges::to_listen(.source))]
    Listen {
        /// Which.
        address: SocketAddr,
        /// `UDP` or `TCP`.
        transport: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A thread or its wake-up could not be made.
    #[error("cannot start a thread that answers UDP: {0}")]
    Thread(io::Error),
}

/// Sockets that are bound but not read yet.
#[derive(Debug)]
pub struct Bound {
    settings: ServeSettings,
    /// As many sockets a thread as there are addresses.
    udp: Vec<Vec<Arc<udp::UdpSocket>>>,
    tcp: Vec<std::net::TcpListener>,
    addresses: Vec<SocketAddr>,
}

/// A running server.
#[derive(Debug)]
pub struct Serving {
    udp: udp::Threads,
    tcp: tcp::Tasks,
    counters: Counters,
    addresses: Vec<SocketAddr>,
}

/// Takes every address, before anything is answered.
pub fn bind(settings: ServeSettings) -> Result<Bound, ServeError> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = settings.udp_threads.unwrap_or_else(cores);
    let mut udp: Vec<Vec<Arc<udp::UdpSocket>>> = (0..threads).map(|_| Vec::new()).collect();
    let mut tcp = Vec::new();
    let mut addresses = Vec::new();
    for &address in &settings.listen {
        let failed = |transport| move |source| ServeError::Listen { address, transport, source };
        // Port 0, as tests use it, must come out the same for all sockets.
        let mut bound = address;
        for sockets in &mut udp {
            let socket = udp::UdpSocket::bind(bound).map_err(failed("UDP"))?;
            bound = socket.address();
            sockets.push(Arc::new(socket));
        }
        tcp.push(listen_tcp(bound).map_err(failed("TCP"))?);
        addresses.push(bound);
    }
    Ok(Bound { settings, udp, tcp, addresses })
}

impl Bound {
    /// Begins to answer. Must be called within a tokio runtime.
    pub fn start(self, shared: Arc<Shared>) -> Result<Serving, ServeError> {
        let counters = Counters::new(&self.udp);
        let limits = tcp::Limits {
            idle_timeout: self.settings.tcp_idle_timeout,
            connections_max: self.settings.tcp_connections_max,
            connections_per_client_max: self.settings.tcp_connections_per_client_max,
        };
        let tcp = tcp::Tasks::start(self.tcp, limits, shared.clone(), counters.tcp.clone())
            .map_err(ServeError::Thread)?;
        let udp = udp::Threads::start(self.udp, &shared, &counters.udp).map_err(ServeError::Thread)?;
        Ok(Serving { udp, tcp, counters, addresses: self.addresses })
    }
}

impl Serving {
    /// The addresses answered, with the ports really taken.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What has been counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Answers what has arrived, then stops.
    pub async fn stop(self) {
        self.udp.stop();
        self.tcp.stop().await;
    }
}

/// A stream or datagram socket that shares its port with others of ours, IPv6 not taking the IPv4 port as well.
fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// A listener that does not block.
pub fn listen_tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    const BACKLOG: i32 = 1024;
    let socket = socket(address, Type::STREAM, Protocol::TCP)?;
    // A restart must not wait for old connections to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod signed_tests;
#[cfg(test)]
mod tests;
