//! `examples/prometheus` and `examples/grafana`: alert rules that are well-formed and fire, and a dashboard, both of metrics that
//! there are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pulse53_tests::programs::has;
use serde_json::Value;

const RULES: &str = "prometheus/pulse53.rules.yml";
const DASHBOARD: &str = "grafana/pulse53.json";

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(file)
}

fn text(file: &str) -> String {
    std::fs::read_to_string(example(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every query of the dashboard, with its variables replaced as Grafana would.
pub fn queries() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(query) = fields.get("expr").and_then(Value::as_str) {
                    found.push(query.replace("$__rate_interval", "1m").replace("$instance", ".*"));
                }
                fields.values().for_each(|value| collect(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).expect("the dashboard is JSON");
    let mut found = Vec::new();
    collect(&dashboard, &mut found);
    assert!(!found.is_empty(), "the dashboard has queries");
    found
}

#[test]
fn rules_and_dashboard_name_metrics_that_there_are_h42() {
    let metrics = pulse53::metrics::Metrics::default();
    // What has labels is not exposed before it has a value.
    metrics.count_reload(true);
    metrics.observe_flip(Duration::ZERO, &[("table", Duration::ZERO)]);
    let exposed = metrics.text().expect("metrics are text");
    let mut known: Vec<String> = exposed
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned))
        .chain(pulse53::metrics::ALL.iter().map(|metric| format!("pulse53_{}", metric.name)))
        .collect();
    known.sort();
    for (file, text) in [(RULES, text(RULES)), (DASHBOARD, queries().join("\n"))] {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        for word in words.filter(|word| word.starts_with("pulse53_")) {
            let family = ["_total", "_bucket", "_sum", "_count", "_info"]
                .iter()
                .find_map(|suffix| word.strip_suffix(suffix))
                .unwrap_or(word);
            let is_known = |name: &str| known.binary_search_by(|known| known.as_str().cmp(name)).is_ok();
            assert!(is_known(family) || is_known(word), "{file}: there is no metric {word}");
        }
    }
}

#[test]
fn alert_rules_fire() {
    if !has("promtool", "prometheus") {
        return;
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("health/alert-rules.test.yml");
    let output = Command::new("promtool").args(["test", "rules"]).arg(tests).output().expect("promtool runs");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("SUCCESS"), "{said}");
}
