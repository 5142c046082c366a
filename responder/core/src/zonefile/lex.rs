//! Entries of a master file: tokens up to the end of a line, or of several joined by parentheses.

use crate::rdata::{Token, closing_quote, end_of_word};

/// One entry: a record, a directive, or nothing but blanks.
pub(super) struct Entry {
    /// Whether the line begins with a blank, so that the owner is that of the record before.
    pub begins_blank: bool,
}

/// What makes an entry unreadable, and where.
pub(super) struct LexError {
    pub line: u32,
    pub column: u32,
    pub what: &'static str,
}

/// Walks the text of one file.
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
    line_begin: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        // Some editors begin UTF-8 files with a mark.
        let at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Self { text, at, line: 1, line_begin: at }
    }

    fn column(&self, at: usize) -> u32 {
        (at - self.line_begin) as u32 + 1
    }

    fn error(&self, at: usize, what: &'static str) -> LexError {
        LexError { line: self.line, column: self.column(at), what }
    }

    /// Reads one entry into `tokens`; none at the end of the text. After an error the next entry begins on a new line.
    pub(super) fn next(&mut self, tokens: &mut Vec<Token<'a>>) -> Option<Result<Entry, LexError>> {
        tokens.clear();
        let first = *self.text.get(self.at)?;
        let entry = Entry { begins_blank: matches!(first, b' ' | b'\t') };
        let result = self.fill(tokens);
        if result.is_err() {
            self.skip_line();
        }
        Some(result.map(|()| entry))
    }

    fn fill(&mut self, tokens: &mut Vec<Token<'a>>) -> Result<(), LexError> {
        let mut open: Option<LexError> = None;
        while let Some(&octet) = self.text.get(self.at) {
            match octet {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    self.line_begin = self.at;
                    if open.is_none() {
                        return Ok(());
                    }
                }
                b';' => {
                    let rest = &self.text[self.at..];
                    self.at += rest.iter().position(|octet| *octet == b'\n').unwrap_or(rest.len());
                }
                b'(' if open.is_some() => {
                    return Err(self.error(self.at, "parentheses must not nest; remove this one"));
                }
                b'(' => {
                    open = Some(self.error(self.at, "the parenthesis is never closed; add one"));
                    self.at += 1;
                }
                b')' if open.is_none() => {
                    return Err(self.error(self.at, "no parenthesis is open here; remove this one"));
                }
                b')' => {
                    open = None;
                    self.at += 1;
                }
                b'"' => {
                    let begin = self.at;
                    let end = closing_quote(self.text, begin + 1).ok_or_else(|| {
                        self.error(begin, "the quoted string does not end on its line; close it")
                    })?;
                    let raw = &self.text[begin + 1..end];
                    tokens.push(Token { raw, quoted: true, line: self.line, column: self.column(begin) });
                    self.at = end + 1;
                }
                _ => {
                    let begin = self.at;
                    let stops = |octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')');
                    let end = end_of_word(self.text, begin, stops).map_err(|at| {
                        self.error(at, "the quoted string does not end on its line; close it")
                    })?;
                    let raw = &self.text[begin..end];
                    tokens.push(Token { raw, quoted: false, line: self.line, column: self.column(begin) });
                    self.at = end;
                }
            }
        }
        match open {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        match rest.iter().position(|octet| *octet == b'\n') {
            Some(length) => {
                self.at += length + 1;
                self.line += 1;
                self.line_begin = self.at;
            }
            None => self.at = self.text.len(),
        }
    }
}
