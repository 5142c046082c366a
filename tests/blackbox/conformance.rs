//! Every valid conformance case, over the wire: only listed answers, certain ones always, likely ones at least once.

use num_bigint::BigInt;
use num_rational::BigRational;
use pulse53_core::compile::Outcome;
use pulse53_core::model::Rdata;
use pulse53_tests::cases::{self, Case, CaseQuery, Possible, ZONE_ID};
use pulse53_tests::frame::{Opt, Query};
use pulse53_tests::reply::Reply;
use serde_json::json;

use crate::harness::agent::Agent;
use crate::harness::client::{Client, FAMILIES};
use crate::harness::location;
use crate::harness::site::Site;

/// Queries of each question. What comes once in twenty times is missed by all of them once in 10^11.
const DRAWS: usize = 500;

/// Told after a change of statuses is published.
const FLIPS: &str = "pulse53_flip_seconds_count";

/// EDNS option: client subnet.
const CLIENT_SUBNET: u16 = 8;

#[test]
fn cases_hold_over_the_wire() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("", "");
    let agent = site.start();
    let mut anyone = site.client();
    let mut queries = 0;
    for (case, snapshot) in cases::valid() {
        // What was deleted from a zone cannot be told by files alone: see below.
        if case.deletes() {
            continue;
        }
        let by_client = cases::depends_on_client(&snapshot);
        for (index, query) in case.queries.iter().enumerate() {
            if index == 0 || by_client {
                declare(&site, &agent, &case, index);
            }
            if by_client {
                let address = query.client.address();
                let mut client = Client::at(&site.network.client, address);
                ask(&mut client, &[usize::from(address.is_ipv6())], &case, query);
            } else {
                ask(&mut anyone, &FAMILIES, &case, query);
            }
            queries += 1;
        }
    }
    assert!(queries > 100, "only {queries} queries");
    let kernel = agent.kernel_replies();
    assert!(kernel > 50 * DRAWS as u64, "the kernel has sent only {kernel} replies");
}

/// Says which cases are not played, so that they count as skipped.
#[test]
fn cases_that_delete_records() {
    let deleting = cases::valid().into_iter().map(|(case, _)| case).filter(Case::deletes);
    let skipped: Vec<String> = deleting.map(|case| case.name).collect();
    if !skipped.is_empty() {
        pulse53_tests::skip(&format!("the Route 53 API, to delete records ({})", skipped.join(", ")));
    }
}

/// Has the agent serve a case and know what one of its queries knows of the client: new files, then a reload.
fn declare(site: &Site, agent: &Agent<'_>, case: &Case, index: usize) {
    // Files are watched, too: names of their own, and the configuration last, keep halves from being read.
    let name = format!("{}-{index}", case.name);
    let [records, checks, collections] =
        ["records", "checks", "collections"].map(|kind| format!("{name}.{kind}.json"));
    site.place.write(&records, format!("{{\"ResourceRecordSets\": {}}}", case.records.get()));
    site.place.write(&collections, case.collections());
    // A check that is disabled has a status without any probe. One that nothing declared before is unhealthy from the
    // start: that change is published after the declarations, and tells that all of this is in force.
    let marker = format!("{name}-is-declared");
    let all = case.health.iter().map(|(id, healthy)| (id.as_str(), *healthy)).chain([(&*marker, false)]);
    let all: Vec<_> = all
        .map(|(id, healthy)| {
            json!({ "Id": id, "CallerReference": id, "HealthCheckConfig": {
                "Type": "TCP", "IPAddress": "192.0.2.1", "Port": 80, "Disabled": true, "Inverted": !healthy
            }})
        })
        .collect();
    site.place.write(&checks, json!({ "HealthChecks": all }).to_string());
    let geo = location::write(&site.place, &name, &case.queries[index].client);
    let before = agent.metric(FLIPS);
    site.configure(
        "",
        &format!(
            "[[zone]]\nname = {:?}\nid = {ZONE_ID:?}\nrecord_sets = {records:?}\n[health_checks]\nfile = {checks:?}\n\
             [cidr_collections]\nfile = {collections:?}\n{geo}",
            case.zone_name().to_string(),
        ),
    );
    agent.reload_until(&name, |agent| agent.metric(FLIPS) > before);
}

/// Asks a question many times, evenly over families.
fn ask(client: &mut Client<'_>, families: &[usize], case: &Case, query: &CaseQuery) {
    let told = format!("{}: {} {} from {:?}", case.name, query.name(), query.qtype(), query.client);
    let mut message = Query::of_wire(query.name().as_wire(), query.qtype().to_int());
    let subnet = query.client.subnet_option();
    if let Some(option) = &subnet {
        let options = vec![(CLIENT_SUBNET, option.clone())];
        message = message.with_edns(Opt { size: 1232, dnssec_ok: false, options });
    }
    let possible = query.possible();
    let mut seen = vec![Vec::new(); possible.len()];
    for draw in 0..DRAWS {
        let reply = client.ask(families[draw % families.len()], &message);
        assert_eq!((reply.rcode, reply.truncated), (query.rcode(), false), "{told}");
        assert!(reply.authoritative, "{told}");
        assert_eq!(reply.scope.is_some(), subnet.is_some(), "{told}: the option is repeated (R-64)");
        if let Some(scope) = query.scope() {
            assert_eq!(reply.scope, Some(scope), "{told}");
        }
        let index = possible.iter().position(|possible| possible.is(reply.answer.as_ref()));
        let index = index.unwrap_or_else(|| panic!("{told}: nobody expects {reply:?} of {possible:?}"));
        seen[index].push(reply);
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
    assert!(!replies.is_empty(), "{told}: {possible:?} has not come in {DRAWS} queries");
    if let Outcome::Choose(_, members) = &possible.outcome {
        let has = |reply: &Reply, rdata: &Rdata| {
            reply.answer.as_ref().is_some_and(|answer| answer.rdatas.contains(rdata))
        };
        for member in members.iter() {
            assert!(replies.iter().any(|reply| has(reply, &member[0])), "{told}: {member:?} has not come");
        }
    }
}
