//! Text to wire form: walks a type's layout and consumes tokens.

use domain::utils::{base16, base32, base64};

use super::layout::{ALGORITHMS, CERTIFICATES, Field, Kind, layout};
use super::name::push_name;
use super::token::Token;
use super::{Dialect, RdataError, RdataFault, location, print, record_type_from_octets, scalar, svcb};
use crate::model::RecordType;

/// The greatest length RDLENGTH can say.
const RDATA_MAX: usize = 65_535;

/// Appends the wire form of one record's data; `origin` completes relative names.
///
/// On an error `out` holds part of the data; the caller throws it away.
pub(crate) fn read(
    record_type: RecordType,
    tokens: &[Token<'_>],
    dialect: Dialect,
    origin: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let begin = out.len();
    if let [first, rest @ ..] = tokens
        && first.raw == b"\\#"
        && !first.quoted
        && dialect == Dialect::MasterFile
    {
        read_generic(record_type, first, rest, out)?;
    } else {
        let mut text = Text { tokens, dialect, origin, end: tokens.last().copied() };
        let fields =
            layout(record_type).ok_or_else(|| text.end_error(RdataFault::NoTextForm(record_type)))?;
        for field in fields {
            text.read_field(*field, out)?;
        }
        if let [extra, ..] = text.tokens {
            return Err(extra.error(RdataFault::Extra(extra.shown())));
        }
    }
    if out.len() - begin > RDATA_MAX {
        let at = tokens.first().map_or((1, 1), |token| (token.line, token.column));
        return Err(RdataError { line: at.0, column: at.1, fault: RdataFault::TooLong });
    }
    Ok(())
}

/// RFC 3597: `\# length hexadecimal`.
fn read_generic(
    record_type: RecordType,
    first: &Token<'_>,
    rest: &[Token<'_>],
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let fail = |text| first.error(RdataFault::Generic(text));
    let [length, digits @ ..] = rest else {
        return Err(fail("a length must follow \\#"));
    };
    let length: u16 = length
        .text()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| fail("the length after \\# must be a number from 0 to 65535"))?;
    let text = joined(digits).ok_or_else(|| fail("only hexadecimal digits may follow the length"))?;
    let octets = base16::decode_vec(&text)
        .map_err(|_| fail("only pairs of hexadecimal digits may follow the length"))?;
    if octets.len() != usize::from(length) {
        return Err(fail("the length after \\# is not the number of octets that follow"));
    }
    if !print::is_well_formed(record_type, &octets) {
        return Err(fail("the octets after \\# are not data of this type"));
    }
    out.extend_from_slice(&octets);
    Ok(())
}

/// Tokens as one text, for encodings in which blanks mean nothing.
fn joined(tokens: &[Token<'_>]) -> Option<String> {
    let mut text = String::with_capacity(tokens.iter().map(|token| token.raw.len()).sum());
    for token in tokens {
        text.push_str(token.text()?);
    }
    Some(text)
}

/// What is left to read.
struct Text<'a> {
    tokens: &'a [Token<'a>],
    dialect: Dialect,
    origin: &'a [u8],
    end: Option<Token<'a>>,
}

impl<'a> Text<'a> {
    /// An error at the end of the text: right after its last token.
    fn end_error(&self, fault: RdataFault) -> RdataError {
        match self.end {
            Some(token) => {
                let quotes = if token.quoted { 2 } else { 0 };
                RdataError { line: token.line, column: token.column + token.raw.len() as u32 + quotes, fault }
            }
            None => RdataError { line: 1, column: 1, fault },
        }
    }

    fn next(&mut self, field: &'static str) -> Result<&'a Token<'a>, RdataError> {
        let [first, rest @ ..] = self.tokens else {
            return Err(self.end_error(RdataFault::Missing(field)));
        };
        self.tokens = rest;
        Ok(first)
    }

    /// All tokens that are left.
    fn rest(&mut self) -> &'a [Token<'a>] {
        std::mem::take(&mut self.tokens)
    }

    fn number(&mut self, field: &'static str, max: u64) -> Result<u64, RdataError> {
        let token = self.next(field)?;
        scalar::number(token.raw)
            .filter(|&number| number <= max)
            .ok_or_else(|| token.error(RdataFault::Number { field, text: token.shown(), max }))
    }

    /// A number, or the mnemonic of one.
    fn numbered(
        &mut self,
        field: &'static str,
        max: u64,
        named: impl Fn(&str) -> Option<u64>,
    ) -> Result<u64, RdataError> {
        match self.tokens.first().and_then(|token| token.text()).and_then(named) {
            Some(number) => {
                self.next(field)?;
                Ok(number)
            }
            None => self.number(field, max),
        }
    }

    /// One character string with its length octet.
    fn string(&mut self, field: &'static str, out: &mut Vec<u8>) -> Result<(), RdataError> {
        let token = self.next(field)?;
        if self.dialect == Dialect::Route53 && !token.quoted {
            return Err(token.error(RdataFault::NotQuoted(token.shown())));
        }
        let length_at = out.len();
        out.push(0);
        token.push_octets(self.dialect, out)?;
        let length = out.len() - length_at - 1;
        out[length_at] = u8::try_from(length).map_err(|_| token.error(RdataFault::StringTooLong(length)))?;
        Ok(())
    }

    /// Octets to the end in an encoding in which blanks mean nothing; at least one.
    fn encoded(
        &mut self,
        field: &'static str,
        wanted: &'static str,
        decode: impl Fn(&str) -> Option<Vec<u8>>,
        out: &mut Vec<u8>,
    ) -> Result<(), RdataError> {
        let first = self.next(field)?;
        let mut text = first.text().map(str::to_owned);
        if let Some(rest) = joined(self.rest()) {
            text.iter_mut().for_each(|text| text.push_str(&rest));
        } else {
            text = None;
        }
        let octets = text
            .as_deref()
            .and_then(decode)
            .ok_or_else(|| first.error(RdataFault::Encoding { field, text: first.shown(), wanted }))?;
        out.extend_from_slice(&octets);
        Ok(())
    }

    /// One token in some encoding.
    fn token_as(
        &mut self,
        field: &'static str,
        wanted: &'static str,
        decode: impl Fn(&str) -> Option<Vec<u8>>,
        out: &mut Vec<u8>,
    ) -> Result<(), RdataError> {
        let token = self.next(field)?;
        let octets = token
            .text()
            .and_then(decode)
            .ok_or_else(|| token.error(RdataFault::Encoding { field, text: token.shown(), wanted }))?;
        out.extend_from_slice(&octets);
        Ok(())
    }

    fn read_field(&mut self, (field, kind): Field, out: &mut Vec<u8>) -> Result<(), RdataError> {
        if let Some(token) = self.tokens.first()
            && token.quoted
            && !kind.may_be_quoted()
        {
            return Err(token.error(RdataFault::Quoted(field)));
        }
        match kind {
            Kind::Ipv4 => {
                let token = self.next(field)?;
                let address =
                    scalar::ipv4(token.raw).ok_or_else(|| token.error(RdataFault::Ipv4(token.shown())))?;
                out.extend_from_slice(&address);
            }
            Kind::Ipv6 => {
                let token = self.next(field)?;
                let address: std::net::Ipv6Addr = token
                    .text()
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| token.error(RdataFault::Ipv6(token.shown())))?;
                out.extend_from_slice(&address.octets());
            }
            Kind::Name => push_name(self.next(field)?, self.dialect, self.origin, out)?,
            Kind::U8 => out.push(self.number(field, 0xff)? as u8),
            Kind::U16 => out.extend_from_slice(&(self.number(field, 0xffff)? as u16).to_be_bytes()),
            Kind::U32 => out.extend_from_slice(&(self.number(field, 0xffff_ffff)? as u32).to_be_bytes()),
            Kind::Period => {
                let token = self.next(field)?;
                let seconds = scalar::period(token.raw).ok_or_else(|| {
                    token.error(RdataFault::Number { field, text: token.shown(), max: u64::from(u32::MAX) })
                })?;
                out.extend_from_slice(&seconds.to_be_bytes());
            }
            Kind::Text => self.string(field, out)?,
            Kind::Texts => {
                self.string(field, out)?;
                while !self.tokens.is_empty() {
                    self.string(field, out)?;
                }
            }
            Kind::TextPair => {
                self.string(field, out)?;
                if !self.tokens.is_empty() {
                    self.string(field, out)?;
                }
            }
            Kind::Tag => {
                let token = self.next(field)?;
                if token.raw.is_empty()
                    || token.raw.len() > 255
                    || !token.raw.iter().all(u8::is_ascii_alphanumeric)
                {
                    let text = token.shown();
                    let wanted = "1 to 255 letters and digits";
                    return Err(token.error(RdataFault::Encoding { field, text, wanted }));
                }
                out.push(token.raw.len() as u8);
                out.extend_from_slice(token.raw);
            }
            Kind::Tail => self.next(field)?.push_octets(self.dialect, out)?,
            Kind::Hex => self.encoded(field, "hexadecimal", |text| base16::decode_vec(text).ok(), out)?,
            Kind::Base64 => self.encoded(field, "base64", |text| base64::decode(text).ok(), out)?,
            Kind::Salt => self.token_as(
                field,
                "hexadecimal of at most 255 octets, or - for none",
                |text| with_length(if text == "-" { Vec::new() } else { base16::decode_vec(text).ok()? }),
                out,
            )?,
            Kind::Hash => self.token_as(
                field,
                "base32hex of 1 to 255 octets",
                |text| with_length(base32::decode_hex(text).ok()?).filter(|hash| hash.len() > 1),
                out,
            )?,
            Kind::Types => {
                let mut types = Vec::new();
                for token in self.rest() {
                    types.push(one_type(field, token)?.to_int());
                }
                scalar::push_types(types, out);
            }
            Kind::Type => {
                let covered = one_type(field, self.next(field)?)?;
                out.extend_from_slice(&covered.to_int().to_be_bytes());
            }
            Kind::Algorithm => {
                let number = self.numbered(field, 0xff, |text| {
                    let found = ALGORITHMS.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
                    found.map(|(number, _)| u64::from(*number))
                })?;
                out.push(number as u8);
            }
            Kind::Certificate => {
                let number = self.numbered(field, 0xffff, |text| {
                    let found = CERTIFICATES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
                    found.map(|(number, _)| u64::from(*number))
                })?;
                out.extend_from_slice(&(number as u16).to_be_bytes());
            }
            Kind::Time => self.token_as(
                field,
                "a time such as 20300101000000 (UTC), or seconds since 1970",
                |text| Some(scalar::time(text)?.to_be_bytes().to_vec()),
                out,
            )?,
            Kind::Parameters => svcb::read(self.rest(), self.dialect, out)?,
            Kind::Location => {
                let rest = self.rest();
                let first = rest.first().ok_or_else(|| self.end_error(RdataFault::Missing(field)))?;
                let wire = location::read(rest).ok_or_else(|| {
                    let wanted = "a place such as 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m";
                    first.error(RdataFault::Encoding { field, text: first.shown(), wanted })
                })?;
                out.extend_from_slice(&wire);
            }
            Kind::Eui48 => {
                self.token_as(
                    field,
                    "six pairs of hexadecimal digits joined by -",
                    |text| eui(text, 6),
                    out,
                )?;
            }
            Kind::Eui64 => {
                self.token_as(
                    field,
                    "eight pairs of hexadecimal digits joined by -",
                    |text| eui(text, 8),
                    out,
                )?;
            }
            Kind::Node => self.token_as(
                field,
                "four groups of hexadecimal digits joined by :",
                |text| {
                    let groups = text.split(':').map(|group| match group.len() {
                        1..=4 => u16::from_str_radix(group, 16).ok(),
                        _ => None,
                    });
                    let groups: Vec<u16> = groups.collect::<Option<_>>()?;
                    (groups.len() == 4).then(|| groups.iter().flat_map(|group| group.to_be_bytes()).collect())
                },
                out,
            )?,
        }
        Ok(())
    }
}

fn one_type(field: &'static str, token: &Token<'_>) -> Result<RecordType, RdataError> {
    record_type_from_octets(token.raw).ok_or_else(|| {
        token.error(RdataFault::Encoding { field, text: token.shown(), wanted: "a record type" })
    })
}

fn with_length(octets: Vec<u8>) -> Option<Vec<u8>> {
    let length = u8::try_from(octets.len()).ok()?;
    let mut wire = Vec::with_capacity(octets.len() + 1);
    wire.push(length);
    wire.extend_from_slice(&octets);
    Some(wire)
}

fn eui(text: &str, count: usize) -> Option<Vec<u8>> {
    let octets: Vec<u8> = text
        .split('-')
        .map(|pair| if pair.len() == 2 { u8::from_str_radix(pair, 16).ok() } else { None })
        .collect::<Option<_>>()?;
    (octets.len() == count).then_some(octets)
}
