//! Several checkers and several nodes under a simulated clock: reports are sent, delayed by no one and lost by cut links, and every
//! node must hold the status that an obvious model derives from what reached it (H-19, H-20, H-22 to H-25).
//!
//! Time passes only when the simulation says so. A failing seed is printed by proptest and kept beside this file.

use proptest::prelude::*;

use super::*;
use crate::health::{Verdict, VerdictMachine, freshness_window};

const CHECKERS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
const NODES: usize = 3;

/// One second in the life of all.
#[derive(Debug, Clone)]
struct Second {
    /// For each checker, whether it probes in this second, and what it finds.
    probes: Vec<Option<bool>>,
    /// A link to cut or mend: node, checker.
    toggled: Option<(usize, usize)>,
    /// Seconds of silence afterwards, in which nobody probes.
    silence: u64,
}

fn seconds() -> impl Strategy<Value = Vec<Second>> {
    let probe = prop_oneof![3 => Just(Some(false)), 2 => Just(Some(true)), 1 => Just(None)];
    let second = (
        prop::collection::vec(probe, CHECKERS.len()),
        prop::option::weighted(0.4, (0..NODES, 0..CHECKERS.len())),
        prop_oneof![12 => Just(0u64), 1 => 1u64..40, 1 => 80u64..120],
    );
    let second = second.prop_map(|(probes, toggled, silence)| Second { probes, toggled, silence });
    prop::collection::vec(second, 1..60)
}

/// What a node knows by the model: of each checker the latest report and when it came, and the raw status.
#[derive(Debug, Clone)]
struct Known {
    reports: Vec<Option<(Moment, Verdict)>>,
    raw: bool,
}

impl Known {
    /// The rules as they are written, from scratch each time.
    fn settle(&mut self, now: Moment, window: Duration) {
        let counted: Vec<Verdict> = self
            .reports
            .iter()
            .flatten()
            .filter(|(at, _)| now.0 - at.0 <= window.as_millis() as u64)
            .map(|(_, verdict)| *verdict)
            .collect();
        if counted.is_empty() {
            return;
        }
        let healthy = counted.iter().filter(|verdict| **verdict != Verdict::Unhealthy).count();
        // More than 18 %.
        self.raw = healthy * 100 > 18 * counted.len();
    }
}

/// The last N results of a checker, as H-19 has them.
fn verdict(before: Verdict, results: &[bool], threshold: usize) -> Verdict {
    match results.len().checked_sub(threshold).map(|from| &results[from..]) {
        Some(last) if last.iter().all(|passed| *passed) => Verdict::Healthy,
        Some(last) if last.iter().all(|passed| !*passed) => Verdict::Unhealthy,
        _ => before,
    }
}

proptest! {
    #[test]
    fn every_node_follows_the_checkers_it_reaches_h22_h23_h24_h25(seconds in seconds()) {
        let window = freshness_window(&endpoint());
        let id = CheckId::from("x");
        let mut nodes: Vec<Node> =
            (0..NODES).map(|_| Node::new(&CHECKERS, [check("x", CheckKind::Endpoint(endpoint()))])).collect();
        let mut known = vec![Known { reports: vec![None; CHECKERS.len()], raw: true }; NODES];
        let mut machines = vec![VerdictMachine::default(); CHECKERS.len()];
        let mut results = vec![Vec::new(); CHECKERS.len()];
        let mut verdicts = vec![Verdict::Initial; CHECKERS.len()];
        let mut connected = [[true; CHECKERS.len()]; NODES];
        let mut now = Moment(1_000_000);
        for second in seconds {
            now = now.after(Duration::from_secs(1));
            if let Some((node, checker)) = second.toggled {
                connected[node][checker] ^= true;
            }
            for (at, passed) in second.probes.iter().enumerate() {
                let Some(passed) = *passed else { continue };
                machines[at].observe(passed, 3);
                results[at].push(passed);
                verdicts[at] = verdict(verdicts[at], &results[at], 3);
                prop_assert_eq!(machines[at].verdict(), verdicts[at], "H-19, H-20");
                let report = PeerReport { verdict: machines[at].verdict(), last: Some(result(passed)) };
                for (node, known) in known.iter_mut().enumerate() {
                    if connected[node][at] {
                        nodes[node].state.receive(now, &CHECKERS[at].into(), &id, report.clone());
                        known.reports[at] = Some((now, verdicts[at]));
                        known.settle(now, window);
                    }
                }
            }
            // The agent looks for stale reports once a second.
            for pause in 0..=second.silence {
                let at = now.after(Duration::from_secs(pause));
                for (node, known) in nodes.iter_mut().zip(&mut known) {
                    node.state.advance(at);
                    known.settle(at, window);
                    prop_assert_eq!(node.state.view().is_healthy(&id), known.raw);
                }
            }
            now = now.after(Duration::from_secs(second.silence));
        }
    }
}
