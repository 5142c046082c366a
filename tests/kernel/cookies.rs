//! DNS cookies in the kernel (RFC 7873, RFC 9018, D-17): the same octets as userspace under one clock, and who is proven by them.

use std::time::Duration;

use fastpath::cookie::Secret;
use pulse53::serve::cookies::Cookies;
use pulse53::serve::reply::ReplySettings;
use pulse53_tests::engines::{Engines, SERVED};
use pulse53_tests::frame::{Opt, Query, QueryFrame, subnet_data};

const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n\
    www A 192.0.2.1\nwww A 192.0.2.2\nodd TXT \"an odd length\"\n\
    near A 192.0.2.9\n";

const A: u16 = 1;
const TXT: u16 = 16;
const NSID: u16 = 3;
const SUBNET: u16 = 8;
const COOKIE: u16 = 10;

/// When the first packet comes: in the middle of a second.
const NOW: Duration = Duration::from_millis(1_559_731_985_500);

const OURS: Secret = Secret::new([0x53; 16]);
const BEFORE: Secret = Secret::new([0x35; 16]);
const FOREIGN: Secret = Secret::new([7; 16]);

const CLIENTS: [&str; 2] = ["198.51.100.100:4242", "[2001:db8:220:1:59de:d0f4:8769:82b8]:4242"];

fn engines(secrets: [Secret; 2], required: bool) -> Option<Engines> {
    let mut engines = Engines::new("example.com", ZONE, "")?;
    engines.configure(with(secrets, required));
    engines.set_clock(NOW);
    Some(engines)
}

fn with(secrets: [Secret; 2], required: bool) -> ReplySettings {
    ReplySettings { cookies: Some(Cookies { secrets, required }), ..ReplySettings::default() }
}

/// The same query over both families.
fn frames(name: &str, qtype: u16, options: &[(u16, Vec<u8>)]) -> [QueryFrame; 2] {
    let opt = Opt { size: 1232, dnssec_ok: false, options: options.to_vec() };
    let message = Query::new(&format!("{name}.example.com"), qtype).with_edns(opt).octets();
    [0, 1].map(|family| {
        let (client, server) = (CLIENTS[family].parse().unwrap(), SERVED[family].parse().unwrap());
        QueryFrame::new(client, server, message.clone())
    })
}

/// The reply's cookie, which is its last option.
fn cookie_of(message: &[u8]) -> Vec<u8> {
    let at = message.len() - 28;
    assert_eq!(message[at..at + 4], [0, 10, 0, 24], "{message:02x?}");
    message[at + 4..].to_vec()
}

/// Asks over one family; the reply's cookie, which the kernel must have made.
fn ask(engines: &mut Engines, family: usize, cookie: &[u8]) -> Vec<u8> {
    let frame = &frames("www", A, &[(COOKIE, cookie.to_vec())])[family];
    let agreed = engines.agree(frame);
    assert!(agreed.in_kernel, "{cookie:02x?}");
    cookie_of(&agreed.message.expect("a reply"))
}

#[test]
fn cookies_are_made_kept_renewed_and_replaced_as_userspace_does() {
    let Some(mut engines) = engines([OURS, BEFORE], false) else { return };
    let client = [1, 2, 3, 4, 5, 6, 7, 8];
    for family in [0, 1] {
        engines.set_clock(NOW);
        let first = ask(&mut engines, family, &client);
        assert_eq!(first[..16], [&client[..], &[1, 0, 0, 0], &1_559_731_985_u32.to_be_bytes()].concat());
        // Kept for half an hour, then renewed, then forgotten; the future is held to five minutes.
        for (age, is_kept) in [
            (0, true),
            (1799, true),
            (1800, false),
            (3600, false),
            (3601, false),
            (-300, true),
            (-301, false),
        ] {
            engines.set_clock(Duration::from_millis((1_559_731_985_500_i64 + 1000 * age) as u64));
            let next = ask(&mut engines, family, &first);
            assert_eq!(next == first, is_kept, "after {age} s");
        }
        engines.set_clock(NOW);
        // Of another client cookie, version, time, hash; or with reserved octets that nobody made.
        for at in [0, 8, 9, 15, 16, 23] {
            let mut damaged = first.clone();
            damaged[at] ^= 0x40;
            assert_ne!(ask(&mut engines, family, &damaged), damaged, "octet {at}");
        }
        // From the other family's address.
        assert_ne!(ask(&mut engines, 1 - family, &first), first);
        // Server cookies of other lengths are somebody else's.
        for len in 8..=32 {
            let foreign = [&client[..], &vec![0xee; len]].concat();
            assert_eq!(ask(&mut engines, family, &foreign), first, "{len} octets");
        }
    }
}

#[test]
fn rfc_9018_a2_is_answered_by_the_kernel_as_printed() {
    let secret = Secret::new(0xe5e9_73e5_a6b2_a43f_48e7_dc84_9e37_bfcf_u128.to_be_bytes());
    let Some(mut engines) = engines([secret, secret], false) else { return };
    let client = 0x2464_c4ab_cf10_c957_u64.to_be_bytes();
    let learned = ask(&mut engines, 0, &client);
    assert_eq!(learned[8..], 0x0100_0000_5cf7_9f11_1f81_30c3_eee2_9480_u128.to_be_bytes());
    engines.set_clock(Duration::from_secs(1_559_734_385) + Duration::from_millis(500));
    let renewed = ask(&mut engines, 0, &learned);
    assert_eq!(renewed[8..], 0x0100_0000_5cf7_a871_d4a5_64a1_442a_ca77_u128.to_be_bytes());
}

#[test]
fn secrets_roll_over_while_the_program_runs() {
    let Some(mut engines) = engines([BEFORE, BEFORE], true) else { return };
    let client = [9; 8];
    // Where cookies are required, userspace tells those who have none.
    let first = engines.agree(&frames("www", A, &[(COOKIE, client.to_vec())])[0]);
    assert!(!first.in_kernel);
    let old = cookie_of(&first.message.expect("BADCOOKIE"));
    assert_eq!(ask(&mut engines, 0, &old), old);
    // The one before is still valid, and a new one comes back.
    engines.configure(with([OURS, BEFORE], true));
    let new = ask(&mut engines, 0, &old);
    assert_ne!(new, old);
    assert_eq!(ask(&mut engines, 0, &new), new);
    // Then it is not any more.
    engines.configure(with([OURS, OURS], true));
    assert!(!engines.agree(&frames("www", A, &[(COOKIE, old)])[0]).in_kernel);
    engines.configure(with([FOREIGN, FOREIGN], true));
    assert!(!engines.agree(&frames("www", A, &[(COOKIE, new.clone())])[0]).in_kernel);
    // Without cookies the option means nothing, whatever it holds.
    engines.configure(ReplySettings::default());
    for data in [new, vec![], vec![1; 300]] {
        assert!(engines.agree(&frames("www", A, &[(COOKIE, data)])[0]).in_kernel);
    }
}

#[test]
fn cookies_stand_behind_subnets_and_among_other_options() {
    let Some(mut engines) = engines([OURS, BEFORE], false) else { return };
    let subnets =
        [(1, 24), (1, 0), (1, 32), (1, 17), (2, 56), (2, 128), (2, 0), (2, 47)].map(|(family, bits)| {
            let address: std::net::IpAddr = if family == 1 { [0xff; 4].into() } else { [0xff; 16].into() };
            (SUBNET, subnet_data(address, bits))
        });
    let cookie = (COOKIE, vec![3; 8]);
    let unknown = (65001, vec![1; 5]);
    for (name, qtype) in [("www", A), ("odd", TXT)] {
        for subnet in subnets.iter().map(Some).chain([None]) {
            let subnet: Vec<_> = subnet.cloned().into_iter().collect();
            for options in [
                [vec![cookie.clone()], subnet.clone()].concat(),
                [subnet.clone(), vec![cookie.clone()]].concat(),
                [vec![unknown.clone(), cookie.clone()], subnet.clone(), vec![unknown.clone()]].concat(),
                // The first one counts.
                [vec![cookie.clone(), (COOKIE, vec![4; 8])], subnet.clone()].concat(),
                [vec![cookie.clone(), (COOKIE, vec![4; 3])], subnet.clone()].concat(),
            ] {
                for frame in frames(name, qtype, &options) {
                    let agreed = engines.agree(&frame);
                    assert!(agreed.in_kernel, "{options:?}");
                    assert_eq!(cookie_of(&agreed.message.expect("a reply"))[..8], [3; 8]);
                }
            }
        }
    }
}

#[test]
fn malformed_cookies_are_left_to_userspace_which_refuses_them() {
    let Some(mut engines) = engines([OURS, BEFORE], false) else { return };
    for len in [0, 1, 7, 9, 15, 41, 64, 300] {
        for options in [vec![(COOKIE, vec![5; len])], vec![(COOKIE, vec![5; len]), (COOKIE, vec![5; 8])]] {
            for frame in frames("www", A, &options) {
                let agreed = engines.agree(&frame);
                assert!(!agreed.in_kernel, "{len} octets");
                assert_eq!(agreed.message.expect("a reply")[3] & 0xf, 1, "FORMERR for {len} octets");
            }
        }
    }
}

#[test]
fn nsid_is_left_to_userspace_where_it_is_answered() {
    let Some(mut engines) = engines([OURS, BEFORE], false) else { return };
    let options = [(NSID, vec![]), (COOKIE, vec![3; 8])];
    assert!(frames("www", A, &options).iter().all(|frame| engines.agree(frame).in_kernel));
    engines.configure(ReplySettings { nsid: Some("fra1".into()), ..with([OURS, BEFORE], false) });
    assert!(frames("www", A, &options).iter().all(|frame| !engines.agree(frame).in_kernel));
    assert!(frames("www", A, &options[1..]).iter().all(|frame| engines.agree(frame).in_kernel));
}

/// A reply with a cookie is longer than one without, also where it would just have fitted.
#[test]
fn what_a_cookie_makes_too_long_userspace_truncates() {
    let text =
        |length: usize| format!("t{length} TXT \"{}\" \"{}\"\n", "x".repeat(250), "y".repeat(length - 250));
    let zone = (400..=470).map(text);
    let zone = format!("{ZONE}{}", zone.collect::<String>());
    let Some(mut engines) = Engines::new("example.com", &zone, "") else { return };
    engines.configure(with([OURS, BEFORE], false));
    let (mut fitted, mut truncated) = (0, 0);
    for length in 400..=470 {
        let opt = Opt { size: 512, dnssec_ok: true, options: vec![(COOKIE, vec![1; 8])] };
        let message = Query::new(&format!("t{length}.example.com"), TXT).with_edns(opt).octets();
        let frame = QueryFrame::new(CLIENTS[0].parse().unwrap(), SERVED[0].parse().unwrap(), message);
        let agreed = engines.agree(&frame);
        let reply = agreed.message.expect("a reply");
        assert_eq!(agreed.in_kernel, reply[2] & 2 == 0, "{length}");
        assert!(reply.len() <= 512);
        if agreed.in_kernel { fitted += 1 } else { truncated += 1 }
    }
    assert!(fitted > 0 && truncated > 0, "{fitted} fitted, {truncated} did not");
}
