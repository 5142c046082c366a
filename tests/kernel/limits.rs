//! Response rate limiting in the kernel (D-21): the ruling of userspace on every single response, and one budget for both where it is
//! shared.

use std::sync::Arc;
use std::time::Duration;

use fastpath::cookie::Secret;
use fastpath::limit::{Budget, Ruling};
use pulse53::serve::cookies::Cookies;
use pulse53::serve::limiter::{Limiter, RateLimit};
use pulse53::serve::reply::ReplySettings;
use pulse53::{datapath, publish};
use pulse53_abi::limits::EXEMPT_MAX;
use pulse53_tests::engines::{Agreed, Engines, SERVED};
use pulse53_tests::frame::{Opt, Query, QueryFrame};

const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n\
    www A 192.0.2.1\nwww A 192.0.2.2\nwww A 192.0.2.3\ntxt TXT \"some text\"\n";

const NOW: Duration = Duration::from_millis(1_800_000_000_700);
const EARLIER: Duration = Duration::from_millis(400);

fn limit(slip: u32, exempt: &[&str]) -> RateLimit {
    let exempt = exempt.iter().map(|network| network.parse().unwrap()).collect();
    // One a second: the few milliseconds by which clocks differ decide nothing.
    RateLimit { responses_per_second: 1, burst: 5, slip, ipv4_prefix: 24, ipv6_prefix: 56, exempt }
}

fn settings(limit: RateLimit) -> ReplySettings {
    let cookies = Cookies { secrets: [Secret::new([5; 16]); 2], required: false };
    let limiter = Some(Arc::new(Limiter::new(limit, 53)));
    ReplySettings { cookies: Some(cookies), limiter, ..ReplySettings::default() }
}

fn engines(limit: RateLimit) -> Option<Engines> {
    let mut engines = Engines::new("example.com", ZONE, "")?;
    engines.configure(settings(limit));
    engines.set_clock(NOW);
    Some(engines)
}

fn frame(client: &str, name: &str, options: &[(u16, Vec<u8>)]) -> QueryFrame {
    let qtype = if name == "txt" { 16 } else { 1 };
    let opt = Opt { size: 1232, dnssec_ok: false, options: options.to_vec() };
    let message = Query::new(&format!("{name}.example.com"), qtype).with_edns(opt).octets();
    let client: std::net::IpAddr = client.parse().unwrap();
    let server = SERVED[usize::from(client.is_ipv6())].parse().unwrap();
    QueryFrame::new((client, 4242).into(), server, message)
}

/// What became of a response that the kernel ruled on.
fn ruling(agreed: &Agreed) -> Ruling {
    match &agreed.message {
        None => Ruling::Drop,
        Some(message) if message[2] & 2 != 0 => {
            assert_eq!(message[6..10], [0; 4], "an empty reply");
            Ruling::Slip
        }
        Some(_) => Ruling::Send,
    }
}

/// So many responses: how many are sent, slip and are not sent. Each engine limits for itself, and all agree.
fn rulings(engines: &mut Engines, frame: &QueryFrame, count: usize) -> [usize; 3] {
    let mut counts = [0; 3];
    for _ in 0..count {
        let agreed = engines.agree(frame);
        assert!(agreed.in_kernel, "the kernel rules on what it can answer");
        counts[ruling(&agreed) as usize] += 1;
    }
    counts
}

/// The same for a prefix that has had none: the first comes a little earlier, so that the burst does not end at the very moment of the last one.
fn first_rulings(engines: &mut Engines, frame: &QueryFrame, count: usize) -> [usize; 3] {
    engines.set_clock(NOW - EARLIER);
    let [sent, ..] = rulings(engines, frame, 1);
    assert_eq!(sent, 1);
    engines.set_clock(NOW);
    let [sent, slipped, dropped] = rulings(engines, frame, count - 1);
    [sent + 1, slipped, dropped]
}

#[test]
fn prefixes_have_a_burst_and_then_the_rate() {
    let Some(mut engines) = engines(limit(0, &[])) else { return };
    for (first, neighbor, other) in
        [("192.0.2.1", "192.0.2.254", "192.0.3.1"), ("2001:db8::1", "2001:db8:0:ff::1", "2001:db8:0:100::")]
    {
        assert_eq!(first_rulings(&mut engines, &frame(first, "www", &[]), 3), [3, 0, 0]);
        assert_eq!(rulings(&mut engines, &frame(neighbor, "txt", &[]), 9), [2, 0, 7]);
        assert_eq!(first_rulings(&mut engines, &frame(other, "www", &[]), 9), [5, 0, 4]);
        engines.set_clock(NOW + Duration::from_secs(2));
        assert_eq!(rulings(&mut engines, &frame(first, "www", &[]), 9), [2, 0, 7]);
    }
    let counters = engines.kernel().counters().expect("the counters can be read");
    let limited = counters.iter().find(|(label, _)| *label == "limited").map(|(_, count)| *count);
    assert_eq!(limited, Some(2 * (7 + 4 + 7)));
}

#[test]
fn slips_fall_on_the_same_responses_as_in_userspace() {
    for slip in [1, 2, 7] {
        let Some(mut engines) = engines(limit(slip, &[])) else { return };
        // With a draw of its own and without one, and with every option that a reply repeats.
        let subnet = (8, vec![0, 1, 24, 0, 192, 0, 2]);
        for (client, name, options) in [
            ("192.0.2.1", "www", vec![]),
            ("192.0.3.1", "txt", vec![]),
            ("2001:db8::1", "www", vec![subnet.clone(), (10, vec![1; 8])]),
            ("192.0.4.1", "txt", vec![(10, vec![1; 8])]),
            ("2001:db8:1::1", "txt", vec![subnet]),
        ] {
            let counts = first_rulings(&mut engines, &frame(client, name, &options), 400);
            println!("slip {slip}: {counts:?}");
            assert_eq!(counts[0], 5);
            let expected = 395 / slip as usize;
            assert!(counts[1].abs_diff(expected) <= expected / 2, "{counts:?}");
        }
        let plain = Query::new("www.example.com", 1).octets();
        let plain = QueryFrame::new("198.51.100.7:9".parse().unwrap(), SERVED[0].parse().unwrap(), plain);
        assert_eq!(first_rulings(&mut engines, &plain, 5), [5, 0, 0]);
        assert!(rulings(&mut engines, &plain, 60)[1] > 0);
    }
}

#[test]
fn who_has_a_valid_cookie_is_not_limited() {
    let Some(mut engines) = engines(limit(0, &[])) else { return };
    let client = vec![7; 8];
    engines.set_clock(NOW - EARLIER);
    let first = engines.agree(&frame("192.0.2.1", "www", &[(10, client.clone())])).message.expect("a reply");
    let cookie = first[first.len() - 24..].to_vec();
    let proven = frame("192.0.2.1", "www", &[(10, cookie.clone())]);
    engines.set_clock(NOW);
    assert_eq!(rulings(&mut engines, &proven, 50), [50, 0, 0]);
    // Which spends nothing, while a client cookie alone proves nothing.
    assert_eq!(rulings(&mut engines, &frame("192.0.2.1", "www", &[(10, client)]), 20), [4, 0, 16]);
    assert_eq!(rulings(&mut engines, &proven, 50), [50, 0, 0]);
    assert_eq!(rulings(&mut engines, &frame("192.0.2.2", "www", &[(10, cookie)]), 20), [0, 0, 20]);
}

#[test]
fn exempt_networks_are_never_limited() {
    let exempt = ["198.51.100.0/25", "198.51.101.0/25", "2001:db8:5::/48", "::/1", "203.0.113.7/32"];
    let Some(mut engines) = engines(limit(0, &exempt)) else { return };
    for (client, is_exempt) in [
        ("198.51.100.127", true),
        ("198.51.101.128", false),
        ("203.0.113.7", true),
        ("203.0.112.7", false),
        ("2001:db8:5:ffff::1", true),
        ("2001:db8:6::1", true),
        ("a001:db8:6::1", false),
        // No network of IPv6 has IPv4 addresses.
        ("192.0.2.1", false),
    ] {
        let sent = first_rulings(&mut engines, &frame(client, "www", &[]), 50)[0];
        assert_eq!(sent, if is_exempt { 50 } else { 5 }, "{client}");
    }
    // Of more networks than the kernel holds userspace decides, which is asked only beyond the limit.
    let many: Vec<String> = (0..=EXEMPT_MAX).map(|index| format!("198.51.102.{index}/32")).collect();
    engines.configure(settings(limit(0, &many.iter().map(String::as_str).collect::<Vec<_>>())));
    let last = frame("198.51.102.16", "www", &[]);
    engines.set_clock(NOW - EARLIER);
    for at in 0..20 {
        let agreed = engines.agree(&last);
        assert_eq!((agreed.in_kernel, ruling(&agreed)), (at < 5, Ruling::Send), "{at}");
        engines.set_clock(NOW);
    }
}

#[test]
fn a_limit_comes_and_goes_while_the_program_runs() {
    let Some(mut engines) = engines(limit(0, &[])) else { return };
    let client = frame("192.0.2.1", "www", &[]);
    assert_eq!(first_rulings(&mut engines, &client, 20), [5, 0, 15]);
    engines.configure(ReplySettings::default());
    assert_eq!(rulings(&mut engines, &client, 20), [20, 0, 0]);
}

/// Kernel and userspace spend from one budget, as the agent sets them up.
#[test]
fn the_kernel_and_userspace_share_one_budget() {
    let Some(mut engines) = engines(limit(0, &[])) else { return };
    let settings = settings(limit(0, &[]));
    let limiter = settings.limiter.clone().expect("a limiter");
    // What is spent before goes with it.
    let (client, now) = ("192.0.2.1".parse().unwrap(), NOW.as_nanos() as u64);
    assert_eq!(limiter.rule(client, now - EARLIER.as_nanos() as u64, 1), Ruling::Send);
    limiter.buckets().move_to(Box::new(engines.kernel().buckets().expect("the map can be mapped")));
    publish::live(&settings).write(engines.kernel().hot_table().memory().live());
    let query = frame("192.0.2.9", "www", &[]).octets();
    let mut in_kernel = || {
        datapath::write_clock(engines.kernel().hot_table().memory().live(), NOW);
        engines.kernel().test_run(&query).expect("the program runs").0
    };
    const XDP_DROP: u32 = 1;
    const XDP_TX: u32 = 3;
    assert_eq!([in_kernel(), in_kernel()], [XDP_TX; 2]);
    assert_eq!([1, 2].map(|draw| limiter.rule(client, now, draw)), [Ruling::Send; 2]);
    assert_eq!(limiter.rule(client, now, 1), Ruling::Drop);
    assert_eq!(in_kernel(), XDP_DROP);
    assert_eq!(limiter.budget(), Budget::new(1, 5));
}
