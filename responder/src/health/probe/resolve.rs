//! Names to addresses, through the resolvers this system is configured with (H-5).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use pulse53_core::health::Outcome;
use tokio::time::{Instant, timeout};

/// How long a resolution may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Checks at least this slow resolve before each probe; faster ones may reuse an answer for this long.
const REUSE_MAX: Duration = Duration::from_secs(10);

/// Answers kept for fast checks; beyond this many names every probe resolves.
const KEPT_MAX: usize = 10_000;

/// The system's resolvers.
pub(in crate::health) struct Resolver {
    /// Or why there is none, which every probe by name then reports.
    system: Result<TokioResolver, Arc<str>>,
    kept: Mutex<HashMap<Arc<str>, Kept>>,
}

/// An answer and how long it may be used.
struct Kept {
    addresses: Arc<[Ipv4Addr]>,
    until: Instant,
}

impl Resolver {
    /// Reads the system's configuration.
    pub(in crate::health) fn from_system() -> Self {
        Self::with(TokioResolver::builder_tokio())
    }

    fn with(builder: Result<ResolverBuilder<TokioRuntimeProvider>, NetError>) -> Self {
        let system = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            options.cache_size = 0;
            options.timeout = Duration::from_secs(1);
            options.max_active_requests = KEPT_MAX;
            builder.build()
        });
        Self { system: system.map_err(|error| error.to_string().into()), kept: Mutex::default() }
    }

    /// One of the name's IPv4 addresses, at random.
    pub(in crate::health) async fn ipv4(&self, name: &str, interval: Duration) -> Result<Ipv4Addr, Outcome> {
        let fast = interval < REUSE_MAX;
        let kept = fast.then(|| self.kept(name)).flatten();
        let addresses = match kept {
            Some(addresses) => addresses,
            None => {
                let (addresses, until) = self.look_up(name).await?;
                if fast {
                    self.keep(name, Kept { addresses: addresses.clone(), until });
                }
                addresses
            }
        };
        fastrand::choice(addresses.iter()).copied().ok_or_else(|| failed("no A record"))
    }

    /// One of the name's addresses of either family.
    pub(in crate::health) async fn any(&self, name: &str) -> Result<IpAddr, Outcome> {
        let system = self.system.as_ref().map_err(|cause| failed(cause))?;
        let answer =
            timeout(LIMIT, system.lookup_ip(name)).await.map_err(|_elapsed| failed("no answer in time"))?;
        let addresses: Vec<IpAddr> = answer.map_err(|error| failed(&error.to_string()))?.iter().collect();
        fastrand::choice(addresses).ok_or_else(|| failed("no address"))
    }

    async fn look_up(&self, name: &str) -> Result<(Arc<[Ipv4Addr]>, Instant), Outcome> {
        let system = self.system.as_ref().map_err(|cause| failed(cause))?;
        let answer =
            timeout(LIMIT, system.ipv4_lookup(name)).await.map_err(|_elapsed| failed("no answer in time"))?;
        let answer = answer.map_err(|error| {
            failed(&if error.is_no_records_found() { "no A record".to_owned() } else { error.to_string() })
        })?;
        let mut ttl = REUSE_MAX;
        let mut addresses = Vec::new();
        for record in answer.answers() {
            ttl = ttl.min(Duration::from_secs(record.ttl.into()));
            if let RData::A(address) = &record.data {
                addresses.push(address.0);
            }
        }
        Ok((addresses.into(), Instant::now() + ttl))
    }

    fn kept(&self, name: &str) -> Option<Arc<[Ipv4Addr]>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(name).filter(|kept| kept.until > Instant::now()).map(|kept| kept.addresses.clone())
    }

    fn keep(&self, name: &str, answer: Kept) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            let now = Instant::now();
            kept.retain(|_, kept| kept.until > now);
        }
        if kept.len() < KEPT_MAX {
            kept.insert(name.into(), answer);
        }
    }
}

fn failed(cause: &str) -> Outcome {
    Outcome::ResolutionFailed(cause.into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::proto::op::{Message, ResponseCode};
    use hickory_resolver::proto::rr::rdata::A;
    use hickory_resolver::proto::rr::{RData, Record, RecordType};
    use tokio::net::UdpSocket;

    use super::*;

    /// A name server on loopback, and the questions it has heard.
    async fn server() -> (Resolver, Arc<Mutex<Vec<String>>>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let hearing = heard.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                let query = Message::from_vec(&buffer[..length]).unwrap();
                let question = query.queries[0].clone();
                assert_eq!(question.query_type(), RecordType::A, "only IPv4 is used");
                let name = question.name().to_string();
                hearing.lock().unwrap().push(name.clone());
                let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
                reply.add_query(question.clone());
                let (addresses, ttl): (&[[u8; 4]], u32) = match name.as_str() {
                    "two.test." => (&[[127, 0, 0, 1], [127, 0, 0, 2]], 60),
                    "zero.test." => (&[[127, 0, 0, 1]], 0),
                    "none.test." => (&[], 0),
                    "silent.test." => continue,
                    _ => {
                        reply.metadata.response_code = ResponseCode::ServFail;
                        (&[], 0)
                    }
                };
                for &address in addresses {
                    let data = RData::A(A(address.into()));
                    reply.add_answer(Record::from_rdata(question.name().clone(), ttl, data));
                }
                socket.send_to(&reply.to_vec().unwrap(), client).await.unwrap();
            }
        });
        let mut connection = ConnectionConfig::udp();
        connection.port = port;
        let mut server = NameServerConfig::udp([127, 0, 0, 1].into());
        server.connections = vec![connection];
        let config = ResolverConfig::from_parts(None, vec![], vec![server]);
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        (Resolver::with(Ok(builder)), heard)
    }

    const SLOW: Duration = Duration::from_secs(10);
    const FAST: Duration = Duration::from_secs(9);

    #[tokio::test]
    async fn each_probe_resolves_and_chooses_among_all_addresses_h5() {
        let (resolver, heard) = server().await;
        let mut chosen = BTreeSet::new();
        // Forty choices of two are all the same once in 10¹²  times.
        for _ in 0..40 {
            chosen.insert(resolver.ipv4("two.test", SLOW).await.unwrap());
        }
        assert_eq!(chosen, BTreeSet::from([[127, 0, 0, 1].into(), [127, 0, 0, 2].into()]));
        assert_eq!(heard.lock().unwrap().len(), 40);
    }

    #[tokio::test]
    async fn fast_checks_reuse_an_answer_as_long_as_its_ttl_allows_h5() {
        let (resolver, heard) = server().await;
        for _ in 0..3 {
            resolver.ipv4("two.test", FAST).await.unwrap();
            resolver.ipv4("zero.test", FAST).await.unwrap();
        }
        let heard = heard.lock().unwrap();
        let asked = |name: &str| heard.iter().filter(|heard| *heard == name).count();
        assert_eq!((asked("two.test."), asked("zero.test.")), (1, 3));
    }

    #[tokio::test]
    async fn what_goes_wrong_has_a_cause_h5_h41() {
        let (resolver, _) = server().await;
        for (name, expect) in [
            ("none.test", "Failure: DNS resolution failed: no A record"),
            ("silent.test", "Failure: DNS resolution failed: no answer in time"),
            ("broken.test", "Failure: DNS resolution failed: "),
        ] {
            let said = resolver.ipv4(name, SLOW).await.unwrap_err().to_string();
            assert!(said.starts_with(expect), "{name}: {said}");
        }
    }
}
