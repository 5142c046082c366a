//! What the guest tells, shown as it comes and counted.

use std::collections::BTreeMap;
use std::time::Instant;

use super::guest::{self, Told};
use crate::count::{Count, by_test};

/// What the guest has told so far.
pub struct Report {
    expected: usize,
    finished: usize,
    begun: Instant,
    run: Option<(String, Instant)>,
    count: Count,
    /// Of the run under way.
    here: Count,
    skipped: BTreeMap<String, String>,
    is_well: bool,
}

impl Report {
    pub fn new(expected: usize) -> Self {
        Self {
            expected,
            finished: 0,
            begun: Instant::now(),
            run: None,
            count: Count::default(),
            here: Count::default(),
            skipped: BTreeMap::new(),
            is_well: true,
        }
    }

    /// Takes a line, and shows what the reader is to see of it.
    pub fn line(&mut self, line: &str) {
        match guest::told(line) {
            None => {
                self.here.add_line(line);
                println!("  {line}");
            }
            Some(Told::Ready(release)) => {
                println!("  {release} is up after {:.1} s", self.begun.elapsed().as_secs_f64());
            }
            Some(Told::Lacking(what)) => println!("  lacking: {what}"),
            Some(Told::Begun(name)) => {
                println!("\n  -- {name}");
                self.run = Some((name.to_owned(), Instant::now()));
                self.here = Count::default();
                self.skipped.clear();
            }
            Some(Told::Skipped(line)) => {
                let test = by_test(line).into_iter().map(|(test, lack)| (test.to_owned(), lack.to_owned()));
                self.skipped.extend(test);
            }
            Some(Told::Ended(status)) => self.end(status),
            Some(Told::Done) => {}
        }
    }

    fn end(&mut self, status: i32) {
        let Some((name, begun)) = self.run.take() else { return };
        self.here.skip(self.skipped.len());
        for (test, lack) in &self.skipped {
            println!("  skipped {test}: {lack}");
        }
        let seconds = begun.elapsed().as_secs_f64();
        println!("  -- {name}: {}, exit status {status}, in {seconds:.0} s", self.here);
        self.is_well &= status == 0 && self.here.failed == 0;
        self.count.add(&self.here);
        self.finished += 1;
    }

    /// The count, and whether all runs have ended well.
    pub fn result(self) -> (Count, bool) {
        (self.count, self.is_well && self.finished == self.expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str]) -> (Count, bool) {
        let mut report = Report::new(1);
        lines.iter().for_each(|line| report.line(line));
        report.result()
    }

    #[test]
    fn skipped_tests_are_not_passed_ones() {
        let result =
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s";
        let skipped = "PULSE53-VM skipped load::a: dnsperf";
        let (count, is_well) = told(&["PULSE53-VM run kernel", result, skipped, "PULSE53-VM end 0"]);
        assert_eq!((count, is_well), (Count { passed: 2, failed: 0, skipped: 1 }, true));
    }

    #[test]
    fn a_run_that_did_not_end_is_a_failure() {
        assert!(!told(&["PULSE53-VM run kernel"]).1);
        assert!(!told(&["PULSE53-VM run kernel", "PULSE53-VM end 101"]).1);
    }
}
