//! What serving counts. Each UDP thread counts for itself; readers add up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::reply::{Replied, Silence};
use super::udp::UdpSocket;

/// RCODEs counted one by one; what is above shares the last slot.
const RCODES: usize = 24;

/// The counters of one thread or of all TCP tasks, on cache lines of their own.
#[derive(Debug)]
#[repr(align(128))]
pub struct Replies {
    by_rcode: [AtomicU64; RCODES],
    truncated: AtomicU64,
    silent: AtomicU64,
    unsent: AtomicU64,
    slipped: AtomicU64,
    limited: AtomicU64,
    refused_connections: AtomicU64,
    displaced_connections: AtomicU64,
}

impl Default for Replies {
    fn default() -> Self {
        Self {
            by_rcode: std::array::from_fn(|_| AtomicU64::new(0)),
            truncated: AtomicU64::new(0),
            silent: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            slipped: AtomicU64::new(0),
            limited: AtomicU64::new(0),
            refused_connections: AtomicU64::new(0),
            displaced_connections: AtomicU64::new(0),
        }
    }
}

impl Replies {
    /// Counts the outcome of one packet.
    pub fn count(&self, replied: Result<Replied, Silence>) {
        match replied {
            Ok(replied) => {
                self.by_rcode[usize::from(replied.rcode).min(RCODES - 1)].fetch_add(1, Ordering::Relaxed);
                if replied.truncated {
                    self.truncated.fetch_add(1, Ordering::Relaxed);
                }
                if replied.slipped {
                    self.slipped.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(Silence::NoQuery) => _ = self.silent.fetch_add(1, Ordering::Relaxed),
            Err(Silence::Limited) => _ = self.limited.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Counts replies the network did not take.
    pub fn count_unsent(&self, replies: u64) {
        self.unsent.fetch_add(replies, Ordering::Relaxed);
    }

    /// Counts a connection closed because of a limit.
    pub fn count_refused_connection(&self) {
        self.refused_connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an idle connection closed for another.
    pub fn count_displaced_connection(&self) {
        self.displaced_connections.fetch_add(1, Ordering::Relaxed);
    }
}

/// All counters of one transport, added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Replies by RCODE, those that occurred.
    pub by_rcode: Vec<(u16, u64)>,
    /// Replies with TC=1.
    pub truncated: u64,
    /// Packets not answered: too short, or responses (D-1).
    pub silent: u64,
    /// Replies the network did not take.
    pub unsent: u64,
    /// Responses beyond a prefix's share that were empty with TC=1.
    pub slipped: u64,
    /// Responses beyond a prefix's share that were not sent.
    pub limited: u64,
    /// Connections closed because of a limit (D-20).
    pub refused_connections: u64,
    /// Idle connections closed to make room for others.
    pub displaced_connections: u64,
}

/// The counters of a server.
#[derive(Debug, Clone)]
pub struct Counters {
    /// One a UDP thread.
    pub udp: Vec<Arc<Replies>>,
    /// Of all connections.
    pub tcp: Arc<Replies>,
    /// Held by their threads; the kernel counts for them.
    sockets: Vec<Weak<UdpSocket>>,
}

impl Counters {
    pub(super) fn new(sockets_of_threads: &[Vec<Arc<UdpSocket>>]) -> Self {
        Self {
            udp: sockets_of_threads.iter().map(|_| Arc::default()).collect(),
            tcp: Arc::default(),
            sockets: sockets_of_threads.iter().flatten().map(Arc::downgrade).collect(),
        }
    }

    /// Queries over UDP that the kernel lost because sockets' buffers were full.
    pub fn lost_queries(&self) -> u64 {
        let sockets = self.sockets.iter().filter_map(Weak::upgrade);
        sockets.map(|socket| u64::from(socket.lost().unwrap_or(0))).sum()
    }

    /// What UDP threads have counted.
    pub fn udp_totals(&self) -> Totals {
        totals(self.udp.iter().map(AsRef::as_ref))
    }

    /// What TCP tasks have counted.
    pub fn tcp_totals(&self) -> Totals {
        totals(std::iter::once(self.tcp.as_ref()))
    }
}

fn totals<'a>(all: impl Iterator<Item = &'a Replies>) -> Totals {
    let mut totals = Totals::default();
    let mut by_rcode = [0; RCODES];
    for replies in all {
        for (total, slot) in by_rcode.iter_mut().zip(&replies.by_rcode) {
            *total += slot.load(Ordering::Relaxed);
        }
        totals.truncated += replies.truncated.load(Ordering::Relaxed);
        totals.silent += replies.silent.load(Ordering::Relaxed);
        totals.slipped += replies.slipped.load(Ordering::Relaxed);
        totals.limited += replies.limited.load(Ordering::Relaxed);
        totals.unsent += replies.unsent.load(Ordering::Relaxed);
        totals.refused_connections += replies.refused_connections.load(Ordering::Relaxed);
        totals.displaced_connections += replies.displaced_connections.load(Ordering::Relaxed);
    }
    totals.by_rcode = (0..).zip(by_rcode).filter(|(_, count)| *count > 0).collect();
    totals
}

/// An RCODE as `dig` prints it.
pub fn rcode_name(rcode: u16) -> &'static str {
    match rcode {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        16 => "BADVERS",
        23 => "BADCOOKIE",
        _ => "OTHER",
    }
}
