//! JSON whose every value knows its place in the text.
//!
//! `serde_json` hands out raw values as slices of the text, so a value's address is its place. Objects are read field by
//! field, which finds all wrong fields and not only the first, and notices fields given twice.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::{Problem, Source};

/// The text of one file.
pub(super) struct Document<'a> {
    file: Arc<str>,
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

/// Something wrong at a place in the text.
pub(super) struct Note<'a> {
    /// The value, a slice of the text.
    pub at: &'a str,
    /// Path of the field.
    pub field: String,
    pub what: String,
}

impl<'a> Document<'a> {
    pub(super) fn new(file: &str, text: &'a str) -> Self {
        // Some editors begin UTF-8 files with a mark, which is no JSON.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let breaks = text.bytes().enumerate().filter(|(_, octet)| *octet == b'\n').map(|(at, _)| at + 1);
        Self { file: file.into(), text, lines: std::iter::once(0).chain(breaks).collect() }
    }

    /// The place of a value, which must be a slice of the text.
    pub(super) fn source(&self, value: &str) -> Source {
        let offset = (value.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let offset = offset.min(self.text.len());
        let line = self.lines.partition_point(|begin| *begin <= offset);
        let column = offset - self.lines[line - 1] + 1;
        Source { file: self.file.clone(), line: line as u32, column: column as u32 }
    }

    /// Reads the whole text as JSON of any kind.
    pub(super) fn root(&self) -> Result<&'a RawValue, Problem> {
        serde_json::from_str(self.text).map_err(|error| {
            // At the end of a text that ends a line, the column is 0 there.
            let column = error.column().max(1) as u32;
            let source = Source { file: self.file.clone(), line: error.line() as u32, column };
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or_default();
            Problem::of_syntax(Some(source), format!("not JSON: {what}; mend it"))
        })
    }
}

/// The fields of an object in order; a field may be there twice.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor<'a>(std::marker::PhantomData<&'a ()>);

        impl<'de: 'a, 'a> Visitor<'de> for FieldsVisitor<'a> {
            type Value = Fields<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'a>, M::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some(field) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor(std::marker::PhantomData))
    }
}

/// What a field may be read as, and how a message calls it.
pub(super) trait FieldType<'a>: Deserialize<'a> {
    /// For "must be …".
    const WANTED: &'static str;
}

impl FieldType<'_> for String {
    const WANTED: &'static str = "a string";
}
impl FieldType<'_> for i64 {
    const WANTED: &'static str = "a whole number";
}
impl FieldType<'_> for f64 {
    const WANTED: &'static str = "a number";
}
impl FieldType<'_> for bool {
    const WANTED: &'static str = "true or false";
}
impl FieldType<'_> for Vec<String> {
    const WANTED: &'static str = "a list of strings";
}
impl<'a> FieldType<'a> for Vec<&'a RawValue> {
    const WANTED: &'static str = "a list";
}

/// An object of the text.
pub(super) struct Object<'a> {
    /// Its place.
    pub whole: &'a str,
    path: String,
    fields: Vec<(String, &'a RawValue)>,
}

impl<'a> Object<'a> {
    /// Reads an object; `path` is what messages call it, empty for the outermost.
    pub(super) fn read(raw: &'a RawValue, path: &str, notes: &mut Vec<Note<'a>>) -> Option<Self> {
        let whole = raw.get();
        match serde_json::from_str::<Fields<'a>>(whole) {
            Ok(Fields(fields)) => {
                let object = Self { whole, path: path.to_owned(), fields };
                let mut seen = HashSet::with_capacity(object.fields.len());
                for (name, value) in &object.fields {
                    if !seen.insert(name) {
                        let what = "given twice; keep one".to_owned();
                        notes.push(Note { at: value.get(), field: object.path_of(name), what });
                    }
                }
                Some(object)
            }
            Err(_) => {
                let what = format!("must be an object, not {}", shown(whole));
                notes.push(Note { at: whole, field: path.to_owned(), what });
                None
            }
        }
    }

    /// The names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    fn path_of(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    /// A field that is there and not null.
    pub(super) fn raw(&self, field: &str) -> Option<&'a RawValue> {
        let (_, value) = self.fields.iter().find(|(name, _)| name == field)?;
        (value.get() != "null").then_some(*value)
    }

    /// A field read as `T`; one of another type leaves a note.
    pub(super) fn field<T: FieldType<'a>>(&self, field: &str, notes: &mut Vec<Note<'a>>) -> Option<T> {
        let raw = self.raw(field)?;
        let read = serde_json::from_str(raw.get());
        if read.is_err() {
            let what = format!("must be {}, not {}", T::WANTED, shown(raw.get()));
            notes.push(Note { at: raw.get(), field: self.path_of(field), what });
        }
        read.ok()
    }

    /// A field that must be there.
    pub(super) fn needed<T: FieldType<'a>>(&self, field: &str, notes: &mut Vec<Note<'a>>) -> Option<T> {
        if self.raw(field).is_none() {
            let what = "missing; add it".to_owned();
            notes.push(Note { at: self.whole, field: self.path_of(field), what });
        }
        self.field(field, notes)
    }

    /// A field that is an object.
    pub(super) fn object(&self, field: &str, notes: &mut Vec<Note<'a>>) -> Option<Object<'a>> {
        Object::read(self.raw(field)?, &self.path_of(field), notes)
    }

    /// A field that is a list of objects.
    pub(super) fn objects(&self, field: &str, notes: &mut Vec<Note<'a>>) -> Option<Vec<Object<'a>>> {
        let items: Vec<&'a RawValue> = self.field(field, notes)?;
        let path = self.path_of(field);
        let items = items.into_iter().enumerate();
        Some(items.filter_map(|(at, raw)| Object::read(raw, &format!("{path}[{at}]"), notes)).collect())
    }

    /// The place of the field at a path such as `ResourceRecords[2].Value`, or of the nearest value around it.
    pub(super) fn locate(&self, path: &str) -> &'a str {
        let mut place = self.whole;
        for part in path.split('.') {
            let (name, index) = match part.split_once('[') {
                Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
                None => (part, None),
            };
            let Ok(Fields(fields)) = serde_json::from_str::<Fields<'a>>(place) else { return place };
            let Some((_, value)) = fields.iter().find(|(field, _)| field == name) else { return place };
            place = value.get();
            if let Some(index) = index {
                let Ok(items) = serde_json::from_str::<Vec<&'a RawValue>>(place) else { return place };
                let Some(item) = items.get(index) else { return place };
                place = item.get();
            }
        }
        place
    }
}

/// JSON text for a message: not longer than a line.
pub(super) fn shown(json: &str) -> String {
    const SHOWN_MAX: usize = 60;
    match json.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &json[..end]),
        None => json.to_owned(),
    }
}

/// The items of a listing: an object with the list under `field`, or the list alone.
pub(super) fn listing<'a>(
    document: &Document<'a>,
    field: &'static str,
) -> Result<(Vec<&'a RawValue>, Option<Object<'a>>), Vec<Problem>> {
    let root = document.root().map_err(|problem| vec![problem])?;
    let problem = |at: &str, what: String| Problem::of_syntax(Some(document.source(at)), what);
    if let Ok(items) = serde_json::from_str(root.get()) {
        return Ok((items, None));
    }
    let mut notes = Vec::new();
    let items = Object::read(root, "", &mut notes).and_then(|object| {
        let items = object.needed(field, &mut notes)?;
        Some((items, object))
    });
    match items {
        Some((items, object)) if notes.is_empty() => Ok((items, Some(object))),
        _ if notes.is_empty() => Err(vec![problem(root.get(), format!("{field}: missing; add it"))]),
        _ => Err(notes
            .into_iter()
            .map(|note| {
                let field = if note.field.is_empty() { field } else { &note.field };
                problem(note.at, format!("{field}: {}", note.what))
            })
            .collect()),
    }
}
