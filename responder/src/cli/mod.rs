//! The commands. But for `serve`, `check`, `doctor` and `explain --config` they speak to a running node through its API, never to its internals.

mod check;
mod client;
mod doctor;
mod draw;
mod explain;
mod export;
mod health;
mod import;
mod listing;
mod manual;
mod offline;
mod paint;
mod serve;
mod show;
mod what_if;

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::api::control::{CheckSetting, SwitchState};
use client::Client;

/// Where the configuration lies unless told otherwise, as the Debian package installs it.
const CONFIG_DEFAULT: &str = "/etc/pulse53/pulse53.toml";

/// Health-aware authoritative DNS, answered at the speed of the network card.
#[derive(Debug, Parser)]
#[command(name = "pulse53", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Example:\n  pulse53 check --config pulse53.toml && pulse53 serve --config pulse53.toml"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer DNS queries in the foreground; SIGHUP reloads files, SIGTERM drains and stops
    #[command(
        after_help = "Example:\n  pulse53 serve --config /etc/pulse53/pulse53.toml --listen 192.0.2.53:53"
    )]
    Serve(serve::ServeArgs),
    /// Read configuration, zones, record sets and health checks, and print every error, then what is perhaps not meant
    #[command(after_help = "Example:\n  pulse53 check --config /etc/pulse53/pulse53.toml\n  \
                            pulse53 check --config pulse53.toml --what-if --down web-fra1,web-fra2\n\n\
                            Exit status: 0 fine, warnings or not; 1 errors found; 2 wrong usage.")]
    Check(check::CheckArgs),
    /// Look at kernel, interfaces and addresses: what works, what does not, and the command that mends it
    #[command(after_help = "Example:\n  pulse53 doctor eth0\n  \
                            pulse53 doctor --config pulse53.toml --json\n\n\
                            Nothing is changed. Exit status: 0 the fast path can work; 1 something keeps it from that; 2 wrong usage.")]
    Doctor(doctor::DoctorArgs),
    /// Show why a question is answered as it is: the tree of record sets, their health, and the odds of each answer
    #[command(after_help = "Example:\n  pulse53 explain www.example.com A --client 192.0.2.7\n  \
                            pulse53 explain www.example.com --down web-fra1     what if that check failed\n  \
                            pulse53 explain www.example.com --config pulse53.toml     without a running node")]
    Explain(explain::ExplainArgs),
    /// Show node, interfaces, kernel share, zones and health checks
    #[command(after_help = "Example:\n  pulse53 status --json | jq .generation")]
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Write every zone, health check and CIDR collection into files: JSON as the AWS CLI prints it, and master files
    #[command(after_help = "Example:\n  pulse53 export --output backup\n\n\
                            The files serve `pulse53 import`, and as configuration: see `record_sets` and `[health_checks]`.")]
    Export(export::ExportArgs),
    /// Bring record sets, health checks and CIDR collections from files into the API; shows what changes first
    #[command(after_help = "Example:\n  pulse53 import backup/*.json --dry-run\n  \
                            pulse53 import example.com.zone --zone example.com --replace --yes")]
    Import(import::ImportArgs),
    /// Show health checks, or set one by hand
    #[command(subcommand, after_help = "Example:\n  pulse53 health list")]
    Health(HealthCommand),
    /// Show the routing controls that RECOVERY_CONTROL checks follow, or switch one
    #[command(subcommand, after_help = "Example:\n  pulse53 control set cell-fra1 off")]
    Control(ControlCommand),
    /// Print what makes a shell complete these commands
    #[command(
        after_help = "Example:\n  pulse53 completions bash > /usr/share/bash-completion/completions/pulse53"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write a manual page for each command
    #[command(hide = true, after_help = "Example:\n  pulse53 manual /usr/local/share/man/man1")]
    Manual {
        /// Where to; it must exist
        directory: PathBuf,
    },
}

/// Which node to speak to.
#[derive(Debug, Args)]
struct NodeArgs {
    /// Take the address from this configuration file
    #[arg(long, value_name = "FILE", conflicts_with = "api")]
    config: Option<PathBuf>,
    /// The node's API [default: 127.0.0.1:5380]
    #[arg(long, value_name = "ADDRESS", env = "PULSE53_API")]
    api: Option<String>,
}

#[derive(Debug, Subcommand)]
enum HealthCommand {
    /// List every check with its status
    #[command(after_help = "Example:\n  pulse53 health list")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Show one check with what each checker sees
    #[command(after_help = "Example:\n  pulse53 health show web-fra1")]
    Show {
        /// The check's id
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Set a check by hand until it is set back to auto
    #[command(after_help = "Example, to drain an endpoint before work on it:\n  \
                            pulse53 health set web-fra1 unhealthy\n  pulse53 health set web-fra1 auto")]
    Set {
        /// The check's id
        id: String,
        /// What it counts as from now on; auto: what probes say
        status: SettingArg,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        node: NodeArgs,
    },
}

#[derive(Debug, Subcommand)]
enum ControlCommand {
    /// List every routing control with its state
    #[command(after_help = "Example:\n  pulse53 control list")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Switch a routing control; its state survives restarts
    #[command(after_help = "Example, to take a cell out of service and back:\n  \
                            pulse53 control set cell-fra1 off\n  pulse53 control set cell-fra1 on")]
    Set {
        /// Its name or ARN
        control: String,
        /// On: the checks that follow it are healthy; off: unhealthy
        state: StateArg,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        node: NodeArgs,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StateArg {
    On,
    Off,
}

impl From<StateArg> for SwitchState {
    fn from(state: StateArg) -> Self {
        match state {
            StateArg::On => Self::On,
            StateArg::Off => Self::Off,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SettingArg {
    Healthy,
    Unhealthy,
    Auto,
}

impl From<SettingArg> for CheckSetting {
    fn from(setting: SettingArg) -> Self {
        match setting {
            SettingArg::Healthy => Self::Healthy,
            SettingArg::Unhealthy => Self::Unhealthy,
            SettingArg::Auto => Self::Auto,
        }
    }
}

/// Why a command failed: what is told, on one or more lines.
#[derive(Debug)]
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes to standard output. A reader that has seen enough, as `head`, is no error.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Runs the command that the arguments ask for. Exit codes: 0 fine, 1 failed, 2 wrong usage (by clap).
pub fn run(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Serve(args) => serve::serve(args),
        Command::Check(args) => match check::check(&args) {
            Ok(code) => return code,
            Err(failure) => Err(failure),
        },
        Command::Doctor(args) => match doctor::doctor(&args) {
            Ok(code) => return code,
            Err(failure) => Err(failure),
        },
        Command::Explain(args) => explain::explain(args),
        Command::Export(args) => export::export(&args),
        Command::Import(args) => import::import(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Manual { directory } => manual::pages(&directory),
        Command::Status { json, node } => Client::find(&node).and_then(|client| show::status(&client, json)),
        Command::Health(HealthCommand::List { json, node }) => {
            Client::find(&node).and_then(|client| health::checks(&client, json))
        }
        Command::Health(HealthCommand::Show { id, json, node }) => {
            Client::find(&node).and_then(|client| health::check(&client.check(&id)?, json))
        }
        Command::Health(HealthCommand::Set { id, status, json, node }) => {
            Client::find(&node).and_then(|client| health::check(&client.set_check(&id, status.into())?, json))
        }
        Command::Control(ControlCommand::List { json, node }) => {
            Client::find(&node).and_then(|client| health::controls(&client.routing_controls()?, json))
        }
        Command::Control(ControlCommand::Set { control, state, json, node }) => {
            Client::find(&node).and_then(|client| {
                health::controls(&[client.set_routing_control(&control, state.into())?], json)
            })
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("pulse53: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
