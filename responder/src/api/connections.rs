//! Connections to the API: so many at once, and none that says nothing.
//!
//! Whoever comes when all are taken is told so and let go, rather than left waiting behind idle ones.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// The most connections at once.
const CONNECTIONS_MAX: usize = 1024;
/// How long a connection may be silent.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// What one connection too many gets; SDKs try again after 503.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Accepts connections up to the bound.
#[derive(Debug)]
pub struct Bounded {
    listener: TcpListener,
    free: Arc<Semaphore>,
    idle_max: Duration,
}

impl Bounded {
    /// Over a listener.
    pub fn new(listener: TcpListener) -> Self {
        Self { listener, free: Arc::new(Semaphore::new(CONNECTIONS_MAX)), idle_max: IDLE_MAX }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            // The library's own waits a while when there are no descriptors left.
            let (stream, address) = Listener::accept(&mut self.listener).await;
            match self.free.clone().try_acquire_owned() {
                Ok(held) => {
                    let idle = Box::pin(sleep(self.idle_max));
                    return (Connection { stream, idle, idle_max: self.idle_max, _held: held }, address);
                }
                // What does not go out at once is not waited for.
                Err(_) => drop(stream.try_write(FULL)),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One of the bounded number; it ends when nothing was read or written for too long.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    idle: Pin<Box<Sleep>>,
    idle_max: Duration,
    _held: OwnedSemaphorePermit,
}

impl Connection {
    /// Passes progress on and starts the time anew; with none, looks whether it is up.
    fn timed<T>(&mut self, polled: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            let deadline = Instant::now() + self.idle_max;
            self.idle.as_mut().reset(deadline);
            return polled;
        }
        self.idle.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.timed(polled, context)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, octets);
        self.timed(polled, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn bounded(connections: usize, idle_max: Duration) -> (Bounded, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Bounded { listener, free: Arc::new(Semaphore::new(connections)), idle_max }, address)
    }

    #[tokio::test]
    async fn one_too_many_is_told_and_makes_room_for_the_next() {
        let (mut listener, address) = bounded(1, IDLE_MAX).await;
        let _first = TcpStream::connect(address).await.unwrap();
        let (held, _) = listener.accept().await;
        let accepting = tokio::spawn(async move { listener.accept().await });
        let mut second = TcpStream::connect(address).await.unwrap();
        let mut told = Vec::new();
        second.read_to_end(&mut told).await.unwrap();
        assert_eq!(told, FULL);
        drop(held);
        let mut third = TcpStream::connect(address).await.unwrap();
        third.write_all(b"x").await.unwrap();
        let (mut connection, _) = accepting.await.unwrap();
        assert_eq!(connection.read_u8().await.unwrap(), b'x');
    }

    #[tokio::test]
    async fn silence_ends_a_connection() {
        let (mut listener, address) = bounded(1, Duration::from_millis(1)).await;
        let _silent = TcpStream::connect(address).await.unwrap();
        let (mut connection, _) = listener.accept().await;
        let error = connection.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
