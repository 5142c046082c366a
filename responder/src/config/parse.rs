//! The keys of the configuration file, their bounds and their defaults: one line a key.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pulse53_core::assemble::Limits;
use pulse53_core::model::{Name, ZoneId};
use toml::de::DeTable;

use super::section::{Overrides, Reading, Section};
use super::value::{self, Raw, Read, Refusal};
use super::{
    Api, Checker, Config, CookiePolicy, Credential, DeclaredFile, Dns, Geo, Log, LogFormat, Metrics, OnStop,
    Problems, QueryLogFiles, RateLimit, Region, ReplyRoute, RoutingControl, Server, Xdp, XdpMode, ZoneFile,
};
use crate::privileges::Filtering;

const SECOND: Duration = Duration::from_secs(1);

impl Config {
    /// Reads a file's text and what outweighs it; `file` gives relative paths their place and problems their name.
    pub fn parse(file: &Path, text: &str, overrides: &Overrides) -> Result<Self, Problems> {
        let reading = Reading::new(&file.display().to_string(), text, overrides);
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            reading.refuse(&error.span().unwrap_or(0..0), format!("not TOML: {}", error.message()));
        }
        let reader = Reader { directory: file.parent().unwrap_or(Path::new("")), reading: &reading };
        let config = reader.config(file, Section::root(&reading, &table));
        let problems = reading.into_problems();
        if problems.is_empty() { Ok(config) } else { Err(Problems(problems)) }
    }
}

struct Reader<'a> {
    directory: &'a Path,
    reading: &'a Reading<'a>,
}

impl Reader<'_> {
    fn config(&self, file: &Path, root: Section<'_>) -> Config {
        let data_dir = root.or("data_dir", "/var/lib/pulse53".into(), |raw| self.path(raw));
        let config = Config {
            file: file.to_owned(),
            server: self.server(root.section("server")),
            dns: self.dns(root.section("dns")),
            rate_limit: self.rate_limit(root.section("rate_limit")),
            xdp: self.xdp(root.section("xdp")),
            api: self.api(root.section("api")),
            metrics: self.metrics(root.section("metrics")),
            checker: self.checker(root.section("checker")),
            routing_controls: self.routing_controls(&root),
            geo: self.geo(root.section("geo")),
            zones: self.zones(&root),
            health_checks: self.only_file(root.section("health_checks")),
            cidr_collections: self.only_file(root.section("cidr_collections")),
            limits: self.limits(root.section("limits")),
            query_log: self.query_log(root.section("query_log"), &data_dir),
            log: self.log(root.section("log")),
            data_dir,
        };
        root.finish();
        config
    }

    fn server(&self, section: Section<'_>) -> Server {
        let filterings = [("enforce", Filtering::Enforce), ("log", Filtering::Log), ("off", Filtering::Off)];
        let server = Server {
            user: section.get("user", |raw| value::short_text(raw, 32)).map(|(name, _)| name),
            seccomp: section.or("seccomp", Filtering::Enforce, |raw| value::word(raw, &filterings)),
        };
        section.finish();
        server
    }

    fn dns(&self, section: Section<'_>) -> Dns {
        let everywhere = || {
            let any = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
            any.map(|address| SocketAddr::new(address, 53)).to_vec()
        };
        let policies = [
            ("answer", CookiePolicy::Answer),
            ("require", CookiePolicy::Require),
            ("off", CookiePolicy::Off),
        ];
        let dns = Dns {
            listen: section.or("listen", everywhere(), |raw| value::list(raw, value::socket)),
            minimal_responses: section.or("minimal_responses", true, value::boolean),
            max_udp_size: section.or("max_udp_size", 1232, |raw| Ok(value::integer(raw, 512..=4096)? as u16)),
            udp_threads: section.get("udp_threads", |raw| count(raw, 1..=1024)).map(|(threads, _)| threads),
            tcp_idle_timeout: section
                .or("tcp_idle_timeout", 10 * SECOND, |raw| value::duration(raw, SECOND..=600 * SECOND)),
            tcp_connections_max: section.or("tcp_connections_max", 4096, |raw| count(raw, 1..=1_000_000)),
            tcp_connections_per_client_max: section
                .or("tcp_connections_per_client_max", 128, |raw| count(raw, 1..=1_000_000)),
            // A character-string of a TXT record, and what fits an option beside an answer.
            identity: section.get("identity", |raw| value::short_text(raw, 255)).map(|(text, _)| text),
            version: section.get("version", |raw| value::short_text(raw, 255)).map(|(text, _)| text),
            nsid: section.get("nsid", |raw| value::short_text(raw, 128)).map(|(text, _)| text),
            cookies: section.or("cookies", CookiePolicy::Answer, |raw| value::word(raw, &policies)),
            cookie_secrets: self.file(&section, "cookie_secrets"),
        };
        section.finish();
        dns
    }

    fn rate_limit(&self, section: Section<'_>) -> Option<RateLimit> {
        let rate = section.get("responses_per_second", |raw| number(raw, 1..=1_000_000));
        let burst = section.get("burst", |raw| number(raw, 1..=1_000_000));
        let slip = section.or("slip", 2, |raw| number(raw, 0..=1000));
        let ipv4_prefix = section.or("ipv4_prefix", 24, |raw| number(raw, 8..=32)) as u8;
        let ipv6_prefix = section.or("ipv6_prefix", 56, |raw| number(raw, 16..=128)) as u8;
        let exempt = section.or("exempt", Vec::new(), |raw| value::list(raw, value::network));
        if rate.is_none() && section.is_present() && !section.has("responses_per_second") {
            let message = "[rate_limit] limits nothing: add responses_per_second, or take the table out";
            self.reading.refuse(&section.span(), message);
        }
        section.finish();
        rate.map(|(responses_per_second, _)| RateLimit {
            responses_per_second,
            burst: burst.map_or(responses_per_second, |(burst, _)| burst),
            slip,
            ipv4_prefix,
            ipv6_prefix,
            exempt,
        })
    }

    fn xdp(&self, section: Section<'_>) -> Xdp {
        let modes = [("auto", XdpMode::Auto), ("native", XdpMode::Native), ("generic", XdpMode::Generic)];
        let routes = [ReplyRoute::Sender, ReplyRoute::Kernel].map(|route| (route.as_str(), route));
        let ends = [("detach", OnStop::Detach), ("stay", OnStop::Stay)];
        let xdp = Xdp {
            interfaces: section.or("interfaces", Vec::new(), |raw| value::list(raw, interface)),
            mode: section.or("mode", XdpMode::Auto, |raw| value::word(raw, &modes)),
            pin_dir: section.or("pin_dir", "/sys/fs/bpf/pulse53".into(), |raw| self.path(raw)),
            reply_route: section.or("reply_route", ReplyRoute::Sender, |raw| value::word(raw, &routes)),
            on_stop: section.or("on_stop", OnStop::Detach, |raw| value::word(raw, &ends)),
            max_stale: section
                .get("max_stale", |raw| value::duration(raw, SECOND..=Duration::from_secs(366 * 24 * 3600)))
                .map(|(age, _)| age),
            capacity: section.or("capacity", 65_536, |raw| Ok(value::integer(raw, 1..=16_777_216)? as u32)),
            log_one_in: section.or("log", 0, one_in),
            sample_one_in: section.or("sample", 10_000, one_in),
        };
        section.finish();
        xdp
    }

    fn api(&self, section: Section<'_>) -> Api {
        let mut credentials: Vec<Credential> = Vec::new();
        for credential in section.sections("credential") {
            let id = credential.get("access_key_id", value::text);
            let secret = credential.get("secret_access_key_file", |raw| self.path(raw));
            match (id, secret) {
                (Some((id, source)), _) if credentials.iter().any(|known| known.access_key_id == id) => {
                    let message = format!("access key {id:?} is declared twice: remove one of the two");
                    self.reading.refuse_from(source, message);
                }
                (Some((access_key_id, source)), Some((secret_access_key_file, _))) => {
                    credentials.push(Credential { access_key_id, secret_access_key_file, source });
                }
                _ => self.reading.refuse(
                    &credential.span(),
                    "a credential needs both \"access_key_id\" and \"secret_access_key_file\": add what is missing",
                ),
            }
            credential.finish();
        }
        let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 5380));
        let listen = match section.get("listen", value::socket) {
            Some((listen, origin)) => {
                if !listen.ip().is_loopback() && credentials.is_empty() {
                    let message = format!(
                        "api.listen: {listen} can be reached from outside and no credentials are set: \
                         add an [[api.credential]], or listen on 127.0.0.1"
                    );
                    self.reading.refuse_from(origin, message);
                }
                listen
            }
            None => default,
        };
        let api = Api {
            listen,
            credentials,
            clock_skew: section
                .or("clock_skew", 300 * SECOND, |raw| value::duration(raw, SECOND..=3600 * SECOND)),
            hosts: section.or("hosts", Vec::new(), |raw| value::list(raw, |raw| value::short_text(raw, 255))),
            name_servers: section.or("name_servers", Vec::new(), |raw| value::list(raw, zone_name)),
            hostmaster: section.get("hostmaster", zone_name).map(|(name, _)| name),
        };
        section.finish();
        api
    }

    fn metrics(&self, section: Section<'_>) -> Metrics {
        let listen = section.or("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 9553)), value::socket);
        section.finish();
        Metrics { listen }
    }

    fn checker(&self, section: Section<'_>) -> Checker {
        let checker = Checker {
            name: section.or("name", "local".to_owned(), |raw| value::short_text(raw, 64)),
            ip_ranges: section.or("ip_ranges", Vec::new(), |raw| value::list(raw, value::network)),
            region: section.get("region", |raw| value::short_text(raw, 64)).map(|(region, _)| region),
            address: section.get("address", value::address).map(|(address, _)| address),
            allow: section.or("allow", Vec::new(), |raw| value::list(raw, value::network)),
            deny: section.or("deny", Vec::new(), |raw| value::list(raw, value::network)),
        };
        section.finish();
        checker
    }

    fn routing_controls(&self, root: &Section<'_>) -> Vec<RoutingControl> {
        let states = [("on", true), ("off", false)];
        let mut controls: Vec<RoutingControl> = Vec::new();
        for section in root.sections("routing_control") {
            let arn = section.get("arn", |raw| value::short_text(raw, 255));
            let name = section.get("name", |raw| value::short_text(raw, 64)).map(|(name, _)| name);
            let panel = section.get("panel", |raw| value::short_text(raw, 64)).map(|(panel, _)| panel);
            let on = section.or("state", false, |raw| value::word(raw, &states));
            match arn {
                Some((arn, origin)) => {
                    let name = name.unwrap_or_else(|| arn.clone());
                    if controls.iter().any(|known| known.arn == arn || known.name == name) {
                        let message =
                            format!("routing control {name:?} is declared twice: remove or rename one of the two");
                        self.reading.refuse_from(origin, message);
                    }
                    controls.push(RoutingControl { name, arn, panel, on });
                }
                None if !section.has("arn") => self.reading.refuse(
                    &section.span(),
                    "a routing control needs an \"arn\": add the one that health checks name in RoutingControlArn",
                ),
                None => {}
            }
            section.finish();
        }
        controls
    }

    fn geo(&self, section: Section<'_>) -> Geo {
        let geo = Geo {
            database: self.file(&section, "database"),
            latency: self.file(&section, "latency"),
            regions: self.regions(&section),
        };
        section.finish();
        geo
    }

    fn regions(&self, geo: &Section<'_>) -> Vec<Region> {
        let mut regions: Vec<Region> = Vec::new();
        for section in geo.sections("region") {
            let name = section.get("name", |raw| value::short_text(raw, 64));
            let latitude = section.get("latitude", |raw| value::decimal(raw, 90));
            let longitude = section.get("longitude", |raw| value::decimal(raw, 180));
            let complete = ["name", "latitude", "longitude"].iter().all(|key| section.has(key));
            match (name, latitude, longitude) {
                (Some((name, origin)), ..) if regions.iter().any(|known| known.name == name) => {
                    let message = format!("region {name:?} is placed twice: remove one of the two");
                    self.reading.refuse_from(origin, message);
                }
                (Some((name, _)), Some((latitude, _)), Some((longitude, _))) => {
                    regions.push(Region { name, latitude, longitude });
                }
                // A bad value has been noted already.
                _ if complete => {}
                _ => self.reading.refuse(
                    &section.span(),
                    "a region needs \"name\", \"latitude\" and \"longitude\": add what is missing",
                ),
            }
            section.finish();
        }
        regions
    }

    fn zones(&self, root: &Section<'_>) -> Vec<ZoneFile> {
        let mut zones: Vec<ZoneFile> = Vec::new();
        for section in root.sections("zone") {
            let name = section.get("name", zone_name);
            let id = section.get("id", zone_id);
            let file = self.file(&section, "file");
            let record_sets = self.file(&section, "record_sets");
            if let Some((id, origin)) = &id
                && let Some(other) = zones.iter().find(|zone| zone.id.as_ref() == Some(id))
            {
                let message =
                    format!("zone id {id} is already that of the zone at {}: choose another", other.source);
                self.reading.refuse_from(origin.clone(), message);
            }
            match name {
                Some((name, origin)) => {
                    if let Some(other) = zones.iter().find(|zone| zone.name == name) {
                        let message = format!(
                            "zone {name} is already declared at {}: one name, one owner",
                            other.source
                        );
                        self.reading.refuse_from(origin, message);
                    } else if file.is_none() && record_sets.is_none() {
                        let message = format!("zone {name} has no records: add \"file\" or \"record_sets\"");
                        self.reading.refuse_from(origin, message);
                    }
                    let source = self.reading.source(section.span().start);
                    zones.push(ZoneFile { name, id: id.map(|(id, _)| id), file, record_sets, source });
                }
                // A bad name has been noted already; a missing one has not.
                None if !section.has("name") => {
                    self.reading.refuse(
                        &section.span(),
                        "a zone needs a \"name\": add one, as name = \"example.com\"",
                    );
                }
                None => {}
            }
            section.finish();
        }
        zones
    }

    fn only_file(&self, section: Section<'_>) -> Option<DeclaredFile> {
        let file = self.file(&section, "file");
        section.finish();
        file
    }

    fn limits(&self, section: Section<'_>) -> Limits {
        let default = Limits::default();
        let limits = Limits {
            record_sets_per_zone: section
                .or("record_sets_per_zone", default.record_sets_per_zone, |raw| count(raw, 1..=10_000_000)),
            // Trees are walked to their depth.
            alias_hops: section.or("alias_hops", default.alias_hops, |raw| count(raw, 1..=64)),
            cidr_collections: section
                .or("cidr_collections", default.cidr_collections, |raw| count(raw, 0..=1000)),
            hosted_zones: section.or("hosted_zones", default.hosted_zones, |raw| count(raw, 0..=10_000_000)),
            health_checks: section
                .or("health_checks", default.health_checks, |raw| count(raw, 0..=10_000_000)),
            delegation_sets: section
                .or("delegation_sets", default.delegation_sets, |raw| count(raw, 0..=10_000)),
        };
        section.finish();
        limits
    }

    fn query_log(&self, section: Section<'_>, data_dir: &Path) -> QueryLogFiles {
        let mut groups = BTreeMap::new();
        for group in section.sections("group") {
            let name = group.get("name", |raw| value::short_text(raw, 251));
            let file = group.get("file", |raw| self.path(raw));
            match (name, file) {
                (Some((name, origin)), Some((file, _))) => {
                    if groups.insert(name.clone(), file).is_some() {
                        let message = format!("log group {name:?} is declared twice: remove one of the two");
                        self.reading.refuse_from(origin, message);
                    }
                }
                // A bad value has been noted already.
                _ if group.has("name") && group.has("file") => {}
                _ => self.reading.refuse(
                    &group.span(),
                    "a log group needs both \"name\" and \"file\": add what is missing",
                ),
            }
            group.finish();
        }
        let directory = section.or("directory", data_dir.join("query-log"), |raw| self.path(raw));
        section.finish();
        QueryLogFiles { directory, groups }
    }

    fn log(&self, section: Section<'_>) -> Log {
        let formats = [("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)];
        let log = Log {
            format: section.or("format", LogFormat::Auto, |raw| value::word(raw, &formats)),
            level: section.or("level", "info".to_owned(), level),
        };
        section.finish();
        log
    }

    fn file(&self, section: &Section<'_>, key: &'static str) -> Option<DeclaredFile> {
        section.get(key, |raw| self.path(raw)).map(|(path, origin)| DeclaredFile { path, origin })
    }

    /// A path; from the file, relative to its directory, and from outside, to the working directory.
    fn path(&self, raw: Raw<'_>) -> Read<PathBuf> {
        let path = PathBuf::from(value::text(raw)?);
        Ok(match raw {
            Raw::Toml(_) => self.directory.join(path),
            Raw::Text(_) => path,
        })
    }
}

fn number(raw: Raw<'_>, bounds: std::ops::RangeInclusive<u64>) -> Read<u32> {
    Ok(value::integer(raw, bounds)? as u32)
}

fn count(raw: Raw<'_>, bounds: std::ops::RangeInclusive<u64>) -> Read<usize> {
    Ok(value::integer(raw, bounds)? as usize)
}

/// `"off"`, or one in how many.
fn one_in(raw: Raw<'_>) -> Read<u32> {
    let off = matches!(value::text(raw).as_deref(), Ok("off"));
    if off { Ok(0) } else { value::integer(raw, 1..=u32::MAX.into()).map(|number| number as u32) }
}

fn interface(raw: Raw<'_>) -> Read<String> {
    let name = value::text(raw)?;
    // What the kernel accepts: IFNAMSIZ with its final zero, no slash, no space.
    if name.len() > 15 || name.contains(|c: char| c == '/' || c.is_whitespace()) {
        return Err(Refusal::new(
            raw,
            format!("{name:?} is no interface name: `ip link` lists those there are"),
        ));
    }
    Ok(name)
}

fn zone_name(raw: Raw<'_>) -> Read<Name> {
    let text = value::text(raw)?;
    Name::from_route53(&text)
        .map_err(|error| Refusal::new(raw, format!("{text:?} is no domain name: {error}")))
}

fn zone_id(raw: Raw<'_>) -> Read<ZoneId> {
    let text = value::short_text(raw, 32)?;
    if !text.bytes().all(|octet| octet.is_ascii_alphanumeric()) {
        return Err(Refusal::new(
            raw,
            format!("{text:?} is no zone id: use letters and digits, as Z0123456789EXAMPLE"),
        ));
    }
    Ok(ZoneId(text.into()))
}

fn level(raw: Raw<'_>) -> Read<String> {
    let text = value::text(raw)?;
    match text.parse::<tracing_subscriber::filter::Targets>() {
        Ok(_) => Ok(text),
        Err(error) => Err(Refusal::new(
            raw,
            format!(
                "{text:?} is no log level ({error}): use error, warn, info, debug or trace, or module=level pairs"
            ),
        )),
    }
}
