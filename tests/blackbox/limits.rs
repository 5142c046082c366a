//! Who is answered how often, as clients meet it: one rate limit for kernel and userspace, replies that send to TCP, cookies that exempt, and
//! secrets that change under way.

use std::time::Instant;

use pulse53_tests::frame::{Opt, Query};
use pulse53_tests::reply::Reply;

use crate::harness::agent::{Agent, CONFIG};
use crate::harness::client::{Client, FAMILIES};
use crate::harness::site::{Site, ZONE};

const A: u16 = 1;
const COOKIE: u16 = 10;

/// Responses at once; one a second after that. Whatever is beyond slips, so that every query has a reply.
const BURST: usize = 10;
const LIMIT: &str = "[rate_limit]\nresponses_per_second = 1\nburst = 10\nslip = 1\n";

const RECORDS: &str = "www IN A 192.0.2.1\n";

/// A hot name, or one of no zone, which userspace refuses.
fn query(in_kernel: bool) -> Query {
    Query::new(&if in_kernel { format!("www.{ZONE}") } else { "www.example.org".to_owned() }, A)
}

fn with_cookie(cookie: &[u8]) -> Query {
    let options = vec![(COOKIE, cookie.to_vec())];
    query(true).with_edns(Opt { size: 1232, dnssec_ok: false, options })
}

/// The reply to a query with a cookie, and its own cookie.
fn ask_cookie(client: &mut Client<'_>, family: usize, cookie: &[u8]) -> (Reply, Vec<u8>) {
    let reply = client.try_ask(family, &with_cookie(cookie)).expect("a reply");
    (Reply::read(&reply), reply[reply.len() - 24..].to_vec())
}

fn configure(site: &Site, sections: &str) {
    site.configure("", &format!("{sections}[[zone]]\nname = {ZONE:?}\nfile = \"zone\"\n"));
}

fn slipped(agent: &Agent<'_>, path: &str) -> bool {
    let line =
        format!("pulse53_limited_responses_total{{path=\"{path}\",transport=\"udp\",ruling=\"slip\"}} ");
    let text = agent.exposition();
    let count = text
        .lines()
        .find_map(|told| told.strip_prefix(&line))
        .unwrap_or_else(|| panic!("no {line} in {text}"));
    count.parse::<f64>().expect("a number") > 0.0
}

#[test]
fn one_rate_limit_holds_in_kernel_and_userspace() {
    let Some(site) = Site::make() else { return };
    site.write_zone(RECORDS);
    configure(&site, LIMIT);
    let agent = site.start();
    let mut client = site.client();
    for family in FAMILIES {
        let begun = Instant::now();
        let mut whole = [0; 2];
        for index in 0..100 {
            let reply = client.ask(family, &query(index % 2 == 0));
            assert_eq!(reply.rcode, if index % 2 == 0 { 0 } else { 5 });
            whole[index % 2] += usize::from(!reply.truncated);
        }
        let since = begun.elapsed().as_secs() as usize + 1;
        let sum = whole[0] + whole[1];
        assert!((BURST..=BURST + since).contains(&sum), "{whole:?} of one budget in {since} s");
        assert!(whole[0] > 0 && whole[1] > 0, "{whole:?}");
        // Who is sent to TCP is answered there, whole.
        let over_tcp = client.ask_over_tcp(family, &query(true));
        assert!(!over_tcp.truncated && over_tcp.answer.is_some());
    }
    assert!(slipped(&agent, "kernel") && slipped(&agent, "userspace"));
    assert!(agent.status()["limited"]["slipped"].as_u64() > Some(100), "{:#}", agent.status());

    // A reply that slips brings a cookie, and who sends that back is answered.
    for family in FAMILIES {
        let (_, cookie) = ask_cookie(&mut client, family, &[5; 8]);
        let before = agent.kernel_replies();
        for _ in 0..50 {
            let (reply, again) = ask_cookie(&mut client, family, &cookie);
            assert!(!reply.truncated && reply.answer.is_some());
            assert_eq!(again, cookie);
        }
        assert_eq!(agent.kernel_replies() - before, 50);
    }

    // A limit that is taken away is gone in both.
    configure(&site, "");
    agent.reload_until("no limit", |_| {
        (0..2 * BURST).all(|index| !client.ask(0, &query(index % 2 == 0)).truncated)
    });
}

#[test]
fn secrets_are_replaced_under_way() {
    const FIRST: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    const SECOND: &str = "445536bcd2513298075a5d379663c962";
    let Some(site) = Site::make() else { return };
    site.write_zone(RECORDS);
    site.place.write("secrets", FIRST);
    configure(&site, "");
    let text = std::fs::read_to_string(site.place.file(CONFIG)).expect("it was written");
    site.place.write(
        CONFIG,
        text.replace("[dns]\n", "[dns]\ncookie_secrets = \"secrets\"\ncookies = \"require\"\n"),
    );
    let agent = site.start();
    let mut client = site.client();
    // Where cookies are required, userspace tells BADCOOKIE, of which the header has the low bits, and the right one.
    let (reply, old) = ask_cookie(&mut client, 0, &[5; 8]);
    assert_eq!((reply.rcode, agent.kernel_replies()), (7, 0));
    let (reply, kept) = ask_cookie(&mut client, 0, &old);
    assert_eq!((reply.rcode, agent.kernel_replies()), (0, 1));
    assert_eq!(kept, old);

    // The one before is valid still, and replaced at once.
    site.place.write("secrets", format!("{SECOND}\n{FIRST}\n"));
    let mut new = old.clone();
    agent.reload_until("a new cookie", |_| {
        let (reply, cookie) = ask_cookie(&mut client, 0, &old);
        assert_eq!(reply.rcode, 0, "nobody is kept out meanwhile");
        new = cookie;
        new != old
    });
    let before = agent.kernel_replies();
    assert_eq!(ask_cookie(&mut client, 0, &new).1, new);
    assert_eq!(agent.kernel_replies() - before, 1, "answered by the kernel");

    // Gone altogether, it is not.
    site.place.write("secrets", SECOND);
    agent.reload_until("BADCOOKIE", |_| ask_cookie(&mut client, 0, &old).0.rcode == 7);
    assert_eq!(ask_cookie(&mut client, 0, &new).0.rcode, 0);
}
