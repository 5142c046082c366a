//! Service parameters of SVCB and HTTPS records (RFC 9460 section 2.1 and appendix A).

use std::net::{Ipv4Addr, Ipv6Addr};

use domain::utils::base64;

use super::print::push_quoted;
use super::scalar;
use super::token::{Token, next_octet};
use super::{Dialect, RdataError, RdataFault};

/// Keys with a name.
const KEYS: [(u16, &str); 10] = [
    (MANDATORY, "mandatory"),
    (ALPN, "alpn"),
    (NO_DEFAULT_ALPN, "no-default-alpn"),
    (PORT, "port"),
    (IPV4HINT, "ipv4hint"),
    (ECH, "ech"),
    (IPV6HINT, "ipv6hint"),
    (7, "dohpath"),
    (OHTTP, "ohttp"),
    (GROUPS, "tls-supported-groups"),
];
const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
const OHTTP: u16 = 8;
const GROUPS: u16 = 9;

/// Appends the parameters in ascending order of their keys.
pub(super) fn read(tokens: &[Token<'_>], dialect: Dialect, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut parameters: Vec<(u16, Vec<u8>, &Token<'_>)> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let fail = |what| token.error(RdataFault::Parameter(token.shown(), what));
        let split = token.raw.iter().position(|octet| *octet == b'=');
        let (name, value) = match split {
            Some(at) if !token.quoted => (&token.raw[..at], Some(unquoted(&token.raw[at + 1..]))),
            None if !token.quoted => (token.raw, None),
            _ => return Err(fail("write it as key=value, with quotation marks around the value alone")),
        };
        let key = key_number(name).ok_or_else(|| fail("unknown key; write one of RFC 9460, or keyNNNNN"))?;
        let value = read_value(key, value, dialect).map_err(fail)?;
        if value.len() > usize::from(u16::MAX) {
            return Err(fail("the value is too long"));
        }
        parameters.push((key, value, token));
    }
    parameters.sort_by_key(|(key, ..)| *key);
    if let Some(twice) = parameters.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let token = twice[1].2;
        return Err(token.error(RdataFault::Parameter(token.shown(), "the key is given twice; keep one")));
    }
    if let Some((MANDATORY, keys, token)) = parameters.first() {
        for key in keys.chunks_exact(2).map(|key| u16::from_be_bytes([key[0], key[1]])) {
            if !parameters.iter().any(|(present, ..)| *present == key) {
                let what = "it names a key that is not given; add the key or remove it here";
                return Err(token.error(RdataFault::Parameter(token.shown(), what)));
            }
        }
    }
    for (key, value, _) in parameters {
        out.extend_from_slice(&key.to_be_bytes());
        out.extend_from_slice(&(value.len() as u16).to_be_bytes());
        out.extend_from_slice(&value);
    }
    Ok(())
}

fn unquoted(raw: &[u8]) -> &[u8] {
    match raw {
        [b'"', inner @ .., b'"'] => inner,
        _ => raw,
    }
}

fn key_number(name: &[u8]) -> Option<u16> {
    let known = KEYS.iter().find(|(_, known)| known.as_bytes() == name).map(|(number, _)| *number);
    known.or_else(|| scalar::number(name.strip_prefix(b"key")?)?.try_into().ok())
}

fn read_value(key: u16, value: Option<&[u8]>, dialect: Dialect) -> Result<Vec<u8>, &'static str> {
    let octets = |raw: &[u8]| {
        let (mut octets, mut at) = (Vec::with_capacity(raw.len()), 0);
        while let Some((octet, _)) =
            next_octet(raw, &mut at, dialect).map_err(|_| "bad escape in the value")?
        {
            octets.push(octet);
        }
        Ok::<_, &str>(octets)
    };
    if matches!(key, NO_DEFAULT_ALPN | OHTTP) {
        return if value.is_none_or(<[u8]>::is_empty) { Ok(Vec::new()) } else { Err("it takes no value") };
    }
    let Some(value) = value else {
        return if key > GROUPS { Ok(Vec::new()) } else { Err("a value must follow, as key=value") };
    };
    let value = octets(value)?;
    let text = || std::str::from_utf8(&value).map_err(|_| "the value must be ASCII");
    let mut wire = Vec::with_capacity(value.len() + 1);
    match key {
        MANDATORY => {
            let mut keys = Vec::new();
            for name in value.split(|octet| *octet == b',') {
                keys.push(key_number(name).ok_or("the value must be a list of keys")?);
            }
            let count = keys.len();
            keys.sort_unstable();
            keys.dedup();
            if keys.len() != count || keys[0] == MANDATORY {
                return Err("its keys must differ, and mandatory is none of them");
            }
            keys.iter().for_each(|key| wire.extend_from_slice(&key.to_be_bytes()));
        }
        ALPN => {
            for id in comma_separated(&value)? {
                let length = u8::try_from(id.len()).ok().filter(|length| *length > 0);
                wire.push(length.ok_or("each protocol must have 1 to 255 octets")?);
                wire.extend_from_slice(&id);
            }
        }
        PORT => {
            let port = scalar::number(&value).and_then(|port| u16::try_from(port).ok());
            wire.extend_from_slice(&port.ok_or("the value must be a port, 0 to 65535")?.to_be_bytes());
        }
        IPV4HINT => {
            for part in text()?.split(',') {
                let address: Ipv4Addr =
                    part.parse().map_err(|_| "the value must be a list of IPv4 addresses")?;
                wire.extend_from_slice(&address.octets());
            }
        }
        IPV6HINT => {
            for part in text()?.split(',') {
                let address: Ipv6Addr =
                    part.parse().map_err(|_| "the value must be a list of IPv6 addresses")?;
                wire.extend_from_slice(&address.octets());
            }
        }
        ECH => wire = base64::decode(text()?).map_err(|_| "the value must be base64")?,
        GROUPS => {
            for part in text()?.split(',') {
                let group: u16 = part.parse().map_err(|_| "the value must be a list of numbers")?;
                wire.extend_from_slice(&group.to_be_bytes());
            }
        }
        _ => wire = value,
    }
    Ok(wire)
}

/// A list whose items may hold `\,` and `\\` (RFC 9460 appendix A.1), after the escapes of the string itself.
fn comma_separated(value: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut items = vec![Vec::new()];
    let mut octets = value.iter();
    while let Some(octet) = octets.next() {
        let octet = match octet {
            b',' => {
                items.push(Vec::new());
                continue;
            }
            b'\\' => octets.next().ok_or("a backslash must not come last")?,
            octet => octet,
        };
        if let Some(item) = items.last_mut() {
            item.push(*octet);
        }
    }
    Ok(items)
}

/// Prints parameters, each after a blank; none if the wire form is malformed.
pub(super) fn print(mut wire: &[u8], dialect: Dialect, out: &mut String) -> Option<()> {
    let mut last = None;
    while let [a, b, c, d, rest @ ..] = wire {
        let key = u16::from_be_bytes([*a, *b]);
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*c, *d])))?;
        if last >= Some(key) {
            return None;
        }
        out.push(' ');
        push_key(key, out);
        print_value(key, value, dialect, out)?;
        last = Some(key);
        wire = rest;
    }
    wire.is_empty().then_some(())
}

fn push_key(key: u16, out: &mut String) {
    match KEYS.iter().find(|(number, _)| *number == key) {
        Some((_, name)) => out.push_str(name),
        None => {
            out.push_str("key");
            out.push_str(&key.to_string());
        }
    }
}

fn print_value(key: u16, value: &[u8], dialect: Dialect, out: &mut String) -> Option<()> {
    if matches!(key, NO_DEFAULT_ALPN | OHTTP) {
        return value.is_empty().then_some(());
    }
    if value.is_empty() && key > GROUPS {
        return Some(());
    }
    out.push('=');
    let pairs = || {
        let whole = !value.is_empty() && value.len().is_multiple_of(2);
        whole.then(|| value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])))
    };
    let mut list = Vec::new();
    match key {
        MANDATORY => {
            let mut last = MANDATORY;
            for key in pairs()? {
                if key <= last {
                    return None;
                }
                last = key;
                let mut name = String::new();
                push_key(key, &mut name);
                list.push(name);
            }
        }
        ALPN => {
            let (mut rest, mut text) = (value, Vec::new());
            while let [length, after @ ..] = rest {
                let (id, after) = after.split_at_checked(usize::from(*length).max(1))?;
                if !text.is_empty() {
                    text.push(b',');
                }
                for octet in id {
                    if matches!(octet, b',' | b'\\') {
                        text.push(b'\\');
                    }
                    text.push(*octet);
                }
                rest = after;
                if *length == 0 {
                    return None;
                }
            }
            if text.is_empty() {
                return None;
            }
            push_quoted(&text, dialect, out);
            return Some(());
        }
        PORT => list.push(u16::from_be_bytes(value.try_into().ok()?).to_string()),
        IPV4HINT if !value.is_empty() && value.len().is_multiple_of(4) => {
            for octets in value.chunks_exact(4) {
                list.push(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).to_string());
            }
        }
        IPV6HINT if !value.is_empty() && value.len().is_multiple_of(16) => {
            for octets in value.chunks_exact(16) {
                list.push(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).to_string());
            }
        }
        IPV4HINT | IPV6HINT => return None,
        ECH => list.push(base64::encode_string(value)),
        GROUPS => list.extend(pairs()?.map(|group| group.to_string())),
        _ => {
            push_quoted(value, dialect, out);
            return Some(());
        }
    }
    out.push_str(&list.join(","));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_may_hold_escaped_commas() {
        assert_eq!(comma_separated(b"f\\\\oo\\,bar,h2").unwrap(), [b"f\\oo,bar".to_vec(), b"h2".to_vec()]);
        assert!(comma_separated(b"a\\").is_err());
    }
}
