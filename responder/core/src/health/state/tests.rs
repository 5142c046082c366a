//! Histories of whole states, section 10's vectors among them.

mod simulation;
mod trees;

use std::time::Duration;

use super::*;
use crate::health::{Evaluation, Latency, Observation, Override};
use crate::model::check::{
    AlarmCheck, ComparisonOperator, Endpoint, EndpointCheck, InsufficientData, Protocol,
};

/// An HTTP check of 30 s and three probes.
pub(in crate::health) fn endpoint() -> EndpointCheck {
    EndpointCheck {
        endpoint: Endpoint { address: Some([192, 0, 2, 7].into()), name: None },
        port: 80,
        protocol: Protocol::Http { tls: None, path: "/".into(), search: None },
        interval: Duration::from_secs(30),
        timeout: None,
        failure_threshold: 3,
        measure_latency: false,
        regions: Vec::new(),
    }
}

fn check(id: &str, kind: CheckKind) -> HealthCheck {
    HealthCheck {
        id: id.into(),
        version: 1,
        kind,
        inverted: false,
        disabled: false,
        tags: BTreeMap::new(),
        source: None,
    }
}

fn calculated(id: &str, children: &[&str], threshold: u16) -> HealthCheck {
    check(id, CheckKind::Calculated { children: children.iter().map(|id| (*id).into()).collect(), threshold })
}

fn checker(name: &str) -> Checker {
    Checker { name: name.into(), region: None, address: None }
}

fn result(passed: bool) -> Observation {
    Observation {
        outcome: if passed { Outcome::TcpEstablished } else { Outcome::ConnectionRefused },
        resolved: None,
        latency: None,
        duration: Duration::from_millis(3),
    }
}

/// A state with its clock and declarations.
struct Node {
    state: HealthState,
    now: Moment,
    checks: BTreeMap<CheckId, Arc<HealthCheck>>,
}

impl Node {
    fn new(checkers: &[&str], checks: impl IntoIterator<Item = HealthCheck>) -> Self {
        Self::resume(checkers, checks, StoredHealth::default())
    }

    fn resume(
        checkers: &[&str],
        checks: impl IntoIterator<Item = HealthCheck>,
        stored: StoredHealth,
    ) -> Self {
        let checkers = checkers.iter().map(|name| checker(name)).collect();
        let state = HealthState::new(checkers, &BTreeMap::from([("arn:a".to_owned(), false)]), stored);
        let mut node = Self { state, now: Moment(1_000_000), checks: BTreeMap::new() };
        node.declare(checks);
        node
    }

    fn declare(&mut self, checks: impl IntoIterator<Item = HealthCheck>) -> Vec<Transition> {
        self.checks.extend(checks.into_iter().map(|check| (check.id.clone(), Arc::new(check))));
        self.state.apply(self.now, &self.checks)
    }

    fn edit(&mut self, id: &str, edit: impl FnOnce(&mut HealthCheck)) -> Vec<Transition> {
        let mut check = HealthCheck::clone(&self.checks[&CheckId::from(id)]);
        edit(&mut check);
        self.declare([check])
    }

    /// Results of one checker, a letter each, one second apart.
    fn probes(&mut self, checker: &str, id: &str, results: &str) -> Vec<Transition> {
        results
            .chars()
            .flat_map(|letter| {
                self.now = self.now.after(Duration::from_secs(1));
                self.state.observe(self.now, &checker.into(), &id.into(), result(letter == 'P'))
            })
            .collect()
    }

    fn wait(&mut self, seconds: u64) -> Vec<Transition> {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.state.advance(self.now)
    }

    fn healthy(&self, id: &str) -> bool {
        self.state.view().is_healthy(&id.into())
    }

    fn force(&mut self, id: &str, operator: Option<Override>) -> Vec<Transition> {
        self.state.set_override(self.now, &id.into(), operator).unwrap()
    }
}

fn edit_probe(check: &mut HealthCheck, edit: impl FnOnce(&mut EndpointCheck)) {
    if let CheckKind::Endpoint(probe) = &mut check.kind {
        edit(probe);
    }
}

fn described(transitions: &[Transition]) -> Vec<String> {
    transitions.iter().map(|t| format!("{} {:?}>{:?}: {}", t.check, t.from, t.to, t.reason)).collect()
}

#[test]
fn one_checker_turns_a_check_h19_h37() {
    let mut node = Node::new(&["fra1"], [check("a", CheckKind::Endpoint(endpoint()))]);
    assert!(node.probes("fra1", "a", "FF").is_empty());
    assert_eq!(
        described(&node.probes("fra1", "a", "F")),
        ["a Healthy>Unhealthy: fra1: Failure: Connection refused"]
    );
    assert!(node.probes("fra1", "a", "PPFPP").is_empty());
    assert!(!node.healthy("a"));
    assert_eq!(
        described(&node.probes("fra1", "a", "P")),
        ["a Unhealthy>Healthy: fra1: Success: TCP connection established"]
    );
}

#[test]
fn vector_2_a_partition_gives_each_node_its_own_status_h24_h25() {
    let names = ["a", "b", "c", "d", "e"];
    let mut node = Node::new(&names, [check("x", CheckKind::Endpoint(endpoint()))]);
    for name in &names[1..] {
        node.probes(name, "x", "FFF");
    }
    assert!(!node.healthy("x"), "the healthy checker has not reported yet: n = 4, h = 0");
    node.probes("a", "x", "PPP");
    assert!(node.healthy("x"), "n = 5, h = 1");
    // Node X loses the healthy checker: 3 · 30 s + 6 s after its last report.
    let mut seconds = 0;
    while seconds < 90 {
        seconds += 30;
        node.wait(30);
        for name in &names[1..] {
            node.probes(name, "x", "F");
        }
    }
    assert_eq!(described(&node.wait(0)), [""; 0]);
    assert!(!node.healthy("x"), "n = 4, h = 0");
    // Node Z reaches none and keeps what it had.
    assert!(node.wait(10_000).is_empty());
    assert!(!node.healthy("x"));
    // When reports return, the checker counts again at once.
    node.probes("a", "x", "P");
    assert!(node.healthy("x"), "n = 1, h = 1");
}

#[test]
fn silence_of_the_only_healthy_checker_turns_the_status_h24() {
    let mut node = Node::new(&["a", "b"], [check("x", CheckKind::Endpoint(endpoint()))]);
    node.probes("a", "x", "PPP");
    node.wait(90);
    node.probes("b", "x", "FFF");
    assert!(node.healthy("x"));
    assert_eq!(described(&node.wait(10)), ["x Healthy>Unhealthy: the checkers that count have changed"]);
}

#[test]
fn vector_3_calculated_counts_final_statuses_h32_h35() {
    let with = |id: &str, disabled, inverted| HealthCheck {
        disabled,
        inverted,
        ..check(id, CheckKind::Endpoint(endpoint()))
    };
    let children = ["a", "b", "c", "d"];
    let mut node = Node::new(
        &["fra1"],
        [
            with("a", false, false),
            with("b", false, false),
            with("c", true, false),
            with("d", true, true),
            calculated("p0", &children, 0),
            calculated("p2", &children, 2),
            calculated("p3", &children, 3),
            calculated("p5", &children, 5),
            calculated("unknown", &["nobody"], 1),
        ],
    );
    assert!(node.healthy("p3"), "a, b and c");
    assert_eq!(
        described(&node.probes("fra1", "b", "FFF")),
        [
            "b Healthy>Unhealthy: fra1: Failure: Connection refused",
            "p3 Healthy>Unhealthy: Failure: 2 of 4 child health checks healthy, 3 needed",
        ]
    );
    let statuses = ["p2", "p3", "p0", "p5", "unknown"].map(|id| node.healthy(id));
    assert_eq!(statuses, [true, false, true, false, true]);
}

#[test]
fn vector_6_through_the_state_h27_h29() {
    let alarm = AlarmCheck {
        query: Some(("http://192.0.2.1:9090".into(), "load".into())),
        period: Duration::from_secs(60),
        evaluation_periods: 3,
        threshold: Some((ComparisonOperator::GreaterThanThreshold, 10.0)),
        insufficient_data: InsufficientData::LastKnownStatus,
    };
    let mut node = Node::new(&["fra1"], [check("m", CheckKind::Alarm(alarm))]);
    let id = CheckId::from("m");
    let mut feed = |evaluations: &[Evaluation]| -> Vec<Transition> {
        evaluations
            .iter()
            .flat_map(|&evaluation| {
                let cause = (evaluation == Evaluation::Missing).then_some("query refused");
                node.state.observe_alarm(node.now, &id, evaluation, cause)
            })
            .collect()
    };
    use Evaluation::{Breach, Missing, Ok};
    assert!(feed(&[Breach, Breach, Ok]).is_empty());
    assert_eq!(
        described(&feed(&[Breach, Breach, Breach])),
        ["m Healthy>Unhealthy: Failure: Alarm state ALARM"]
    );
    assert!(feed(&[Breach, Missing, Breach]).is_empty(), "the last known status is unhealthy");
    let report = node.state.report(node.now, &id).unwrap();
    assert_eq!(
        report.node_report.unwrap().last.status,
        "Insufficient data: an earlier evaluation is missing"
    );
    assert!(!node.healthy("m"));
    // H-30: another setting takes effect with the update.
    let changed = node.edit("m", |check| {
        if let CheckKind::Alarm(alarm) = &mut check.kind {
            alarm.insufficient_data = InsufficientData::Healthy;
        }
    });
    assert_eq!(described(&changed), ["m Unhealthy>Healthy: declaration changed"]);
}

#[test]
fn vector_7_a_new_check_is_healthy_until_all_three_agree_h20_h34() {
    let mut node = Node::new(&["a", "b", "c"], [check("x", CheckKind::Endpoint(endpoint()))]);
    for name in ["a", "b", "c"] {
        node.probes(name, "x", "FF");
    }
    node.probes("a", "x", "F");
    node.probes("b", "x", "F");
    assert!(node.healthy("x"), "n = 3 needs h = 1");
    node.probes("c", "x", "F");
    assert!(!node.healthy("x"));
}

#[test]
fn a_new_inverted_check_is_unhealthy_before_its_first_report_h34() {
    let mut node = Node::new(&["a"], []);
    let inverted = HealthCheck { inverted: true, ..check("x", CheckKind::Endpoint(endpoint())) };
    assert_eq!(described(&node.declare([inverted])), ["x Unknown>Unhealthy: declaration changed"]);
    let summary = &node.state.summaries(node.now)[0];
    assert_eq!((summary.status, summary.counts_as_healthy), (HealthStatus::Unknown, false), "H-39");
}

#[test]
fn disabling_forgets_and_inverting_turns_h33_h36() {
    let mut node =
        Node::new(&["a"], [check("x", CheckKind::Endpoint(endpoint())), calculated("p", &["x"], 1)]);
    node.probes("a", "x", "FFF");
    assert_eq!(
        described(&node.edit("x", |check| check.disabled = true)),
        [
            "x Unhealthy>Healthy: declaration changed",
            "p Unhealthy>Healthy: Success: 1 of 1 child health checks healthy, 1 needed",
        ]
    );
    assert!(node.probes("a", "x", "FFF").is_empty(), "a disabled check does nothing");
    node.edit("x", |check| check.inverted = true);
    assert!(!node.healthy("x") && !node.healthy("p"));
    node.edit("x", |check| (check.disabled, check.inverted) = (false, false));
    assert!(node.probes("a", "x", "FF").is_empty(), "verdicts start from Initial");
    assert_eq!(node.probes("a", "x", "F").len(), 2);
}

#[test]
fn a_changed_probe_keeps_the_status_until_new_results_agree_h21() {
    let mut node = Node::new(&["a"], [check("x", CheckKind::Endpoint(endpoint()))]);
    node.probes("a", "x", "FFF");
    node.probes("a", "x", "PP");
    assert!(node.edit("x", |check| edit_probe(check, |probe| probe.port = 81)).is_empty());
    node.probes("a", "x", "PP");
    assert!(!node.healthy("x"), "the two passes before the change do not count");
    node.probes("a", "x", "P");
    assert!(node.healthy("x"));
}

#[test]
fn a_restart_resumes_verdicts_of_unchanged_checks_h20() {
    let declared = || check("x", CheckKind::Endpoint(endpoint()));
    let mut node = Node::new(&["a"], [declared(), calculated("p", &["x"], 1)]);
    node.probes("a", "x", "FFF");
    let stored = serde_json::to_string(&node.state.to_stored()).unwrap();
    let stored: StoredHealth = serde_json::from_str(&stored).unwrap();

    let mut again = Node::resume(&["a"], [declared(), calculated("p", &["x"], 1)], stored.clone());
    assert!(!again.healthy("x") && !again.healthy("p"));
    let since =
        |node: &Node| -> Vec<_> { node.state.summaries(node.now).iter().map(|s| s.changed_at).collect() };
    assert_eq!(since(&again), since(&node), "the time of the last change survives (H-39)");
    assert!(since(&again)[0].is_some());
    again.probes("a", "x", "PP");
    assert!(!again.healthy("x"));
    again.probes("a", "x", "P");
    assert!(again.healthy("x") && again.healthy("p"));

    let mut changed = declared();
    edit_probe(&mut changed, |probe| probe.port = 81);
    let mut again = Node::resume(&["a"], [changed], stored.clone());
    assert!(again.healthy("x"), "another port: nothing is known");
    assert!(again.probes("a", "x", "FF").is_empty());
    assert_eq!(again.probes("a", "x", "F").len(), 1);

    let mut slower = declared();
    edit_probe(&mut slower, |probe| probe.timeout = Some(Duration::from_secs(1)));
    assert!(!Node::resume(&["a"], [slower], stored).healthy("x"), "the same endpoint is probed");
}

#[test]
fn what_is_stored_of_later_checks_waits_for_them_h20() {
    let declared = || check("x", CheckKind::Endpoint(endpoint()));
    let mut node = Node::new(&["a"], [declared()]);
    node.probes("a", "x", "FFF");
    let mut again = Node::resume(&["a"], [], node.state.to_stored());
    assert_eq!(again.state.to_stored(), node.state.to_stored());
    assert_eq!(described(&again.declare([declared()])), ["x Unknown>Unhealthy: status before the restart"]);
}

#[test]
fn an_override_stands_above_everything_and_survives_h38() {
    let declared = || HealthCheck { inverted: true, ..check("x", CheckKind::Endpoint(endpoint())) };
    let mut node = Node::new(&["a"], [declared(), calculated("p", &["x"], 1)]);
    assert!(!node.healthy("x"));
    assert_eq!(node.force("x", Some(Override::Healthy)).len(), 2, "the parent counts it");
    node.edit("x", |check| check.disabled = true);
    assert!(node.healthy("x"));
    node.edit("x", |check| check.disabled = false);
    assert_eq!(node.state.summaries(node.now)[1].operator, Some(Override::Healthy));
    let mut again = Node::resume(&["a"], [declared(), calculated("p", &["x"], 1)], node.state.to_stored());
    assert!(again.healthy("x") && again.healthy("p"));
    again.probes("a", "x", "FFF");
    assert!(again.force("x", None).is_empty(), "probing went on underneath: inverted of unhealthy");
    assert_eq!(
        described(&again.force("p", Some(Override::Unhealthy))),
        ["p Healthy>Unhealthy: set to unhealthy by an operator"]
    );
    assert!(again.state.set_override(again.now, &"nobody".into(), None).is_err());
}

#[test]
fn a_routing_control_follows_its_highest_version_h31() {
    let control = |arn: &str| check("r", CheckKind::RecoveryControl { arn: arn.into() });
    let mut node = Node::new(&["a"], [control("arn:a")]);
    assert!(!node.healthy("r"), "a new control is Off");
    let set = |node: &mut Node, on, version| {
        let control = RoutingControl { on, version };
        described(&node.state.set_routing_control(node.now, "arn:a", control))
    };
    assert_eq!(set(&mut node, true, 2), ["r Unhealthy>Healthy: routing control switched on"]);
    assert_eq!(set(&mut node, false, 1), [""; 0], "an older version");
    assert_eq!(set(&mut node, false, 2), [""; 0], "the same version");
    let report = node.state.report(node.now, &"r".into()).unwrap();
    assert_eq!(report.node_report.unwrap().last.status, "Success: Routing control On");
    let mut again = Node::resume(&["a"], [control("arn:a")], node.state.to_stored());
    assert!(again.healthy("r"), "kept over a restart");
    again.edit("r", |check| *check = control("arn:undeclared"));
    assert!(!again.healthy("r"));
}

#[test]
fn deleting_a_child_counts_it_healthy_h32() {
    let mut node =
        Node::new(&["a"], [check("x", CheckKind::Endpoint(endpoint())), calculated("p", &["x"], 1)]);
    node.probes("a", "x", "FFF");
    node.checks.remove(&CheckId::from("x"));
    assert_eq!(
        described(&node.declare([])),
        [
            "x Unhealthy>Unknown: declaration changed",
            "p Unhealthy>Healthy: Success: 1 of 1 child health checks healthy, 1 needed",
        ]
    );
    assert!(node.state.observe(node.now, &"a".into(), &"x".into(), result(false)).is_empty());
}

#[test]
fn checkers_that_drop_out_stay_until_the_new_ones_know_h26() {
    let mut declared = check("x", CheckKind::Endpoint(endpoint()));
    edit_probe(&mut declared, |probe| probe.regions = vec!["a".into()]);
    let mut node = Node::new(&["a", "b"], [declared]);
    let probing =
        |node: &Node| ["a", "b"].map(|name| node.state.probed_by(&CheckerName::from(name)).count() == 1);
    node.probes("a", "x", "FFF");
    assert_eq!(probing(&node), [true, false]);
    node.edit("x", |check| edit_probe(check, |probe| probe.regions = vec!["b".into()]));
    assert_eq!(probing(&node), [true, true]);
    node.probes("b", "x", "F");
    assert!(node.healthy("x"), "Initial counts as healthy");
    node.probes("b", "x", "FF");
    assert!(!node.healthy("x"));
    assert_eq!(probing(&node), [false, true]);

    node.edit("x", |check| edit_probe(check, |probe| probe.regions = vec!["a".into()]));
    assert_eq!(probing(&node), [true, true]);
    node.wait(3601);
    assert_eq!(probing(&node), [true, false], "no longer than one hour");
}

#[test]
fn a_peers_report_carries_its_verdict_h23() {
    let declared = || check("x", CheckKind::Endpoint(endpoint()));
    let mut here = Node::new(&["a", "b"], [declared()]);
    let mut there = Node::new(&["a", "b"], [declared()]);
    there.probes("b", "x", "FFF");
    let report = there.state.peer_report(&"b".into(), &"x".into()).unwrap();
    assert_eq!(here.state.receive(here.now, &"b".into(), &"x".into(), report.clone()).len(), 1);
    assert!(here.state.receive(here.now, &"stranger".into(), &"x".into(), report).is_empty());
    assert!(!here.healthy("x"));
    let summary = &here.state.summaries(here.now)[0];
    assert_eq!(summary.checkers.unwrap().percent(), Some(0.0));
}

#[test]
fn reports_name_each_checker_h40() {
    let mut node = Node::new(&["a", "b"], [check("x", CheckKind::Endpoint(endpoint()))]);
    node.probes("a", "x", "FP");
    let report = node.state.report(node.now, &"x".into()).unwrap();
    assert_eq!(report.summary.kind, "HTTP");
    let [a, b] = &report.checker_reports[..] else { panic!("two checkers") };
    assert_eq!(a.last.as_ref().unwrap().status, "Success: TCP connection established");
    assert_eq!(a.last_failure.as_ref().unwrap().status, "Failure: Connection refused");
    assert_eq!(a.recent.iter().map(|probe| probe.passed).collect::<Vec<_>>(), [false, true]);
    assert!(a.counted && !b.counted && b.last.is_none());
}

#[test]
fn a_circle_of_parents_ends() {
    let mut node = Node::new(&["a"], []);
    let odd = HealthCheck { inverted: true, ..calculated("p", &["q"], 1) };
    node.declare([odd, calculated("q", &["p"], 1)]);
}

#[test]
fn a_transition_tells_how_long_it_took_from_the_first_failed_probe_h19_h37() {
    let mut node = Node::new(&["a"], [check("x", CheckKind::Endpoint(endpoint()))]);
    node.probes("a", "x", "PPPFFP");
    let transitions = node.probes("a", "x", "FFF");
    let TransitionReason::Observed { detection, .. } = &transitions[0].reason else { panic!() };
    // Three probes a second apart, of which the first had begun 3 ms before its end.
    assert_eq!(*detection, Some(Duration::from_millis(2003)));
}

#[test]
fn a_list_tells_status_share_children_and_the_last_change_h39() {
    let mut node =
        Node::new(&["a", "b"], [check("x", CheckKind::Endpoint(endpoint())), calculated("p", &["x"], 1)]);
    let x = |node: &Node| node.state.summaries(node.now).remove(1);
    assert_eq!((x(&node).status, x(&node).changed_at), (HealthStatus::Unknown, None), "no status yet");
    node.probes("a", "x", "P");
    assert_eq!((x(&node).status, x(&node).changed_at), (HealthStatus::Healthy, None));
    node.probes("a", "x", "FFF");
    assert_eq!(x(&node).checkers.unwrap().percent(), Some(0.0), "of those that have reported");
    assert_eq!((x(&node).status, x(&node).changed_at), (HealthStatus::Unhealthy, Some(node.now)));
    node.probes("b", "x", "F");
    assert_eq!(x(&node).checkers.unwrap().percent(), Some(50.0), "Initial sees it healthy");
    let parent = node.state.summaries(node.now).remove(0);
    assert_eq!((parent.healthy_children, parent.checkers), (Some(1), None));
    assert_eq!(parent.reason, "Success: 1 of 1 child health checks healthy, 1 needed");
    node.edit("x", |check| check.disabled = true);
    assert_eq!(x(&node).checkers, None, "no share while disabled");
}

#[test]
fn measures_are_numbers_per_region_and_over_all_h17_h42() {
    let probed = |passed: bool, connect: u64, first_byte: Option<u64>| Observation {
        latency: passed.then(|| Latency {
            connect: Some(Duration::from_millis(connect)),
            first_byte: first_byte.map(Duration::from_millis),
            tls_handshake: None,
        }),
        ..result(passed)
    };
    let mut node = Node::new(&[], [check("x", CheckKind::Endpoint(endpoint())), calculated("p", &["x"], 1)]);
    let labelled =
        |name: &str, region: Option<&str>| Checker { region: region.map(Into::into), ..checker(name) };
    let checkers = vec![labelled("a", Some("eu")), labelled("b", Some("eu")), labelled("c", None)];
    node.state.set_checkers(node.now, checkers);
    let mut observe = |checker: &str, observation| {
        node.state.observe(node.now, &checker.into(), &"x".into(), observation);
        node.state.measures(node.now).remove(1)
    };
    observe("a", probed(true, 10, Some(100)));
    observe("b", probed(true, 30, None));
    let measure = observe("c", probed(true, 50, None));
    let connect = |latency: &Latency| latency.connect.unwrap().as_millis();
    assert_eq!((measure.healthy, measure.healthy_percent), (true, Some(100.0)));
    assert_eq!(connect(&measure.latency["eu"]), 20);
    assert_eq!(measure.latency["eu"].first_byte, Some(Duration::from_millis(100)), "only one measured it");
    assert_eq!(connect(&measure.latency["c"]), 50, "a location without a label is its own region");
    let over_all = measure.latency_over_all.unwrap();
    assert_eq!((connect(&over_all), over_all.tls_handshake), (30, None));
    let measure = observe("c", probed(false, 0, None));
    assert!(!measure.latency.contains_key("c"), "failed probes leave no latency");
    for _ in 0..3 {
        observe("c", probed(false, 0, None));
    }
    let measures = node.state.measures(node.now);
    assert_eq!(measures[1].healthy_percent.unwrap().round(), 67.0);
    assert_eq!((measures[0].healthy_children, measures[0].healthy_percent), (Some(1), None));
}
