//! The whole module against endpoints on loopback: declared, probed, published, stored. Tests wait for what must
//! happen, however long that takes; none says how fast it was.

mod pace;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pulse53_core::health::{HealthStatus, Override, TransitionReason, Verdict};
use pulse53_core::model::check::{
    AlarmCheck, ComparisonOperator, Endpoint, EndpointCheck, InsufficientData, Protocol,
};
use pulse53_core::model::{CheckId, CheckKind, HealthCheck, Revision};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn declared(id: &str, kind: CheckKind) -> HealthCheck {
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

fn probing(port: u16) -> EndpointCheck {
    EndpointCheck {
        endpoint: Endpoint { address: Some([127, 0, 0, 1].into()), name: None },
        port,
        protocol: Protocol::Http { tls: None, path: "/".into(), search: None },
        interval: Duration::from_millis(20),
        timeout: Some(Duration::from_secs(20)),
        failure_threshold: 3,
        measure_latency: false,
        regions: Vec::new(),
    }
}

fn endpoint(id: &str, port: u16) -> HealthCheck {
    declared(id, CheckKind::Endpoint(probing(port)))
}

fn calculated(id: &str, child: &str) -> HealthCheck {
    declared(id, CheckKind::Calculated { children: vec![child.into()], threshold: 1 })
}

/// An HTTP server whose health a test switches, and which counts requests.
#[derive(Clone)]
struct Switched {
    port: u16,
    healthy: Arc<AtomicBool>,
    requests: Arc<AtomicU32>,
}

impl Switched {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, healthy: Arc::new(true.into()), requests: Arc::default() };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 1024]).await;
                serving.requests.fetch_add(1, Ordering::Relaxed);
                let status = if serving.healthy.load(Ordering::Relaxed) { "200 OK" } else { "503 Down" };
                let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await;
            }
        });
        server
    }

    fn set(&self, healthy: bool) {
        self.healthy.store(healthy, Ordering::Relaxed);
    }
}

/// A running actor with its ends.
struct Node {
    handle: Handle,
    updates: mpsc::Receiver<HealthUpdate>,
    declarations: watch::Sender<Arc<Snapshot>>,
}

fn snapshot(checks: Vec<HealthCheck>) -> Arc<Snapshot> {
    let checks = checks.into_iter().map(|check| (check.id.clone(), Arc::new(check))).collect();
    Arc::new(Snapshot { revision: Revision(1), checks, ..Snapshot::default() })
}

impl Node {
    fn start(checks: Vec<HealthCheck>, data_dir: Option<&std::path::Path>) -> Self {
        let (declarations, declared) = watch::channel(snapshot(checks));
        let settings = Settings {
            checker: Checker { name: "fra1".into(), region: None, address: None },
            targets: TargetPolicy::default(),
            in_flight_max: 1000,
            routing_controls: BTreeMap::from([("arn:a".to_owned(), true)]),
            data_dir: data_dir.map(Into::into),
        };
        let (handle, updates) = spawn(settings, declared);
        Self { handle, updates, declarations }
    }

    fn declare(&self, checks: Vec<HealthCheck>) {
        self.declarations.send_replace(snapshot(checks));
    }

    async fn update(&mut self) -> HealthUpdate {
        tokio::time::timeout(Duration::from_secs(30), self.updates.recv()).await.expect("an update").unwrap()
    }

    /// The next update as text.
    async fn next(&mut self) -> Vec<String> {
        let update = self.update().await;
        update
            .transitions
            .iter()
            .map(|t| {
                assert_eq!(update.view.is_healthy(&t.check), t.to.counts_as_healthy());
                format!("{} {:?}>{:?}: {}", t.check, t.from, t.to, t.reason)
            })
            .collect()
    }

    async fn eventually(&self, id: &str, met: impl Fn(&pulse53_core::health::CheckReport) -> bool) {
        for _ in 0..3000 {
            if met(&self.handle.show(id.into()).await.unwrap()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{id}: {:?}", self.handle.show(id.into()).await);
    }
}

#[tokio::test]
async fn a_failing_endpoint_turns_its_check_and_parents_h37() {
    let server = Switched::start().await;
    let mut node = Node::start(vec![endpoint("a", server.port), calculated("p", "a")], None);
    assert_eq!(node.next().await, [""; 0], "the first update is there at once");
    server.set(false);
    assert_eq!(
        node.next().await,
        [
            "a Healthy>Unhealthy: fra1: Failure: HTTP Status Code 503, Down",
            "p Healthy>Unhealthy: Failure: 0 of 1 child health checks healthy, 1 needed",
        ]
    );
    assert!(!node.handle.view().is_healthy(&"p".into()));
    server.set(true);
    assert_eq!(node.next().await.len(), 2);
    let report = node.handle.show("a".into()).await.unwrap();
    let checker = &report.checker_reports[0];
    assert_eq!((report.summary.status, checker.verdict), (HealthStatus::Healthy, Verdict::Healthy));
    assert_eq!(checker.last_failure.as_ref().unwrap().status, "Failure: HTTP Status Code 503, Down");
    assert_eq!(node.handle.list().await.unwrap().len(), 2);
    assert!(matches!(node.handle.show("nobody".into()).await, Err(HealthError::UnknownCheck(_))));
    let metrics = node.handle.metrics();
    assert!(metrics.probes_failed >= 3 && metrics.probes_passed >= 3, "{metrics:?}");
    assert_eq!((metrics.transitions, metrics.probes_not_run), (4, 0));
    node.handle.stop().await;
    assert!(matches!(node.handle.list().await, Err(HealthError::Stopped)));
}

#[tokio::test]
async fn definitions_change_while_running_h21_h36() {
    let (good, bad) = (Switched::start().await, Switched::start().await);
    bad.set(false);
    let mut node = Node::start(vec![], None);
    node.next().await;
    node.declare(vec![endpoint("a", bad.port)]);
    assert_eq!(node.next().await.len(), 1);
    node.declare(vec![endpoint("a", good.port)]);
    assert_eq!(node.next().await, ["a Unhealthy>Healthy: fra1: Success: HTTP Status Code 200, OK"]);

    node.declare(vec![HealthCheck { disabled: true, inverted: true, ..endpoint("a", good.port) }]);
    assert_eq!(node.next().await, ["a Healthy>Unhealthy: declaration changed"]);
    let before = node.handle.metrics();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let after = node.handle.metrics();
    assert_eq!(before.lateness, after.lateness, "a disabled check does nothing");

    node.declare(vec![]);
    assert_eq!(node.next().await, ["a Unhealthy>Unknown: declaration changed"]);
    assert!(node.handle.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn hanging_endpoints_delay_nobody_h7() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let server = Switched::start().await;
    server.set(false);
    let mut checks: Vec<HealthCheck> = (0..100)
        .map(|n| {
            let patient = EndpointCheck { timeout: Some(Duration::from_secs(3600)), ..probing(hanging) };
            declared(&format!("hanging-{n}"), CheckKind::Endpoint(patient))
        })
        .collect();
    checks.push(endpoint("a", server.port));
    let mut node = Node::start(checks, None);
    node.next().await;
    assert_eq!(node.next().await.len(), 1);
}

#[tokio::test]
async fn what_an_operator_sets_survives_a_restart_h31_h38() {
    let directory = tempfile::tempdir().unwrap();
    let server = Switched::start().await;
    let control = || declared("r", CheckKind::RecoveryControl { arn: "arn:a".into() });
    let checks = || vec![endpoint("a", server.port), control()];
    let mut node = Node::start(checks(), Some(directory.path()));
    node.next().await;
    node.handle.set_override("a".into(), Some(Override::Unhealthy)).await.unwrap();
    assert_eq!(node.next().await, ["a Healthy>Unhealthy: set to unhealthy by an operator"]);
    node.handle.set_routing_control("arn:a", false).await.unwrap();
    assert_eq!(node.next().await, ["r Healthy>Unhealthy: routing control switched off"]);
    assert!(node.handle.set_routing_control("arn:b", false).await.is_err());
    assert!(node.handle.set_override("nobody".into(), None).await.is_err());
    // What was answered is stored: no order to stop is needed.
    drop(node);

    let mut node = Node::start(checks(), Some(directory.path()));
    assert_eq!(node.next().await.len(), 2);
    assert!(!node.handle.routing_controls().await.unwrap()["arn:a"].on);
    node.handle.set_override("a".into(), None).await.unwrap();
    assert_eq!(node.next().await, ["a Unhealthy>Healthy: set back to auto by an operator"]);
}

#[tokio::test]
async fn an_order_that_cannot_be_stored_is_followed_and_says_so_h31() {
    let directory = tempfile::tempdir().unwrap();
    let control = declared("r", CheckKind::RecoveryControl { arn: "arn:a".into() });
    let node = Node::start(vec![control], Some(&directory.path().join("gone")));
    let result = node.handle.set_routing_control("arn:a", false).await;
    assert!(matches!(result, Err(HealthError::NotStored)), "{result:?}");
    assert!(!node.handle.view().is_healthy(&"r".into()));
}

#[tokio::test]
async fn verdicts_survive_a_restart_h20() {
    let directory = tempfile::tempdir().unwrap();
    let server = Switched::start().await;
    server.set(false);
    let mut node = Node::start(vec![endpoint("a", server.port)], Some(directory.path()));
    node.next().await;
    assert_eq!(node.next().await.len(), 1);
    // The journal is written while the node runs, for it may not get the chance to stop in order.
    while node.handle.metrics().journal_writes == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(node);
    let mut node = Node::start(vec![endpoint("a", server.port)], Some(directory.path()));
    assert_eq!(node.next().await, ["a Unknown>Unhealthy: status before the restart"]);
    node.handle.stop().await;

    std::fs::write(directory.path().join("health.json"), "{").unwrap();
    let mut node = Node::start(vec![endpoint("a", server.port)], Some(directory.path()));
    assert_eq!(node.next().await, [""; 0], "a corrupt file means a fresh start");
}

#[tokio::test]
async fn an_alarm_follows_its_query_h27_h28() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (answer, answers) = watch::channel("11");
    let (asked, mut questions) = watch::channel(String::new());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 2048];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let line =
                String::from_utf8_lossy(&request[..length]).lines().next().unwrap_or_default().to_owned();
            asked.send_replace(line);
            let value = *answers.borrow();
            let body = format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1.5,"{value}"]}}]}}}}"#
            );
            let head = if value == "refused" { "HTTP/1.1 422 No" } else { "HTTP/1.1 200 OK" };
            let reply = format!(
                "{head}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    let alarm = |query| {
        CheckKind::Alarm(AlarmCheck {
            query,
            period: Duration::from_millis(20),
            evaluation_periods: 2,
            threshold: Some((ComparisonOperator::GreaterThanThreshold, 10.0)),
            insufficient_data: InsufficientData::Unhealthy,
        })
    };
    let query = Some((format!("http://127.0.0.1:{port}/prom/"), "max(load) > 0".to_owned()));
    let mut node = Node::start(vec![declared("m", alarm(query)), declared("none", alarm(None))], None);
    node.next().await;
    let mut seen = node.next().await;
    seen.extend(node.next().await);
    seen.sort();
    assert_eq!(
        seen,
        [
            "m Healthy>Unhealthy: Failure: Alarm state ALARM",
            "none Healthy>Unhealthy: Insufficient data: the check has no tag pulse53:query",
        ]
    );
    let line = questions.wait_for(|line| !line.is_empty()).await.unwrap().clone();
    assert_eq!(line, "GET /prom/api/v1/query?query=max%28load%29%20%3E%200 HTTP/1.1");
    answer.send_replace("9");
    assert_eq!(node.next().await, ["m Unhealthy>Healthy: Success: Alarm state OK"]);
    answer.send_replace("refused");
    assert_eq!(
        node.next().await,
        ["m Healthy>Unhealthy: Insufficient data: query refused with HTTP status 422: No"]
    );
    assert!(node.handle.metrics().alarm_evaluations_missing >= 2);
}

#[tokio::test]
async fn a_receiver_that_lags_gets_one_update_for_many() {
    let server = Switched::start().await;
    let mut node = Node::start(vec![endpoint("a", server.port)], None);
    node.eventually("a", |report| report.summary.status == HealthStatus::Healthy).await;
    // Nobody receives; after the channel is full, changes are merged.
    for round in 0..101 {
        let operator = if round % 2 == 0 { Override::Unhealthy } else { Override::Healthy };
        node.handle.set_override("a".into(), Some(operator)).await.unwrap();
    }
    let mut received = 0;
    let mut healthy = true;
    while received < UPDATES_WAITING_MAX + 1 {
        let update = node.update().await;
        for transition in &update.transitions {
            assert!(matches!(transition.reason, TransitionReason::Override(_)));
            healthy = transition.to.counts_as_healthy();
        }
        received += 1;
    }
    assert!(!healthy, "the last word is the operator's");
    assert!(node.updates.try_recv().is_err(), "and nothing follows");
    assert!(!node.handle.view().is_healthy(&CheckId::from("a")));
}

#[tokio::test]
async fn checks_go_on_without_anybody_to_tell() {
    let server = Switched::start().await;
    let mut node = Node::start(vec![endpoint("a", server.port)], None);
    node.updates.close();
    node.declare(vec![endpoint("a", server.port), endpoint("b", server.port)]);
    server.set(false);
    node.eventually("a", |report| !report.summary.counts_as_healthy).await;
    let Node { handle, declarations, .. } = node;
    drop(declarations);
    server.set(true);
    while !handle.view().is_healthy(&"a".into()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(server.requests.load(Ordering::Relaxed) > 0);
}
