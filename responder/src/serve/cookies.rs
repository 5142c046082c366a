//! DNS cookies in messages (RFC 7873, RFC 9018, D-17); what they are made of is [`fastpath::cookie`]'s.

use std::net::IpAddr;

use fastpath::cookie::{self, Answered, CLIENT_LEN, ClientAddress, SERVER_LEN, Secret, ServerCookie};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use super::query::Malformed;

/// How cookies are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookies {
    /// The first makes cookies; one of either is valid.
    pub secrets: [Secret; 2],
    /// Whether a client that sends cookies over UDP must send a valid one to be answered; otherwise it is told BADCOOKIE and the right one.
    pub required: bool,
}

/// A well-formed COOKIE option of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedCookie {
    client: u64,
    /// None also for one of a length that is never ours.
    server: Option<ServerCookie>,
}

impl AskedCookie {
    /// Reads the option's data: a client cookie, and perhaps a server cookie of 8 to 32 octets (RFC 7873 section 5.2.2).
    pub fn read(data: &[u8]) -> Result<Self, Malformed> {
        let (client, server) = data.split_first_chunk::<CLIENT_LEN>().ok_or(Malformed)?;
        if !matches!(server.len(), 0 | 8..=32) {
            return Err(Malformed);
        }
        let server = <&[u8; SERVER_LEN]>::try_from(server).ok().map(|octets| {
            let words = u128::from_le_bytes(*octets);
            ServerCookie { head: words as u64, hash: (words >> 64) as u64 }
        });
        Ok(Self { client: u64::from_le_bytes(*client), server })
    }
}

/// The COOKIE option of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyCookie {
    client: u64,
    answered: Answered,
}

impl ReplyCookie {
    /// Answers a client's cookie at `now`, in seconds since 1970 modulo 2^32.
    pub fn new(cookies: &Cookies, asked: &AskedCookie, source: IpAddr, now: u32) -> Self {
        let address = match source.to_canonical() {
            IpAddr::V4(v4) => {
                ClientAddress { is_v6: false, words: [u32::from_le_bytes(v4.octets()).into(), 0] }
            }
            IpAddr::V6(v6) => {
                let words = u128::from_le_bytes(v6.octets());
                ClientAddress { is_v6: true, words: [words as u64, (words >> 64) as u64] }
            }
        };
        let answered = cookie::answer(&cookies.secrets, asked.client, asked.server, &address, now);
        Self { client: asked.client, answered }
    }

    /// Whether the client has shown that its address is its own.
    pub fn is_valid(&self) -> bool {
        self.answered.is_valid
    }

    /// The option.
    pub fn option(&self) -> EdnsOption {
        let cookie = self.answered.cookie;
        let data = [self.client, cookie.head, cookie.hash].into_iter().flat_map(|word| word.to_le_bytes());
        EdnsOption::Unknown(EdnsCode::Cookie.into(), data.collect())
    }
}
