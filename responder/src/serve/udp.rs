//! UDP: threads that receive, answer and send in batches.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, getsockopt, recvmmsg,
    sendmmsg, sendmsg, setsockopt, sockopt,
};
// The macros name each other without their crate.
use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};
use socket2::{Protocol, Type};

use super::counters::Replies;
use super::query_line::log;
use super::reply::{Received, ReplySettings, Transport, respond};
use super::{Shared, missed};
use crate::clock;
use pulse53_core::table::AnswerTable;

/// Datagrams a system call.
const BATCH: usize = 32;

/// The longest query read; what is longer is cut, and so malformed.
const QUERY_LEN_MAX: usize = 4096;

/// Batches from one socket before the others are looked at again.
const ROUNDS_MAX: usize = 16;

/// Room asked for in the kernel, so that a burst waits rather than being lost.
const SOCKET_BUFFER_LEN: usize = 4 * 1024 * 1024;

sockopt_impl!(
    /// Whether IPv4 sets DF and heeds path MTU (D-16).
    Ipv4MtuDiscover, SetOnly, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::c_int
);
sockopt_impl!(
    /// Whether IPv6 heeds path MTU (D-16).
    Ipv6MtuDiscover, SetOnly, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::c_int
);

sockopt_impl!(
    /// Memory and losses of a socket, as `SK_MEMINFO_…` numbers them.
    MemoryInfo, GetOnly, libc::SOL_SOCKET, libc::SO_MEMINFO, [u32; 9]
);

/// `SK_MEMINFO_DROPS` (linux/sock_diag.h).
const MEMORY_INFO_DROPS: usize = 8;

/// One socket of one thread.
#[derive(Debug)]
pub struct UdpSocket {
    socket: socket2::Socket,
    address: SocketAddr,
}

impl UdpSocket {
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = super::socket(address, Type::DGRAM, Protocol::UDP)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        // The kernel may grant less; that is its right.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_LEN);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_LEN);
        if address.is_ipv4() {
            setsockopt(&socket, Ipv4MtuDiscover, &libc::IP_PMTUDISC_OMIT)?;
        } else {
            setsockopt(&socket, Ipv6MtuDiscover, &libc::IPV6_PMTUDISC_OMIT)?;
        }
        if address.ip().is_unspecified() {
            if address.is_ipv4() {
                setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
            } else {
                setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
            }
        }
        socket.bind(&address.into())?;
        let address = socket.local_addr()?.as_socket().unwrap_or(address);
        Ok(Self { socket, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Queries that were lost because the socket's buffer was full; the kernel counts them in 32 bits.
    pub(super) fn lost(&self) -> nix::Result<u32> {
        Ok(getsockopt(&self.socket, MemoryInfo)?[MEMORY_INFO_DROPS])
    }
}

/// The threads, and what wakes them to stop.
#[derive(Debug)]
pub(super) struct Threads {
    stop: Arc<EventFd>,
    threads: Vec<JoinHandle<()>>,
}

impl Threads {
    pub(super) fn start(
        sockets: Vec<Vec<Arc<UdpSocket>>>,
        shared: &Arc<Shared>,
        counters: &[Arc<Replies>],
    ) -> io::Result<Self> {
        let stop = Arc::new(EventFd::new()?);
        let mut threads = Vec::new();
        for (index, (sockets, counters)) in sockets.into_iter().zip(counters).enumerate() {
            let (stop, shared, counters) = (stop.clone(), shared.clone(), counters.clone());
            let thread = std::thread::Builder::new()
                .name(format!("dns-udp-{index}"))
                .spawn(move || run(sockets, &stop, &shared, &counters))?;
            threads.push(thread);
        }
        Ok(Self { stop, threads })
    }

    pub(super) fn stop(self) {
        // Never read, so that every thread sees it.
        if let Err(error) = self.stop.write(1) {
            tracing::error!(%error, "cannot wake the UDP threads");
            return;
        }
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a UDP thread had panicked");
            }
        }
    }
}

fn run(sockets: Vec<Arc<UdpSocket>>, stop: &EventFd, shared: &Shared, counters: &Replies) {
    let mut batches: Vec<Batch> = sockets.iter().map(|_| Batch::new()).collect();
    let mut random = fastrand::Rng::new();
    loop {
        let mut waiting: Vec<PollFd<'_>> = sockets
            .iter()
            .map(|socket| socket.socket.as_fd())
            .chain([stop.as_fd()])
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        if let Err(error) = poll(&mut waiting, PollTimeout::NONE) {
            if error == Errno::EINTR {
                continue;
            }
            tracing::error!(%error, "cannot wait for queries");
            return;
        }
        let stopping = waiting.pop().is_some_and(|fd| fd.any() == Some(true));
        for ((socket, batch), fd) in sockets.iter().zip(&mut batches).zip(&waiting) {
            // What has arrived before the stop is still answered.
            if !stopping && fd.any() == Some(false) {
                continue;
            }
            for _ in 0..ROUNDS_MAX {
                let table = shared.table.load();
                let settings = shared.settings.load();
                match batch.answer(socket, &table, &settings, shared, &mut random, counters) {
                    Ok(BATCH) => {}
                    // An error belongs to a datagram sent earlier, as when a port is closed: read on.
                    Ok(_) | Err(Errno::EAGAIN) => break,
                    Err(_) => {}
                }
            }
        }
        if stopping {
            return;
        }
    }
}

/// The buffers of one socket.
struct Batch {
    // One a socket: the lengths that a receive leaves behind fit the socket's own family only.
    headers: MultiHeaders<SockaddrStorage>,
    send_headers: MultiHeaders<SockaddrStorage>,
    queries: Box<[u8]>,
    replies: Vec<Vec<u8>>,
    clients: Vec<Option<SockaddrStorage>>,
    /// The addresses asked, where the socket listens on all.
    asked: Vec<Option<ControlMessageOwned>>,
}

impl Batch {
    fn new() -> Self {
        // Room for the larger of the two.
        let control = nix::cmsg_space!(libc::in6_pktinfo);
        Self {
            headers: MultiHeaders::preallocate(BATCH, Some(control)),
            send_headers: MultiHeaders::preallocate(BATCH, None),
            queries: vec![0; BATCH * QUERY_LEN_MAX].into(),
            replies: (0..BATCH).map(|_| Vec::with_capacity(4096)).collect(),
            clients: Vec::with_capacity(BATCH),
            asked: Vec::with_capacity(BATCH),
        }
    }

    /// One batch from receiving to sending; how many datagrams came.
    fn answer(
        &mut self,
        socket: &UdpSocket,
        table: &AnswerTable,
        settings: &ReplySettings,
        shared: &Shared,
        random: &mut fastrand::Rng,
        counters: &Replies,
    ) -> nix::Result<usize> {
        self.clients.clear();
        self.asked.clear();
        let fd = socket.socket.as_raw_fd();
        let mut slices: [_; BATCH] = {
            let mut chunks = self.queries.chunks_exact_mut(QUERY_LEN_MAX);
            std::array::from_fn(|_| [IoSliceMut::new(chunks.next().unwrap_or_default())])
        };
        let received = recvmmsg(fd, &mut self.headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
        let at = clock::since_1970();
        let mut count = 0;
        for message in received {
            count += 1;
            let Some((client, source)) = message.address.and_then(|client| Some((client, ip(&client)?)))
            else {
                continue;
            };
            let packet = message.iovs().next().unwrap_or_default();
            let received = Received { packet, source, transport: Transport::Udp, at };
            let replied =
                respond(table, settings, &received, random.u64(..), &mut self.replies[self.clients.len()]);
            counters.count(replied);
            log(&shared.query_log, table, &received, replied);
            missed::count(&shared.misses, table, &received, replied, random);
            if replied.is_ok() {
                self.clients.push(Some(client));
                let mut control = message.cmsgs().into_iter().flatten();
                self.asked.push(control.find(|one| {
                    matches!(
                        one,
                        ControlMessageOwned::Ipv4PacketInfo(_) | ControlMessageOwned::Ipv6PacketInfo(_)
                    )
                }));
            }
        }
        let unsent = if socket.address.ip().is_unspecified() {
            self.send_from_addresses_asked(fd)
        } else {
            self.send(fd)
        };
        if unsent > 0 {
            counters.count_unsent(unsent as u64);
        }
        Ok(count)
    }

    /// Sends all replies from the socket's own address; how many could not be sent.
    fn send(&mut self, fd: i32) -> usize {
        let mut unsent = 0;
        let mut first = 0;
        while first < self.clients.len() {
            let clients = &self.clients[first..];
            let slices: Vec<[IoSlice<'_>; 1]> = self.replies[first..first + clients.len()]
                .iter()
                .map(|reply| [IoSlice::new(reply)])
                .collect();
            let sent = sendmmsg(fd, &mut self.send_headers, &slices, clients, [], MsgFlags::MSG_DONTWAIT);
            first += match sent.map(Iterator::count) {
                Ok(sent) => sent,
                Err(Errno::EINTR) => 0,
                // This one cannot be sent; those behind it may.
                Err(_) => {
                    unsent += 1;
                    1
                }
            };
        }
        unsent
    }

    /// Sends each reply from the address its query was sent to (D-19); how many could not be sent.
    fn send_from_addresses_asked(&self, fd: i32) -> usize {
        let mut unsent = 0;
        for ((reply, client), asked) in self.replies.iter().zip(&self.clients).zip(&self.asked) {
            let slices = [IoSlice::new(reply)];
            let send = |control: &[ControlMessage<'_>]| {
                sendmsg(fd, &slices, control, MsgFlags::MSG_DONTWAIT, client.as_ref())
            };
            let sent = match asked {
                Some(ControlMessageOwned::Ipv4PacketInfo(asked)) => {
                    // Routing chooses the interface.
                    let any = u32::from(Ipv4Addr::UNSPECIFIED);
                    send(&[ControlMessage::Ipv4PacketInfo(&libc::in_pktinfo {
                        ipi_ifindex: 0,
                        ipi_spec_dst: asked.ipi_addr,
                        ipi_addr: libc::in_addr { s_addr: any },
                    })])
                }
                Some(ControlMessageOwned::Ipv6PacketInfo(asked)) => {
                    // A link-local address means something only on its interface.
                    let link_local =
                        asked.ipi6_addr.s6_addr[0] == 0xFE && asked.ipi6_addr.s6_addr[1] & 0xC0 == 0x80;
                    send(&[ControlMessage::Ipv6PacketInfo(&libc::in6_pktinfo {
                        ipi6_addr: asked.ipi6_addr,
                        ipi6_ifindex: if link_local { asked.ipi6_ifindex } else { 0 },
                    })])
                }
                _ => send(&[]),
            };
            unsent += usize::from(sent.is_err());
        }
        unsent
    }
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}
