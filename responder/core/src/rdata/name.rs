//! Domain names inside RDATA and as owners in master files.

use super::token::{Token, next_octet};
use super::{Dialect, RdataError, RdataFault};
use crate::model::NameError;

/// Appends the wire form of a name, its case kept; a relative one is completed with `origin` (wire form).
pub(crate) fn push_name(
    token: &Token<'_>,
    dialect: Dialect,
    origin: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let failed = |error| token.error(RdataFault::Name { text: token.shown(), error });
    let raw = token.raw;
    if dialect == Dialect::MasterFile && raw == b"@" && !token.quoted {
        out.extend_from_slice(origin);
        return Ok(());
    }
    if raw == b"." {
        out.push(0);
        return Ok(());
    }
    let begin = out.len();
    let mut label = begin;
    out.push(0);
    let mut at = 0;
    loop {
        if dialect == Dialect::Route53 && raw.get(at) == Some(&b' ') {
            return Err(failed(NameError::BadCharacter(' ')));
        }
        // In strings a quotation mark may follow a backslash, in names only digits may.
        if dialect == Dialect::Route53
            && raw.get(at) == Some(&b'\\')
            && !raw.get(at + 1).is_some_and(u8::is_ascii_digit)
        {
            return Err(failed(NameError::BadEscape));
        }
        let next = next_octet(raw, &mut at, dialect).map_err(|fault| match (fault, dialect) {
            (RdataFault::Escape(..), Dialect::Route53) => failed(NameError::BadEscape),
            (RdataFault::MustEscape(octet), _) => failed(NameError::BadCharacter(char::from(octet))),
            (fault, _) => token.error(fault),
        })?;
        match next {
            None => break,
            Some((b'.', false)) => {
                if out.len() - label == 1 {
                    return Err(failed(NameError::EmptyLabel));
                }
                label = out.len();
                out.push(0);
            }
            Some((octet, _)) => {
                out.push(octet);
                let length = out.len() - label - 1;
                if length > 63 {
                    return Err(failed(NameError::LongLabel));
                }
                out[label] = length as u8;
            }
        }
        if out.len() - begin > 255 {
            return Err(failed(NameError::LongName));
        }
    }
    if out.len() - begin == 1 {
        return Err(failed(NameError::EmptyLabel));
    }
    // A final dot left an empty label, which is the root already.
    if out.len() - label > 1 {
        out.extend_from_slice(origin);
    }
    if out.len() - begin > 255 {
        return Err(failed(NameError::LongName));
    }
    Ok(())
}

/// Length of the uncompressed name at the start of `wire`; none if there is none.
pub(crate) fn name_length(wire: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let length = usize::from(*wire.get(at)?);
        at += 1 + length;
        if length > 63 || at > 255 {
            return None;
        }
        if length == 0 {
            return Some(at);
        }
    }
}
