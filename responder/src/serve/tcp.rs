//! TCP: a task a connection (RFC 7766).

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::Shared;
use super::counters::Replies;
use super::places::{Place, Places};
use super::query_line::log;
use super::reply::{Received, Transport, respond};
use crate::clock;

/// Replies are gathered up to this many octets before they are written, if more queries are waiting already.
const GATHERED_LEN_MAX: usize = 64 * 1024;

/// Octets read at once: some queries.
const READ_LEN: usize = 2048;

/// What of its buffers an idle connection keeps, in octets each.
const KEPT_LEN_MAX: usize = 4096;

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
        let places = Places::new(limits.connections_max, limits.connections_per_client_max);
        for listener in listeners {
            let acceptor = Acceptor {
                listener: TcpListener::from_std(listener)?,
                limits,
                places: places.clone(),
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

struct Acceptor {
    listener: TcpListener,
    limits: Limits,
    places: Arc<Places>,
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
            let Some(place) = self.places.take(client) else {
                self.counters.count_refused_connection();
                continue;
            };
            if place.took_anothers() {
                self.counters.count_displaced_connection();
            }
            let connection = Connection {
                stream: BufReader::with_capacity(READ_LEN, stream),
                client,
                idle_timeout: self.limits.idle_timeout,
                shared: self.shared.clone(),
                counters: self.counters.clone(),
            };
            let (stopping, alive) = (stopping.clone(), alive.clone());
            tokio::spawn(async move {
                // How a connection ends is the client's affair.
                tokio::select! {
                    _ = connection.run(&place, stopping) => {}
                    () = place.wanted() => {}
                }
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
    async fn run(mut self, place: &Place, mut stopping: watch::Receiver<bool>) -> io::Result<()> {
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
                let (source, at) = (self.client, clock::since_1970());
                let received = Received { packet: &query, source, transport: Transport::Tcp, at };
                let replied = respond(&table, &settings, &received, random.u64(..), &mut reply);
                log(&self.shared.query_log, &table, &received, replied);
                replied
            };
            place.use_it();
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
                for buffer in [&mut query, &mut reply, &mut gathered] {
                    if buffer.capacity() > KEPT_LEN_MAX {
                        *buffer = Vec::new();
                    }
                }
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

/// Reads one message. Memory is taken for what has come, not for what is announced: to announce costs two octets.
async fn read_message(stream: &mut BufReader<TcpStream>, message: &mut Vec<u8>) -> io::Result<()> {
    let length = usize::from(stream.read_u16().await?);
    message.clear();
    while message.len() < length {
        let come = stream.fill_buf().await?;
        let of_message = &come[..come.len().min(length - message.len())];
        if of_message.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        message.extend_from_slice(of_message);
        let count = of_message.len();
        stream.consume(count);
    }
    Ok(())
}
