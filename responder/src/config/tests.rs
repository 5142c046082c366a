//! What the configuration accepts and how it refuses.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

fn parse(text: &str) -> Result<Config, Problems> {
    Config::parse(Path::new("etc/pulse53.toml"), text, &Overrides::default())
}

fn check(text: &str, problems: &[&str]) {
    let found: Vec<String> = parse(text).unwrap_err().0.iter().map(Problem::to_string).collect();
    assert_eq!(found, problems);
}

#[test]
fn every_value_has_a_default() {
    let config = parse("").unwrap();
    assert_eq!(config.data_dir, Path::new("/var/lib/pulse53"));
    assert_eq!(config.server, Server { user: None, seccomp: Filtering::Enforce });
    assert_eq!(config.dns.listen.len(), 2);
    assert_eq!(config.dns.max_udp_size, 1232);
    assert_eq!(config.api.listen.to_string(), "127.0.0.1:5380");
    assert_eq!(config.metrics.listen.to_string(), "127.0.0.1:9553");
    assert_eq!((config.xdp.on_stop, config.xdp.reply_route), (OnStop::Detach, ReplyRoute::Sender));
    assert!(config.zones.is_empty() && config.xdp.interfaces.is_empty());
}

#[test]
fn the_documented_example_is_read() {
    let config = parse(
        r#"
data_dir = "/srv/pulse53"
server = { user = "dns", seccomp = "log" }

[dns]
listen = ["192.0.2.53:53", "[2001:db8::53]:53"]
tcp_idle_timeout = "15s"

[xdp]
interfaces = ["eth0"]
mode = "native"
reply_route = "kernel"
max_stale = "1h"
log = 1000
sample = "off"

[api]
listen = "192.0.2.53:5380"
name_servers = ["ns1.example.net", "ns2.example.net."]
hostmaster = "dns.example.net"
[[api.credential]]
access_key_id = "AKIA"
secret_access_key_file = "secret"

[metrics]
listen = "127.0.0.1:9553"

[checker]
name = "fra1"
ip_ranges = ["192.0.2.0/24", "2001:db8::/32"]
region = "eu-central-1"
address = "192.0.2.53"
allow = ["198.51.100.0/24", "2001:db8::/32"]
deny = ["198.51.100.7"]

[[routing_control]]
arn = "arn:aws:route53-recovery-control::123456789012:controlpanel/1/routingcontrol/2"
name = "cell-fra1"
state = "on"

[geo]
database = "city.mmdb"
latency = "latency.csv"
[[geo.region]]
name = "rack-7"
latitude = 52.52
longitude = 13

[[zone]]
name = "Example.com"
id = "Z0123456789EXAMPLE"
file = "example.com.zone"
record_sets = "/srv/example.com.json"

[health_checks]
file = "health-checks.json"

[cidr_collections]
file = "cidr-collections.json"

[limits]
record_sets_per_zone = 100_000

[log]
format = "json"
level = "info,pulse53::serve=debug"
"#,
    )
    .unwrap();
    assert_eq!(config.dns.tcp_idle_timeout, Duration::from_secs(15));
    assert_eq!(config.xdp.mode, XdpMode::Native);
    assert_eq!(config.xdp.reply_route, ReplyRoute::Kernel);
    assert_eq!(config.server, Server { user: Some("dns".to_owned()), seccomp: Filtering::Log });
    assert_eq!((config.xdp.log_one_in, config.xdp.sample_one_in), (1000, 0));
    assert_eq!(config.checker.deny, ["198.51.100.7/32".parse().unwrap()]);
    assert_eq!(config.checker.region.as_deref(), Some("eu-central-1"));
    assert_eq!(
        (config.routing_controls[0].name.as_str(), config.routing_controls[0].on),
        ("cell-fra1", true)
    );
    let zone = &config.zones[0];
    assert_eq!(zone.name.to_string(), "example.com.");
    assert_eq!(zone.file.as_ref().unwrap().path, Path::new("etc/example.com.zone"));
    assert_eq!(zone.record_sets.as_ref().unwrap().path, Path::new("/srv/example.com.json"));
    assert_eq!(zone.source.line, 49);
    assert_eq!(config.checker.ip_ranges.len(), 2);
    assert_eq!(config.api.name_servers[1].to_string(), "ns2.example.net.");
    assert_eq!(config.api.hostmaster.unwrap().to_string(), "dns.example.net.");
    assert_eq!(config.api.credentials[0].secret_access_key_file, Path::new("etc/secret"));
    assert_eq!(config.limits, Limits { record_sets_per_zone: 100_000, ..Limits::default() });
    let berlin = Region { name: "rack-7".to_owned(), latitude: 52.52, longitude: 13.0 };
    assert_eq!(config.geo.regions, [berlin]);
    assert_eq!(config.geo.database.unwrap().path, Path::new("etc/city.mmdb"));
}

#[test]
fn every_problem_is_told_with_its_place() {
    check(
        "dat_dir = \"x\"\n[dns]\nlisten = [\"192.0.2.53:53\", \"192.0.2.53\"]\nmax_udp_size = 100\n[xdp]\nmode = \"fast\"\nmodes = 1\n",
        &[
            "etc/pulse53.toml:1:1: unknown key \"dat_dir\": did you mean \"data_dir\"? the keys here are data_dir, server, dns, rate_limit, xdp, api, metrics, checker, routing_control, geo, zone, health_checks, cidr_collections, limits, query_log, log",
            "etc/pulse53.toml:3:28: dns.listen: \"192.0.2.53\" is not an address with a port: write it as \"192.0.2.53:53\" or \"[2001:db8::53]:53\"",
            "etc/pulse53.toml:4:16: dns.max_udp_size: 100 is not a whole number from 512 to 4096",
            "etc/pulse53.toml:6:8: xdp.mode: \"fast\" is not one of \"auto\", \"native\", \"generic\"",
            "etc/pulse53.toml:7:1: unknown key \"modes\" in [xdp]: did you mean \"mode\"? the keys here are interfaces, mode, pin_dir, reply_route, on_stop, max_stale, capacity, log, sample",
        ],
    );
}

#[test]
fn regions_are_on_the_globe_and_placed_once() {
    check(
        "[[geo.region]]\nname = \"a\"\nlatitude = 90.5\nlongitude = 0\n[[geo.region]]\nname = \"b\"\nlatitude = 1\n",
        &[
            "etc/pulse53.toml:3:12: geo.region.latitude: 90.5 is not a number from -90 to 90",
            "etc/pulse53.toml:5:1: a region needs \"name\", \"latitude\" and \"longitude\": add what is missing",
        ],
    );
    let a = "[[geo.region]]\nname = \"a\"\nlatitude = -1.5\nlongitude = 180\n";
    check(&format!("{a}{a}"), &["etc/pulse53.toml:6:8: region \"a\" is placed twice: remove one of the two"]);
}

#[test]
fn log_groups_have_a_file_each() {
    let default = parse("data_dir = \"/srv/p\"\n").unwrap().query_log;
    assert_eq!(default, QueryLogFiles { directory: "/srv/p/query-log".into(), groups: BTreeMap::new() });
    let config = parse(
        "[query_log]\ndirectory = \"logs\"\n[[query_log.group]]\nname = \"/a\"\nfile = \"/srv/a.log\"\n[api]\nclock_skew = \"1m\"\nhosts = [\"p.internal\"]\n",
    )
    .unwrap();
    assert_eq!(config.query_log.directory, Path::new("etc/logs"));
    assert_eq!(config.query_log.groups["/a"], Path::new("/srv/a.log"));
    assert_eq!((config.api.clock_skew, &*config.api.hosts[0]), (Duration::from_secs(60), "p.internal"));
    check(
        "[[query_log.group]]\nname = \"a\"\n[[query_log.group]]\nname = \"b\"\nfile = \"f\"\n[[query_log.group]]\nname = \"b\"\nfile = \"g\"\n",
        &[
            "etc/pulse53.toml:1:1: a log group needs both \"name\" and \"file\": add what is missing",
            "etc/pulse53.toml:7:8: log group \"b\" is declared twice: remove one of the two",
        ],
    );
}

#[test]
fn text_that_is_not_toml_is_placed() {
    let problems = parse("[dns]\nlisten = \n").unwrap_err();
    assert!(problems.0[0].to_string().starts_with("etc/pulse53.toml:2:"), "{problems}");
}

#[test]
fn an_open_api_is_refused() {
    let problems = parse("[api]\nlisten = \"0.0.0.0:5380\"\n").unwrap_err();
    assert!(
        problems.to_string().starts_with("etc/pulse53.toml:2:10: api.listen: 0.0.0.0:5380 can be reached"),
        "{problems}"
    );
}

#[test]
fn zones_have_one_owner_and_some_records() {
    check(
        "[[zone]]\nfile = \"a\"\n",
        &["etc/pulse53.toml:1:1: a zone needs a \"name\": add one, as name = \"example.com\""],
    );
    check(
        "[[zone]]\nname = \"a\"\nfile = \"a\"\n[[zone]]\nname = \"A.\"\nfile = \"b\"\n[[zone]]\nname = \"b\"\n",
        &[
            "etc/pulse53.toml:5:8: zone a. is already declared at etc/pulse53.toml:1:1: one name, one owner",
            "etc/pulse53.toml:8:8: zone b. has no records: add \"file\" or \"record_sets\"",
        ],
    );
}

#[test]
fn probe_prefixes_and_routing_controls_are_refused_in_their_place_h6_h31() {
    check(
        "[checker]\nallow = [\"10.0.0.0/8\", \"10.0.0.0/33\"]\naddress = \"fra1\"\n",
        &[
            "etc/pulse53.toml:2:24: checker.allow: \"10.0.0.0/33\" is not a network: write it as \"192.0.2.0/24\" or \"2001:db8::/32\"",
            "etc/pulse53.toml:3:11: checker.address: \"fra1\" is not an address: write it as \"192.0.2.53\" or \"2001:db8::53\"",
        ],
    );
    check(
        "[[routing_control]]\narn = \"a\"\n[[routing_control]]\narn = \"a\"\n[[routing_control]]\nstate = \"up\"\n",
        &[
            "etc/pulse53.toml:4:7: routing control \"a\" is declared twice: remove or rename one of the two",
            "etc/pulse53.toml:5:1: a routing control needs an \"arn\": add the one that health checks name in RoutingControlArn",
            "etc/pulse53.toml:6:9: routing_control.state: \"up\" is not one of \"on\", \"off\"",
        ],
    );
    let config = parse("[[routing_control]]\narn = \"a\"\n").unwrap();
    assert_eq!(
        config.routing_controls,
        [RoutingControl { arn: "a".into(), name: "a".into(), panel: None, on: false }]
    );
}

#[test]
fn the_environment_outweighs_the_file_and_flags_outweigh_both() {
    let variables =
        [("PULSE53_DNS_LISTEN", "192.0.2.1:53,192.0.2.2:53"), ("PULSE53_DATA_DIR", "here"), ("HOME", "/")];
    let mut overrides =
        Overrides::from_environment(variables.map(|(name, value)| (name.into(), value.into())));
    overrides.flag("--data-dir", "data_dir", "there".into());
    let text = "data_dir = \"/a\"\n[dns]\nlisten = [\"192.0.2.9:53\"]\n";
    let config = Config::parse(Path::new("etc/pulse53.toml"), text, &overrides).unwrap();
    assert_eq!(config.dns.listen.len(), 2);
    assert_eq!(config.data_dir, Path::new("there"));

    let overrides = Overrides::from_environment([("PULSE53_DNS_MAX_UDP_SIZE".into(), "9".into())]);
    let problems = Config::parse(Path::new("p.toml"), "", &overrides).unwrap_err();
    assert!(
        problems.to_string().starts_with("environment variable PULSE53_DNS_MAX_UDP_SIZE: dns.max_udp_size")
    );
}

#[test]
fn rate_limits_have_defaults_but_for_the_rate() {
    assert_eq!(parse("").unwrap().rate_limit, None);
    let limit =
        parse("[rate_limit]\nresponses_per_second = 20\nexempt = [\"192.0.2.0/24\", \"2001:db8::1\"]")
            .unwrap();
    let limit = limit.rate_limit.unwrap();
    assert_eq!((limit.burst, limit.slip, limit.ipv4_prefix, limit.ipv6_prefix), (20, 2, 24, 56));
    assert_eq!(limit.exempt[1].to_string(), "2001:db8::1/128");
    check(
        "[rate_limit]\nslip = 1",
        &[
            "etc/pulse53.toml:1:1: [rate_limit] limits nothing: add responses_per_second, or take the table out",
        ],
    );
    check(
        "[rate_limit]\nresponses_per_second = 0",
        &[
            "etc/pulse53.toml:2:24: rate_limit.responses_per_second: 0 is not a whole number from 1 to 1000000",
        ],
    );
}

#[test]
fn cookies_are_answered_unless_told_otherwise() {
    assert_eq!(parse("").unwrap().dns.cookies, CookiePolicy::Answer);
    assert_eq!(parse("[dns]\ncookies = \"require\"").unwrap().dns.cookies, CookiePolicy::Require);
    check(
        "[dns]\ncookies = true",
        &["etc/pulse53.toml:2:11: dns.cookies: true is not one of \"answer\", \"require\", \"off\""],
    );
}
