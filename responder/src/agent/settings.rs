//! What each part is told of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use fastpath::cookie::Secret;
use ipnet::IpNet;
use pulse53_core::health::{Checker, CheckerName};

use super::addresses;
use crate::api::guard::Access;
use crate::api::http;
use crate::api::recovery;
use crate::api::sigv4::Credentials;
use crate::config::{self, Api, Config, CookiePolicy, Dns, OnStop, Problems, ReplyRoute, Xdp, XdpMode};
use crate::datapath::{self, Mode, Samples};
use crate::doctor;
use crate::health;
use crate::publish;
use crate::query_log::Sinks;
use crate::serve::ServeSettings;
use crate::serve::cookies::Cookies;
use crate::serve::limiter::{Limiter, RateLimit};
use crate::serve::reply::{ReplySettings, UDP_SIZE_ADVERTISED};

pub(super) fn serve(dns: &Dns) -> ServeSettings {
    ServeSettings {
        listen: dns.listen.clone(),
        udp_threads: dns.udp_threads,
        tcp_idle_timeout: dns.tcp_idle_timeout,
        tcp_connections_max: dns.tcp_connections_max,
        tcp_connections_per_client_max: dns.tcp_connections_per_client_max,
    }
}

/// `secrets` make DNS cookies; a limiter of before goes on if it limits alike, so that a reload gives nobody a new budget.
pub(super) fn reply(config: &Config, secrets: [Secret; 2], before: Option<&ReplySettings>) -> ReplySettings {
    let dns = &config.dns;
    let cookies = match dns.cookies {
        CookiePolicy::Off => None,
        policy => Some(Cookies { secrets, required: policy == CookiePolicy::Require }),
    };
    ReplySettings {
        // The kernel half has been loaded with the one of before.
        udp_size_max: before.map_or(dns.max_udp_size, |before| before.udp_size_max),
        tcp_idle_timeout: dns.tcp_idle_timeout,
        identity: dns.identity.clone(),
        version: dns.version.clone(),
        nsid: dns.nsid.clone(),
        cookies,
        limiter: config.rate_limit.as_ref().map(|limit| limiter(limit, before)),
    }
}

/// Who may use the API; the secrets are read.
pub(super) fn access(api: &Api) -> Result<Access, Problems> {
    let mut credentials = Credentials::new(api.clock_skew);
    let mut problems = Vec::new();
    for credential in &api.credentials {
        match credential.read_secret() {
            Ok(secret) => credentials.add(credential.access_key_id.clone(), secret),
            Err(problem) => problems.push(problem),
        }
    }
    match (problems.is_empty(), credentials.is_empty()) {
        (false, _) => Err(Problems(problems)),
        (true, true) => Ok(Access::Loopback(api.hosts.as_slice().into())),
        (true, false) => Ok(Access::Credentials(Arc::new(credentials))),
    }
}

pub(super) fn api(config: &Config) -> http::Settings {
    http::Settings {
        name_servers: config.api.name_servers.clone(),
        hostmaster: config.api.hostmaster.clone(),
        limits: config.limits,
        query_logs: sinks(config),
        checker: std::iter::once(&config.checker.name).chain(&config.checker.region).cloned().collect(),
    }
}

/// What people call routing controls and their panels, by ARN.
pub(super) fn control_names(declared: &[config::RoutingControl]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for control in declared {
        if control.name != control.arn {
            names.insert(control.arn.clone(), control.name.clone());
        }
        if let Some(panel) = &control.panel {
            names.insert(recovery::panel(&control.arn).to_owned(), panel.clone());
        }
    }
    names
}

/// The files of query logs.
pub(super) fn sinks(config: &Config) -> Sinks {
    let config::QueryLogFiles { directory, groups } = config.query_log.clone();
    Sinks { directory, named: groups }
}

fn limiter(limit: &config::RateLimit, before: Option<&ReplySettings>) -> Arc<Limiter> {
    let config::RateLimit { responses_per_second, burst, slip, ipv4_prefix, ipv6_prefix, ref exempt } =
        *limit;
    let exempt = exempt.clone();
    let limit = RateLimit { responses_per_second, burst, slip, ipv4_prefix, ipv6_prefix, exempt };
    let before = before.and_then(|settings| settings.limiter.as_ref());
    match before.filter(|limiter| *limiter.settings() == limit) {
        Some(limiter) => limiter.clone(),
        None => Arc::new(Limiter::new(limit, fastrand::u64(..))),
    }
}

pub(super) fn health(config: &Config, in_flight_max: usize) -> health::Settings {
    let checker = &config.checker;
    health::Settings {
        checker: Checker {
            name: CheckerName(checker.name.as_str().into()),
            region: checker.region.as_deref().map(Into::into),
            address: checker.address,
        },
        targets: targets(checker),
        in_flight_max,
        routing_controls: config
            .routing_controls
            .iter()
            .map(|control| (control.arn.clone(), control.on))
            .collect(),
        data_dir: Some(config.data_dir.clone()),
    }
}

/// Where probes may go (H-6).
pub(super) fn targets(checker: &config::Checker) -> health::TargetPolicy {
    health::TargetPolicy { allow: checker.allow.clone(), deny: checker.deny.clone() }
}

pub(super) fn datapath(
    xdp: &Xdp,
    dns: &Dns,
    addresses: &[SocketAddr],
    reply: &ReplySettings,
    samples: Option<Samples>,
) -> datapath::Settings {
    datapath::Settings {
        interfaces: xdp.interfaces.clone(),
        mode: match xdp.mode {
            XdpMode::Auto => Mode::Auto,
            XdpMode::Native => Mode::Native,
            XdpMode::Generic => Mode::Generic,
        },
        stay: xdp.on_stop == OnStop::Stay,
        capacity: xdp.capacity,
        // The kernel half goes no further than what we advertise.
        message_max: dns.max_udp_size.min(UDP_SIZE_ADVERTISED),
        reply_route: match xdp.reply_route {
            ReplyRoute::Sender => datapath::ReplyRoute::Sender,
            ReplyRoute::Kernel => datapath::ReplyRoute::Kernel(doctor::redirects),
        },
        log_one_in: xdp.log_one_in,
        max_stale: xdp.max_stale,
        samples,
        served: addresses::served(addresses, &xdp.interfaces),
        live: publish::live(reply),
    }
}

/// The networks that probes of this node come from: those configured, else every address it has.
pub(super) fn checker_networks(checker: &config::Checker) -> Vec<IpNet> {
    if !checker.ip_ranges.is_empty() {
        return checker.ip_ranges.clone();
    }
    let listed = addresses::listed("set checker.ip_ranges");
    let usable = listed.into_iter().map(|(_, ip)| ip).filter(addresses::means_the_same_everywhere);
    let networks: BTreeSet<IpNet> = usable.map(IpNet::from).collect();
    networks.into_iter().collect()
}

/// The settings that differ and that a running agent cannot change.
pub(super) fn needing_restart<'k>(old: &Config, new: &Config) -> Vec<&'k str> {
    let differing = [
        ("data_dir", old.data_dir != new.data_dir),
        ("[server]", old.server != new.server),
        ("dns.max_udp_size", old.dns.max_udp_size != new.dns.max_udp_size),
        ("dns.listen or a limit of [dns]", serve(&old.dns) != serve(&new.dns)),
        ("[xdp]", old.xdp != new.xdp),
        ("[api]", old.api != new.api),
        // Files are held to the new ones at once.
        ("[limits] for the API", old.limits != new.limits),
        ("[metrics]", old.metrics != new.metrics),
        ("[checker]", old.checker != new.checker),
        ("[query_log]", old.query_log != new.query_log),
        ("[[routing_control]]", old.routing_controls != new.routing_controls),
        ("[log]", old.log != new.log),
    ];
    differing.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
}
