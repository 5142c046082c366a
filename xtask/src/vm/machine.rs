//! The machine: qemu, by KVM where that works and by emulation elsewhere.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::guest::{self, Told};
use super::wire::Wire;
use crate::process;

/// Processors of the guest.
pub const PROCESSORS: usize = 2;

/// A KVM that has not brought the guest up by then counts as unusable: some let a guest start and hang.
const KVM_PATIENCE: Duration = Duration::from_secs(30);

/// How the guest's instructions are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Acceleration {
    /// KVM if it works, else emulation
    Auto,
    /// By the processor
    Kvm,
    /// By emulation: everywhere, and some twenty times slower
    Tcg,
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
    pub fn run(&self, acceleration: &mut Acceleration, mut line: impl FnMut(&str)) -> Result<Ended> {
        if *acceleration == Acceleration::Auto {
            if std::fs::File::options().read(true).write(true).open("/dev/kvm").is_err() {
                *acceleration = Acceleration::Tcg;
            } else {
                match self.boot(Acceleration::Kvm, Some(KVM_PATIENCE), &mut line)? {
                    Some(ended) => {
                        *acceleration = Acceleration::Kvm;
                        return Ok(ended);
                    }
                    None => {
                        println!("  KVM is there and does not work: emulating");
                        *acceleration = Acceleration::Tcg;
                    }
                }
            }
        }
        let ended = self.boot(*acceleration, None, &mut line)?;
        Ok(ended.expect("only with a patience it is given up"))
    }

    /// Boots it; none if it was not up in time.
    fn boot(
        &self,
        acceleration: Acceleration,
        patience: Option<Duration>,
        line: &mut dyn FnMut(&str),
    ) -> Result<Option<Ended>> {
        let begun = Instant::now();
        let mut child = Running(process::start(&mut self.command(acceleration))?);
        let lines = lines_of(&mut child.0);
        let mut is_up = false;
        loop {
            let limit = patience.filter(|_| !is_up).unwrap_or(self.limit);
            match lines.recv_timeout(limit.saturating_sub(begun.elapsed())) {
                Ok(text) => match guest::told(&text) {
                    Some(Told::Done) => {
                        let status = process::wait(&mut child.0)?;
                        if !status.success() {
                            bail!("qemu ended ({status})");
                        }
                        return Ok(Some(Ended::Done));
                    }
                    told => {
                        is_up |= matches!(told, Some(Told::Ready(_)));
                        line(&text);
                    }
                },
                Err(RecvTimeoutError::Timeout) if patience.is_some() && !is_up => return Ok(None),
                Err(RecvTimeoutError::Timeout) => return Ok(Some(Ended::OutOfTime)),
                Err(RecvTimeoutError::Disconnected) if patience.is_some() && !is_up => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => return Ok(Some(Ended::Died)),
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
