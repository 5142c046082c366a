//! Tokens of presentation format: runs of octets between blanks, or between quotation marks.

use super::{Dialect, RdataError, RdataFault};

/// One token, still escaped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    /// The octets, without enclosing quotation marks.
    pub raw: &'a [u8],
    /// Whether it was enclosed in quotation marks.
    pub quoted: bool,
    /// Line, from 1.
    pub line: u32,
    /// Column in octets, from 1.
    pub column: u32,
}

impl Token<'_> {
    /// The error that something is wrong here.
    pub(crate) fn error(&self, fault: RdataFault) -> RdataError {
        RdataError { line: self.line, column: self.column, fault }
    }

    /// The token for a message.
    pub(crate) fn shown(&self) -> String {
        shown(self.raw)
    }

    /// Appends the octets that the token stands for.
    pub(crate) fn push_octets(&self, dialect: Dialect, out: &mut Vec<u8>) -> Result<(), RdataError> {
        if dialect == Dialect::MasterFile && !self.raw.contains(&b'\\') {
            out.extend_from_slice(self.raw);
            return Ok(());
        }
        let mut at = 0;
        while let Some((octet, _)) =
            next_octet(self.raw, &mut at, dialect).map_err(|fault| self.error(fault))?
        {
            out.push(octet);
        }
        Ok(())
    }

    /// The token as text; escapes are not resolved.
    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.raw).ok()
    }
}

/// Octets for a message: not longer than a line.
pub(crate) fn shown(raw: &[u8]) -> String {
    const SHOWN_MAX: usize = 60;
    let mut text = String::from_utf8_lossy(&raw[..raw.len().min(SHOWN_MAX)]).into_owned();
    if raw.len() > SHOWN_MAX {
        text.push('…');
    }
    text
}

/// The octet at `at` with escapes resolved, and whether it was escaped; none at the end.
pub(crate) fn next_octet(
    raw: &[u8],
    at: &mut usize,
    dialect: Dialect,
) -> Result<Option<(u8, bool)>, RdataFault> {
    let Some(&octet) = raw.get(*at) else { return Ok(None) };
    if octet != b'\\' {
        if dialect == Dialect::Route53 && !(32..=126).contains(&octet) {
            return Err(RdataFault::MustEscape(octet));
        }
        *at += 1;
        return Ok(Some((octet, false)));
    }
    let escape = |wanted| RdataFault::Escape(shown(raw), wanted);
    let next = *raw.get(*at + 1).ok_or_else(|| escape("a backslash must not come last"))?;
    if !next.is_ascii_digit() {
        // octoDNS escapes semicolons, as master files must.
        if dialect == Dialect::Route53 && !matches!(next, b'"' | b'\\' | b';') {
            return Err(escape("write three octal digits, \\\" or \\\\ after a backslash"));
        }
        *at += 2;
        return Ok(Some((next, true)));
    }
    let (base, wanted) = match dialect {
        Dialect::Route53 => (8, "write three octal digits, up to \\377, after a backslash"),
        Dialect::MasterFile => (10, "write three decimal digits, up to \\255, after a backslash"),
    };
    let digits = raw.get(*at + 1..*at + 4).ok_or_else(|| escape(wanted))?;
    let mut value = 0u32;
    for &digit in digits {
        value = value * base + char::from(digit).to_digit(base).ok_or_else(|| escape(wanted))?;
    }
    *at += 4;
    Ok(Some((u8::try_from(value).map_err(|_| escape(wanted))?, true)))
}

/// Finds the end of a quoted string whose opening mark is before `at`: the position of its closing mark.
///
/// A line break ends the search, so that a forgotten mark spoils one line and not the rest of a file.
pub(crate) fn closing_quote(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *text.get(at)? {
            b'"' => return Some(at),
            b'\n' => return None,
            b'\\' if text.get(at + 1) != Some(&b'\n') => at += 2,
            _ => at += 1,
        }
    }
}

/// Finds the end of an unquoted token that begins at `at`; `stops` says which octets end it.
///
/// A quotation mark right after `=` opens a string inside the token, as service parameters need (RFC 9460).
pub(crate) fn end_of_word(text: &[u8], mut at: usize, stops: impl Fn(u8) -> bool) -> Result<usize, usize> {
    let begin = at;
    while let Some(&octet) = text.get(at) {
        match octet {
            b'"' if at > begin && text[at - 1] == b'=' => {
                at = closing_quote(text, at + 1).ok_or(at)? + 1;
            }
            b'\\' if text.get(at + 1).is_some_and(|&next| next != b'\n') => at += 2,
            octet if stops(octet) || octet == b'"' => break,
            _ => at += 1,
        }
    }
    Ok(at)
}

/// Splits a Route 53 value. Unlike in a master file, parentheses and semicolons are ordinary characters.
pub(crate) fn split_value(value: &str) -> Result<Vec<Token<'_>>, RdataError> {
    let text = value.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&octet) = text.get(at) {
        let column = at as u32 + 1;
        match octet {
            b' ' | b'\t' => at += 1,
            b'"' => {
                let end = closing_quote(text, at + 1).ok_or(RdataError {
                    line: 1,
                    column,
                    fault: RdataFault::OpenQuote,
                })?;
                tokens.push(Token { raw: &text[at + 1..end], quoted: true, line: 1, column });
                at = end + 1;
            }
            _ => {
                let end = end_of_word(text, at, |octet| matches!(octet, b' ' | b'\t')).map_err(|at| {
                    RdataError { line: 1, column: at as u32 + 1, fault: RdataFault::OpenQuote }
                })?;
                tokens.push(Token { raw: &text[at..end], quoted: false, line: 1, column });
                at = end;
            }
        }
    }
    Ok(tokens)
}
