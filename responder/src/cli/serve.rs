//! `pulse53 serve`: from arguments to a running agent.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::{CONFIG_DEFAULT, Failure};
use crate::agent;
use crate::config::{Config, Log, LogFormat, Overrides};

/// Flags outweigh the environment, which outweighs the file.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "PULSE53_CONFIG", default_value = CONFIG_DEFAULT)]
    config: PathBuf,
    /// [dns] listen, separated by commas
    #[arg(long, value_name = "ADDRESSES")]
    listen: Option<String>,
    /// [xdp] interfaces, separated by commas; empty: sockets only
    #[arg(long, value_name = "NAMES")]
    interfaces: Option<String>,
    /// [xdp] mode
    #[arg(long, value_name = "MODE")]
    xdp_mode: Option<String>,
    /// data_dir
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<String>,
    /// [api] listen
    #[arg(long, value_name = "ADDRESS")]
    api_listen: Option<String>,
    /// [metrics] listen
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<String>,
    /// [log] level
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// [log] format
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl ServeArgs {
    fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::from_environment(std::env::vars());
        for (flag, key, value) in [
            ("--listen", "dns.listen", &self.listen),
            ("--interfaces", "xdp.interfaces", &self.interfaces),
            ("--xdp-mode", "xdp.mode", &self.xdp_mode),
            ("--data-dir", "data_dir", &self.data_dir),
            ("--api-listen", "api.listen", &self.api_listen),
            ("--metrics-listen", "metrics.listen", &self.metrics_listen),
            ("--log-level", "log.level", &self.log_level),
            ("--log-format", "log.format", &self.log_format),
        ] {
            if let Some(value) = value {
                overrides.flag(flag, key, value.clone());
            }
        }
        overrides
    }
}

/// Serves until told to stop.
pub fn serve(args: ServeArgs) -> Result<(), Failure> {
    let overrides = args.overrides();
    let config = Config::read(&args.config, &overrides)?;
    start_log(&config.log)?;
    Ok(agent::run(config, overrides)?)
}

/// Lines for people on a terminal, JSON elsewhere, unless told otherwise.
fn start_log(log: &Log) -> Result<(), Failure> {
    let targets: Targets = log.level.parse()?;
    let terminal = std::io::stderr().is_terminal();
    let json = match log.format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = if json {
        layer.json().flatten_event(true).with_filter(targets).boxed()
    } else {
        layer.with_ansi(colours).with_target(false).with_filter(targets).boxed()
    };
    Ok(tracing_subscriber::registry().with(layer).try_init()?)
}
