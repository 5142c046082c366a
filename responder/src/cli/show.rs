//! What `status` and `health` print.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::Failure;
use super::client::Client;
use super::paint::Paint;
use crate::api::control::Status;

/// `pulse53 status`
pub fn status(client: &Client, json: bool) -> Result<(), Failure> {
    let status = client.status()?;
    if json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print!("{}", status_text(&status, Paint::stdout(), now()));
    }
    Ok(())
}

/// `pulse53 health list`
pub fn checks(client: &Client, json: bool) -> Result<(), Failure> {
    let checks = client.checks()?;
    if json {
        println!("{}", serde_json::to_string_pretty(&checks)?);
    } else {
        print!("{}", checks_text(&checks, Paint::stdout(), now()));
    }
    Ok(())
}

/// `pulse53 health show` and `set`
pub fn check(check: &Value, json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(check)?);
    } else {
        print!("{}", check_text(check, Paint::stdout(), now()));
    }
    Ok(())
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// `12s`, `5m 12s`, `3h 5m`, `2d 3h`.
fn length(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86400, seconds % 86400 / 3600),
    }
}

fn status_text(status: &Status, paint: Paint, now: Duration) -> String {
    let mut lines = Vec::new();
    let mut line = |heading: &str, text: String| {
        // Padded before it is painted: escapes have no width.
        lines.push(format!("{} {text}", paint.strong(format!("{heading:<10}"))));
    };
    line("node", format!("{}, pulse53 {}, up {}", status.node, status.version, length(status.uptime_s)));
    line("serving", format!("revision {}, generation {}", status.revision, status.generation));
    let configuration = &status.configuration;
    let age = length(now.as_secs().saturating_sub(configuration.loaded_at));
    line("config", format!("{}, read {age} ago", configuration.file));
    if let Some(failed_at) = configuration.failed_at {
        let age = length(now.as_secs().saturating_sub(failed_at));
        line("", paint.bad(format!("a later reading failed {age} ago; the configuration above is kept:")));
        configuration.problems.iter().for_each(|problem| line("", problem.clone()));
    }
    line("listen", status.listen.join(", "));
    let interfaces =
        status.interfaces.iter().map(|interface| format!("{} ({})", interface.name, interface.mode));
    let interfaces: Vec<String> = interfaces.collect();
    line("kernel", if interfaces.is_empty() { "not attached".to_owned() } else { interfaces.join(", ") });
    if let Some(problem) = &status.kernel_problem {
        line("", paint.bad(problem));
    }
    let replies = &status.replies;
    let share = replies
        .kernel_share()
        .map_or_else(String::new, |share| format!(", {:.1} % by the kernel", share * 100.0));
    line("replies", format!("{}{share}", replies.kernel + replies.userspace));
    line("zones", status.zones.len().to_string());
    for zone in &status.zones {
        line("", format!("{} ({}), {} record sets", zone.name, zone.id, zone.record_sets));
    }
    for finding in &status.findings {
        line("", paint.bad(format!("not answered: {finding}")));
    }
    let checks = &status.checks;
    let unhealthy = format!("{} unhealthy", checks.unhealthy);
    line(
        "checks",
        format!(
            "{}, {}, {}",
            paint.good(format!("{} healthy", checks.healthy)),
            if checks.unhealthy > 0 { paint.bad(unhealthy) } else { unhealthy },
            format_args!("{} without a status yet", checks.unknown),
        ),
    );
    lines.join("\n") + "\n"
}

/// A text field of a report, or nothing.
fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

fn painted_status(check: &Value, width: usize, paint: Paint) -> String {
    let status = text(check, "status");
    let padded = format!("{status:<width$}");
    match status {
        "healthy" => paint.good(padded),
        "unhealthy" => paint.bad(padded),
        _ => paint.notable(padded),
    }
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
    if let Some(changed_at) = check["changed_at"].as_u64() {
        parts.push(format!("since {}", length(now.as_secs().saturating_sub(changed_at / 1000))));
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
            let status = painted_status(check, 9, paint);
            format!("{:<width$}  {status}  {}\n", text(check, "id"), explanation(check, now))
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
    let why = explanation(check, now);
    if !why.is_empty() {
        out += &format!("  {why}\n");
    }
    for checker in check["checker_reports"].as_array().into_iter().flatten() {
        let last = &checker["last"];
        let age = last["at"].as_u64().map(|at| length(now.as_secs().saturating_sub(at / 1000)));
        let age = age.map_or_else(
            || "not probed yet".to_owned(),
            |age| format!("{}, {age} ago", text(last, "status")),
        );
        out += &format!("  {}: {}: {age}\n", text(checker, "location"), text(checker, "verdict"));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lengths() {
        assert_eq!([5, 65, 3725, 90000].map(length), ["5s", "1m 5s", "1h 2m", "1d 1h"]);
    }

    #[test]
    fn a_list_of_checks_is_aligned() {
        let checks = json!({"checks": [
            {"id": "web", "status": "healthy", "reason": "Success: HTTP Status Code 200, OK", "changed_at": 1_000},
            {"id": "longer", "status": "unhealthy", "override": "unhealthy"},
        ]});
        let paint = Paint::stdout();
        let text = checks_text(&checks, paint, Duration::from_secs(61));
        assert_eq!(
            text,
            "web     healthy    Success: HTTP Status Code 200, OK, since 1m 0s\n\
             longer  unhealthy  set to unhealthy by an operator\n"
        );
    }
}
