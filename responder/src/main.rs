//! Arguments, then the command they ask for.

use std::process::ExitCode;

use clap::Parser;
use pulse53::cli::{Cli, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run(Cli::parse())
}
