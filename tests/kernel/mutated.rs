//! A million queries gone wrong: each is passed untouched, or answered as userspace answers it (laws 1 and 2).

use fastpath::cookie::Secret;
use pulse53::serve::cookies::Cookies;
use pulse53::serve::reply::ReplySettings;
use pulse53_tests::engines::{Engines, SERVED};
use pulse53_tests::frame::{Opt, Query, QueryFrame};
use pulse53_tests::{mutate, seed};

const PACKETS: usize = 1_000_000;

/// So many instead, where each takes long: in an emulated machine. Too few to reach what one in 20,000 does.
const FEWER: &str = "PULSE53_TEST_PACKETS";

const ZONE: &str = "
$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 300
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.1
www A 192.0.2.2
www A 192.0.2.3
www AAAA 2001:db8::1
one A 192.0.2.9
alias CNAME www
cut NS ns.cut
cut NS www
ns.cut A 192.0.2.54
*.wild A 192.0.2.55
moved DNAME example.net.
txt TXT \"odd length\" \"and another\"
txt TXT \"short\"
a-long-name-of-more-than.thirty-two.octets A 192.0.2.10
big TXT \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\" \"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\" \"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd\"
";

#[test]
fn a_million_packets_are_passed_or_answered_right() {
    let Some(mut engines) = Engines::new("example.com", ZONE, "") else { return };
    let cookies = Cookies { secrets: [Secret::new([5; 16]); 2], required: false };
    engines.configure(ReplySettings { cookies: Some(cookies), ..ReplySettings::default() });
    let mut random = seed::random();
    let bases = bases();
    let fewer = std::env::var(FEWER).ok();
    let packets = fewer.map_or(PACKETS, |text| text.parse().expect("PULSE53_TEST_PACKETS is a number"));
    let mut answered = 0;
    for _ in 0..packets {
        let octets = mutate::mutated(&mut random, &bases);
        answered += usize::from(engines.agree_on_octets(&octets));
    }
    let counters = engines.kernel().counters().expect("the counters can be read");
    println!("{answered} of {packets} answered; {counters:?}");
    assert!(answered > packets / 10, "the mutations leave enough alive to see right answers");
    for (label, count) in counters {
        match label {
            // Neither a race nor a full driver here, and nothing ever that userspace did not write.
            "no_room" | "replaced" | "inconsistent" | "recycled" | "damaged" => {
                assert_eq!(count, 0, "{label}")
            }
            // Nothing is limited here, nothing expires, and replies go back where queries come from.
            "slip" | "limited" | "perhaps_exempt" | "stale" | "no_route" => assert_eq!(count, 0, "{label}"),
            _ => assert!(count > 0 || packets < PACKETS, "no packet led to {label}"),
        }
    }
}

/// Whole queries of every shape that is answered.
fn bases() -> Vec<QueryFrame> {
    let mut bases = Vec::new();
    for (index, (name, qtype)) in [
        ("www", 1),
        ("WWw", 28),
        ("one", 1),
        ("alias", 5),
        ("txt", 16),
        ("big", 16),
        ("a-long-name-OF-more-than.thirty-two.octets", 1),
        ("nobody", 1),
        ("x.cut", 1),
        ("y.z.wild", 1),
        ("alias", 15),
        ("x.moved", 1),
    ]
    .into_iter()
    .enumerate()
    {
        for edns in [
            None,
            Some(Opt { size: 1232, ..Opt::default() }),
            Some(Opt { size: 600, dnssec_ok: true, options: vec![(65001, vec![7; 8])] }),
            Some(Opt { size: 4096, dnssec_ok: true, options: vec![(12, vec![0; 60]), (65001, vec![7; 24])] }),
            Some(Opt { size: 4096, dnssec_ok: false, options: vec![(8, vec![0, 1, 24, 0, 192, 0, 2])] }),
            Some(Opt { size: 1232, dnssec_ok: false, options: vec![(10, vec![7; 8])] }),
            Some(Opt {
                size: 1232,
                dnssec_ok: false,
                options: vec![(10, vec![7; 24]), (8, vec![0, 1, 24, 0, 192, 0, 2])],
            }),
        ] {
            let mut query = Query::new(&format!("{name}.example.com"), qtype);
            query.edns = edns;
            for (client, server) in ["198.51.100.1:4242", "[2001:db8::9]:4242"].into_iter().zip(SERVED) {
                let frame = QueryFrame::new(client.parse().unwrap(), server.parse().unwrap(), query.octets());
                bases.push(frame.in_vlans(&[7, 8][..index % 3]));
            }
        }
    }
    bases
}
