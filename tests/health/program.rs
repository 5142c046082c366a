//! Programs that run beside a test.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Whether a program is installed; if not, the test counts as skipped.
pub fn has(program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let here = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    if !here {
        pulse53_tests::skip(&format!("{program} (package {package})"));
    }
    here
}

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
