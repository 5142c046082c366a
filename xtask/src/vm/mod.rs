//! `cargo xtask vm-test`: the tests that need a kernel, under other kernels than this machine's.
//!
//! A kernel of the distribution's, an initramfs made on the spot and qemu: no image, and no root. `kernel` finds what to
//! boot, `selection` which tests; `module`, `payload` and `image` make the guest's files, `guest` says what happens inside, `machine`
//! runs it, `report` listens.

mod guest;
mod image;
mod kernel;
mod machine;
mod module;
mod payload;
mod report;
mod selection;
mod wire;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::build::{self, Profile};
use crate::count::Count;
use crate::setup::{self, Consent};
use crate::workspace;
use guest::Run;
use image::Image;
use kernel::Kernel;
use machine::{Acceleration, Ended, Machine};
use payload::Payload;
use report::Report;
use selection::{Selection, Tests};
use wire::Wire;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask vm-test                            the distribution's kernel, and a newer one if it offers one\n  \
                        cargo xtask vm-test --brief                    a few minutes of it\n  cargo xtask vm-test --kernel linux-image-cloud-amd64\n  \
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

    /// How the guest's instructions are run: KVM where that works, unless told otherwise
    #[arg(long, value_enum)]
    accelerate: Option<Acceleration>,

    /// The minutes' worth: whether the oldest kernel takes the programs, and a handful of packets through them
    #[arg(long, conflicts_with_all = ["all", "only"])]
    brief: bool,

    /// Leave nothing out, though the guest be emulated: that takes most of an hour a kernel
    #[arg(long)]
    all: bool,

    /// A machine that has not ended by then is killed, and has failed
    #[arg(long, value_name = "MINUTES", default_value_t = LIMIT_MINUTES)]
    limit: u64,

    /// The guest's memory
    #[arg(long, value_name = "MIB", default_value_t = MEMORY_MIB)]
    memory: u32,

    /// Install what is missing without asking
    #[arg(long, short)]
    yes: bool,

    /// Passed on to the test binaries
    #[arg(last = true, value_name = "TEST ARGUMENTS")]
    rest: Vec<String>,
}

const LIMIT_MINUTES: u64 = 60;
const MEMORY_MIB: u32 = 1536;

/// What the tests need of the kernel that may be a module.
const MODULES: [&str; 4] = ["veth", "8021q", "virtio_pci", "virtio_net"];

/// How much `cargo xtask test` runs in virtual machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Extent {
    /// What `cargo xtask vm-test --brief` runs
    Brief,
    /// What `cargo xtask vm-test` runs
    Whole,
}

impl Arguments {
    /// What is done where nothing else is asked for.
    pub fn usual(extent: Extent, yes: bool) -> Self {
        Self {
            kernel: Vec::new(),
            only: Tests::ALL.to_vec(),
            accelerate: None,
            brief: extent == Extent::Brief,
            all: false,
            limit: LIMIT_MINUTES,
            memory: MEMORY_MIB,
            yes,
            rest: Vec::new(),
        }
    }
}

/// Whether all is well under every kernel.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let (count, is_well) = count(arguments)?;
    println!("\n{count}");
    Ok(is_well)
}

/// The tests of all kernels, and whether all is well.
pub fn count(arguments: &Arguments) -> Result<(Count, bool)> {
    let kernels = kernels(arguments)?;
    count_under(&kernels, arguments)
}

/// The kernels to boot, and qemu to boot them.
pub fn kernels(arguments: &Arguments) -> Result<Vec<Kernel>> {
    setup::ensure_virtual_machines(Consent::from_flag(arguments.yes))?;
    let mut named =
        if arguments.kernel.is_empty() { kernel::by_default()? } else { arguments.kernel.clone() };
    if arguments.brief && arguments.kernel.is_empty() {
        named.truncate(1);
    }
    named.iter().map(|named| kernel::find(named)).collect()
}

/// The tests under these kernels, and whether all is well.
pub fn count_under(kernels: &[Kernel], arguments: &Arguments) -> Result<(Count, bool)> {
    let tools = setup::ensure(Consent::from_flag(arguments.yes))?;
    build::build(&tools, Profile::Debug)?;
    let payload = Payload::build()?;
    let directory = workspace::root().join("target/vm");

    let acceleration = match arguments.accelerate {
        Some(wanted) => wanted,
        None => Acceleration::find(&kernels[0], &directory)?,
    };
    let wire = Wire::find();
    println!("\nmachine: {}\nwire: {}", acceleration.told(), wire.told());
    let is_everything = arguments.all || acceleration == Acceleration::Kvm;
    let selection = Selection {
        only: &arguments.only,
        is_brief: arguments.brief,
        is_everything,
        filters: &arguments.rest,
    };
    selection.say_what_is_left_out();

    let mut total = Count::default();
    let mut is_well = true;
    let mut results = Vec::new();
    for kernel in kernels {
        let begun = Instant::now();
        println!("\nLinux {}", kernel.release);
        let runs = selection.runs(kernel);
        let initramfs = directory.join(format!("{}.cpio", kernel.release));
        write_initramfs(kernel, &payload, &runs, &initramfs)?;
        let machine = Machine {
            kernel: kernel.image.clone(),
            initramfs,
            console: directory.join(format!("{}.console", kernel.release)),
            memory_mib: arguments.memory,
            wire,
            limit: Duration::from_secs(arguments.limit * 60),
            is_trial: false,
        };
        let (count, well) = boot(&machine, acceleration, runs.len())?;
        total.add(&count);
        is_well &= well;
        let verdict = if well { "ok" } else { "FAILED" };
        let name = format!("Linux {}", kernel.release);
        results.push(format!("  {name:<36} {verdict:<7} {count}, in {} s", begun.elapsed().as_secs()));
    }
    println!("\n{}", results.join("\n"));
    Ok((total, is_well))
}

/// Runs a machine to its end, in view: how many tests passed, and whether all is well.
fn boot(machine: &Machine, acceleration: Acceleration, runs: usize) -> Result<(Count, bool)> {
    let mut report = Report::new(runs);
    let ended = machine.run(acceleration, |line| report.line(line))?;
    let _ = std::fs::remove_file(&machine.initramfs);
    let (count, is_well) = report.result();
    if ended == Ended::Done {
        return Ok((count, is_well));
    }
    let why = if ended == Ended::OutOfTime { "the time was up (--limit)" } else { "the machine died" };
    println!("failed: {why}; its kernel's last messages, of {}:", machine.console.display());
    let console = std::fs::read(&machine.console).unwrap_or_default();
    let console = String::from_utf8_lossy(&console).into_owned();
    let lines: Vec<&str> = console.lines().collect();
    println!("{}", lines[lines.len().saturating_sub(CONSOLE_TAIL)..].join("\n"));
    Ok((count, false))
}

/// How many of the kernel's messages a failure repeats.
const CONSOLE_TAIL: usize = 40;

fn write_initramfs(kernel: &Kernel, payload: &Payload, runs: &[Run], path: &Path) -> Result<()> {
    let mut image = Image::for_guest()?;
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
    image.write_to(path)
}
