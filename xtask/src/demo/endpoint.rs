//! An endpoint that answers HTTP until it dies.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::net::{Shutdown, shutdown};

use super::network::Namespace;

/// Who has not sent a request by then is not waited for: the endpoint serves one at a time.
const PATIENCE: Duration = Duration::from_millis(200);
const HEADER_LINES_MAX: usize = 64;

/// Listens until killed or dropped.
pub struct Endpoint {
    listener: Arc<TcpListener>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    pub fn start(namespace: &Namespace, address: Ipv4Addr) -> Result<Self> {
        let listener = namespace.within(|| {
            TcpListener::bind((address, 80)).with_context(|| format!("listening on {address} port 80"))
        })?;
        let listener = Arc::new(listener);
        let accepting = Arc::clone(&listener);
        let thread = std::thread::spawn(move || {
            // A listener that was shut down accepts no more, which is how it ends.
            while let Ok((stream, _)) = accepting.accept() {
                // A client that hangs up is no concern of the endpoint's.
                let _ = answer(&stream);
            }
        });
        Ok(Self { listener, thread: Some(thread) })
    }

    /// From this moment on connections are refused, as when a process has died.
    pub fn kill(&mut self) {
        let _ = shutdown(&*self.listener, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.kill();
    }
}

fn answer(mut stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    for line in BufReader::new(stream).lines().take(HEADER_LINES_MAX) {
        if line?.is_empty() {
            break;
        }
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nup\n")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_request_is_answered() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        answer(&listener.accept().unwrap().0).unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("\r\n\r\nup\n"), "{said}");
    }
}
