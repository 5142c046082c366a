//! Where the client is: subnets of every length, read and echoed in the kernel (R-60 to R-64), and answers of every policy.

use fastrand::Rng;
use pulse53_core::model::CheckId;
use pulse53_tests::engines::{Engines, SERVED};
use pulse53_tests::frame::{Opt, Query, QueryFrame, subnet_data};
use pulse53_tests::mixed::{Mixed, Subnets};
use pulse53_tests::reply::Reply;
use pulse53_tests::seed;

const A: u16 = 1;
const SUBNET: u16 = 8;

/// One name that is answered alike, and one by where the client is.
const ZONE: &str = r#"[
    {"Name": "alike.example.com", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]},
    {"Name": "near.example.com", "Type": "A", "SetIdentifier": "us", "Region": "us-east-1", "TTL": 60,
     "ResourceRecords": [{"Value": "192.0.2.1"}]},
    {"Name": "near.example.com", "Type": "A", "SetIdentifier": "eu", "Region": "eu-west-1", "TTL": 60,
     "ResourceRecords": [{"Value": "192.0.2.2"}]}]"#;

fn query(name: &str, options: Vec<(u16, Vec<u8>)>) -> [QueryFrame; 2] {
    let opt = Opt { size: 1232, dnssec_ok: false, options };
    let message = Query::new(name, A).with_edns(opt).octets();
    let clients = ["203.0.113.9:4242", "[2001:db8::9]:4242"].map(|client| client.parse().unwrap());
    let [v4, v6] = SERVED.map(|server| server.parse().unwrap());
    [QueryFrame::new(clients[0], v4, message.clone()), QueryFrame::new(clients[1], v6, message)]
}

/// The option's data for the first bits of an address of ones.
fn subnet(family: u8, length: u8) -> Vec<u8> {
    let address = if family == 1 { [0xff; 4].into() } else { [0xff; 16].into() };
    subnet_data(address, length)
}

#[test]
fn subnets_of_every_length_are_echoed_with_their_scope() {
    let Some(mut engines) = Engines::new("example.com", "", ZONE) else { return };
    for (family, bits, client_bits) in [(1, 32, 24), (2, 128, 48)] {
        for length in 0..=bits {
            for (name, scope) in [("alike.example.com", 0), ("near.example.com", client_bits)] {
                // Options before and behind, which are not echoed.
                let data = subnet(family, length);
                for around in [vec![], vec![(65001, vec![1; 5])]] {
                    let option = vec![(SUBNET, data.clone())];
                    for frame in query(name, [around.clone(), option, around].concat()) {
                        let agreed = engines.agree(&frame);
                        let told = format!("{name} for {length} bits of family {family}");
                        assert!(agreed.in_kernel, "{told}");
                        let reply = Reply::read(&agreed.message.expect("a reply"));
                        // R-62: whoever names no network is told that the answer is for all.
                        assert_eq!(reply.scope, Some(if length == 0 { 0 } else { scope }), "{told}");
                    }
                }
            }
        }
    }
}

#[test]
fn malformed_subnets_are_left_to_userspace_which_refuses_them() {
    let Some(mut engines) = Engines::new("example.com", "", ZONE) else { return };
    let malformed = [
        ("no family", vec![]),
        ("cut in the family", vec![0]),
        ("no scope", vec![0, 1, 24]),
        ("no address", vec![0, 1, 24, 0]),
        ("an octet too few", vec![0, 1, 24, 0, 203, 0]),
        ("an octet too many", vec![0, 1, 24, 0, 203, 0, 113, 0]),
        ("bits beyond the length", vec![0, 1, 23, 0, 203, 0, 113]),
        ("an octet without bits", vec![0, 1, 0, 0, 0]),
        ("a scope", vec![0, 1, 24, 24, 203, 0, 113]),
        ("33 bits", [vec![0, 1, 33, 0], vec![0; 5]].concat()),
        ("129 bits", [vec![0, 2, 129, 0], vec![0; 17]].concat()),
        ("no such family", vec![0, 3, 8, 0, 1]),
        ("a family of no address", vec![1, 1, 8, 0, 1]),
        ("far too long", vec![0; 300]),
    ];
    for name in ["alike.example.com", "near.example.com"] {
        for (what, data) in &malformed {
            for frame in query(name, vec![(SUBNET, data.clone())]) {
                let agreed = engines.agree(&frame);
                assert!(!agreed.in_kernel, "{what}");
                assert_eq!(Reply::read(&agreed.message.expect("a reply")).rcode, 1, "{what} (R-63)");
            }
        }
        // Two networks would leave open which is the client.
        for frame in query(name, vec![(SUBNET, subnet(1, 24)), (SUBNET, subnet(1, 24))]) {
            assert!(!engines.agree(&frame).in_kernel);
        }
    }
}

/// R-36: a block inside the named network does not match, and what matches is not always told by the first address.
#[test]
fn subnets_shorter_than_a_block_are_decided_exactly() {
    let mut random = seed::random();
    let mixed = Mixed::new(&mut random, 60);
    let Some(mut engines) = Engines::with_geo(&mixed.snapshot, &mixed.geo, &|_| true) else { return };
    assert!(!engines.short_subnets(), "blocks that begin a shorter network are among the locations");
    for _ in 0..5_000 {
        engines.agree(&mixed.query(&mut random, Subnets::AnyLength));
    }
}

#[test]
fn random_zones_are_answered_alike_under_any_health() {
    let mut random = seed::random();
    let mut engines: Option<Engines> = None;
    for _ in 0..6 {
        let mixed = Mixed::new(&mut random, 80);
        let unhealthy = some_of(&mut random, &mixed.checks);
        let health = |check: &CheckId| !unhealthy.contains(check);
        match &mut engines {
            Some(engines) => engines.declare(&mixed.snapshot, &mixed.geo, &health),
            none => match Engines::with_geo(&mixed.snapshot, &mixed.geo, &health) {
                Some(loaded) => *none = Some(loaded),
                None => return,
            },
        }
        let Some(engines) = &mut engines else { return };
        for _ in 0..1_500 {
            engines.agree(&mixed.query(&mut random, Subnets::AnyLength));
        }
        // A flip changes what is there, in place.
        let unhealthy = some_of(&mut random, &mixed.checks);
        engines.declare(&mixed.snapshot, &mixed.geo, &|check| !unhealthy.contains(check));
        for _ in 0..1_000 {
            engines.agree(&mixed.query(&mut random, Subnets::AnyLength));
        }
    }
}

fn some_of(random: &mut Rng, checks: &[CheckId]) -> Vec<CheckId> {
    let share = random.u8(..=4);
    checks.iter().filter(|_| random.u8(..4) < share).cloned().collect()
}

/// More than 99 % of the queries for a zone of all policies are answered in the kernel, with client subnets and without.
#[test]
fn nearly_all_of_a_mixed_zone_is_answered_in_the_kernel() {
    let mut random = seed::random();
    let mixed = Mixed::new(&mut random, 1_000);
    let Some(mut engines) = Engines::with_geo(&mixed.snapshot, &mixed.geo, &|_| true) else { return };
    const QUERIES: usize = 5_000;
    for subnets in [Subnets::Without, Subnets::Usual] {
        let mut in_kernel = 0;
        for _ in 0..QUERIES {
            in_kernel += usize::from(engines.agree(&mixed.query(&mut random, subnets)).in_kernel);
        }
        println!("{in_kernel} of {QUERIES} answered in the kernel, client subnets: {subnets:?}");
        assert!(in_kernel * 100 > QUERIES * 99, "only {in_kernel} of {QUERIES}");
    }
}
