//! What packages take from the definition of the commands: completions of shells, and manual pages.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Failure};

/// Prints the completions of a shell.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pulse53", &mut script);
    super::print(&String::from_utf8(script)?)
}

/// Writes `pulse53.1`, `pulse53-serve.1` and so on into a directory.
pub fn pages(directory: &Path) -> Result<(), Failure> {
    clap_mangen::generate_to(Cli::command(), directory)
        .map_err(|error| Failure(format!("cannot write manual pages into {}: {error}", directory.display())))
}
