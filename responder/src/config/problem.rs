//! One thing wrong with what the operator wrote: where it stands, what is wrong, and what to do.

use std::fmt;
use std::sync::Arc;

use pulse53_core::model::Source;

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A position in a file.
    File(Source),
    /// A file as a whole, as when it cannot be opened.
    WholeFile(Arc<str>),
    /// An environment variable.
    Environment(String),
    /// A command line flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(source) => source.fmt(f),
            // Position 1:1, so that every line a script reads has the same four parts.
            Self::WholeFile(file) => write!(f, "{file}:1:1"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A problem as `pulse53 check` prints it: `file:line:column: what, and what to do`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Problem {
    /// A problem with a file as a whole.
    pub fn whole_file(file: impl Into<Arc<str>>, message: impl Into<String>) -> Self {
        Self { origin: Origin::WholeFile(file.into()), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// Everything found wrong in one reading; never empty when it is an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}
