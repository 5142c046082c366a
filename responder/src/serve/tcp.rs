//! TCP: a task a connection (RFC 7766).

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::Shared;
use super::counters::Replies;
use super::reply::{Received, Transport, respond};

/// Replies are gathered up to this many octets before they are written, if more queries are waiting already.
const GATHERED_LEN_MAX: usize = 64 * 1024;

/// How long connections may take to end when the server stops.
const DRAIN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) idle_timeout: Duration,
    pub(super) connections_max: usize,
    pub(super) connections_per_client_max: usize,
}

/// The tasks that accept, and what ends them.
#[derive(Debug)]
pub(super) struct Tasks {
    stop: watch::Sender<bool>,
    ended: mpsc::Receiver<()>,
}

impl Tasks {
    pub(super) fn start(
        listeners: Vec<std::net::TcpListener>,
        limits: Limits,
        shared: Arc<Shared>,
        counters: Arc<Replies>,
    ) -> io::Result<Self> {
        let (stop, stopping) = watch::channel(false);
        // Nothing is sent: the channel closes when the last task has dropped its end.
        let (alive, ended) = mpsc::channel(1);
        let open = Arc::new(Mutex::new(Open::default()));
        for listener in listeners {
            let acceptor = Acceptor {
                listener: TcpListener::from_std(listener)?,
                limits,
                open: open.clone(),
                shared: shared.clone(),
                counters: counters.clone(),
            };
            tokio::spawn(acceptor.run(stopping.clone(), alive.clone()));
        }
        Ok(Self { stop, ended })
    }

    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        if timeout(DRAIN, self.ended.recv()).await.is_err() {
            tracing::warn!("TCP connections were still busy at the end and are closed");
        }
    }
}

/// How many connections are open.
#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// One open connection; dropping it makes room for another.
struct Place {
    open: Arc<Mutex<Open>>,
    client: IpAddr,
}

impl Place {
    fn take(open: &Arc<Mutex<Open>>, limits: &Limits, client: IpAddr) -> Option<Self> {
        let mut counts = open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_client = counts.by_client.get(&client).copied().unwrap_or(0);
        if counts.total >= limits.connections_max || of_client >= limits.connections_per_client_max {
            return None;
        }
        counts.total += 1;
        counts.by_client.insert(client, of_client + 1);
        Some(Self { open: open.clone(), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        if let Some(of_client) = counts.by_client.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                counts.by_client.remove(&self.client);
            }
        }
    }
}

struct Acceptor {
    listener: TcpListener,
    limits: Limits,
    open: Arc<Mutex<Open>>,
    shared: Arc<Shared>,
    counters: Arc<Replies>,
}

impl Acceptor {
    async fn run(self, mut stopping: watch::Receiver<bool>, alive: mpsc::Sender<()>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a TCP connection");
                    // Out of descriptors, most likely: trying at once would only burn the core.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let client = address.ip();
            let Some(place) = Place::take(&self.open, &self.limits, client) else {
                self.counters.count_refused_connection();
                continue;
            };
            let connection = Connection {
                stream: BufReader::new(stream),
                client,
                idle_timeout: self.limits.idle_timeout,
                shared: self.shared.clone(),
                counters: self.counters.clone(),
            };
            let (stopping, alive) = (stopping.clone(), alive.clone());
            tokio::spawn(async move {
                // How a connection ends is the client's affair.
                let _ = connection.run(stopping).await;
                drop((place, alive));
            });
        }
    }
}

struct Connection {
    stream: BufReader<TcpStream>,
    client: IpAddr,
    idle_timeout: Duration,
    shared: Arc<Shared>,
    counters: Arc<Replies>,
}

impl Connection {
    async fn run(mut self, mut stopping: watch::Receiver<bool>) -> io::Result<()> {
        self.stream.get_ref().set_nodelay(true)?;
        let mut random = fastrand::Rng::new();
        let (mut query, mut reply, mut gathered) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            tokio::select! {
                read = timeout(self.idle_timeout, read_message(&mut self.stream, &mut query)) => read??,
                _ = stopping.wait_for(|stop| *stop) => return Ok(()),
            }
            let replied = {
                let table = self.shared.table.load();
                let settings = self.shared.settings.load();
                let (source, at) = (self.client, super::unix_time());
                let received = Received { packet: &query, source, transport: Transport::Tcp, at };
                respond(&table, &settings, &received, random.u64(..), &mut reply)
            };
            self.counters.count(replied);
            if replied.is_err() {
                // Whoever sends responses to a server has lost the thread of the conversation.
                return Ok(());
            }
            gathered.extend_from_slice(&(reply.len() as u16).to_be_bytes());
            gathered.extend_from_slice(&reply);
            if gathered.len() >= GATHERED_LEN_MAX || !holds_message(self.stream.buffer()) {
                let written = timeout(self.idle_timeout, self.stream.get_mut().write_all(&gathered)).await;
                written.map_err(io::Error::from).flatten().inspect_err(|_| self.counters.count_unsent(1))?;
                gathered.clear();
            }
        }
    }
}

/// Whether a whole message has arrived.
fn holds_message(octets: &[u8]) -> bool {
    octets
        .split_first_chunk()
        .is_some_and(|(length, rest)| rest.len() >= usize::from(u16::from_be_bytes(*length)))
}

async fn read_message(stream: &mut BufReader<TcpStream>, message: &mut Vec<u8>) -> io::Result<()> {
    let length = stream.read_u16().await?;
    message.resize(length.into(), 0);
    stream.read_exact(message).await?;
    Ok(())
}
