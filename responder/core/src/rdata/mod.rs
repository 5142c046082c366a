//! RDATA between text and wire form: Route 53 values and RFC 1035 master files share one reader and one printer.
//!
//! Each record type is a row of fields in `layout`; reading, printing and comparing all walk that row, so a new
//! type is one new row. The two texts differ only in their [`Dialect`]: Route 53 escapes are octal and its names are
//! always fully qualified; in a master file escapes are decimal and names may be relative. The wire form is
//! uncompressed and keeps the case of embedded names, since clients compare what they are told with what they wrote.

mod layout;
mod location;
mod name;
mod print;
mod read;
mod scalar;
mod svcb;
mod token;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::model::{Name, NameError, Rdata, RecordType};

pub(crate) use name::{name_length, push_name};
pub(crate) use read::read;
pub(crate) use scalar::{period, push_types};
pub(crate) use token::{Token, closing_quote, end_of_word};

/// Which text RDATA is read from or printed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Route 53 values: `\ooo` octal, names without a final dot are fully qualified, character strings are quoted.
    Route53,
    /// Master files: `\DDD` decimal and `\X`, names without a final dot are relative to the origin, quotes optional.
    MasterFile,
}

/// RDATA text that cannot be read: what is wrong, and where in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct RdataError {
    /// Line, from 1; always 1 for a Route 53 value without line breaks.
    pub line: u32,
    /// Column in octets, from 1.
    pub column: u32,
    /// What is wrong.
    pub fault: RdataFault,
}

/// What is wrong with RDATA text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RdataFault {
    /// The text ends before a field.
    #[error("the field {0:?} is missing; add it")]
    Missing(&'static str),
    /// More text than the type has fields.
    #[error("{0:?} follows the last field; remove it")]
    Extra(String),
    /// Not dotted-quad text.
    #[error("{0:?} is not an IPv4 address; write it like 192.0.2.1")]
    Ipv4(String),
    /// Not RFC 4291 text.
    #[error("{0:?} is not an IPv6 address; write it like 2001:db8::1")]
    Ipv6(String),
    /// Not a domain name.
    #[error("{text:?} is not a domain name: {error}")]
    Name {
        /// What was found.
        text: String,
        /// Why it is not a name.
        error: NameError,
    },
    /// Not a number, or one out of range.
    #[error("{field} {text:?} is not a whole number from 0 to {max}")]
    Number {
        /// The field's name.
        field: &'static str,
        /// What was found.
        text: String,
        /// The greatest value the field can hold.
        max: u64,
    },
    /// A character string longer than 255 octets.
    #[error("a quoted string has {0} octets; split it into strings of at most 255")]
    StringTooLong(usize),
    /// A Route 53 character string without quotation marks.
    #[error("{0:?} is not quoted; enclose it in quotation marks")]
    NotQuoted(String),
    /// Quotation marks around what is no character string.
    #[error("the field {0:?} is quoted; remove the quotation marks")]
    Quoted(&'static str),
    /// A quotation mark without its partner.
    #[error("a quoted string does not end; close it with a quotation mark")]
    OpenQuote,
    /// An escape that the dialect does not have.
    #[error("bad escape in {0:?}; {1}")]
    Escape(String, &'static str),
    /// An octet that must be escaped.
    #[error("the octet {0} must be written as the escape \\{0:03o}")]
    MustEscape(u8),
    /// Not of the encoding the field needs: hexadecimal, base64, base32hex, a time, a place, …
    #[error("{field} {text:?} is not {wanted}")]
    Encoding {
        /// The field's name.
        field: &'static str,
        /// What was found.
        text: String,
        /// What the field holds.
        wanted: &'static str,
    },
    /// A service parameter of SVCB or HTTPS (RFC 9460) that is not well-formed.
    #[error("service parameter {0:?}: {1}")]
    Parameter(String, &'static str),
    /// More than 65,535 octets of RDATA.
    #[error("the record data is longer than 65,535 octets")]
    TooLong,
    /// RFC 3597 text that is not well-formed, or whose octets do not fit the type.
    #[error("{0}")]
    Generic(&'static str),
    /// A type without a text form here.
    #[error("type {0} has no text form here; write its data as \\# length hexadecimal (RFC 3597)")]
    NoTextForm(RecordType),
}

/// Reads one value as Route 53 writes it: `10 mail.example.com`, `"text" "more text"`, `0 issue "ca.example"`.
pub fn from_route53(record_type: RecordType, value: &str) -> Result<Rdata, RdataError> {
    let tokens = token::split_value(value)?;
    let mut wire = Vec::with_capacity(value.len().min(512));
    read(record_type, &tokens, Dialect::Route53, Name::root().as_wire(), &mut wire)?;
    Ok(Rdata(wire.into()))
}

/// Prints wire form as a Route 53 value; RFC 3597 text where the type is unknown or the octets do not fit it.
pub fn to_route53(record_type: RecordType, rdata: &Rdata) -> String {
    print::print(record_type, &rdata.0, Dialect::Route53)
}

/// Prints wire form as master-file text, names fully qualified.
pub fn to_master_file(record_type: RecordType, rdata: &Rdata) -> String {
    print::print(record_type, &rdata.0, Dialect::MasterFile)
}

/// The form in which two values of one type are equal if DNS calls them equal: embedded names in lower case.
pub fn canonical(record_type: RecordType, rdata: &Rdata) -> Cow<'_, [u8]> {
    print::canonical(record_type, &rdata.0)
}

/// Whether octets are well-formed RDATA of a type; any octets are for a type that has no layout here.
pub fn is_well_formed(record_type: RecordType, wire: &[u8]) -> bool {
    print::is_well_formed(record_type, wire)
}

/// Reads a record type: a mnemonic or RFC 3597 `TYPEnnn`, in any case.
pub fn record_type(text: &str) -> Option<RecordType> {
    record_type_from_octets(text.as_bytes())
}

/// As [`record_type`], from octets; the frequent types come first because the full list is searched one by one.
pub(crate) fn record_type_from_octets(text: &[u8]) -> Option<RecordType> {
    const FREQUENT: [(&[u8], RecordType); 8] = [
        (b"A", RecordType::A),
        (b"AAAA", RecordType::AAAA),
        (b"CNAME", RecordType::CNAME),
        (b"MX", RecordType::MX),
        (b"NS", RecordType::NS),
        (b"PTR", RecordType::PTR),
        (b"SRV", RecordType::SRV),
        (b"TXT", RecordType::TXT),
    ];
    if let Some((_, found)) = FREQUENT.iter().find(|(mnemonic, _)| mnemonic.eq_ignore_ascii_case(text)) {
        return Some(*found);
    }
    if text.len() > 4 && text[..4].eq_ignore_ascii_case(b"TYPE") && text[4..].iter().all(u8::is_ascii_digit) {
        return std::str::from_utf8(&text[4..]).ok()?.parse().ok().map(RecordType::from_int);
    }
    RecordType::from_mnemonic(text)
}
