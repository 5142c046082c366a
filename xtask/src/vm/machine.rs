//! The machine: qemu, by KVM where that works and by emulation elsewhere.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::guest::{self, Told};
use super::image::Image;
use super::kernel::Kernel;
use super::wire::Wire;
use crate::process;

/// Processors of the guest.
pub const PROCESSORS: usize = 2;

/// A KVM that has not brought the guest up by then counts as unusable.
const KVM_PATIENCE: Duration = Duration::from_secs(20);

/// How the guest's instructions are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Acceleration {
    /// By the processor
    Kvm,
    /// By emulation: everywhere, and some twenty times slower
    Tcg,
}

impl Acceleration {
    /// KVM where it works. That is seen by booting a kernel: there are machines whose KVM is there and takes no guest, or lets it
    /// start and hang.
    pub fn find(kernel: &Kernel, directory: &Path) -> Result<Self> {
        if File::options().read(true).write(true).open("/dev/kvm").is_err() {
            return Ok(Self::Tcg);
        }
        let initramfs = directory.join("trial.cpio");
        let mut image = Image::for_guest()?;
        image.add("/init".as_ref(), guest::init(&[], "", &[]));
        image.write_to(&initramfs)?;
        let machine = Machine {
            kernel: kernel.image.clone(),
            initramfs,
            console: directory.join("trial.console"),
            memory_mib: 512,
            wire: Wire::Hub,
            limit: KVM_PATIENCE,
            is_trial: true,
        };
        let ended = machine.run(Self::Kvm, |_| {})?;
        Ok(if ended == Ended::Done { Self::Kvm } else { Self::Tcg })
    }
}

impl Acceleration {
    /// For the reader.
    pub fn told(self) -> &'static str {
        match self {
            Self::Kvm => "qemu with KVM",
            Self::Tcg => "qemu, emulating: no timing here means anything",
        }
    }
}

/// What to boot.
#[derive(Debug)]
pub struct Machine {
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    /// Where the kernel's messages are kept.
    pub console: PathBuf,
    pub memory_mib: u32,
    pub wire: Wire,
    /// A machine that has not ended by then is killed.
    pub limit: Duration,
    /// Whether what qemu itself complains of is of no interest.
    pub is_trial: bool,
}

/// How a machine ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The guest has told that all runs are done.
    Done,
    /// qemu ended before that, or the guest's kernel did.
    Died,
    /// The time was up.
    OutOfTime,
}

impl Machine {
    /// Boots it, and tells each line of the guest's as it comes.
    pub fn run(&self, acceleration: Acceleration, mut line: impl FnMut(&str)) -> Result<Ended> {
        let begun = Instant::now();
        let mut child = Running(process::start(&mut self.command(acceleration))?);
        let lines = lines_of(&mut child.0);
        loop {
            match lines.recv_timeout(self.limit.saturating_sub(begun.elapsed())) {
                Ok(text) if guest::told(&text) == Some(Told::Done) => {
                    // It powers itself off; whatever keeps it from that, all results are here.
                    child.0.kill().context("stopping qemu")?;
                    return Ok(Ended::Done);
                }
                Ok(text) => line(&text),
                Err(RecvTimeoutError::Timeout) => return Ok(Ended::OutOfTime),
                Err(RecvTimeoutError::Disconnected) => return Ok(Ended::Died),
            }
        }
    }

    fn command(&self, acceleration: Acceleration) -> Command {
        let (accelerator, processor) =
            if acceleration == Acceleration::Kvm { ("kvm", "host") } else { ("tcg,thread=multi", "max") };
        // It does not outlive this program, even if that is killed.
        let mut qemu = self.wire.command("setpriv").unwrap_or_else(|| Command::new("setpriv"));
        qemu.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        qemu.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none"])
            .args(["-accel", accelerator, "-cpu", processor, "-smp"])
            .arg(PROCESSORS.to_string())
            .args(["-m", &self.memory_mib.to_string()])
            .args(self.wire.arguments())
            // Tests on the first line, the kernel on the second: neither breaks into the other's lines.
            .args(["-serial", "stdio", "-serial"])
            .arg(format!("file:{}", self.console.display()))
            .arg("-kernel")
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(&self.initramfs)
            // A kernel that panics reboots at once, and qemu ends instead.
            .args(["-append", "console=ttyS1 panic=-1 oops=panic quiet loglevel=5"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if self.is_trial {
            qemu.stderr(Stdio::null());
        }
        qemu
    }
}

/// Killed when dropped, if it has not ended.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended is reaped, and the kill does nothing.
        let _ = self.0.kill();
        let _ = process::wait(&mut self.0);
    }
}

/// What it prints, line by line, until it ends.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let stdout = child.stdout.take().expect("stdout is piped");
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n') {
            // Nobody listens any more, or there is nothing more to read.
            let Ok(line) = line.context("reading what qemu says") else { return };
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
