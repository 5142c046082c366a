//! Names to addresses, through the resolvers this system is configured with (H-5).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
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
        let system = TokioResolver::builder_tokio().and_then(|mut builder| {
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
