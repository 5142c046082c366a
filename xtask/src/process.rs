//! Running other programs: in view, captured, or behind a spinner, always with an error that names the command.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use rustix::process::{Pid, Signal};

use crate::interrupt;

/// How much of a failed command's output an error repeats.
const TAIL_LINES: usize = 25;

/// Lengthy commands that a signal to this program must end, too.
static UNDER_WAY: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// The command as a person would type it, for messages; shell quoting only where it is needed.
pub fn typed(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .map(
            |word| if word.contains([' ', '\'', '"', '$']) { format!("{word:?}") } else { word.into_owned() },
        )
        .collect::<Vec<_>>()
        .join(" ")
}

/// Starts a lengthy command, to be given to `wait`.
pub fn start(command: &mut Command) -> Result<Child> {
    let child = command.spawn().with_context(|| format!("starting `{}`", typed(command)))?;
    let pid = Pid::from_child(&child);
    UNDER_WAY.lock().expect("no holder panics").push(pid);
    if interrupt::requested() {
        // The signal came before the command was listed.
        let _ = rustix::process::kill_process(pid, Signal::TERM);
    }
    Ok(child)
}

/// Waits for a command that `start` has started.
pub fn wait(child: &mut Child) -> Result<ExitStatus> {
    let pid = Pid::from_child(child);
    let status = child.wait().context("waiting for a command to end");
    UNDER_WAY.lock().expect("no holder panics").retain(|other| *other != pid);
    status
}

/// Asks every command under way to end; those who wait for it see it fail.
pub fn terminate_those_under_way() {
    for pid in UNDER_WAY.lock().expect("no holder panics").iter() {
        // One that has just ended needs no asking.
        let _ = rustix::process::kill_process(*pid, Signal::TERM);
    }
}

/// Runs a command whose output the reader sees as it comes.
pub fn show(command: &mut Command) -> Result<()> {
    let status = wait(&mut start(command)?)?;
    if !status.success() {
        bail!("`{}` failed ({status})", typed(command));
    }
    Ok(())
}

/// Runs a brief command for what it prints on standard output.
///
/// It gets no Ctrl-C of its own: what was begun is finished, and this program decides what follows.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .process_group(0)
        .output()
        .with_context(|| format!("starting `{}`", typed(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", typed(command), output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no UTF-8", typed(command)))
}

/// Whether a brief command runs and succeeds; its output is of no interest.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a lengthy command behind a spinner that repeats its latest line; on failure the error holds its last lines.
pub fn behind_spinner(doing: &str, command: &mut Command) -> Result<()> {
    let spinner = ProgressBar::new_spinner()
        .with_style(ProgressStyle::with_template("  {spinner} {prefix} ({elapsed}) {wide_msg:.dim}")?)
        .with_prefix(doing.to_owned());
    if spinner.is_hidden() {
        // Without a terminal nothing moves: say at least what is under way, since it may take minutes.
        eprintln!("  {doing} …");
    }
    spinner.enable_steady_tick(Duration::from_millis(120));
    let mut tail = VecDeque::with_capacity(TAIL_LINES);
    let (reader, writer) = std::io::pipe().context("making a pipe")?;
    let writer_for_errors = writer.try_clone().context("sharing a pipe")?;
    let mut child = start(command.stdin(Stdio::null()).stdout(writer).stderr(writer_for_errors))?;
    // The command still holds the pipe's writing ends; let go of them, or reading would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for line in BufReader::new(reader).split(b'\n') {
        let line =
            String::from_utf8_lossy(&line.context("reading a command's output")?).trim_end().to_owned();
        spinner.set_message(line.trim().to_owned());
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(line);
    }
    let status = wait(&mut child)?;
    spinner.finish_and_clear();
    if !status.success() {
        let said: String = tail.iter().map(|line| format!("\n    {line}")).collect();
        bail!("`{}` failed ({status}), saying:{said}", typed(command));
    }
    Ok(())
}

/// Forgets what `cargo run` told this program about itself, so that a nested cargo starts as if typed by hand.
///
/// What a person sets (flags, proxies, jobs) stays.
pub fn forget_own_package(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    command
}

/// The cargo that runs this program, in the repository's root: for what is built for this machine.
pub fn host_cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_own_package(&mut command).current_dir(crate::workspace::root());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_as_typed() {
        let mut command = Command::new("apt-get");
        command.args(["install", "two words"]);
        assert_eq!(typed(&command), "apt-get install \"two words\"");
    }

    #[test]
    fn a_failure_behind_a_spinner_repeats_what_was_said() {
        let said = behind_spinner("failing", Command::new("sh").args(["-c", "echo the reason >&2; exit 3"]));
        let said = format!("{:#}", said.unwrap_err());
        assert!(said.contains("the reason") && said.contains('3'), "{said}");
    }
}
