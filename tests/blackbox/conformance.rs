//! Every conformance case that is answered, over the wire: only listed answers, certain ones always, likely ones at least once.

use num_bigint::BigInt;
use num_rational::BigRational;
use pulse53_core::compile::Outcome;
use pulse53_core::model::Rdata;
use pulse53_tests::cases::{self, Case, CaseQuery, Possible, ZONE_ID};
use pulse53_tests::frame::Query;
use pulse53_tests::reply::Reply;
use serde_json::json;

use crate::harness::agent::Agent;
use crate::harness::client::{Client, FAMILIES};
use crate::harness::site::Site;

/// Queries of each question in each family. What comes once in twenty times is missed by all of them once in 10^11.
const DRAWS: usize = 250;

#[test]
fn cases_hold_over_the_wire() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("", "");
    let agent = site.start();
    let mut client = site.client();
    let mut cases = 0;
    for (case, _) in cases::same_for_all_clients() {
        // What was deleted from a zone cannot be told by files alone: see below.
        if case.deletes() {
            continue;
        }
        declare(&site, &agent, &case);
        for query in &case.queries {
            ask(&mut client, &case, query);
        }
        cases += 1;
    }
    assert!(cases > 50, "only {cases} cases");
    let status = agent.status();
    let kernel = status["replies"]["kernel"].as_u64().expect("status counts the kernel's replies");
    assert!(kernel > 50 * DRAWS as u64, "the kernel has sent {kernel} replies");
}

/// Says which cases are not played, so that they count as skipped.
#[test]
fn cases_that_delete_records() {
    let deleting = cases::same_for_all_clients().into_iter().map(|(case, _)| case).filter(Case::deletes);
    let skipped: Vec<String> = deleting.map(|case| case.name).collect();
    if !skipped.is_empty() {
        pulse53_tests::skip(&format!("the Route 53 API, to delete records ({})", skipped.join(", ")));
    }
}

/// Has the agent serve a case: new files, a reload, and the statuses of its checks.
fn declare(site: &Site, agent: &Agent<'_>, case: &Case) {
    // Files are watched, too: names of the case's own, and the configuration last, keep halves from being read.
    let [records, checks] = ["records", "checks"].map(|kind| format!("{}.{kind}.json", case.name));
    site.place.write(&records, &format!("{{\"ResourceRecordSets\": {}}}", case.records.get()));
    // A check that is disabled has a status without any probe. One that no case knows changes status with each case.
    let marker = format!("{}-has-been-read", case.name);
    let all = case.health.iter().map(|(id, healthy)| (id.as_str(), *healthy)).chain([(&*marker, false)]);
    let all: Vec<_> = all
        .map(|(id, healthy)| {
            json!({ "Id": id, "CallerReference": id, "HealthCheckConfig": {
                "Type": "TCP", "IPAddress": "192.0.2.1", "Port": 80, "Disabled": true, "Inverted": !healthy
            }})
        })
        .collect();
    site.place.write(&checks, &json!({ "HealthChecks": all }).to_string());
    // Told after a change of statuses is published, which follows the publication of what declares the checks.
    let before = agent.metric(FLIPS);
    site.configure(
        "",
        &format!(
            "[[zone]]\nname = {:?}\nid = {ZONE_ID:?}\nrecord_sets = {records:?}\n[health_checks]\nfile = {checks:?}\n",
            case.zone_name().to_string(),
        ),
    );
    agent.reload_until(&case.name, |agent| agent.metric(FLIPS) > before);
}

const FLIPS: &str = "pulse53_flip_seconds_count";

/// Asks a question many times over both families.
fn ask(client: &mut Client<'_>, case: &Case, query: &CaseQuery) {
    let message = Query::of_wire(query.name().as_wire(), query.qtype().to_int());
    let told = format!("{}: {} {}", case.name, query.name(), query.qtype());
    let possible = query.possible();
    let mut seen = vec![Vec::new(); possible.len()];
    for family in FAMILIES {
        for _ in 0..DRAWS {
            let reply = client.ask(family, &message);
            assert_eq!((reply.rcode, reply.truncated), (query.rcode(), false), "{told}");
            assert!(reply.authoritative, "{told}");
            let index = possible.iter().position(|possible| possible.is(reply.answer.as_ref()));
            let index = index.unwrap_or_else(|| panic!("{told}: nobody expects {reply:?} of {possible:?}"));
            seen[index].push(reply);
        }
    }
    for (possible, replies) in possible.iter().zip(seen) {
        all_seen(possible, &replies, &told);
    }
}

/// What is likely enough must have come.
fn all_seen(possible: &Possible, replies: &[Reply], told: &str) {
    if possible.p < BigRational::new(BigInt::from(1), BigInt::from(20)) {
        return;
    }
    assert!(!replies.is_empty(), "{told}: {possible:?} has not come in {DRAWS} queries a family");
    if let Outcome::Choose(_, members) = &possible.outcome {
        let has = |reply: &Reply, rdata: &Rdata| {
            reply.answer.as_ref().is_some_and(|answer| answer.rdatas.contains(rdata))
        };
        for member in members.iter() {
            assert!(replies.iter().any(|reply| has(reply, &member[0])), "{told}: {member:?} has not come");
        }
    }
}
