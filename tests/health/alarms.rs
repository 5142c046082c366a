//! Alarms on a real Prometheus that scrapes what the test exposes (H-27 to H-29), and the queries of `examples/` on it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pulse53_core::health::{CheckReport, HealthStatus};
use pulse53_tests::programs::has;
use serde_json::{Value, json};

use crate::examples;
use crate::node::Node;
use crate::program::Program;

const OK: &str = "Success: Alarm state OK";
const ALARM: &str = "Failure: Alarm state ALARM";

#[tokio::test(flavor = "multi_thread")]
async fn alarms_follow_a_prometheus_h27_h28_h29() {
    if !has("prometheus", "prometheus") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory can be made");
    let exporter = Exporter::start();
    exporter.set(5);
    let prometheus = Prometheus::start(directory.path(), exporter.port).await;
    let alarm = |id: &str, query: &str, insufficient: &str, alarm: Value| {
        json!({
            "Id": id, "CallerReference": id,
            "HealthCheckConfig": {
                "Type": "CLOUDWATCH_METRIC", "AlarmIdentifier": { "Region": "eu-west-1", "Name": id },
                "InsufficientDataHealthStatus": insufficient
            },
            "CloudWatchAlarmConfiguration": alarm,
            "Tags": [
                { "Key": "pulse53:interval", "Value": "100ms" },
                { "Key": "pulse53:query", "Value": format!("http://127.0.0.1:{} {query}", prometheus.port) }
            ]
        })
    };
    let above =
        json!({ "Threshold": 10, "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 3 });
    let node = Node::start(&[
        alarm("threshold", "test_load", "LastKnownStatus", above.clone()),
        alarm(
            "below",
            "max(test_load)",
            "LastKnownStatus",
            json!({ "Threshold": 10, "ComparisonOperator": "LessThanOrEqualToThreshold" }),
        ),
        alarm("expression", "test_load > 10", "Healthy", json!({})),
        alarm("scalar", "scalar(test_load)", "LastKnownStatus", above.clone()),
        alarm("no-sample", "no_such_metric", "Unhealthy", above.clone()),
        alarm("no-number", "0 / 0", "Unhealthy", above.clone()),
        alarm("refused", "sum(", "LastKnownStatus", above),
    ]);
    let said = |report: &CheckReport| report.summary.reason.clone();
    let follows = async |id: &str, reason: &str, status: HealthStatus| {
        node.eventually(id, |report| said(report).starts_with(reason) && report.summary.status == status)
            .await;
    };
    use HealthStatus::{Healthy, Unhealthy};
    for id in ["threshold", "expression", "scalar"] {
        follows(id, OK, Healthy).await;
    }
    follows("below", ALARM, Unhealthy).await;
    follows("no-sample", "Insufficient data: the query returned no number", Unhealthy).await;
    follows("no-number", "Insufficient data: the query returned no number", Unhealthy).await;
    follows("refused", "Insufficient data: query refused with HTTP status 400: ", Healthy).await;

    exporter.set(11);
    for id in ["threshold", "expression", "scalar"] {
        follows(id, ALARM, Unhealthy).await;
    }
    follows("below", OK, Healthy).await;

    for query in examples::queries() {
        prometheus.accepts(&query);
    }

    drop(prometheus);
    let gone = "Insufficient data: Connection refused";
    follows("threshold", gone, Unhealthy).await;
    follows("below", gone, Healthy).await;
    follows("expression", gone, Healthy).await;
}

/// Exposes one gauge.
struct Exporter {
    port: u16,
    load: Arc<AtomicU64>,
}

impl Exporter {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let load = Arc::new(AtomicU64::new(0));
        let exposed = load.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.read(&mut [0; 4096]);
                let body = format!("# TYPE test_load gauge\ntest_load {}\n", exposed.load(Ordering::SeqCst));
                let head =
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n";
                // Who hangs up asks again.
                let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
            }
        });
        Self { port, load }
    }

    fn set(&self, load: u64) {
        self.load.store(load, Ordering::SeqCst);
    }
}

struct Prometheus {
    port: u16,
    _program: Program,
}

impl Prometheus {
    async fn start(directory: &Path, exporter: u16) -> Self {
        let config = format!(
            "scrape_configs:\n- job_name: test\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n  \
             static_configs:\n  - targets: ['127.0.0.1:{exporter}']\n"
        );
        std::fs::write(directory.join("prometheus.yml"), config).expect("a file can be written");
        // Prometheus cannot choose a port and say which: one that was free a moment ago it is, several times if need be.
        for attempt in 0..5 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
            let port = free.local_addr().expect("it is bound").port();
            drop(free);
            let mut command = Command::new("prometheus");
            command
                .arg(format!("--config.file={}", directory.join("prometheus.yml").display()))
                .arg(format!("--storage.tsdb.path={}", directory.join(format!("data-{attempt}")).display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"));
            let mut program = Program::start(&mut command, &directory.join("prometheus.log"));
            while program.runs() {
                let ready = ureq::get(format!("http://127.0.0.1:{port}/-/ready")).call();
                if ready.is_ok_and(|response| response.status() == 200) {
                    return Self { port, _program: program };
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        let log = std::fs::read_to_string(directory.join("prometheus.log")).unwrap_or_default();
        panic!("prometheus does not start: {log}");
    }

    /// Whether it understands a query.
    fn accepts(&self, query: &str) {
        let url = format!("http://127.0.0.1:{}/api/v1/query", self.port);
        let answer = ureq::get(url).query("query", query).call();
        assert!(answer.as_ref().is_ok_and(|answer| answer.status() == 200), "{query}: {answer:?}");
    }
}
