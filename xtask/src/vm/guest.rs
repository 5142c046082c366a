//! What happens inside: the first program, and the lines by which it tells how far it is.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::image::SEARCHED;

/// What lines for this program begin with; `init.sh` spells it, too.
const PREFIX: &str = "PULSE53-VM ";

/// A test binary to run.
#[derive(Debug, Clone)]
pub struct Run {
    /// For the reader.
    pub name: String,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
}

/// Something the guest tells.
#[derive(Debug, PartialEq)]
pub enum Told<'a> {
    /// It is up; its kernel's release.
    Ready(&'a str),
    /// It could not have something.
    Lacking(&'a str),
    /// A run begins.
    Begun(&'a str),
    /// A test of this run was skipped: a line of the skip log.
    Skipped(&'a str),
    /// A run has ended, with this exit status.
    Ended(i32),
    /// All runs have.
    Done,
}

/// A line of the guest's, if it is for this program.
pub fn told(line: &str) -> Option<Told<'_>> {
    let (word, rest) = line.strip_prefix(PREFIX)?.split_once(' ').unwrap_or((&line[PREFIX.len()..], ""));
    Some(match word {
        "ready" => Told::Ready(rest),
        "lacking" => Told::Lacking(rest),
        "run" => Told::Begun(rest),
        "skipped" => Told::Skipped(rest),
        "end" => Told::Ended(rest.parse().ok()?),
        "done" => Told::Done,
        _ => return None,
    })
}

/// The script that the kernel starts as `/init`.
pub fn init(modules: &[String], library_path: &str, runs: &[Run]) -> String {
    let (shebang, rest) = include_str!("init.sh").split_once('\n').expect("it has lines");
    let mut script = format!("{shebang}\n");
    let mut line = |text: &str| writeln!(script, "{text}").expect("memory");
    line(&format!("export PATH={}", SEARCHED.join(":")));
    line(&format!("export LD_LIBRARY_PATH={}", quoted(library_path)));
    line("export HOME=/tmp PULSE53_SKIP_LOG=/tmp/skipped");
    line(&format!("MODULES={}", quoted(&modules.join(" "))));
    line(rest);
    for run in runs {
        let settings: String =
            run.environment.iter().map(|(name, value)| format!("{name}={} ", quoted(value))).collect();
        let arguments: String =
            run.arguments.iter().map(|argument| format!(" {}", quoted(argument))).collect();
        let program = run.program.display();
        line(&format!("run {} /bin/busybox env {settings}{program}{arguments}", quoted(&run.name)));
    }
    line("say done\n/bin/busybox poweroff -f");
    script
}

/// Where a module lies for `init.sh`.
pub fn module_path(name: &str) -> PathBuf {
    Path::new("/modules").join(name).with_extension("ko")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_guest_are_told_from_those_of_tests() {
        assert_eq!(told("PULSE53-VM ready 6.1.0"), Some(Told::Ready("6.1.0")));
        assert_eq!(told("PULSE53-VM skipped a::b: root"), Some(Told::Skipped("a::b: root")));
        assert_eq!(told("PULSE53-VM end 101"), Some(Told::Ended(101)));
        assert_eq!(told("PULSE53-VM done"), Some(Told::Done));
        assert_eq!(told("test a::b ... ok"), None);
    }

    #[test]
    fn arguments_keep_their_quotes() {
        let run = Run {
            name: "it's".to_owned(),
            program: "/t/kernel".into(),
            arguments: vec!["--skip".to_owned(), "a b".to_owned()],
            environment: vec![("A".to_owned(), "1".to_owned())],
        };
        let script = init(&["veth".to_owned()], "/lib", &[run]);
        assert!(script.starts_with("#!/bin/busybox sh\n"), "{script}");
        assert!(script.contains("\nMODULES='veth'\n"), "{script}");
        assert!(
            script.contains("run 'it'\\''s' /bin/busybox env A='1' /t/kernel '--skip' 'a b'\n"),
            "{script}"
        );
    }
}
