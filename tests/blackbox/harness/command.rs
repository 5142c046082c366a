//! Short commands that must succeed, and commands whose failure is looked at.

use std::process::{Command, Output, Stdio};

/// Runs a command; panics unless it succeeds.
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}: {}", output.status, text(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs a command of which nothing is expected.
pub fn try_quietly(command: &mut Command) {
    let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// All that a command printed.
pub fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|octets| String::from_utf8_lossy(octets).into_owned()).concat()
}
