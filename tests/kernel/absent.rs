//! What does not exist, or is delegated: answered in the kernel with the octets of userspace, wherever that is certain.

use std::net::SocketAddr;

use fastrand::Rng;
use pulse53_core::geo::GeoDb;
use pulse53_tests::engines::{Engines, SERVED};
use pulse53_tests::frame::{Opt, Query, QueryFrame, subnet_data};
use pulse53_tests::seed;
use pulse53_tests::tangled::Tangled;

const ZONE: &str = "
$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.1
a.b.ent MX 10 www
alias CNAME www
*.wild A 192.0.2.2
*.wild A 192.0.2.3
known.wild TXT \"no address here\"
*.alias CNAME www
cut NS ns.cut
cut NS ns1
cut DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
ns.cut A 192.0.2.54
insecure NS ns.example.org.
moved DNAME example.net.
moved TXT \"of its own\"
";

const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const MX: u16 = 15;
const TXT: u16 = 16;
const DS: u16 = 43;
const ANY: u16 = 255;

fn frame(query: &Query, v6: bool) -> QueryFrame {
    let client: SocketAddr = if v6 { "[2001:db8::9]:4242" } else { "198.51.100.1:4242" }.parse().unwrap();
    QueryFrame::new(client, SERVED[usize::from(v6)].parse().unwrap(), query.octets())
}

/// RCODE, and the numbers of answer and authority records.
fn shape(message: &[u8]) -> (u8, u8, u8) {
    (message[3] & 0xf, message[7], message[9])
}

#[test]
fn each_kind_of_absence_is_answered_alike() {
    let Some(mut engines) = Engines::new("example.com", ZONE, "") else { return };
    let nodata = (0, 0, 1);
    let nxdomain = (3, 0, 1);
    for (name, qtype, expected) in [
        ("www.example.com", TXT, nodata),
        ("WWW.eXample.COM", 65280, nodata),
        ("example.com", A, nodata),
        ("nobody.example.com", A, nxdomain),
        ("nobody.example.com", ANY, nxdomain),
        ("x.www.example.com", A, nxdomain),
        ("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.example.com", A, nxdomain),
        // Empty non-terminals.
        ("ent.example.com", A, nodata),
        ("b.ent.example.com", MX, nodata),
        ("c.ent.example.com", A, nxdomain),
        ("x.a.b.ent.example.com", A, nxdomain),
        // Wildcards.
        ("x.wild.example.com", A, (0, 2, 0)),
        ("x.y.z.wild.example.com", A, (0, 2, 0)),
        ("x.wild.example.com", TXT, nodata),
        ("*.wild.example.com", A, (0, 2, 0)),
        ("*.wild.example.com", TXT, nodata),
        ("x.*.wild.example.com", A, nxdomain),
        ("known.wild.example.com", A, nodata),
        ("x.known.wild.example.com", A, nxdomain),
        ("wild.example.com", A, nodata),
        // A CNAME answers every type, a wildcard's, too.
        ("alias.example.com", MX, (0, 1, 0)),
        ("x.alias.example.com", A, (0, 1, 0)),
        ("x.alias.example.com", 99, (0, 1, 0)),
        ("x.alias.example.com", CNAME, (0, 1, 0)),
        // Zone cuts.
        ("cut.example.com", A, (0, 0, 2)),
        ("cut.example.com", NS, (0, 0, 2)),
        ("cut.example.com", ANY, (0, 0, 2)),
        ("CUT.example.com", SOA, (0, 0, 2)),
        ("ns.cut.example.com", A, (0, 0, 2)),
        ("x.y.cut.example.com", DS, (0, 0, 2)),
        ("cut.example.com", DS, (0, 1, 0)),
        ("insecure.example.com", DS, nodata),
        ("x.insecure.example.com", A, (0, 0, 1)),
        // At a DNAME, not below.
        ("moved.example.com", A, nodata),
        ("moved.example.com", TXT, (0, 1, 0)),
    ] {
        for edns in [
            None,
            Some(Opt { size: 1232, ..Opt::default() }),
            Some(Opt { size: 4096, dnssec_ok: true, options: vec![(65001, vec![1; 9])] }),
            Some(Opt {
                size: 1232,
                dnssec_ok: false,
                options: vec![(8, subnet_data([192, 0, 2, 0].into(), 24))],
            }),
        ] {
            let mut query = Query::new(name, qtype);
            query.edns = edns;
            for v6 in [false, true] {
                let agreed = engines.agree(&frame(&query, v6));
                assert!(agreed.in_kernel, "{name} {qtype} {:?}", query.edns);
                assert_eq!(shape(&agreed.message.expect("a reply")), expected, "{name} {qtype}");
            }
        }
    }
    for (name, qtype) in [
        ("x.moved.example.com", A),
        ("www.example.com", ANY),
        ("x.wild.example.com", ANY),
        ("example.net", A),
        ("com", A),
        (".", NS),
        ("nobody.example.com", 0),
        ("nobody.example.com", 41),
        ("nobody.example.com", 249),
        ("nobody.example.com", 252),
    ] {
        assert!(!engines.agree(&frame(&Query::new(name, qtype), false)).in_kernel, "{name} {qtype}");
    }
    let counters = engines.kernel().counters().expect("the counters can be read");
    for label in ["nodata", "nxdomain", "referral"] {
        assert!(counters.iter().any(|(counted, count)| *counted == label && *count > 0), "{counters:?}");
    }
}

#[test]
fn names_of_every_length_are_absent() {
    let Some(mut engines) = Engines::new(
        ".",
        "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a\n* 60 TXT \"x\"\n*.b 60 TXT \"y\"\na 60 A 192.0.2.1\n",
        "",
    ) else {
        return;
    };
    for length in 3..=255usize {
        for below in [&b""[..], b"\x01a", b"\x01b"] {
            let Some(left) = (length - 1).checked_sub(below.len()) else { continue };
            let mut wire = Vec::new();
            let mut left = left;
            while left > 1 {
                let label = (left - 1).min(63);
                let label = if left - 1 - label == 1 { label - 1 } else { label };
                wire.push(label as u8);
                wire.extend((0..label).map(|at| b'a' + ((at + length) % 26) as u8));
                left -= 1 + label;
            }
            wire.extend_from_slice(below);
            wire.push(0);
            for qtype in [A, TXT] {
                for v6 in [false, true] {
                    let agreed = engines.agree(&frame(&Query::of_wire(&wire, qtype), v6));
                    assert!(agreed.in_kernel, "{length} {below:?} {qtype}");
                }
            }
        }
    }
}

#[test]
fn tangled_zones_are_answered_alike() {
    let mut random = seed::random();
    let mut engines: Option<Engines> = None;
    let (mut asked, mut in_kernel) = (0, 0);
    for round in 0..60 {
        let tangled = Tangled::new(&mut random, round * 2);
        let (snapshot, geo) = (tangled.snapshot(1), GeoDb::default());
        match &mut engines {
            Some(engines) => engines.declare(&snapshot, &geo, &|_| true),
            none => match Engines::of(&snapshot, &|_| true) {
                Some(loaded) => *none = Some(loaded),
                None => return,
            },
        }
        let Some(engines) = &mut engines else { return };
        for _ in 0..1_000 {
            asked += 1;
            in_kernel += usize::from(engines.agree(&query(&mut random, &tangled)).in_kernel);
        }
    }
    println!("{in_kernel} of {asked} answered in the kernel");
    assert!(in_kernel * 2 > asked, "only {in_kernel} of {asked}");
}

fn query(random: &mut Rng, tangled: &Tangled) -> QueryFrame {
    let mut query = tangled.query(random);
    query.id = random.u16(..);
    query.edns = match random.u8(..4) {
        0 => None,
        1 => Some(Opt { size: 512, dnssec_ok: true, options: vec![] }),
        2 => Some(Opt { size: 1232, dnssec_ok: random.bool(), options: vec![] }),
        _ => Some(Opt {
            size: 1232,
            dnssec_ok: false,
            options: vec![(8, subnet_data([192, 0, 2, 0].into(), 24))],
        }),
    };
    frame(&query, random.bool())
}

/// A flood of random subdomains costs userspace nothing.
#[test]
fn nearly_all_random_subdomains_are_answered_in_the_kernel() {
    let mut random = seed::random();
    let mut zone = ZONE.to_owned();
    for host in 0..1_000 {
        zone += &format!("host-{host} A 192.0.2.1\n");
    }
    let Some(mut engines) = Engines::new("example.com", &zone, "") else { return };
    const QUERIES: usize = 5_000;
    let mut in_kernel = 0;
    for _ in 0..QUERIES {
        let mut name = String::new();
        for _ in 0..random.usize(1..4) {
            name.extend((0..random.usize(1..20)).map(|_| random.alphanumeric()));
            name.push('.');
        }
        name +=
            ["example.com", "www.example.com", "wild.example.com", "host-7.example.com", "ent.example.com"]
                [random.usize(..5)];
        let query = Query::new(&name, [A, 28, TXT, MX][random.usize(..4)]);
        in_kernel += usize::from(engines.agree(&frame(&query, random.bool())).in_kernel);
    }
    println!("{in_kernel} of {QUERIES} answered in the kernel");
    assert!(in_kernel * 100 > QUERIES * 99, "only {in_kernel} of {QUERIES}");
}
