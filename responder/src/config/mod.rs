//! The configuration: file, environment and flags, merged and validated once.
//!
//! [`Config::read`] reports every problem it finds, not only the first. What a value means stands at its field; its
//! default is in [`parse`], where it is read.

mod parse;
mod problem;
mod section;
mod value;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use pulse53_core::assemble::Limits;
use pulse53_core::model::{Name, Source, ZoneId};

pub use problem::{Origin, Problem, Problems};
pub use section::Overrides;

use crate::privileges::Filtering;

/// Everything the operator has decided. Paths are absolute or relative to the working directory, ready to open.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// Where the embedded store of what the API writes lies.
    pub data_dir: PathBuf,
    /// `[server]`
    pub server: Server,
    /// `[dns]`
    pub dns: Dns,
    /// `[rate_limit]`
    pub rate_limit: Option<RateLimit>,
    /// `[xdp]`
    pub xdp: Xdp,
    /// `[api]`
    pub api: Api,
    /// `[metrics]`
    pub metrics: Metrics,
    /// `[checker]`
    pub checker: Checker,
    /// `[[routing_control]]`
    pub routing_controls: Vec<RoutingControl>,
    /// `[geo]`
    pub geo: Geo,
    /// `[[zone]]`
    pub zones: Vec<ZoneFile>,
    /// `[health_checks] file`
    pub health_checks: Option<DeclaredFile>,
    /// `[cidr_collections] file`
    pub cidr_collections: Option<DeclaredFile>,
    /// `[limits]`: of what files declare and the API writes (routing specification, section 11).
    pub limits: Limits,
    /// `[query_log]`
    pub query_log: QueryLogFiles,
    /// `[log]`
    pub log: Log,
}

/// `[server]`: the process itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Whose process it is once privileges are given up; none: that of `pulse53`, if there is such an account.
    pub user: Option<String>,
    /// What becomes of system calls that serving does not take.
    pub seccomp: Filtering,
}

/// `[dns]`: what is answered, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Dns {
    /// UDP and TCP addresses; XDP answers these alone.
    pub listen: Vec<SocketAddr>,
    /// Whether positive answers carry the answer section alone (D-9).
    pub minimal_responses: bool,
    /// The longest UDP response in octets (D-16), 512 to 4096.
    pub max_udp_size: u16,
    /// Threads that answer UDP; none: one a core.
    pub udp_threads: Option<usize>,
    /// How long a TCP connection may be idle, a message half sent or a reply unread (D-20).
    pub tcp_idle_timeout: Duration,
    /// The most TCP connections at once.
    pub tcp_connections_max: usize,
    /// The most TCP connections of one client address at once.
    pub tcp_connections_per_client_max: usize,
    /// Answers CHAOS `id.server` and `hostname.bind` (D-3).
    pub identity: Option<String>,
    /// Answers CHAOS `version.server` and `version.bind` (D-3).
    pub version: Option<String>,
    /// Sent to those who ask for it (RFC 5001, D-17).
    pub nsid: Option<String>,
    /// How DNS cookies are answered (D-17).
    pub cookies: CookiePolicy,
    /// The secrets they are made with, shared by all servers of an address; none: a random one until the agent stops.
    pub cookie_secrets: Option<DeclaredFile>,
}

/// `[rate_limit]`: how many responses over UDP a client network may have; none without `responses_per_second`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// Responses a second for each prefix.
    pub responses_per_second: u32,
    /// Responses at once after a silence.
    pub burst: u32,
    /// Of the responses beyond, one in this many says TC=1; 0: none.
    pub slip: u32,
    /// Bits of an IPv4 address that share a budget.
    pub ipv4_prefix: u8,
    /// Bits of an IPv6 address that share a budget.
    pub ipv6_prefix: u8,
    /// Networks that are never limited.
    pub exempt: Vec<IpNet>,
}

/// `[dns] cookies`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookiePolicy {
    /// Answered, and so is a query with a wrong one.
    Answer,
    /// A UDP client that sends cookies is answered only with a right one.
    Require,
    /// The option is not known.
    Off,
}

/// `[xdp]`: the kernel half.
#[derive(Debug, Clone, PartialEq)]
pub struct Xdp {
    /// Interfaces to attach to; empty: sockets only.
    pub interfaces: Vec<String>,
    /// How to attach.
    pub mode: XdpMode,
    /// Where maps and links are pinned.
    pub pin_dir: PathBuf,
    /// Where the kernel half sends replies.
    pub reply_route: ReplyRoute,
    /// What becomes of the program when the agent stops.
    pub on_stop: OnStop,
    /// After which time without an agent the kernel stops answering (D-25); none: never.
    pub max_stale: Option<Duration>,
    /// The most questions the kernel holds: of more, those that are asked most.
    pub capacity: u32,
    /// `log`: one in this many passed packets writes a line to the agent's log; 0, written `"off"`, for none.
    pub log_one_in: u32,
    /// `sample`: one in this many answers of the kernel is given again in userspace and compared; 0, written `"off"`, for none.
    pub sample_one_in: u32,
}

/// `[xdp] mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XdpMode {
    /// Native, else generic.
    Auto,
    /// In the driver.
    Native,
    /// In the network stack.
    Generic,
}

/// `[xdp] reply_route`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyRoute {
    /// To who sent the query, where it came in.
    Sender,
    /// Where the kernel's routes lead.
    Kernel,
}

impl ReplyRoute {
    /// The word used in configuration and status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Kernel => "kernel",
        }
    }
}

/// `[xdp] on_stop`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStop {
    /// The kernel stops answering with the agent.
    Detach,
    /// The kernel keeps answering from its last table (D-25).
    Stay,
}

/// `[api]`: control and the Route 53 API.
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who may use it; empty: anyone on a loopback address.
    pub credentials: Vec<Credential>,
    /// How far the clock of who signs may be off.
    pub clock_skew: Duration,
    /// Without credentials, what requests may call this node beside `localhost` and addresses.
    pub hosts: Vec<String>,
    /// Names of the servers of zones that are made through it; empty: `ns1` in each zone.
    pub name_servers: Vec<Name>,
    /// The mailbox in the SOA of such zones, as a name; none: `hostmaster` in each zone.
    pub hostmaster: Option<Name>,
}

/// `[[api.credential]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The public half.
    pub access_key_id: String,
    /// The file that holds the secret half.
    pub secret_access_key_file: PathBuf,
    /// Where it stands.
    pub source: Origin,
}

/// `[metrics]`
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// Where Prometheus finds them.
    pub listen: SocketAddr,
}

/// `[checker]`
#[derive(Debug, Clone, PartialEq)]
pub struct Checker {
    /// This node as one checker location.
    pub name: String,
    /// What `GetCheckerIpRanges` tells; empty: this node's own addresses.
    pub ip_ranges: Vec<IpNet>,
    /// Its region label: checks whose `Regions` list it are assigned to it (H-26).
    pub region: Option<String>,
    /// Where its probes come from, for people to read (H-40).
    pub address: Option<IpAddr>,
    /// The only prefixes that endpoints may be probed in; empty: all (H-6).
    pub allow: Vec<IpNet>,
    /// Prefixes in which nothing is probed; stronger than `allow` (H-6).
    pub deny: Vec<IpNet>,
}

/// `[[routing_control]]`: a manual switch that RECOVERY_CONTROL checks follow (H-31).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingControl {
    /// What checks name it by.
    pub arn: String,
    /// What people call it; the ARN unless given.
    pub name: String,
    /// What people call its control panel.
    pub panel: Option<String>,
    /// Its state until somebody switches it.
    pub on: bool,
}

/// `[geo]`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Geo {
    /// MaxMind DB: country, continent, subdivision, coordinates.
    pub database: Option<DeclaredFile>,
    /// CSV: network, region, latency.
    pub latency: Option<DeclaredFile>,
    /// `[[geo.region]]`: where labels are that are no region of AWS, or are elsewhere.
    pub regions: Vec<Region>,
}

/// `[[geo.region]]`: where a label is that latency and geoproximity record sets name.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// The label: a region's or a local zone group's.
    pub name: String,
    /// -90 to 90 degrees, north is positive.
    pub latitude: f64,
    /// -180 to 180 degrees, east is positive.
    pub longitude: f64,
}

/// A file the configuration names, and where it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredFile {
    /// Ready to open.
    pub path: PathBuf,
    /// Where it is named.
    pub origin: Origin,
}

/// `[[zone]]`
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneFile {
    /// The topmost name.
    pub name: Name,
    /// Hosted zone id, if one is given.
    pub id: Option<ZoneId>,
    /// RFC 1035 master file.
    pub file: Option<DeclaredFile>,
    /// Route 53 record sets.
    pub record_sets: Option<DeclaredFile>,
    /// Where the zone is declared.
    pub source: Source,
}

/// `[query_log]`: the files of log groups that query logging configurations name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryLogFiles {
    /// Holds a file each of all groups but those below.
    pub directory: PathBuf,
    /// `[[query_log.group]]`: files by name of the group.
    pub groups: BTreeMap<String, PathBuf>,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// A level, or directives such as `info,pulse53::serve=debug`.
    pub level: String,
}

/// `[log] format`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Human,
    /// For machines, an object a line.
    Json,
}

impl Credential {
    /// The secret half: the file's text without white space around it.
    pub fn read_secret(&self) -> Result<String, Problem> {
        let refuse = |what: String| {
            let (id, file) = (&self.access_key_id, self.secret_access_key_file.display());
            Problem { origin: self.source.clone(), message: format!("the secret of {id:?}, {file}, {what}") }
        };
        let text = std::fs::read_to_string(&self.secret_access_key_file)
            .map_err(|error| refuse(format!("cannot be read: {error}; mend the path or its permissions")))?;
        match text.trim() {
            "" => Err(refuse("is empty: write the secret access key into it".to_owned())),
            secret => Ok(secret.to_owned()),
        }
    }
}

impl Config {
    /// Reads a file and what outweighs it.
    pub fn read(file: &Path, overrides: &Overrides) -> Result<Self, Problems> {
        let name = file.display().to_string();
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(file, &text, overrides),
            Err(error) => {
                let message = format!("cannot be read: {error}; check the path given with --config");
                Err(Problems(vec![Problem::whole_file(name, message)]))
            }
        }
    }
}

#[cfg(test)]
mod tests;
