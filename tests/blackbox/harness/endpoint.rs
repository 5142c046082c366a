//! An HTTP endpoint that can die and return, and one that accepts and is silent.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};

use super::network::Namespace;

/// Who has sent no request by then is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers `200` on port 80 until dropped; from then on connections are refused, as when a process has died.
#[derive(Debug)]
pub struct Endpoint {
    listener: Arc<TcpListener>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Listens on an address of the namespace.
    pub fn start(namespace: &Namespace, address: Ipv4Addr) -> Self {
        let listener = namespace.within(|| TcpListener::bind((address, 80))).expect("the port is free");
        let listener = Arc::new(listener);
        let accepting = Arc::clone(&listener);
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = accepting.accept() {
                // A prober that hangs up is no concern of the endpoint's.
                let _ = answer(&stream);
            }
        });
        Self { listener, thread: Some(thread) }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // A listener that was shut down accepts no more.
        let _ = shutdown(&*self.listener, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Accepts on port 80 and never says anything, until dropped: whoever probes it is in the middle of that.
#[derive(Debug)]
pub struct Silent {
    listener: Arc<TcpListener>,
    thread: Option<JoinHandle<()>>,
    held: Arc<AtomicUsize>,
}

impl Silent {
    /// Listens on an address of the namespace.
    pub fn start(namespace: &Namespace, address: Ipv4Addr) -> Self {
        let listener = namespace.within(|| TcpListener::bind((address, 80))).expect("the port is free");
        let (listener, held) = (Arc::new(listener), Arc::new(AtomicUsize::new(0)));
        let (accepting, counted) = (Arc::clone(&listener), Arc::clone(&held));
        let thread = std::thread::spawn(move || {
            let mut streams = Vec::new();
            while let Ok((stream, _)) = accepting.accept() {
                streams.push(stream);
                counted.store(streams.len(), Ordering::SeqCst);
            }
        });
        Self { listener, thread: Some(thread), held }
    }

    /// Connections so far.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = shutdown(&*self.listener, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    for line in BufReader::new(stream).lines() {
        if line?.is_empty() {
            break;
        }
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}
