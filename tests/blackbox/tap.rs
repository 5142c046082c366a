//! Frames as they are on a wire: what other sockets hide.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvmsg,
    sendmsg, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike};
// The one macro calls the other by its bare name.
use nix::{setsockopt_impl, sockopt_impl};

use crate::harness::network::Namespace;

sockopt_impl!(
    /// Has the kernel tell of the tag that it takes out of a frame before anybody sees it.
    PacketAuxdata,
    SetOnly,
    libc::SOL_PACKET,
    libc::PACKET_AUXDATA,
    bool
);

/// Octets that `struct tpacket_auxdata` has (packet(7)), and where in it status, tag and tag protocol lie.
const AUXDATA: usize = 20;
const STATUS: usize = 0;
const TAG: usize = 16;
const TAG_PROTOCOL: usize = 18;
const TAG_VALID: u8 = libc::TP_STATUS_VLAN_VALID as u8;
/// Where tags begin in a frame: behind both addresses.
const TAGS_AT: usize = 12;

/// After so many seconds a frame counts as lost.
const PATIENCE_S: i64 = 5;

/// One end of a wire.
#[derive(Debug)]
pub struct Tap {
    socket: OwnedFd,
    address: LinkAddr,
}

impl Tap {
    /// Sees all frames that come to an interface from now on.
    pub fn open(namespace: &Namespace, interface: &str) -> Self {
        namespace.within(|| {
            let mut all = getifaddrs().expect("interfaces can be listed");
            let address = all.find_map(|entry| {
                (entry.interface_name == interface)
                    .then_some(entry.address?.as_link_addr().copied())
                    .flatten()
            });
            let address = address.expect("the interface has a link address");
            let flags = SockFlag::SOCK_CLOEXEC;
            let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll);
            let socket = socket.expect("root may see frames");
            setsockopt(&socket, PacketAuxdata, &true).expect("Linux tells of tags");
            setsockopt(&socket, ReceiveTimeout, &TimeVal::seconds(PATIENCE_S)).expect("a timeout can be set");
            bind(socket.as_raw_fd(), &address).expect("the interface is there");
            Self { socket, address }
        })
    }

    /// The interface's own address.
    pub fn address(&self) -> [u8; 6] {
        self.address.addr().expect("Ethernet has addresses")
    }

    /// Puts a frame on the wire.
    pub fn send(&self, frame: &[u8]) {
        let sent = sendmsg(
            self.socket.as_raw_fd(),
            &[IoSlice::new(frame)],
            &[],
            MsgFlags::empty(),
            Some(&self.address),
        );
        assert_eq!(sent, Ok(frame.len()));
    }

    /// The next frame that `is_it`, tags included; it must come.
    pub fn receive(&self, is_it: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        loop {
            let frame = self.next().expect("the frame comes in time");
            if is_it(&frame) {
                return frame;
            }
        }
    }

    fn next(&self) -> Result<Vec<u8>, Errno> {
        let mut octets = vec![0; 65_535];
        let mut control = nix::cmsg_space!([u8; AUXDATA]);
        let mut parts = [IoSliceMut::new(&mut octets)];
        let received =
            recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty())?;
        let length = received.bytes;
        let told = received.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::Unknown(unknown) => Some(unknown.data_bytes),
            _ => None,
        });
        octets.truncate(length);
        let told = told.expect("the kernel tells of tags");
        if told[STATUS] & TAG_VALID != 0 {
            // As numbers of this machine; frames have them in network order.
            let word = |at: usize| u16::from_ne_bytes([told[at], told[at + 1]]).to_be_bytes();
            octets.splice(TAGS_AT..TAGS_AT, [word(TAG_PROTOCOL), word(TAG)].concat());
        }
        Ok(octets)
    }
}
