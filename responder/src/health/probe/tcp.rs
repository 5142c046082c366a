//! Connecting, and what a failed connection means to users (H-8, H-12, H-41).

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use nix::errno::Errno;
use pulse53_core::health::Outcome;
use rustls::Error as TlsError;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};

use super::Abort;

/// Opens a new connection before the deadline.
///
/// It lingers for no time: closing it resets it, so that thousands of probes leave no TIME_WAIT behind.
pub(in crate::health) async fn connect(peer: SocketAddr, deadline: Instant) -> Result<TcpStream, Abort> {
    let socket = match peer {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let socket = socket.map_err(abort_of)?;
    socket.set_zero_linger().map_err(abort_of)?;
    socket.set_nodelay(true).map_err(abort_of)?;
    match timeout_at(deadline, socket.connect(peer)).await {
        Ok(connected) => connected.map_err(abort_of),
        Err(_elapsed) => Err(Outcome::ConnectTimedOut.into()),
    }
}

/// An error while connecting: the endpoint's, or this node's for want of descriptors, ports or memory.
fn abort_of(error: io::Error) -> Abort {
    use Errno::{EADDRINUSE, EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    match error.raw_os_error().map(Errno::from_raw) {
        Some(EMFILE | ENFILE | ENOBUFS | ENOMEM | EADDRNOTAVAIL | EADDRINUSE) => Abort::NotProbed(error),
        _ => Abort::Failed(match error.kind() {
            ErrorKind::ConnectionRefused => Outcome::ConnectionRefused,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Outcome::ConnectionReset,
            ErrorKind::TimedOut => Outcome::ConnectTimedOut,
            _ => Outcome::HostUnreachable,
        }),
    }
}

/// What an error on an established connection means to users.
pub(in crate::health) fn outcome_of(error: &io::Error) -> Outcome {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(TlsError::AlertReceived(alert)) => return Outcome::TlsAlert(u8::from(*alert)),
        Some(_) => return Outcome::TlsFailed,
        None => {}
    }
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            Outcome::ConnectionReset
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::TimedOut => {
            Outcome::HostUnreachable
        }
        _ => Outcome::ConnectionClosed,
    }
}
