//! Programs that run beside a test.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Killed when dropped.
#[derive(Debug)]
pub struct Program(Child);

impl Program {
    /// Starts it; what it says goes to a file.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let output = File::create(log).expect("a log can be made");
        let errors = output.try_clone().expect("a file can be shared");
        let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
