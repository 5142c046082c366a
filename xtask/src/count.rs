//! How many tests passed, failed and were skipped: what libtest prints, and what tests themselves say they lack.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Debug, Default, PartialEq)]
pub struct Count {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Count {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; …`; whether it is one.
    pub fn add_line(&mut self, line: &str) -> bool {
        let Some(result) = line.strip_prefix("test result: ") else { return false };
        let result = result.split_once(". ").map_or(result, |(_, numbers)| numbers);
        for part in result.split(';') {
            let Some((number, what)) = part.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
        true
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Counts tests as skipped that libtest takes for passed.
    pub fn skip(&mut self, tests: usize) {
        self.passed = self.passed.saturating_sub(tests);
        self.skipped += tests;
    }
}

/// What each skipped test lacks. A test that gives several reasons is one test.
pub fn by_test(log: &str) -> BTreeMap<&str, &str> {
    log.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.split_once(": ").unwrap_or((line, "it does not say what")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_binaries_add_up() {
        let mut count = Count::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.20s",
        ] {
            count.add_line(line);
        }
        assert_eq!(count, Count { passed: 5, failed: 1, skipped: 1 });
        assert_eq!(count.to_string(), "5 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn a_test_that_lacks_two_things_is_skipped_once() {
        let log = "kernel::veth: root\nkernel::veth: dnsperf\nblackbox::aws: the aws command\n";
        let skipped = by_test(log);
        assert_eq!(skipped.len(), 2);
        assert_eq!(skipped["blackbox::aws"], "the aws command");
    }
}
