//! What is wrong with declarations, said so that the reader can mend it.

use std::fmt;

use super::record::Source;

/// One error or warning: where, which rule, and what to do.
///
/// Displays as `file:line:column: what, and what to do`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it was declared, when it came from a file.
    pub source: Option<Source>,
    /// The rule of the specification it breaks, such as `R-12`; none for mere syntax.
    pub rule: Option<&'static str>,
    /// What is wrong, naming the record set and field, and what to do about it.
    pub what: String,
}

impl Problem {
    /// A problem that breaks a rule.
    pub fn of_rule(source: Option<Source>, rule: &'static str, what: impl Into<String>) -> Self {
        Self { source, rule: Some(rule), what: what.into() }
    }

    /// A problem of syntax.
    pub fn of_syntax(source: Option<Source>, what: impl Into<String>) -> Self {
        Self { source, rule: None, what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source}: ")?;
        }
        f.write_str(&self.what)?;
        match self.rule {
            Some(rule) => write!(f, " ({rule})"),
            None => Ok(()),
        }
    }
}

/// All that was found: errors refuse what was declared, warnings do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Each of them refuses the whole.
    pub errors: Vec<Problem>,
    /// Accepted, but perhaps not meant.
    pub warnings: Vec<Problem>,
}

impl Findings {
    /// Takes over what was found elsewhere.
    pub fn append(&mut self, mut other: Findings) {
        self.errors.append(&mut other.errors);
        self.warnings.append(&mut other.warnings);
    }
}

/// One error a line, then the warnings.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.errors.iter().try_for_each(|error| writeln!(f, "{error}"))?;
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))
    }
}

impl std::error::Error for Findings {}
