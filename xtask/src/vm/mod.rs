//! `cargo xtask vm-test`: the tests that need a kernel, under other kernels than this machine's.
//!
//! A kernel of the distribution's, an initramfs made on the spot and qemu: no image, and no root. `kernel` finds what to
//! boot, `module` and `image` make the guest's files, `guest` says what happens inside, `machine` runs it.

mod guest;
mod image;
mod kernel;
mod machine;
mod module;
mod payload;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::build::{self, Profile};
use crate::count::{Count, by_test};
use crate::setup::{self, Consent};
use crate::workspace;
use guest::{Run, Told};
use image::Image;
use kernel::Kernel;
use machine::{Acceleration, Ended, Machine};
use payload::Payload;
use wire::Wire;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask vm-test                            the distribution's kernel, and a newer one if it offers one\n  \
                        cargo xtask vm-test --kernel linux-image-cloud-amd64\n  \
                        cargo xtask vm-test --kernel ./bzImage         its modules in ../lib/modules, if it has any\n  \
                        cargo xtask vm-test -- lifecycle               only tests with this in their names\n\n\
                        Kernels are downloaded by apt-get and kept in the user's cache. Exit status: 0 fine, 1 a test failed."
)]
pub struct Arguments {
    /// A package, a .deb file or a bzImage; may be given more than once
    #[arg(long, value_name = "KERNEL")]
    kernel: Vec<String>,

    /// Which tests; may be given more than once
    #[arg(long, value_enum, value_name = "TESTS", default_values_t = Tests::ALL)]
    only: Vec<Tests>,

    /// How the guest's instructions are run
    #[arg(long, value_enum, default_value_t = Acceleration::Auto)]
    accelerate: Acceleration,

    /// A machine that has not ended by then is killed, and has failed
    #[arg(long, value_name = "MINUTES", default_value_t = 30)]
    limit: u64,

    /// The guest's memory
    #[arg(long, value_name = "MIB", default_value_t = 1536)]
    memory: u32,

    /// Queries in the test that has a million of them elsewhere
    #[arg(long, value_name = "NUMBER", default_value_t = 50_000)]
    packets: u32,

    /// Install what is missing without asking
    #[arg(long, short)]
    yes: bool,

    /// Passed on to the test binaries
    #[arg(last = true, value_name = "TEST ARGUMENTS")]
    rest: Vec<String>,
}

/// What can be run inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Tests {
    /// Packets through the loaded program
    Kernel,
    /// Black box, over veth
    Veth,
    /// Black box, over virtio_net
    Virtio,
}

impl Tests {
    const ALL: [Self; 3] = [Self::Kernel, Self::Veth, Self::Virtio];
}

/// What the tests need of the kernel that may be a module.
const MODULES: [&str; 3] = ["veth", "virtio_pci", "virtio_net"];

/// Tests of the test binary `kernel` that come near no kernel.
const HOST_ONLY: &str = "table::";

/// Whether all is well under every kernel.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let consent = Consent::from_flag(arguments.yes);
    let tools = setup::ensure(consent)?;
    setup::ensure_virtual_machines(consent)?;
    let kernels = if arguments.kernel.is_empty() { kernel::by_default()? } else { arguments.kernel.clone() };
    let kernels: Vec<Kernel> = kernels.iter().map(|named| kernel::find(named)).collect::<Result<_>>()?;
    build::build(&tools, Profile::Debug)?;
    let payload = Payload::build()?;

    println!(
        "left out: {HOST_ONLY}, which needs no kernel; of a million packets, all but {} (--packets)",
        arguments.packets
    );
    let wire = Wire::find();
    println!("wire: {}", wire.told());
    let mut acceleration = arguments.accelerate;
    let mut total = Count::default();
    let mut is_well = true;
    let mut results = Vec::new();
    for kernel in &kernels {
        let begun = Instant::now();
        println!("\nLinux {}", kernel.release);
        let outcome = boot(kernel, &payload, arguments, wire, &mut acceleration)?;
        total.add(&outcome.count);
        is_well &= outcome.is_well;
        let verdict = if outcome.is_well { "ok" } else { "FAILED" };
        results.push(format!(
            "  {:<32} {verdict:<7} {}, in {} s",
            format!("Linux {}", kernel.release),
            outcome.count,
            begun.elapsed().as_secs()
        ));
    }
    println!("\n{}\n\n{total}", results.join("\n"));
    Ok(is_well)
}

/// What came of one kernel.
#[derive(Default)]
struct Outcome {
    count: Count,
    is_well: bool,
}

fn boot(
    kernel: &Kernel,
    payload: &Payload,
    arguments: &Arguments,
    wire: Wire,
    acceleration: &mut Acceleration,
) -> Result<Outcome> {
    let runs = runs(arguments);
    let directory = workspace::root().join("target/vm");
    std::fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    let initramfs = directory.join(format!("{}.cpio", kernel.release));
    write_initramfs(kernel, payload, &runs, &initramfs)?;
    let machine = Machine {
        kernel: kernel.image.clone(),
        initramfs,
        console: directory.join(format!("{}.console", kernel.release)),
        memory_mib: arguments.memory,
        wire,
        limit: Duration::from_secs(arguments.limit * 60),
    };
    let mut report = Report::new(runs.len());
    let ended = machine.run(acceleration, |line| report.line(line))?;
    let mut outcome = report.outcome();
    if ended != Ended::Done {
        outcome.is_well = false;
        let why = if ended == Ended::OutOfTime { "the time was up" } else { "the machine died" };
        println!("failed: {why}; its kernel's last messages, of {}:", machine.console.display());
        let console = std::fs::read(&machine.console).unwrap_or_default();
        let console = String::from_utf8_lossy(&console).into_owned();
        let lines: Vec<&str> = console.lines().collect();
        println!("{}", lines[lines.len().saturating_sub(40)..].join("\n"));
    }
    let _ = std::fs::remove_file(&machine.initramfs);
    Ok(outcome)
}

/// What is run inside.
fn runs(arguments: &Arguments) -> Vec<Run> {
    let environment = [
        ("PULSE53_BIN".to_owned(), payload::program("pulse53").display().to_string()),
        ("PULSE53_TEST_PACKETS".to_owned(), arguments.packets.to_string()),
    ];
    let run = |tests: &Tests| {
        let (name, program, own): (_, _, &[&str]) = match tests {
            Tests::Kernel => ("kernel", "kernel", &["--skip", HOST_ONLY]),
            Tests::Veth => ("black box over veth", "blackbox", &[]),
            Tests::Virtio => ("black box over virtio_net", "blackbox", &["--test-threads", "1"]),
        };
        let mut environment = environment.to_vec();
        if *tests == Tests::Virtio {
            environment.push(("PULSE53_TEST_WIRE".to_owned(), wire::ENDS.join(",")));
        }
        Run {
            name: name.to_owned(),
            program: payload::program(program),
            arguments: own.iter().map(ToString::to_string).chain(arguments.rest.iter().cloned()).collect(),
            environment,
        }
    };
    arguments.only.iter().map(run).collect()
}

fn write_initramfs(kernel: &Kernel, payload: &Payload, runs: &[Run], path: &PathBuf) -> Result<()> {
    let mut image = Image::default();
    for directory in ["/dev", "/proc", "/sys", "/run", "/tmp", "/modules"] {
        image.make_directory(directory.as_ref());
    }
    payload.add_to(&mut image)?;
    let mut names = Vec::new();
    if let Some(modules) = &kernel.modules {
        for module in module::load(modules, &MODULES)? {
            image.add(&guest::module_path(&module.name), module.octets);
            names.push(module.name);
        }
    }
    let init = guest::init(&names, &image.library_path(), runs);
    image.add("/init".as_ref(), init);
    let file = std::fs::File::create(path).with_context(|| format!("making {}", path.display()))?;
    image.write(std::io::BufWriter::new(file))
}

/// What the guest has told so far.
struct Report {
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
    fn new(expected: usize) -> Self {
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

    fn line(&mut self, line: &str) {
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

    fn outcome(self) -> Outcome {
        Outcome { is_well: self.is_well && self.finished == self.expected, count: self.count }
    }
}
