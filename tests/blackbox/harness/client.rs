//! Who asks: UDP and TCP sockets in the client's namespace. A reply that does not come is a failure, never asked for again.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use pulse53_core::model::RecordType;
use pulse53_tests::frame::Query;
use pulse53_tests::reply::Reply;

use super::network::{INTERFACE, Namespace, SERVED};

/// After this time a query counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Both families, IPv4 first.
pub const FAMILIES: [usize; 2] = [0, 1];

/// The reply to a question from one address to another, over UDP; it must come.
pub fn ask_between(namespace: &Namespace, from: SocketAddr, to: SocketAddr, query: &Query) -> Reply {
    let socket = namespace.within(|| UdpSocket::bind(from)).expect("it is an address of the client's");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    socket.connect(to).expect("there is a route");
    socket.send(&query.octets()).expect("a query is taken");
    let mut reply = vec![0; 65_535];
    let length =
        socket.recv(&mut reply).unwrap_or_else(|error| panic!("no reply from {to} to {from}: {error}"));
    Reply::read(&reply[..length])
}

/// Asks one question after another.
#[derive(Debug)]
pub struct Client<'a> {
    namespace: &'a Namespace,
    sockets: [UdpSocket; 2],
    next_id: u16,
}

impl<'a> Client<'a> {
    /// One socket a family, with the client's own addresses.
    pub fn new(namespace: &'a Namespace) -> Self {
        Self::from(namespace, [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()])
    }

    /// One that asks from one more address, in its family.
    pub fn at(namespace: &'a Namespace, address: IpAddr) -> Self {
        if address.is_ipv4() {
            namespace.ip(&format!("address replace {address}/32 dev {INTERFACE}"));
            Self::from(namespace, [address, Ipv6Addr::UNSPECIFIED.into()])
        } else {
            namespace.ip(&format!("address replace {address}/128 dev {INTERFACE} nodad"));
            Self::from(namespace, [Ipv4Addr::UNSPECIFIED.into(), address])
        }
    }

    fn from(namespace: &'a Namespace, addresses: [IpAddr; 2]) -> Self {
        let sockets = namespace.within(|| {
            FAMILIES.map(|family| {
                let (server, address) = (SERVED[family], addresses[family]);
                let socket = UdpSocket::bind((address, 0)).expect("a socket can be made");
                socket.connect(server).expect("there is a route");
                socket.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
                socket
            })
        });
        Self { namespace, sockets, next_id: 1 }
    }

    /// The reply to a question over UDP, or why there is none.
    pub fn try_ask(&mut self, family: usize, query: &Query) -> std::io::Result<Vec<u8>> {
        let query = self.identified(query);
        self.try_exchange(family, &query)
    }

    /// The reply over UDP to a query that is octets already; it must come.
    pub fn exchange(&mut self, family: usize, query: &[u8]) -> Vec<u8> {
        let reply = self.try_exchange(family, query);
        reply.unwrap_or_else(|error| panic!("no reply from {}: {error}", SERVED[family]))
    }

    fn try_exchange(&mut self, family: usize, query: &[u8]) -> std::io::Result<Vec<u8>> {
        let socket = &self.sockets[family];
        socket.send(query)?;
        let mut reply = vec![0; 65_535];
        loop {
            let length = socket.recv(&mut reply)?;
            // What comes late belongs to a question that was given up.
            if reply[..2] == query[..2] {
                reply.truncate(length);
                return Ok(reply);
            }
        }
    }

    /// The reply over UDP, which must come.
    pub fn ask(&mut self, family: usize, query: &Query) -> Reply {
        let reply = self.try_ask(family, query);
        Reply::read(&reply.unwrap_or_else(|error| panic!("no reply from {}: {error}", SERVED[family])))
    }

    /// The first address answered for a name, in octets; none: no address.
    pub fn address(&mut self, family: usize, name: &str) -> Option<[u8; 4]> {
        let reply = self.ask(family, &Query::new(name, RecordType::A.to_int()));
        assert_eq!(reply.rcode, 0, "{name}");
        reply.first.map(|rdata| (*rdata.0).try_into().expect("an address"))
    }

    /// The reply over TCP.
    pub fn ask_over_tcp(&mut self, family: usize, query: &Query) -> Reply {
        let query = self.identified(query);
        Reply::read(&self.exchange_over_tcp(family, &query))
    }

    /// The reply over TCP to a query that is octets already.
    pub fn exchange_over_tcp(&self, family: usize, query: &[u8]) -> Vec<u8> {
        let mut stream =
            self.namespace.within(|| TcpStream::connect(SERVED[family])).expect("TCP is answered");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let framed = [&(query.len() as u16).to_be_bytes()[..], query].concat();
        stream.write_all(&framed).expect("a query is taken");
        let mut length = [0; 2];
        stream.read_exact(&mut length).expect("a reply comes");
        let mut reply = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut reply).expect("the whole of it comes");
        assert_eq!(reply[..2], query[..2], "the id of the question");
        reply
    }

    fn identified(&mut self, query: &Query) -> Vec<u8> {
        self.next_id = self.next_id.wrapping_add(1);
        Query { id: self.next_id, ..query.clone() }.octets()
    }
}
