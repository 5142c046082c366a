//! Every conformance case over the wire, answered by the kernel and by sockets alone: nothing that is not listed, certain answers
//! always, and all others as often as they must come, by a chi-square test.
//!
//! What draws an answer cannot be given a seed from outside. So the bound is such that a right engine fails once in a billion runs.

use std::collections::BTreeMap;

use num_traits::ToPrimitive;
use pulse53_core::compile::Outcome;
use pulse53_core::model::Rdata;
use pulse53_tests::cases::{self, Case, CaseClient, CaseQuery, Possible, ZONE_ID};
use pulse53_tests::chi_square;
use pulse53_tests::frame::{Opt, Query};
use pulse53_tests::reply::Reply;
use serde_json::json;

use crate::harness::agent::Agent;
use crate::harness::client::{Client, FAMILIES};
use crate::harness::eventually;
use crate::harness::location;
use crate::harness::route53::{batch, carry_out, changes, element, make_zone};
use crate::harness::site::Site;

/// Queries of a question with one possible answer.
const DRAWS_CERTAIN: usize = 64;
/// Queries of a question with several, at least.
const DRAWS_MIN: usize = 4_000;
/// How often every possible answer is expected to come, at least.
const EXPECTED_MIN: f64 = 50.0;

/// Counts of which chance is less are no chance. Some two hundred tests are made, and far out the distribution of counts is wider
/// than that of the test's distance.
const CHANCE_MIN: f64 = 1e-15;

/// Told after a change of statuses is published.
const FLIPS: &str = "pulse53_flip_seconds_count";

/// EDNS option: client subnet.
const CLIENT_SUBNET: u16 = 8;

#[test]
fn cases_hold_in_the_kernel() {
    let Some(site) = Site::make() else { return };
    let (agent, asked) = cases_hold(&site);
    // The rest has no record, or comes from a wildcard.
    let kernel = agent.kernel_replies();
    assert!(kernel > asked / 2, "of {asked} replies the kernel has sent only {kernel}");
}

#[test]
fn cases_hold_over_sockets_alone() {
    let Some(site) = Site::of_sockets() else { return };
    let (agent, asked) = cases_hold(&site);
    assert_eq!((agent.kernel_replies(), agent.replies()), (0, asked));
}

#[test]
fn cases_that_delete_records_hold_in_the_kernel() {
    cases_that_delete_hold(Site::make);
}

#[test]
fn cases_that_delete_records_hold_over_sockets_alone() {
    cases_that_delete_hold(Site::of_sockets);
}

/// Plays every valid case that files can declare; the agent, and how many queries it was asked.
fn cases_hold(site: &Site) -> (Agent<'_>, u64) {
    site.serve_zone("", "");
    let agent = site.start();
    let mut anyone = site.client();
    let (mut queries, mut asked) = (0, 0);
    for (case, snapshot) in cases::valid() {
        // What is deleted from a zone cannot be told by files alone: see below.
        if case.deletes() {
            continue;
        }
        let by_client = cases::depends_on_client(&snapshot);
        for (index, query) in case.queries.iter().enumerate() {
            if index == 0 || by_client {
                let declared = declare(site, &case, &format!("{}-{index}", case.name), Some(&query.client));
                declared.reload(site, &agent, &zone_of_files(site, &case, &declared));
                eventually(&case.name, || {
                    agent.is_in_force(&case.zone_name().to_string()).then_some(()).ok_or(())
                });
            }
            asked += if by_client {
                let address = query.client.address();
                let mut client = Client::at(&site.network.client, address);
                ask(&mut client, &[usize::from(address.is_ipv6())], &case, query)
            } else {
                ask(&mut anyone, &FAMILIES, &case, query)
            };
            queries += 1;
        }
    }
    assert!(queries > 100, "only {queries} queries");
    (agent, asked)
}

/// Plays the cases that delete records after loading, as users do both: through the Route 53 API.
fn cases_that_delete_hold(make: fn() -> Option<Site>) {
    let mut played = 0;
    for (case, snapshot) in cases::valid() {
        if !case.deletes() {
            continue;
        }
        assert!(!cases::depends_on_client(&snapshot), "{}: a location database is needed here", case.name);
        let Some(site) = make() else { return };
        let declared = declare(&site, &case, &case.name, None);
        site.configure("", "");
        let agent = site.start();
        declared.reload(&site, &agent, "");
        let zone = make_zone(&agent, &case.zone_name().to_string(), &case.name);
        let sets = case.record_sets(&zone);
        carry_out(&agent, &zone, &changes("CREATE", &sets));
        carry_out(&agent, &zone, &changes("DELETE", sets.iter().filter(|set| case.is_deleted(set))));
        let mut anyone = site.client();
        for query in &case.queries {
            ask(&mut anyone, &FAMILIES, &case, query);
        }
        played += 1;
    }
    assert!(played > 0, "no case deletes anything");
}

/// What a case says cannot be loaded is refused as one batch, and nothing of it is there.
#[test]
fn invalid_cases_are_refused_by_the_api() {
    let Some(site) = Site::of_sockets() else { return };
    site.configure("", "");
    let agent = site.start();
    let mut refused = 0;
    for case in cases::all() {
        let Some(rule) = &case.invalid else { continue };
        let declared = declare(&site, &case, &case.name, None);
        declared.reload(&site, &agent, "");
        let zone = make_zone(&agent, &case.zone_name().to_string(), &case.name);
        let (status, response) = batch(&agent, &zone, &changes("CREATE", &case.record_sets(&zone)));
        let told = format!("{} against {rule}: {response}", case.name);
        assert_eq!(status, 400, "{told}");
        assert!(["InvalidChangeBatch", "InvalidInput"].contains(&element(&response, "Code")), "{told}");
        let (_, response) = agent.api("GET", &format!("hostedzone/{zone}"), "", "");
        assert_eq!(element(&response, "ResourceRecordSetCount"), "2", "{told}");
        let (status, response) = agent.api("DELETE", &format!("hostedzone/{zone}"), "", "");
        assert_eq!(status, 200, "{response}");
        refused += 1;
    }
    assert!(refused > 10, "only {refused} invalid cases");
}

/// Files that say all of a case but its record sets.
struct Declared {
    /// No two are alike, so that halves of one are never read with halves of another: files are watched, too.
    name: String,
    /// What names the files in the configuration.
    sections: String,
}

impl Declared {
    /// Puts it in force in place of what was before.
    fn reload(&self, site: &Site, agent: &Agent<'_>, zone: &str) {
        let before = agent.metric(FLIPS);
        site.configure("", &format!("{zone}{}", self.sections));
        agent.reload_until(&self.name, |agent| agent.metric(FLIPS) > before);
    }
}

/// Writes checks with their statuses, collections, and what is known of a client.
fn declare(site: &Site, case: &Case, name: &str, client: Option<&CaseClient>) -> Declared {
    let [checks, collections] = ["checks", "collections"].map(|kind| format!("{name}.{kind}.json"));
    site.place.write(&collections, case.collections());
    // A check that is disabled has a status without any probe. One that nothing declared before is unhealthy from the
    // start: that change tells that all of this is declared.
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
    let geo = client.map(|client| location::write(&site.place, name, client)).unwrap_or_default();
    let files = [("health_checks", checks), ("cidr_collections", collections)];
    let files: String = files.map(|(section, file)| format!("[{section}]\nfile = {file:?}\n")).concat();
    Declared { name: name.to_owned(), sections: files + &geo }
}

/// The section of a case's zone.
fn zone_of_files(site: &Site, case: &Case, Declared { name, .. }: &Declared) -> String {
    let records = format!("{name}.records.json");
    site.place.write(&records, format!("{{\"ResourceRecordSets\": {}}}", case.records.get()));
    let zone = case.zone_name().to_string();
    format!("[[zone]]\nname = {zone:?}\nid = {ZONE_ID:?}\nrecord_sets = {records:?}\n")
}

/// Asks a question often enough, evenly over families; how often.
fn ask(client: &mut Client<'_>, families: &[usize], case: &Case, query: &CaseQuery) -> u64 {
    let told = format!("{}: {} {} from {:?}", case.name, query.name(), query.qtype(), query.client);
    let mut message = Query::of_wire(query.name().as_wire(), query.qtype().to_int());
    let subnet = query.client.subnet_option();
    if let Some(option) = &subnet {
        let options = vec![(CLIENT_SUBNET, option.clone())];
        message = message.with_edns(Opt { size: 1232, dnssec_ok: false, options });
    }
    let possible = query.possible();
    let draws = draws(&possible);
    let mut seen = vec![Vec::new(); possible.len()];
    for draw in 0..draws {
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
    let counts: Vec<u64> = seen.iter().map(|replies| replies.len() as u64).collect();
    let probabilities: Vec<f64> = possible.iter().map(probability).collect();
    let chance = chi_square::chance(&counts, &probabilities);
    assert!(chance > CHANCE_MIN, "{told}: {counts:?} of {possible:?} come once in {:e} times", 1.0 / chance);
    for (possible, replies) in possible.iter().zip(&seen) {
        members_are_even(possible, replies, &told);
    }
    draws as u64
}

fn probability(possible: &Possible) -> f64 {
    possible.p.to_f64().expect("a fraction")
}

/// How many queries tell something of every possible answer.
fn draws(possible: &[Possible]) -> usize {
    let rarest = possible.iter().map(probability).fold(1.0, f64::min);
    let chooses = possible.iter().any(|possible| matches!(possible.outcome, Outcome::Choose(..)));
    match possible {
        [_] if !chooses => DRAWS_CERTAIN,
        _ => DRAWS_MIN.max((EXPECTED_MIN / rarest).ceil() as usize),
    }
}

/// Where eight of many are answered, each of them is in as many answers as it must. Which ones come together is the engine's affair,
/// so that they are tested one by one.
fn members_are_even(possible: &Possible, replies: &[Reply], told: &str) {
    let Outcome::Choose(_, members) = &possible.outcome else { return };
    let mut with: BTreeMap<&Rdata, u64> = members.iter().map(|member| (&member[0], 0)).collect();
    for rdata in replies.iter().flat_map(|reply| reply.answer.iter().flat_map(|answer| &answer.rdatas)) {
        *with.get_mut(rdata).expect("it was looked at") += 1;
    }
    let share = 8.0 / members.len() as f64;
    for (member, with) in with {
        let counts = [with, replies.len() as u64 - with];
        let chance = chi_square::chance(&counts, &[share, 1.0 - share]);
        assert!(chance > CHANCE_MIN, "{told}: {member:?} is in {with} of {} answers", replies.len());
    }
}
