//! Owner names: wire form, lower case, so that equality is octet equality.

use std::fmt;
use std::sync::Arc;

/// A fully qualified domain name in lower-case wire form (RFC 1035 section 3.1, R-16), 1 to 255 octets.
///
/// Two names that differ in ASCII case are the same value. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<[u8]>);

/// Why some text or octets are not a domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A label of zero octets, as in `a..b`.
    #[error("empty label")]
    EmptyLabel,
    /// A label longer than 63 octets.
    #[error("a label is longer than 63 octets")]
    LongLabel,
    /// More than 255 octets in wire form.
    #[error("longer than 255 octets in wire form")]
    LongName,
    /// A backslash that three octal digits do not follow, or a value above `\377`.
    #[error("a backslash must be followed by three octal digits, up to \\377")]
    BadEscape,
    /// A character that only an escape can write.
    #[error("character {0:?} must be written as an octal escape")]
    BadCharacter(char),
    /// Octets that are not an uncompressed wire-format name.
    #[error("not an uncompressed name in wire form")]
    NotWire,
}

impl Name {
    /// The root, `.`.
    pub fn root() -> Self {
        Self(Arc::from([0u8].as_slice()))
    }

    /// Reads a name from its uncompressed wire form; the slice must hold exactly the name.
    pub fn from_wire(wire: &[u8]) -> Result<Self, NameError> {
        if wire.len() > 255 {
            return Err(NameError::LongName);
        }
        let mut at = 0;
        loop {
            let length = usize::from(*wire.get(at).ok_or(NameError::NotWire)?);
            if length > 63 {
                return Err(NameError::NotWire);
            }
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
        if at != wire.len() {
            return Err(NameError::NotWire);
        }
        Ok(Self(wire.iter().map(u8::to_ascii_lowercase).collect()))
    }

    /// Reads a name as Route 53 writes it: octal escapes, always fully qualified, trailing dot optional.
    pub fn from_route53(text: &str) -> Result<Self, NameError> {
        if text == "." {
            return Ok(Self::root());
        }
        let mut wire = vec![0u8];
        let mut label = 0;
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let octet = match bytes[at] {
                b'.' => {
                    if wire.len() - label == 1 {
                        return Err(NameError::EmptyLabel);
                    }
                    label = wire.len();
                    wire.push(0);
                    at += 1;
                    continue;
                }
                b'\\' => {
                    let digits = bytes.get(at + 1..at + 4).ok_or(NameError::BadEscape)?;
                    let mut value = 0u32;
                    for &digit in digits {
                        if !(b'0'..=b'7').contains(&digit) {
                            return Err(NameError::BadEscape);
                        }
                        value = value * 8 + u32::from(digit - b'0');
                    }
                    at += 3;
                    u8::try_from(value).map_err(|_| NameError::BadEscape)?
                }
                octet @ 33..=126 => octet,
                _ => {
                    let character = text[at..].chars().next().unwrap_or_default();
                    return Err(NameError::BadCharacter(character));
                }
            };
            wire.push(octet.to_ascii_lowercase());
            let length = wire.len() - label - 1;
            if length > 63 {
                return Err(NameError::LongLabel);
            }
            wire[label] = length as u8;
            at += 1;
        }
        if wire.len() - label > 1 {
            wire.push(0);
        } else if wire.len() == 1 {
            return Err(NameError::EmptyLabel);
        }
        if wire.len() > 255 {
            return Err(NameError::LongName);
        }
        Ok(Self(wire.into()))
    }

    /// The wire form, lower case, ending in the root label.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// Number of labels without the root: 0 for `.`, 2 for `example.com.`.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// The labels from the left, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            let length = usize::from(rest[0]);
            if length == 0 {
                return None;
            }
            let label = &rest[1..=length];
            rest = &rest[1 + length..];
            Some(label)
        })
    }

    /// The name without its leftmost label; none for the root.
    pub fn parent(&self) -> Option<Self> {
        match usize::from(self.0[0]) {
            0 => None,
            length => Some(Self(Arc::from(&self.0[1 + length..]))),
        }
    }

    /// Whether this is `other` or a name below it.
    pub fn is_at_or_below(&self, other: &Name) -> bool {
        let mut rest: &[u8] = &self.0;
        while rest.len() > other.0.len() {
            rest = &rest[1 + usize::from(rest[0])..];
        }
        rest == &*other.0
    }

    /// Whether the leftmost label is the single octet `*`.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(b"\x01*")
    }

    /// The listed form with its labels reversed, as `com.example.www.`: Route 53 lists names in its octet order.
    pub fn reversed(&self) -> String {
        let mut listed: Vec<String> = Vec::with_capacity(self.label_count());
        let mut name = Some(self.clone());
        while let Some(this) = name.filter(|this| this.0.len() > 1) {
            let text = this.to_string();
            let end = text.find('.').unwrap_or(text.len());
            listed.push(text[..end].to_owned());
            name = this.parent();
        }
        listed.reverse();
        listed.join(".") + "."
    }

    /// The name `*.self`; none if that would be longer than 255 octets.
    pub fn wildcard_child(&self) -> Option<Self> {
        if self.0.len() + 2 > 255 {
            return None;
        }
        let mut wire = Vec::with_capacity(self.0.len() + 2);
        wire.extend_from_slice(b"\x01*");
        wire.extend_from_slice(&self.0);
        Some(Self(wire.into()))
    }
}

/// As Route 53 lists it: every octet outside `a-z 0-9 - _` as `\ooo`, with the trailing dot.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == 1 {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => write!(f, "{}", char::from(octet))?,
                    _ => write!(f, "\\{octet:03o}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, listed: &str) {
        assert_eq!(Name::from_route53(text).unwrap().to_string(), listed);
    }

    #[test]
    fn text_is_read_and_listed_as_route_53_does() {
        check("WWW.Example.com", "www.example.com.");
        check("*.example.com.", "\\052.example.com.");
        check("\\052.example.com.", "\\052.example.com.");
        check("a\\056b.example.com.", "a\\056b.example.com.");
        check("\\101.example.com", "a.example.com.");
        check(".", ".");
    }

    #[test]
    fn reversed_names_sort_as_route_53_lists_them() {
        let reversed = |text: &str| Name::from_route53(text).unwrap().reversed();
        assert_eq!(reversed("*.www.example.com"), "com.example.www.\\052.");
        assert!(reversed("a-b.example.com") < reversed("a.example.com"));
        assert!(reversed("example.com") < reversed("*.example.com"));
        assert_eq!(reversed("."), ".");
    }

    #[test]
    fn bad_text_is_refused() {
        let error = |text: &str| Name::from_route53(text).unwrap_err();
        assert_eq!(error("a..b"), NameError::EmptyLabel);
        assert_eq!(error(""), NameError::EmptyLabel);
        assert_eq!(error(".a"), NameError::EmptyLabel);
        assert_eq!(error("a\\09.b"), NameError::BadEscape);
        assert_eq!(error("a\\777.b"), NameError::BadEscape);
        assert_eq!(error("a b"), NameError::BadCharacter(' '));
        assert_eq!(error(&"a".repeat(64)), NameError::LongLabel);
        assert_eq!(error(&"a.".repeat(128)), NameError::LongName);
    }

    #[test]
    fn ancestry() {
        let name = |text: &str| Name::from_route53(text).unwrap();
        assert!(name("a.example.com").is_at_or_below(&name("example.com")));
        assert!(name("example.com").is_at_or_below(&name("example.com")));
        assert!(!name("aexample.com").is_at_or_below(&name("example.com")));
        assert!(name("a.b").is_at_or_below(&Name::root()));
        assert_eq!(name("a.b").parent().unwrap(), name("b"));
        assert!(name("*.b").is_wildcard() && !name("a.*.b").is_wildcard());
        assert_eq!(name("b").wildcard_child().unwrap(), name("*.b"));
    }
}
