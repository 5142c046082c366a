//! What `status` prints.

use std::time::Duration;

use super::Failure;
use super::client::Client;
use super::paint::Paint;
use crate::api::control::Status;
use crate::clock;

/// `pulse53 status`
pub fn status(client: &Client, json: bool) -> Result<(), Failure> {
    let status = client.status()?;
    if json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print!("{}", status_text(&status, Paint::stdout(), clock::since_1970()));
    }
    Ok(())
}

/// `12s`, `5m 12s`, `3h 5m`, `2d 3h`.
pub(super) fn length(seconds: u64) -> String {
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
    if status.reply_route == "kernel" && !status.interfaces.is_empty() {
        line("", "replies go where the kernel's routes lead".to_owned());
    }
    if let Some(problem) = &status.kernel_problem {
        line("", paint.bad(problem));
    }
    if let Some(table) = &status.kernel_table {
        let without_room = match table.without_room {
            0 => String::new(),
            count => format!(", {count} left to userspace for want of room"),
        };
        line("", format!("{} of at most {} questions{without_room}", table.questions, table.capacity));
        if table.promoted > 0 {
            line(
                "",
                format!(
                    "{} brought in as they were asked often, {} made room",
                    table.promoted, table.evicted
                ),
            );
        }
        if table.distrusted > 0 {
            let text = format!("{} left to userspace, whose answers differed: see the log", table.distrusted);
            line("", paint.bad(text));
        }
    }
    let replies = &status.replies;
    let share = replies
        .kernel_share
        .map_or_else(String::new, |share| format!(", {:.1} % by the kernel", share * 100.0));
    line("replies", format!("{}{share}", replies.kernel + replies.userspace));
    let limited = &status.limited;
    if limited.slipped + limited.dropped > 0 {
        let [slipped, dropped] = [limited.slipped, limited.dropped];
        line("limited", format!("{slipped} sent to TCP, {dropped} not sent"));
    }
    line("zones", status.zones.len().to_string());
    for zone in &status.zones {
        let signed = if zone.signed { ", signed" } else { "" };
        line("", format!("{} ({}), {} record sets{signed}", zone.name, zone.id, zone.record_sets));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        assert_eq!([5, 65, 3725, 90000].map(length), ["5s", "1m 5s", "1h 2m", "1d 1h"]);
    }
}
