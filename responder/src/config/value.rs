//! Readers of single values: from TOML, or from the text of an environment variable or flag.
//!
//! A reader says what it wanted and what the operator may write instead; where the value stands is added by
//! [`super::section`].

use std::net::{IpAddr, SocketAddr};
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::DeValue;

/// A value before it is read.
#[derive(Clone, Copy)]
pub enum Raw<'a> {
    /// From the file.
    Toml(&'a Spanned<DeValue<'a>>),
    /// From the environment or a flag; lists are separated by commas.
    Text(&'a str),
}

/// Why a value was refused; the span when it is narrower than the value, as for one item of a list.
#[derive(Debug)]
pub struct Refusal {
    /// Octets of the file.
    pub span: Option<Range<usize>>,
    /// What is wrong, and what to write.
    pub message: String,
}

impl Refusal {
    /// A refusal of the whole value.
    pub fn new(raw: Raw<'_>, message: String) -> Self {
        let span = match raw {
            Raw::Toml(value) => Some(value.span()),
            Raw::Text(_) => None,
        };
        Self { span, message }
    }

    fn wanted(raw: Raw<'_>, wanted: &str) -> Self {
        let found = match raw {
            Raw::Toml(value) => match value.get_ref() {
                DeValue::String(text) => format!("{text:?}"),
                DeValue::Integer(number) => number.to_string(),
                DeValue::Float(number) => number.to_string(),
                DeValue::Boolean(value) => value.to_string(),
                DeValue::Datetime(time) => time.to_string(),
                DeValue::Array(_) => "a list".to_owned(),
                DeValue::Table(_) => "a table".to_owned(),
            },
            Raw::Text(text) => format!("{text:?}"),
        };
        Self::new(raw, format!("{found} is not {wanted}"))
    }
}

/// What every reader returns.
pub type Read<T> = Result<T, Refusal>;

/// Some text that is not empty.
pub fn text(raw: Raw<'_>) -> Read<String> {
    let text = match raw {
        Raw::Toml(value) => match value.get_ref() {
            DeValue::String(text) => text.as_ref(),
            _ => return Err(Refusal::wanted(raw, "text: write it in quotes")),
        },
        Raw::Text(text) => text,
    };
    if text.is_empty() {
        return Err(Refusal::new(raw, "empty text: write a value, or leave the key out".into()));
    }
    Ok(text.to_owned())
}

/// Text of at most `octets_max` octets.
pub fn short_text(raw: Raw<'_>, octets_max: usize) -> Read<String> {
    let text = text(raw)?;
    if text.len() > octets_max {
        return Err(Refusal::new(raw, format!("longer than {octets_max} octets: shorten it")));
    }
    Ok(text)
}

/// `true` or `false`.
pub fn boolean(raw: Raw<'_>) -> Read<bool> {
    match raw {
        Raw::Toml(value) => match value.get_ref() {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(Refusal::wanted(raw, "true or false")),
        },
        Raw::Text(text) => text.parse().map_err(|_| Refusal::wanted(raw, "true or false")),
    }
}

/// A whole number within bounds.
pub fn integer(raw: Raw<'_>, bounds: RangeInclusive<u64>) -> Read<u64> {
    let number = match raw {
        Raw::Toml(value) => match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        },
        Raw::Text(text) => text.parse().ok(),
    };
    number.filter(|number| bounds.contains(number)).ok_or_else(|| {
        Refusal::wanted(raw, &format!("a whole number from {} to {}", bounds.start(), bounds.end()))
    })
}

/// A number from `-limit` to `limit`, with or without a fraction.
pub fn decimal(raw: Raw<'_>, limit: u8) -> Read<f64> {
    let number = match raw {
        Raw::Toml(value) => match value.get_ref() {
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n as f64)
            }
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => None,
        },
        Raw::Text(text) => text.parse().ok(),
    };
    let limit = f64::from(limit);
    number
        .filter(|number| (-limit..=limit).contains(number))
        .ok_or_else(|| Refusal::wanted(raw, &format!("a number from -{limit} to {limit}")))
}

/// A duration such as `"250ms"`, `"10s"`, `"5m"` or `"1h"`, within bounds.
pub fn duration(raw: Raw<'_>, bounds: RangeInclusive<Duration>) -> Read<Duration> {
    let wanted = || {
        let bounds = (written(*bounds.start()), written(*bounds.end()));
        Refusal::wanted(
            raw,
            &format!(
                "a duration from \"{}\" to \"{}\": write a number and ms, s, m or h",
                bounds.0, bounds.1
            ),
        )
    };
    let text = text(raw).map_err(|_| wanted())?;
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| wanted())?;
    let milliseconds = match text[digits..].trim_start() {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    milliseconds.map(Duration::from_millis).filter(|value| bounds.contains(value)).ok_or_else(wanted)
}

/// A duration as [`duration`] reads it.
fn written(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, length) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if milliseconds > 0 && milliseconds.is_multiple_of(length) {
            return format!("{}{unit}", milliseconds / length);
        }
    }
    format!("{milliseconds}ms")
}

/// An address with its port.
pub fn socket(raw: Raw<'_>) -> Read<SocketAddr> {
    let wanted = "an address with a port: write it as \"192.0.2.53:53\" or \"[2001:db8::53]:53\"";
    text(raw).ok().and_then(|text| text.parse().ok()).ok_or_else(|| Refusal::wanted(raw, wanted))
}

/// An address without a port.
pub fn address(raw: Raw<'_>) -> Read<IpAddr> {
    let wanted = "an address: write it as \"192.0.2.53\" or \"2001:db8::53\"";
    text(raw).ok().and_then(|text| text.parse().ok()).ok_or_else(|| Refusal::wanted(raw, wanted))
}

/// A network, or one address.
pub fn network(raw: Raw<'_>) -> Read<IpNet> {
    let wanted = "a network: write it as \"192.0.2.0/24\" or \"2001:db8::/32\"";
    let read = |text: &str| text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    text(raw).ok().and_then(|text| read(&text)).ok_or_else(|| Refusal::wanted(raw, wanted))
}

/// One of a few words.
pub fn word<T: Copy>(raw: Raw<'_>, words: &[(&str, T)]) -> Read<T> {
    let found = text(raw).ok().and_then(|text| words.iter().find(|(word, _)| *word == text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        Refusal::wanted(raw, &format!("one of {}", words.join(", ")))
    })
}

/// A list of one or more values, each read by `item`; the first refusal wins.
pub fn list<T>(raw: Raw<'_>, item: impl Fn(Raw<'_>) -> Read<T>) -> Read<Vec<T>> {
    match raw {
        Raw::Toml(value) => match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|value| item(Raw::Toml(value))).collect(),
            _ => Err(Refusal::wanted(raw, "a list: write it in brackets")),
        },
        Raw::Text(text) => text
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(|text| item(Raw::Text(text)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let bounds = Duration::from_millis(100)..=Duration::from_secs(3600);
        let read = |text: &str| duration(Raw::Text(text), bounds.clone());
        assert_eq!(read("250ms").unwrap(), Duration::from_millis(250));
        assert_eq!(read("10 s").unwrap(), Duration::from_secs(10));
        assert_eq!(read("1h").unwrap(), Duration::from_secs(3600));
        for bad in ["", "10", "s", "10 parsecs", "1ms", "2h", "99999999999999999999s"] {
            let refusal = read(bad).unwrap_err();
            assert!(refusal.message.contains("from \"100ms\" to \"1h\""), "{}", refusal.message);
        }
    }

    #[test]
    fn lists_from_text_are_separated_by_commas() {
        let sockets = list(Raw::Text("192.0.2.1:53, [2001:db8::1]:53"), socket).unwrap();
        assert_eq!(sockets.len(), 2);
        assert!(list(Raw::Text("192.0.2.1"), socket).unwrap_err().message.contains("port"));
    }
}
