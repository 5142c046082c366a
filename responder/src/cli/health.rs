//! What `health` and `control` print.

use std::time::Duration;

use serde_json::Value;

use super::Failure;
use super::client::Client;
use super::paint::Paint;
use super::show::length;
use crate::api::control::{RoutingControl, SwitchState};
use crate::clock;

/// `pulse53 health list`
pub fn checks(client: &Client, json: bool) -> Result<(), Failure> {
    let checks = client.checks()?;
    if json {
        println!("{}", serde_json::to_string_pretty(&checks)?);
    } else {
        print!("{}", checks_text(&checks, Paint::stdout(), clock::since_1970()));
    }
    Ok(())
}

/// `pulse53 health show` and `set`
pub fn check(check: &Value, json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(check)?);
    } else {
        print!("{}", check_text(check, Paint::stdout(), clock::since_1970()));
    }
    Ok(())
}

/// `pulse53 control list` and `set`
pub fn controls(controls: &[RoutingControl], json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(controls)?);
    } else {
        print!("{}", controls_text(controls, Paint::stdout()));
    }
    Ok(())
}

/// A text field of a report, or nothing.
fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// `no status yet` is what H-39 calls it.
fn painted_status(check: &Value, width: usize, paint: Paint) -> String {
    match text(check, "status") {
        "healthy" => paint.good(format!("{:<width$}", "healthy")),
        "unhealthy" => paint.bad(format!("{:<width$}", "unhealthy")),
        _ => paint.notable(format!("{:<width$}", "no status yet")),
    }
}

/// The time from a moment of a report to now.
fn age(value: &Value, now: Duration) -> Option<String> {
    Some(length(now.as_secs().saturating_sub(value.as_u64()? / 1000)))
}

/// Why, and since when.
fn explanation(check: &Value, now: Duration) -> String {
    let mut parts = Vec::new();
    if let Some(operator) = check["override"].as_str() {
        parts.push(format!("set to {operator} by an operator"));
    }
    if !text(check, "reason").is_empty() {
        parts.push(text(check, "reason").to_owned());
    }
    if check["inverted"] == true {
        parts.push("inverted".to_owned());
    }
    if let Some(age) = age(&check["changed_at"], now) {
        parts.push(format!("since {age}"));
    }
    parts.join(", ")
}

fn checks_text(checks: &Value, paint: Paint, now: Duration) -> String {
    let Some(checks) = checks["checks"].as_array().filter(|checks| !checks.is_empty()) else {
        return "no health checks\n".to_owned();
    };
    let width = checks.iter().map(|check| text(check, "id").len()).max().unwrap_or(0);
    checks
        .iter()
        .map(|check| {
            let status = painted_status(check, "no status yet".len(), paint);
            let line = format!("{:<width$}  {status}  {}", text(check, "id"), explanation(check, now));
            line.trim_end().to_owned() + "\n"
        })
        .collect()
}

fn check_text(check: &Value, paint: Paint, now: Duration) -> String {
    let mut out = format!(
        "{}  {}  {}\n",
        paint.strong(text(check, "id")),
        painted_status(check, 0, paint),
        text(check, "type")
    );
    let mut line = |indent: usize, heading: &str, text: String| {
        out += &format!("{:indent$}{} {text}\n", "", paint.strong(format!("{heading:<12}")));
    };
    let why = explanation(check, now);
    if !why.is_empty() {
        line(2, "why", why);
    }
    let counted = &check["checkers"];
    if let (Some(healthy), Some(all)) =
        (counted["healthy"].as_u64(), counted["counted"].as_u64().filter(|all| *all > 0))
    {
        line(2, "seen healthy", format!("by {healthy} of {all} checkers, {} %", healthy * 100 / all));
    }
    if let Some(children) = check["healthy_children"].as_u64() {
        line(2, "children", format!("{children} healthy"));
    }
    for checker in check["checker_reports"].as_array().into_iter().flatten() {
        let place: Vec<&str> = ["region", "address"]
            .map(|field| text(checker, field))
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect();
        let place = if place.is_empty() { String::new() } else { format!(" ({})", place.join(", ")) };
        let stale = if checker["counted"] == true || checker["last"].is_null() {
            ""
        } else {
            ", not counted: its last report is old"
        };
        line(2, text(checker, "location"), format!("{}{stale}{place}", text(checker, "verdict")));
        for (field, heading) in [("last", "last"), ("last_failure", "last failure")] {
            observation(&checker[field], heading, now, &mut |heading, text| line(4, heading, text));
        }
        let recent = checker["recent"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !recent.is_empty() {
            line(4, "recent", sparkline(recent, paint));
        }
        let latency = latency(&checker["latency"]);
        if !latency.is_empty() {
            line(4, "latency", latency);
        }
    }
    // What the node itself last observed is the reason above; a failure before that is news.
    let (last, failure) = (&check["node_report"]["last"], &check["node_report"]["last_failure"]);
    if last["at"] != failure["at"] {
        observation(failure, "last failure", now, &mut |heading, text| line(2, heading, text));
    }
    out
}

/// A status string with its age (H-40).
fn observation(record: &Value, heading: &str, now: Duration, line: &mut dyn FnMut(&str, String)) {
    if let Some(age) = age(&record["at"], now) {
        line(heading, format!("{}, {age} ago", text(record, "status")));
    }
}

/// Eighths of a character cell.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One character a probe, the latest last: a bar as high as the probe was slow among those that passed, or `×` for a failed one.
fn sparkline(recent: &[Value], paint: Paint) -> String {
    let duration = |probe: &Value| probe["duration_ms"].as_u64().unwrap_or(0);
    let passed = || recent.iter().filter(|probe| probe["passed"] == true).map(duration);
    let (fastest, slowest) = (passed().min().unwrap_or(0), passed().max().unwrap_or(0));
    let mut line = String::new();
    for probe in recent {
        if probe["passed"] == true {
            // The scale starts at 0, so that equally fast probes look alike and low.
            let step = duration(probe) * (BARS.len() as u64 - 1) / slowest.max(BARS.len() as u64);
            line += &paint.good(BARS[step as usize]);
        } else {
            line += &paint.bad('×');
        }
    }
    let failed = recent.len() - passed().count();
    let durations = if passed().count() > 0 { format!(", {fastest} to {slowest} ms") } else { String::new() };
    format!("{line}  {failed} of {} failed{durations}", recent.len())
}

fn latency(latency: &Value) -> String {
    let phases =
        [("connect_ms", "connect"), ("tls_handshake_ms", "TLS handshake"), ("first_byte_ms", "first byte")];
    let told =
        phases.iter().filter_map(|(field, name)| Some(format!("{name} {:.1} ms", latency[field].as_f64()?)));
    told.collect::<Vec<_>>().join(", ")
}

fn controls_text(controls: &[RoutingControl], paint: Paint) -> String {
    if controls.is_empty() {
        return "no routing controls\n".to_owned();
    }
    let width = controls.iter().map(|control| control.name.len()).max().unwrap_or(0);
    let line = |control: &RoutingControl| {
        let state = match control.state {
            SwitchState::On => paint.good("on "),
            SwitchState::Off => paint.bad("off"),
        };
        format!("{:<width$}  {state}  {}\n", control.name, control.arn)
    };
    controls.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_of_checks_is_aligned_h39() {
        let checks = json!({"checks": [
            {"id": "web", "status": "healthy", "reason": "Success: HTTP Status Code 200, OK", "changed_at": 1_000},
            {"id": "longer", "status": "unhealthy", "override": "unhealthy"},
            {"id": "new", "status": "unknown"},
        ]});
        let text = checks_text(&checks, Paint::plain(), Duration::from_secs(61));
        assert_eq!(
            text,
            "web     healthy        Success: HTTP Status Code 200, OK, since 1m 0s\n\
             longer  unhealthy      set to unhealthy by an operator\n\
             new     no status yet\n"
        );
    }

    #[test]
    fn a_check_is_shown_with_what_each_checker_sees_h39_h40() {
        let probe = |passed: bool, duration_ms: u32| json!({"passed": passed, "duration_ms": duration_ms});
        let check = json!({
            "id": "web", "status": "unhealthy", "type": "HTTP", "changed_at": 58_000,
            "reason": "Failure: Connection refused", "checkers": {"healthy": 0, "counted": 1},
            "checker_reports": [{
                "location": "fra1", "region": "eu-central-1", "address": "192.0.2.53", "verdict": "unhealthy",
                "counted": true,
                "last": {"at": 60_000, "status": "Failure: Connection refused"},
                "last_failure": {"at": 60_000, "status": "Failure: Connection refused"},
                "latency": {"connect_ms": 0.25, "first_byte_ms": 12.0},
                "recent": [probe(true, 10), probe(true, 80), probe(true, 40), probe(false, 0)],
            }],
        });
        assert_eq!(
            check_text(&check, Paint::plain(), Duration::from_secs(61)),
            "web  unhealthy  HTTP\n  \
               why          Failure: Connection refused, since 3s\n  \
               seen healthy by 0 of 1 checkers, 0 %\n  \
               fra1         unhealthy (eu-central-1, 192.0.2.53)\n    \
                 last         Failure: Connection refused, 1s ago\n    \
                 last failure Failure: Connection refused, 1s ago\n    \
                 recent       ▁█▄×  1 of 4 failed, 10 to 80 ms\n    \
                 latency      connect 0.2 ms, first byte 12.0 ms\n"
        );
    }

    #[test]
    fn an_alarm_is_shown_with_its_last_failure_h40() {
        let check = json!({
            "id": "m", "status": "healthy", "type": "CLOUDWATCH_METRIC", "reason": "Success: Alarm state OK",
            "checker_reports": [],
            "node_report": {
                "last": {"at": 60_000, "status": "Success: Alarm state OK"},
                "last_failure": {"at": 1_000, "status": "Failure: Alarm state ALARM"},
            },
        });
        assert_eq!(
            check_text(&check, Paint::plain(), Duration::from_secs(61)),
            "m  healthy  CLOUDWATCH_METRIC\n  \
               why          Success: Alarm state OK\n  \
               last failure Failure: Alarm state ALARM, 1m 0s ago\n"
        );
    }

    #[test]
    fn fast_probes_look_alike() {
        let recent: Vec<Value> = (0..3).map(|ms| json!({"passed": true, "duration_ms": ms % 2})).collect();
        assert_eq!(sparkline(&recent, Paint::plain()), "▁▁▁  0 of 3 failed, 0 to 1 ms");
        let recent = [json!({"passed": false, "duration_ms": 4000})];
        assert_eq!(sparkline(&recent, Paint::plain()), "×  1 of 1 failed");
    }

    #[test]
    fn routing_controls_are_aligned_h31() {
        let control =
            |name: &str, state| RoutingControl { arn: "arn:a".into(), name: name.into(), state, version: 0 };
        let controls = [control("cell", SwitchState::On), control("other-cell", SwitchState::Off)];
        assert_eq!(
            controls_text(&controls, Paint::plain()),
            "cell        on   arn:a\nother-cell  off  arn:a\n"
        );
        assert_eq!(controls_text(&[], Paint::plain()), "no routing controls\n");
    }
}
