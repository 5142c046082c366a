//! `pulse53 explain`: asks a running node, or reads a configuration and asks nobody.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use pulse53_core::compile::Compiler;
use pulse53_core::explain::Explanation;
use pulse53_core::model::CheckId;
use pulse53_core::table::Generation;

use super::Failure;
use super::client::Client;
use super::draw::draw;
use super::offline::{self, Offline};
use super::paint::Paint;
use crate::config::{Config, Overrides};
use crate::explain::{self, Known, NO_INTERFACES, Question, statuses_at_start};

/// What to explain, and under which health.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The name, as a client asks for it
    name: String,
    /// The record type
    #[arg(value_name = "TYPE", default_value = "A")]
    rtype: String,
    /// Who asks: an address, for policies that look at where the client is
    #[arg(long, value_name = "ADDRESS")]
    client: Option<IpAddr>,
    /// What if these health checks were unhealthy
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    down: Vec<String>,
    /// What if these health checks were healthy
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    up: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Explain what this configuration's files and data directory declare, without asking a node: checks count as at its start, before any
    /// probe
    #[arg(long, value_name = "FILE", conflicts_with = "api")]
    config: Option<PathBuf>,
    /// The node's API [default: 127.0.0.1:5380]
    #[arg(long, value_name = "ADDRESS", env = "PULSE53_API")]
    api: Option<String>,
}

/// `pulse53 explain`
pub fn explain(args: ExplainArgs) -> Result<(), Failure> {
    let question =
        Question { name: args.name, rtype: args.rtype, client: args.client, down: args.down, up: args.up };
    let explanation = match &args.config {
        Some(file) => without_node(file, &question)?,
        None => Client::at(args.api).explain(&question)?,
    };
    if args.json {
        super::print(&(serde_json::to_string_pretty(&explanation)? + "\n"))
    } else {
        super::print(&draw(&explanation, Paint::stdout()))
    }
}

fn without_node(file: &Path, question: &Question) -> Result<Explanation, Failure> {
    let config = Config::read(file, &Overrides::from_environment(std::env::vars()))?;
    let Offline { declared, unread, .. } = offline::read(&config);
    let (snapshot, geo) = declared?;
    if let Some(unread) = unread {
        eprintln!("warning: {unread}");
    }
    let view = statuses_at_start(&snapshot);
    let compiler = Compiler::with_geo(&snapshot, &geo, &|check| view.is_healthy(check), Generation(1));
    let known = Known {
        snapshot: &snapshot,
        geo: &geo,
        table: compiler.table(),
        view: &view,
        reason: &|_: &CheckId| ("no node was asked".to_owned(), false),
        kernel_off: config.xdp.interfaces.is_empty().then_some(NO_INTERFACES),
        without_room: 0,
    };
    Ok(explain::explain(question, &known)?)
}
