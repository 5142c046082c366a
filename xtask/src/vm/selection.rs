//! Which tests run under a kernel, and what is left out.

use super::guest::Run;
use super::kernel::Kernel;
use super::{payload, wire};

/// What can be run inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Tests {
    /// Packets through the loaded program
    Kernel,
    /// Black box, over veth
    Veth,
    /// Black box, over virtio_net
    Virtio,
}

impl Tests {
    pub const ALL: [Self; 3] = [Self::Kernel, Self::Veth, Self::Virtio];
}

/// The oldest kernel that takes the program.
const OLDEST: (u32, u32) = (6, 1);

/// The test of what happens on kernels before that.
const OLD_KERNEL: &str = "old_kernel::";

/// Of the test binary `kernel`, tests that come near no kernel.
const HOST_ONLY: &str = "table::";

/// Tests that are left out where the guest is emulated, and why.
const LENGTHY: [(&str, &str); 2] = [
    ("conformance::cases_hold_over_the_wire", "it asks 50,000 questions one by one"),
    ("load::", "they count what a second brings"),
];

/// Tests of the binary `kernel` that are enough to see whether a kernel takes all programs, within their budget, and whether they answer.
const BRIEF: [&str; 3] = ["the_program_keeps_to_its_budget", "packet::", "stale::"];

/// Queries in the test that has a million of them elsewhere, where the guest is emulated.
const PACKETS: u32 = 50_000;

/// What the reader asked for.
#[derive(Debug)]
pub struct Selection<'a> {
    pub only: &'a [Tests],
    /// Whether a handful of tests is enough.
    pub is_brief: bool,
    /// Whether lengthy tests are run, too.
    pub is_everything: bool,
    /// Passed on to the test binaries.
    pub filters: &'a [String],
}

impl Selection<'_> {
    /// Tells the reader what is not run.
    pub fn say_what_is_left_out(&self) {
        if self.is_brief {
            println!("left out: all but {} (cargo xtask vm-test runs the others)", BRIEF.join(", "));
            return;
        }
        println!("left out: {HOST_ONLY} (it needs no kernel)");
        if !self.is_everything {
            for (test, why) in LENGTHY {
                println!("left out: {test} ({why}; --all runs it)");
            }
            println!("left out: of the million packets of mutated::, all but {PACKETS} (--all sends them)");
        }
    }

    /// What is run under a kernel. Before 6.1 that is what such a kernel is good for.
    pub fn runs(&self, kernel: &Kernel) -> Vec<Run> {
        if kernel.version().is_some_and(|version| version < OLDEST) {
            println!("  before {}.{}: the black-box test for such kernels alone", OLDEST.0, OLDEST.1);
            return vec![self.run("black box on an old kernel", "blackbox", &["--ignored", OLD_KERNEL])];
        }
        if self.is_brief {
            return vec![self.run("kernel, in brief", "kernel", &BRIEF)];
        }
        self.only.iter().map(|tests| self.run_of(*tests)).collect()
    }

    fn run_of(&self, tests: Tests) -> Run {
        match tests {
            Tests::Kernel => self.run("kernel", "kernel", &["--skip", HOST_ONLY]),
            Tests::Veth => self.run("black box over veth", "blackbox", &[]),
            Tests::Virtio => {
                // There is one wire.
                let mut run = self.run("black box over virtio_net", "blackbox", &["--test-threads", "1"]);
                run.environment.push(("PULSE53_TEST_WIRE".to_owned(), wire::ENDS.join(",")));
                run
            }
        }
    }

    fn run(&self, name: &str, program: &str, arguments: &[&str]) -> Run {
        let mut arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let mut environment =
            vec![("PULSE53_BIN".to_owned(), payload::program("pulse53").display().to_string())];
        if !self.is_everything {
            arguments.extend(LENGTHY.iter().flat_map(|(test, _)| ["--skip".to_owned(), test.to_string()]));
            environment.push(("PULSE53_TEST_PACKETS".to_owned(), PACKETS.to_string()));
        }
        arguments.extend(self.filters.iter().cloned());
        Run { name: name.to_owned(), program: payload::program(program), arguments, environment }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(release: &str, is_everything: bool) -> Vec<Run> {
        let kernel = Kernel { release: release.to_owned(), image: "bzImage".into(), modules: None };
        let filters = ["health".to_owned()];
        Selection { only: &Tests::ALL, is_brief: false, is_everything, filters: &filters }.runs(&kernel)
    }

    #[test]
    fn in_brief_one_run_is_enough() {
        let kernel = Kernel { release: "6.1.0-56".to_owned(), image: "bzImage".into(), modules: None };
        let brief = Selection { only: &Tests::ALL, is_brief: true, is_everything: false, filters: &[] };
        let runs = brief.runs(&kernel);
        assert_eq!(runs.len(), 1);
        assert!(BRIEF.iter().all(|test| runs[0].arguments.iter().any(|argument| argument == test)));
    }

    #[test]
    fn emulated_guests_are_spared_what_is_lengthy() {
        let has = |runs: Vec<Run>, word: &str| runs[1].arguments.iter().any(|argument| argument == word);
        assert!(has(runs("6.1.0-56", false), "load::") && !has(runs("6.1.0-56", true), "load::"));
        assert!(has(runs("6.12.1", true), "health"));
    }

    #[test]
    fn a_kernel_before_the_oldest_gets_the_test_for_such() {
        let runs = runs("5.10.0-32-cloud-amd64", true);
        assert_eq!(runs.len(), 1);
        assert!(runs[0].arguments.iter().any(|argument| argument == OLD_KERNEL), "{runs:?}");
    }
}
