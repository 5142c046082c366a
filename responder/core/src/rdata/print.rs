//! Wire form to text: walks a type's layout over the octets.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use domain::utils::{base16, base32, base64};

use super::layout::{Kind, layout};
use super::name::name_length;
use super::{Dialect, location, scalar, svcb};
use crate::model::RecordType;

/// The text of one record's data; RFC 3597 text where the type has none of its own or the octets do not fit it.
pub(super) fn print(record_type: RecordType, wire: &[u8], dialect: Dialect) -> String {
    let mut text = String::with_capacity(wire.len() * 2);
    if layout(record_type).is_none() || walk(record_type, wire, dialect, &mut text).is_none() {
        text.clear();
        let _ = write!(text, "\\# {}", wire.len());
        if !wire.is_empty() {
            text.push(' ');
            text.push_str(&base16::encode_string(wire));
        }
    }
    text
}

/// Whether the octets follow the type's layout.
pub(super) fn is_well_formed(record_type: RecordType, wire: &[u8]) -> bool {
    let mut text = String::new();
    layout(record_type).is_none() || walk(record_type, wire, Dialect::MasterFile, &mut text).is_some()
}

/// Embedded names in lower case (RFC 4034 section 6.2), so that octets compare as DNS does.
pub(super) fn canonical(record_type: RecordType, wire: &[u8]) -> Cow<'_, [u8]> {
    let Some(fields) = layout(record_type) else { return Cow::Borrowed(wire) };
    if !fields.iter().any(|(_, kind)| *kind == Kind::Name) {
        return Cow::Borrowed(wire);
    }
    let mut folded = Cow::Borrowed(wire);
    let mut at = 0;
    for (_, kind) in fields {
        let Some(length) = wire.get(at..).and_then(|rest| field_length(*kind, rest)) else { break };
        if *kind == Kind::Name && wire[at..at + length].iter().any(u8::is_ascii_uppercase) {
            folded.to_mut()[at..at + length].make_ascii_lowercase();
        }
        at += length;
    }
    folded
}

/// How many octets a field takes; none if there are too few.
fn field_length(kind: Kind, wire: &[u8]) -> Option<usize> {
    let length = match kind {
        Kind::U8 | Kind::Algorithm => 1,
        Kind::U16 | Kind::Type | Kind::Certificate => 2,
        Kind::Ipv4 | Kind::U32 | Kind::Period | Kind::Time => 4,
        Kind::Eui48 => 6,
        Kind::Eui64 | Kind::Node => 8,
        Kind::Ipv6 | Kind::Location => 16,
        Kind::Name => name_length(wire)?,
        Kind::Text | Kind::Tag | Kind::Salt | Kind::Hash => 1 + usize::from(*wire.first()?),
        Kind::Texts
        | Kind::TextPair
        | Kind::Tail
        | Kind::Hex
        | Kind::Base64
        | Kind::Types
        | Kind::Parameters => wire.len(),
    };
    (length <= wire.len()).then_some(length)
}

fn walk(record_type: RecordType, mut wire: &[u8], dialect: Dialect, out: &mut String) -> Option<()> {
    for (at, (_, kind)) in layout(record_type)?.iter().enumerate() {
        // Lists that may be empty bring their own blanks.
        if at > 0 && !matches!(kind, Kind::Types | Kind::Parameters) {
            out.push(' ');
        }
        let (field, rest) = wire.split_at(field_length(*kind, wire)?);
        print_field(*kind, field, dialect, out)?;
        wire = rest;
    }
    wire.is_empty().then_some(())
}

fn print_field(kind: Kind, field: &[u8], dialect: Dialect, out: &mut String) -> Option<()> {
    let number = || field.iter().fold(0u64, |number, octet| number << 8 | u64::from(*octet));
    let written = match kind {
        Kind::Ipv4 => write!(out, "{}", Ipv4Addr::from(<[u8; 4]>::try_from(field).ok()?)),
        Kind::Ipv6 => write!(out, "{}", Ipv6Addr::from(<[u8; 16]>::try_from(field).ok()?)),
        Kind::U8
        | Kind::U16
        | Kind::U32
        | Kind::Period
        | Kind::Time
        | Kind::Algorithm
        | Kind::Certificate => {
            write!(out, "{}", number())
        }
        Kind::Name => {
            push_name(field, dialect, out);
            Ok(())
        }
        Kind::Text => {
            push_quoted(&field[1..], dialect, out);
            Ok(())
        }
        Kind::Texts | Kind::TextPair => {
            let (mut rest, mut count) = (field, 0);
            while let [length, after @ ..] = rest {
                let (string, after) = after.split_at_checked(usize::from(*length))?;
                if count > 0 {
                    out.push(' ');
                }
                push_quoted(string, dialect, out);
                rest = after;
                count += 1;
            }
            let max = if kind == Kind::TextPair { 2 } else { usize::MAX };
            return (1..=max).contains(&count).then_some(());
        }
        Kind::Tag => {
            let tag = std::str::from_utf8(&field[1..]).ok()?;
            if tag.is_empty() || !tag.bytes().all(|octet| octet.is_ascii_alphanumeric()) {
                return None;
            }
            out.push_str(tag);
            Ok(())
        }
        Kind::Tail => {
            push_quoted(field, dialect, out);
            Ok(())
        }
        // An empty text could not be read back.
        Kind::Hex | Kind::Base64 if field.is_empty() => return None,
        Kind::Hex => {
            out.push_str(&base16::encode_string(field));
            Ok(())
        }
        Kind::Base64 => {
            out.push_str(&base64::encode_string(field));
            Ok(())
        }
        Kind::Salt if field.len() == 1 => {
            out.push('-');
            Ok(())
        }
        Kind::Salt => {
            out.push_str(&base16::encode_string(&field[1..]));
            Ok(())
        }
        Kind::Hash if field.len() == 1 => return None,
        Kind::Hash => {
            out.push_str(&base32::encode_string_hex(&field[1..]));
            Ok(())
        }
        Kind::Type => write!(out, "{}", RecordType::from_int(number() as u16)),
        Kind::Types => scalar::types(field)?
            .iter()
            .try_for_each(|number| write!(out, " {}", RecordType::from_int(*number))),
        Kind::Parameters => return svcb::print(field, dialect, out),
        Kind::Location => return location::print(field, out),
        Kind::Eui48 | Kind::Eui64 => {
            let pairs: Vec<String> = field.iter().map(|octet| format!("{octet:02x}")).collect();
            out.push_str(&pairs.join("-"));
            Ok(())
        }
        Kind::Node => {
            let groups: Vec<String> =
                field.chunks(2).map(|pair| format!("{:02x}{:02x}", pair[0], pair[1])).collect();
            out.push_str(&groups.join(":"));
            Ok(())
        }
    };
    written.ok()
}

/// A quoted string; what is not printable ASCII is escaped.
pub(super) fn push_quoted(octets: &[u8], dialect: Dialect, out: &mut String) {
    out.push('"');
    for octet in octets {
        match octet {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(*octet));
            }
            32..=126 => out.push(char::from(*octet)),
            _ => push_escape(*octet, dialect, out),
        }
    }
    out.push('"');
}

fn push_escape(octet: u8, dialect: Dialect, out: &mut String) {
    let _ = match dialect {
        Dialect::Route53 => write!(out, "\\{octet:03o}"),
        Dialect::MasterFile => write!(out, "\\{octet:03}"),
    };
}

/// A well-formed name, fully qualified, its case kept.
fn push_name(wire: &[u8], dialect: Dialect, out: &mut String) {
    let mut rest = wire;
    if rest == [0] {
        out.push('.');
        return;
    }
    while let [length @ 1..=63, after @ ..] = rest {
        let (label, after) = after.split_at(usize::from(*length).min(after.len()));
        for octet in label {
            match octet {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => out.push(char::from(*octet)),
                _ => push_escape(*octet, dialect, out),
            }
        }
        out.push('.');
        rest = after;
    }
}
