//! Tables of durations: a row each, with its percentiles.

use std::time::Duration;

/// The heading that fits the rows.
pub fn heading(what: &str) -> String {
    format!("{what:<44}{:>10}{:>10}{:>10}{:>10}", "least", "median", "p90", "most")
}

/// One row; the order of the durations does not matter.
pub fn row(what: &str, durations: &[Duration]) -> String {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let at = |share: f64| match sorted.as_slice() {
        [] => "-".to_owned(),
        sorted => told(sorted[((sorted.len() - 1) as f64 * share).round() as usize]),
    };
    format!("{what:<44}{:>10}{:>10}{:>10}{:>10}", at(0.0), at(0.5), at(0.9), at(1.0))
}

/// With three digits that count, in the unit that suits.
pub fn told(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    let (value, unit) = match micros {
        0.0..1e3 => (micros, "µs"),
        1e3..1e6 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_briefly() {
        let told = |micros| told(Duration::from_micros(micros));
        assert_eq!([7, 12_345, 123_456, 42_000_000].map(told), ["7.00 µs", "12.3 ms", "123 ms", "42.0 s"]);
    }

    #[test]
    fn percentiles_are_of_the_sorted() {
        let durations: Vec<Duration> = (0..=10).rev().map(Duration::from_secs).collect();
        let row = row("x", &durations);
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>()[1..],
            ["0.00", "µs", "5.00", "s", "9.00", "s", "10.0", "s"]
        );
    }
}
