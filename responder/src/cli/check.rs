//! `pulse53 check`: every error of every file, a line each; then what is perhaps not meant, and what if.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use pulse53_core::advice::{self, Topic};
use pulse53_core::compile::Compiler;
use pulse53_core::geo::GeoDb;
use pulse53_core::health::HealthView;
use pulse53_core::model::{CheckId, Snapshot};
use pulse53_core::table::Generation;
use serde_json::{Value, json};

use super::offline::{self, Offline};
use super::what_if::{Supposition, Told, suppositions};
use super::{CONFIG_DEFAULT, Failure};
use crate::config::{Config, Origin, Overrides, Problem, Problems};
use crate::declared;
use crate::explain::statuses_at_start;

/// Of one kind so many are shown; a zone may have a hundred thousand names.
const SHOWN_MAX: usize = 10;

/// What to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "PULSE53_CONFIG", default_value = CONFIG_DEFAULT)]
    config: PathBuf,
    /// Show every warning, not only the first ten of a kind
    #[arg(long)]
    all: bool,
    /// Print JSON, every warning included
    #[arg(long)]
    json: bool,
    /// List every name whose answer would change or come to last resort if a health check failed, for each check in turn
    #[arg(long)]
    what_if: bool,
    /// With --what-if: if these failed together
    #[arg(long, value_name = "ID,…", value_delimiter = ',', requires = "what_if")]
    down: Vec<String>,
    /// With --what-if: if these were healthy
    #[arg(long, value_name = "ID,…", value_delimiter = ',', requires = "what_if")]
    up: Vec<String>,
}

/// Prints what is wrong on standard output, as a linter does, and ends with a line about what was read.
pub fn check(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let overrides = Overrides::from_environment(std::env::vars());
    let config = match Config::read(&args.config, &overrides) {
        Ok(config) => config,
        Err(problems) => return refuse(args, &problems, &[]),
    };
    let Offline { declared, mut warnings, unread } = offline::read(&config);
    warnings.extend(unread);
    let (snapshot, geo) = match declared {
        Ok(declared) => declared,
        Err(problems) => return refuse(args, &problems, &warnings),
    };
    let checked = Checked::new(&snapshot, &geo, warnings, &config, args)?;
    let text = if args.json {
        serde_json::to_string_pretty(&checked.json(args))? + "\n"
    } else {
        checked.text(args)
    };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn refuse(args: &CheckArgs, problems: &Problems, warnings: &[Problem]) -> Result<ExitCode, Failure> {
    let text = if args.json {
        let errors: Vec<Value> = problems.0.iter().map(|problem| problem_json(None, problem)).collect();
        let warnings: Vec<Value> = warnings.iter().map(|problem| problem_json(None, problem)).collect();
        let refused = json!({ "file": args.config, "errors": errors, "warnings": warnings });
        serde_json::to_string_pretty(&refused)?
    } else {
        let mut lines = listed(warnings, args.all, |warning| format!("warning: {warning}"));
        lines.push(problems.to_string());
        lines.join("\n")
    };
    super::print(&(text + "\n"))?;
    Ok(ExitCode::FAILURE)
}

/// A configuration without errors, looked at.
struct Checked<'a> {
    snapshot: &'a Snapshot,
    /// What reading found.
    warnings: Vec<Problem>,
    remarks: Vec<(Topic, Problem)>,
    detection: Vec<(&'a CheckId, Duration)>,
    suppositions: Vec<Supposition>,
}

impl<'a> Checked<'a> {
    fn new(
        snapshot: &'a Snapshot,
        geo: &GeoDb,
        mut warnings: Vec<Problem>,
        config: &Config,
        args: &CheckArgs,
    ) -> Result<Self, Failure> {
        let view: HealthView = statuses_at_start(snapshot);
        let mut compiler = Compiler::with_geo(snapshot, geo, &|check| view.is_healthy(check), Generation(1));
        for finding in compiler.findings() {
            let what = format!("{}: {} {}: {}", finding.zone, finding.owner, finding.rtype, finding.what);
            warnings.push(Problem::whole_file(args.config.display().to_string(), what));
        }
        let remarks = advice::remarks(snapshot, geo, compiler.table());
        let remarks =
            remarks.into_iter().map(|(topic, problem)| (topic, declared::told(config, problem))).collect();
        let suppositions = if args.what_if {
            suppositions(snapshot, &mut compiler, &view, &args.down, &args.up)?
        } else {
            Vec::new()
        };
        Ok(Self { snapshot, warnings, remarks, detection: advice::detection_times(snapshot), suppositions })
    }

    fn record_sets(&self) -> usize {
        self.snapshot.zones.values().map(|zone| declared::record_set_count(zone)).sum()
    }

    fn text(&self, args: &CheckArgs) -> String {
        let mut lines = listed(&self.warnings, args.all, |warning| format!("warning: {warning}"));
        for remarks in self.remarks.chunk_by(|(a, _), (b, _)| a == b) {
            let (topic, _) = remarks[0];
            lines.push(format!("warning: {topic} ({})", remarks.len()));
            lines.extend(listed(remarks, args.all, |(_, problem)| format!("  {problem}")));
        }
        if !self.detection.is_empty() {
            lines.push("slowest detection of a failure, to which the TTL is added:".to_owned());
            let line = |(id, time): &(&CheckId, Duration)| format!("  {id}: {} s", time.as_secs_f64());
            lines.extend(listed(&self.detection, args.all, line));
        }
        for supposition in &self.suppositions {
            lines.push(supposition.to_string());
            lines.extend(listed(&supposition.effects, args.all, |effect: &Told| format!("  {effect}")));
        }
        lines.push(format!(
            "{}: no errors; zones: {}, record sets: {}, health checks: {}\n",
            args.config.display(),
            self.snapshot.zones.len(),
            self.record_sets(),
            self.snapshot.checks.len(),
        ));
        lines.join("\n")
    }

    fn json(&self, args: &CheckArgs) -> Value {
        let warnings = self.warnings.iter().map(|problem| problem_json(None, problem));
        let remarks = self.remarks.iter().map(|(topic, problem)| problem_json(Some(*topic), problem));
        let detection = self.detection.iter();
        let detection =
            detection.map(|(id, time)| json!({ "check": *id.0, "worst_case_ms": time.as_millis() }));
        let mut report = json!({
            "file": args.config,
            "errors": [],
            "warnings": warnings.chain(remarks).collect::<Vec<_>>(),
            "detection": detection.collect::<Vec<_>>(),
            "zones": self.snapshot.zones.len(),
            "record_sets": self.record_sets(),
            "health_checks": self.snapshot.checks.len(),
        });
        if args.what_if {
            report["what_if"] = json!(self.suppositions);
        }
        report
    }
}

/// A line for each of the first ones, and one that says how many there are beyond.
fn listed<T>(things: &[T], all: bool, line: impl Fn(&T) -> String) -> Vec<String> {
    let shown = if all { things.len() } else { things.len().min(SHOWN_MAX) };
    let mut lines: Vec<String> = things[..shown].iter().map(line).collect();
    if things.len() > shown {
        lines.push(format!("  and {} more; --all shows them", things.len() - shown));
    }
    lines
}

fn problem_json(topic: Option<Topic>, problem: &Problem) -> Value {
    let mut value = match &problem.origin {
        Origin::File(source) => {
            json!({ "file": *source.file, "line": source.line, "column": source.column })
        }
        Origin::WholeFile(file) => json!({ "file": **file }),
        elsewhere => json!({ "origin": elsewhere.to_string() }),
    };
    value["message"] = json!(problem.message);
    if let Some(topic) = topic {
        value["topic"] = json!(topic.as_str());
    }
    value
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
