//! Tags, and the `pulse53:` ones that extend Route 53 (H-2).

use std::collections::BTreeMap;
use std::time::Duration;

use super::json::{Document, Note, Object};
use crate::model::Problem;
use crate::nearest::nearest;

/// What our own tags begin with.
const PREFIX: &str = "pulse53:";

/// The tags a health check may have that begin with `pulse53:`.
pub const KNOWN_TAGS: [&str; 3] = ["pulse53:interval", "pulse53:timeout", "pulse53:query"];

/// The range of a tag that holds a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationTag {
    /// The tag's key.
    pub key: &'static str,
    /// The least it may be.
    pub min: Duration,
    /// The most it may be.
    pub max: Duration,
}

impl DurationTag {
    /// `pulse53:interval`, 100 ms to 1 h.
    pub const INTERVAL: Self =
        Self { key: "pulse53:interval", min: Duration::from_millis(100), max: Duration::from_secs(3600) };
    /// `pulse53:timeout`, 10 ms to 60 s.
    pub const TIMEOUT: Self =
        Self { key: "pulse53:timeout", min: Duration::from_millis(10), max: Duration::from_secs(60) };

    /// Reads the tag's value, or says what is wrong with it.
    pub fn read(&self, text: &str) -> Result<Duration, String> {
        match read_duration(text) {
            Some(duration) if (self.min..=self.max).contains(&duration) => Ok(duration),
            _ => Err(format!(
                "{text:?} must be {:?} to {:?}, written as 100ms, 1s, 5m or 1h",
                self.min, self.max
            )),
        }
    }
}

/// Reads a duration: a whole number and one of the units ms, s, m, h.
pub fn read_duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(milliseconds).map(Duration::from_millis)
}

/// Says what is wrong with a tag's key, if it claims to be ours and is none of `known`.
pub(super) fn unknown(key: &str, known: &[&'static str]) -> Option<String> {
    if !key.starts_with(PREFIX) || known.contains(&key) {
        return None;
    }
    Some(match nearest(key, known.iter().copied()) {
        Some(near) => format!("{key:?} is not known; did you mean {near:?}?"),
        None => format!("{key:?} is not known here; remove it"),
    })
}

/// Reads `Tags`, a list of `Key` and `Value`; unknown tags of ours and keys given twice leave notes.
pub(super) fn read<'a>(
    object: &Object<'a>,
    known: &[&'static str],
    notes: &mut Vec<Note<'a>>,
) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for (at, tag) in object.objects("Tags", notes).unwrap_or_default().into_iter().enumerate() {
        let key: Option<String> = tag.needed("Key", notes);
        let value: Option<String> = tag.field("Value", notes);
        let Some(key) = key else { continue };
        let place = tag.locate("Key");
        if let Some(what) = unknown(&key, known) {
            notes.push(Note { at: place, field: format!("Tags[{at}].Key"), what });
        }
        if tags.insert(key.clone(), value.unwrap_or_default()).is_some() {
            let what = format!("{key:?} is given twice; keep one");
            notes.push(Note { at: place, field: format!("Tags[{at}].Key"), what });
        }
    }
    tags
}

/// What is wrong with the tags of a listing as a whole; none of ours belong there.
pub(super) fn problems_of_listing<'a>(document: &Document<'a>, listing: Option<&Object<'a>>) -> Vec<Problem> {
    let mut notes = Vec::new();
    if let Some(listing) = listing {
        read(listing, &[], &mut notes);
    }
    let problem = |note: Note<'a>| {
        let source = Some(document.source(note.at));
        Problem::of_syntax(source, format!("{}: {}", note.field, note.what))
    };
    notes.into_iter().map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(read_duration("100ms"), Some(Duration::from_millis(100)));
        assert_eq!(read_duration("5m"), Some(Duration::from_secs(300)));
        for bad in ["", "1", "s", "1.5s", "1 s", "-1s", "99999999999999999999s", "18446744073709551615h", "é"]
        {
            assert_eq!(read_duration(bad), None, "{bad}");
        }
        assert!(DurationTag::INTERVAL.read("99ms").is_err());
        assert!(DurationTag::INTERVAL.read("1h").is_ok());
        assert!(DurationTag::TIMEOUT.read("61s").is_err());
    }

    #[test]
    fn only_our_own_tags_must_be_known() {
        assert_eq!(unknown("Name", &KNOWN_TAGS), None);
        assert_eq!(unknown("pulse53:query", &KNOWN_TAGS), None);
        assert!(unknown("pulse53:intervals", &KNOWN_TAGS).unwrap().contains("\"pulse53:interval\""));
    }
}
