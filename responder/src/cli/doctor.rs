//! `pulse53 doctor`: what works on this machine, what does not, and what mends it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::paint::Paint;
use super::{CONFIG_DEFAULT, Failure};
use crate::config::{Config, Overrides, ReplyRoute};
use crate::doctor::{self, Finding, Weight};

/// What to look at.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The interface [default: those in the configuration]
    #[arg(value_name = "INTERFACE")]
    interface: Option<String>,
    /// The configuration file; one that is not there is not needed if an interface is named
    #[arg(long, value_name = "FILE", env = "PULSE53_CONFIG", default_value = CONFIG_DEFAULT)]
    config: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints what is found; the exit code tells whether anything does not work.
pub fn doctor(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let overrides = Overrides::from_environment(std::env::vars());
    let is_there = args.interface.is_none() || args.config.exists();
    let config = if is_there {
        Config::read(&args.config, &overrides)
    } else {
        // All defaults.
        Config::parse(&args.config, "", &overrides)
    };
    let config = config.map_err(|problems| Failure(problems.to_string()))?;
    let interfaces = args.interface.clone().map_or_else(|| config.xdp.interfaces.clone(), |name| vec![name]);
    let is_routed = config.xdp.reply_route == ReplyRoute::Kernel;
    let findings = doctor::examine(&interfaces, &config.dns.listen, &config.xdp.pin_dir, is_routed)?;
    let text = if args.json { serde_json::to_string_pretty(&findings)? + "\n" } else { text(&findings) };
    super::print(&text)?;
    let is_bad = findings.iter().any(|finding| finding.weight == Weight::Bad);
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn text(findings: &[Finding]) -> String {
    let paint = Paint::stdout();
    let mut text = String::new();
    let mut about = "";
    for finding in findings {
        if finding.about != about {
            about = &finding.about;
            text += &format!("{}\n", paint.strong(about));
        }
        let weight = match finding.weight {
            Weight::Good => paint.good("ok  "),
            Weight::Warning => paint.notable("warn"),
            Weight::Bad => paint.bad("bad "),
        };
        text += &format!("  {weight}  {}\n", finding.what);
        if let Some(mend) = &finding.mend {
            text += &format!("        → {mend}\n");
        }
    }
    text
}
