//! The exact distribution of each query, and what the alias tables make of it.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use pulse53_core::body::Body;
use pulse53_core::compile::{Clients, Compiler, Outcome, Plan};
use pulse53_core::model::{Rdata, RecordType, Ttl};
use pulse53_core::resolve::{Located, Question, locate};
use pulse53_core::table::Generation;
use pulse53_tests::cases::{self, Case, CaseQuery, Given, Possible};

#[test]
fn distributions_are_exact() {
    each_query(|_, query, compiler, located, told| {
        let mut expected = query.possible();
        let mut computed: Vec<Possible> = match located {
            Located::Group(group) => {
                let rtype = compiler.question(group).1;
                let class = compiler.table().clients().map.class_of_network(query.client.network());
                let distribution = compiler.distribution(group, class);
                let possible = |(outcome, p): &(Outcome, BigRational)| Possible {
                    // NODATA has no records that could be of another type than asked for.
                    rtype: if *outcome == Outcome::NoData { query.qtype() } else { rtype },
                    outcome: outcome.clone(),
                    p: p.clone(),
                };
                distribution.outcomes().iter().map(possible).collect()
            }
            Located::Fixed(body, reason) => {
                assert_eq!((body.rcode, body.counts[0]), (query.rcode(), 0), "{told}: {reason:?}");
                vec![Possible { rtype: query.qtype(), outcome: Outcome::NoData, p: BigRational::one() }]
            }
            Located::Redirected(redirection) => panic!("{told}: no case has a DNAME: {redirection:?}"),
        };
        expected.sort_by(|a, b| a.outcome.cmp(&b.outcome));
        computed.sort_by(|a, b| a.outcome.cmp(&b.outcome));
        assert_eq!(computed, expected, "{told}");
    });
}

#[test]
fn alias_tables_stay_within_rounding() {
    each_query(|_, query, compiler, located, told| {
        let Located::Group(group) = located else { return };
        let possible = query.possible();
        let class = compiler.table().clients().map.class_of_network(query.client.network());
        let realized = realized(compiler.table().plan(group), compiler.table().clients(), class);
        let bound = BigRational::new(BigInt::one(), BigInt::one() << 24u32);
        let mut bodies_of = vec![Vec::new(); possible.len()];
        for (body, probability) in &realized {
            assert_eq!(body.rcode, query.rcode(), "{told}");
            let given = given(body);
            let index = possible.iter().position(|possible| possible.is(given.as_ref()));
            let index = index.unwrap_or_else(|| panic!("{told}: nobody expects {given:?}"));
            bodies_of[index].push((given, probability));
        }
        for (possible, bodies) in possible.iter().zip(bodies_of) {
            let sum: BigRational = bodies.iter().map(|(_, probability)| *probability).sum();
            assert!((&sum - &possible.p).abs() < bound, "{told}: {sum} instead of {}", possible.p);
            assert!(!possible.p.is_one() || sum.is_one(), "{told}");
            // Bodies that give one answer in another order share its probability evenly.
            let each = &possible.p / BigInt::from(bodies.len());
            assert!(bodies.iter().all(|(_, p)| (*p - &each).abs() < bound), "{told}: {bodies:?}");
            if let Outcome::Choose(_, members) = &possible.outcome {
                let expected = &possible.p * BigRational::new(8.into(), members.len().into());
                for member in members.iter() {
                    let with = bodies.iter().filter(|(given, _)| {
                        given.as_ref().is_some_and(|given| given.rdatas.contains(&member[0]))
                    });
                    let marginal: BigRational = with.map(|(_, probability)| *probability).sum();
                    // Eight or fewer bodies hold the member, each with its own rounding.
                    let error = (&marginal - &expected).abs();
                    assert!(error < &bound * BigInt::from(8), "{told}: {member:?} {marginal}");
                }
            }
        }
    });
}

/// Calls `check` for every query of every case that is answered, with the case's compiler and where the query leads.
fn each_query(check: impl Fn(&Case, &CaseQuery, &Compiler, Located<'_>, &str)) {
    let mut queries = 0;
    for (case, snapshot) in cases::valid() {
        for query in &case.queries {
            let healthy = |check: &_| case.is_healthy(check);
            let compiler = Compiler::with_geo(&snapshot, &query.client.geo(), &healthy, Generation(1));
            assert_eq!(compiler.findings(), [], "{}", case.name);
            let name = query.name();
            let question = Question { qname: name.as_wire(), qtype: query.qtype() };
            let located = locate(compiler.table(), &question);
            check(&case, query, &compiler, located, &format!("{}: {name} {}", case.name, query.qtype()));
            queries += 1;
        }
    }
    assert!(queries > 100, "only {queries} queries");
}

/// Each body with the probability it really has; equal bodies are one.
fn realized(plan: &Plan, clients: &Clients, class: u16) -> Vec<(Body, BigRational)> {
    let weights = match plan {
        Plan::Fixed(body) => return vec![(Body::clone(body), BigRational::one())],
        Plan::ByWeight(weights) => weights,
        Plan::ByClient { partition, variants } => {
            return realized(&variants[clients.variant_of_class(*partition, class)], clients, class);
        }
    };
    let mut probabilities = vec![BigRational::zero(); weights.bodies.len()];
    let column_share = BigRational::new(BigInt::one(), weights.columns.len().into());
    for column in weights.columns.iter() {
        let first = BigRational::new(column.threshold.into(), BigInt::one() << 32u32);
        probabilities[usize::from(column.second)] += (BigRational::one() - &first) * &column_share;
        probabilities[usize::from(column.first)] += first * &column_share;
    }
    weights.bodies.iter().map(|body| Body::clone(body)).zip(probabilities).collect()
}

/// The answer section of a body.
fn given(body: &Body) -> Option<Given> {
    let mut octets = Vec::new();
    body.write(1, 0, &mut octets);
    let mut records: BTreeMap<(RecordType, Ttl), Vec<Rdata>> = BTreeMap::new();
    let mut rest = octets.as_slice();
    for _ in 0..body.counts[0] {
        let word = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
        let ttl = Ttl(u32::from(word(6)) << 16 | u32::from(word(8)));
        let rdata = &rest[12..12 + usize::from(word(10))];
        records.entry((RecordType::from_int(word(2)), ttl)).or_default().push(Rdata(rdata.into()));
        rest = &rest[12 + rdata.len()..];
    }
    assert!(records.len() <= 1, "one RRset: {records:?}");
    records.into_iter().next().map(|((rtype, ttl), mut rdatas)| {
        rdatas.sort_unstable();
        Given { rtype, ttl, rdatas }
    })
}
