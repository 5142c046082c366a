//! One table of the configuration, read key by key; what was never asked for is unknown and refused.
//!
//! A flag outweighs an environment variable, which outweighs the file: decided here and nowhere else.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use pulse53_core::model::Source;
use pulse53_core::nearest::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Origin, Problem};
use super::value::{Raw, Read};

/// Settings from outside the file, by dotted key such as `dns.listen`.
#[derive(Debug, Clone, Default)]
pub struct Overrides(BTreeMap<String, (Origin, String)>);

impl Overrides {
    /// Those of environment variables: `PULSE53_DNS_LISTEN` is `dns.listen`.
    ///
    /// Since `_` also stands within keys, the name is kept as it is and compared when a key is asked for.
    pub fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables.into_iter().filter(|(name, _)| name.starts_with("PULSE53_"));
        Self(ours.map(|(name, value)| (name.clone(), (Origin::Environment(name), value))).collect())
    }

    /// Adds what a command line flag says.
    pub fn flag(&mut self, flag: &str, key: &str, value: String) {
        self.0.insert(variable(key), (Origin::Flag(flag.to_owned()), value));
    }

    fn get(&self, key: &str) -> Option<&(Origin, String)> {
        self.0.get(&variable(key))
    }
}

fn variable(key: &str) -> String {
    format!("PULSE53_{}", key.replace('.', "_").to_ascii_uppercase())
}

/// What one reading shares among its sections: the text for positions, and the problems so far.
pub struct Reading<'a> {
    file: Arc<str>,
    text: &'a str,
    overrides: &'a Overrides,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Reading<'a> {
    /// Starts the reading of a file's text.
    pub fn new(file: &str, text: &'a str, overrides: &'a Overrides) -> Self {
        Self { file: file.into(), text, overrides, problems: RefCell::default() }
    }

    /// The place of an octet of the file.
    pub fn source(&self, offset: usize) -> Source {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line_start = before.iter().rposition(|&octet| octet == b'\n').map_or(0, |at| at + 1);
        // Octets that continue a UTF-8 character are not columns.
        let columns = before[line_start..].iter().filter(|&&octet| octet & 0xC0 != 0x80).count();
        let lines = before.iter().filter(|&&octet| octet == b'\n').count();
        Source { file: self.file.clone(), line: lines as u32 + 1, column: columns as u32 + 1 }
    }

    /// Notes a problem at an octet of the file.
    pub fn refuse(&self, span: &Range<usize>, message: impl Into<String>) {
        self.refuse_from(Origin::File(self.source(span.start)), message);
    }

    /// Notes a problem anywhere.
    pub fn refuse_from(&self, origin: Origin, message: impl Into<String>) {
        self.problems.borrow_mut().push(Problem { origin, message: message.into() });
    }

    /// All problems, those of the file in its order.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| match &problem.origin {
            Origin::File(source) => (source.line, source.column),
            _ => (u32::MAX, 0),
        });
        problems
    }
}

/// A table, and which of its keys have been asked for.
pub struct Section<'a> {
    reading: &'a Reading<'a>,
    path: String,
    /// In a list of tables the environment has no name for a member.
    overridable: bool,
    table: Option<&'a DeTable<'a>>,
    span: Range<usize>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// The table that is the whole file.
    pub fn root(reading: &'a Reading<'a>, table: &'a Spanned<DeTable<'a>>) -> Self {
        Self {
            reading,
            path: String::new(),
            overridable: true,
            table: Some(table.get_ref()),
            span: table.span(),
            asked: RefCell::default(),
        }
    }

    fn entry(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.table?.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn dotted(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Whether the file sets `key`, rightly or not.
    pub fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.keys().any(|name| name.get_ref() == key))
    }

    /// Whether the file has this table.
    pub fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// Octets where this table stands.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The table under `key`; an empty one if there is none.
    pub fn section(&self, key: &'static str) -> Section<'a> {
        let entry = self.entry(key);
        let table = entry.and_then(|value| match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => {
                self.reading.refuse(&value.span(), format!("{key:?} is a table: write it as [{key}]"));
                None
            }
        });
        Section {
            reading: self.reading,
            path: self.dotted(key),
            overridable: self.overridable,
            table,
            span: entry.map_or(self.span(), Spanned::span),
            asked: RefCell::default(),
        }
    }

    /// The tables of the list under `key`.
    pub fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.entry(key) else { return Vec::new() };
        let path = self.dotted(key);
        let refuse = |span| {
            self.reading.refuse(&span, format!("{path:?} is a list of tables: write each as [[{path}]]"));
        };
        let DeValue::Array(items) = value.get_ref() else {
            refuse(value.span());
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(table) => sections.push(Section {
                    reading: self.reading,
                    path: path.clone(),
                    overridable: false,
                    table: Some(table),
                    span: item.span(),
                    asked: RefCell::default(),
                }),
                _ => refuse(item.span()),
            }
        }
        sections
    }

    /// The value of `key` and where it stands; none if it is not set, or was refused and noted.
    pub fn get<T>(&self, key: &'static str, read: impl FnOnce(Raw<'_>) -> Read<T>) -> Option<(T, Origin)> {
        let entry = self.entry(key);
        let outside = if self.overridable { self.reading.overrides.get(&self.dotted(key)) } else { None };
        let (raw, span, origin) = match (outside, entry) {
            (Some((origin, text)), _) => (Raw::Text(text), None, origin.clone()),
            (None, Some(value)) => {
                let span = value.span();
                (Raw::Toml(value), Some(span.clone()), Origin::File(self.reading.source(span.start)))
            }
            (None, None) => return None,
        };
        match read(raw) {
            Ok(value) => Some((value, origin)),
            Err(refusal) => {
                let message = format!("{}: {}", self.dotted(key), refusal.message);
                match refusal.span.or(span) {
                    Some(span) => self.reading.refuse(&span, message),
                    None => self.reading.refuse_from(origin, message),
                }
                None
            }
        }
    }

    /// The value of `key`, or its default.
    pub fn or<T>(&self, key: &'static str, default: T, read: impl FnOnce(Raw<'_>) -> Read<T>) -> T {
        self.get(key, read).map_or(default, |(value, _)| value)
    }

    /// Refuses every key that was never asked for, naming the nearest one that exists.
    pub fn finish(self) {
        let Some(table) = self.table else { return };
        let asked = self.asked.borrow();
        for name in table.keys() {
            let found = name.get_ref().as_ref();
            if asked.contains(&found) {
                continue;
            }
            let place = if self.path.is_empty() { String::new() } else { format!(" in [{}]", self.path) };
            let near = nearest(found, asked.iter().copied()).unwrap_or_default();
            let known = asked.join(", ");
            let advice = format!("did you mean {near:?}? the keys here are {known}");
            self.reading.refuse(&name.span(), format!("unknown key {found:?}{place}: {advice}"));
        }
    }
}
