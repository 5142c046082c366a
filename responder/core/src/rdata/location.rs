//! LOC records (RFC 1876): a place on earth and how exactly it is known.

use super::scalar::number;
use super::token::Token;

/// The equator and the prime meridian on the wire.
const MIDDLE: u32 = 1 << 31;
/// The ground on the wire: 100 km above the lowest altitude there is, in centimeters.
const GROUND: i64 = 10_000_000;
/// Default size, horizontal and vertical precision: 1 m, 10 km, 10 m.
const DEFAULTS: [u8; 3] = [0x12, 0x16, 0x13];

/// The sixteen octets; none if the text is no place.
pub(super) fn read(tokens: &[Token<'_>]) -> Option<[u8; 16]> {
    let mut words = tokens.iter().map(|token| token.raw).peekable();
    let latitude = angle(&mut words, 90, b'N', b'S')?;
    let longitude = angle(&mut words, 180, b'E', b'W')?;
    let altitude = words.next()?;
    let (sign, altitude) = match altitude.strip_prefix(b"-") {
        Some(below) => (-1, below),
        None => (1, altitude),
    };
    let altitude = GROUND + sign * i64::try_from(centimeters(altitude)?).ok()?;
    let mut precisions = DEFAULTS;
    for precision in &mut precisions {
        if let Some(word) = words.next() {
            *precision = exponent(centimeters(word)?)?;
        }
    }
    if words.next().is_some() {
        return None;
    }
    let mut wire = [0; 16];
    wire[1..4].copy_from_slice(&precisions);
    wire[4..8].copy_from_slice(&latitude.to_be_bytes());
    wire[8..12].copy_from_slice(&longitude.to_be_bytes());
    wire[12..].copy_from_slice(&u32::try_from(altitude).ok()?.to_be_bytes());
    Some(wire)
}

/// Degrees, perhaps minutes and seconds, then a hemisphere: thousandths of a second of arc.
fn angle<'a>(words: &mut impl Iterator<Item = &'a [u8]>, max: u64, plus: u8, minus: u8) -> Option<u32> {
    let mut thousandths = 0;
    for (part, unit) in [3_600_000, 60_000, 1_000, 0].into_iter().enumerate() {
        let word = words.next()?;
        if let [hemisphere] = word
            && part > 0
            && (hemisphere.eq_ignore_ascii_case(&plus) || hemisphere.eq_ignore_ascii_case(&minus))
        {
            if thousandths > max * 3_600_000 {
                return None;
            }
            let offset = u32::try_from(thousandths).ok()?;
            let is_plus = hemisphere.eq_ignore_ascii_case(&plus);
            return Some(if is_plus { MIDDLE + offset } else { MIDDLE - offset });
        }
        thousandths += match part {
            0 => number(word).filter(|degrees| *degrees <= max)? * unit,
            1 => number(word).filter(|minutes| *minutes < 60)? * unit,
            2 => decimal(word, 3).filter(|seconds| *seconds < 60_000)?,
            _ => return None,
        };
    }
    None
}

/// A number with at most `places` decimal places, times ten to that power.
fn decimal(raw: &[u8], places: usize) -> Option<u64> {
    let mut parts = raw.splitn(2, |octet| *octet == b'.');
    let whole = number(parts.next()?)?;
    let fraction = parts.next().unwrap_or(b"");
    if fraction.len() > places {
        return None;
    }
    let mut value = whole;
    for place in 0..places {
        let digit = fraction.get(place).copied().unwrap_or(b'0');
        value = value.checked_mul(10)?.checked_add(number(&[digit])?)?;
    }
    Some(value)
}

/// Meters with an optional `m`, in centimeters.
fn centimeters(raw: &[u8]) -> Option<u64> {
    decimal(raw.strip_suffix(b"m").unwrap_or(raw), 2).filter(|size| *size <= 9_000_000_000)
}

/// Four bits of mantissa, four of a power of ten.
fn exponent(mut size: u64) -> Option<u8> {
    let mut power = 0;
    while size > 9 {
        size /= 10;
        power += 1;
    }
    (power <= 9).then_some((size as u8) << 4 | power)
}

/// The text of the sixteen octets; none for another version or octets out of range.
pub(super) fn print(wire: &[u8], out: &mut String) -> Option<()> {
    let wire: &[u8; 16] = wire.try_into().ok()?;
    let word = |at: usize| u32::from_be_bytes([wire[at], wire[at + 1], wire[at + 2], wire[at + 3]]);
    if wire[0] != 0 {
        return None;
    }
    for (value, max, plus, minus) in [(word(4), 90, 'N', 'S'), (word(8), 180, 'E', 'W')] {
        let offset = value.abs_diff(MIDDLE);
        if offset > max * 3_600_000 {
            return None;
        }
        let (degrees, rest) = (offset / 3_600_000, offset % 3_600_000);
        let (minutes, rest) = (rest / 60_000, rest % 60_000);
        let hemisphere = if value >= MIDDLE { plus } else { minus };
        out.push_str(&format!("{degrees} {minutes} {}.{:03} {hemisphere} ", rest / 1_000, rest % 1_000));
    }
    let altitude = i64::from(word(12)) - GROUND;
    let sign = if altitude < 0 { "-" } else { "" };
    out.push_str(&format!("{sign}{}.{:02}m", altitude.abs() / 100, altitude.abs() % 100));
    for octet in &wire[1..4] {
        let (mantissa, power) = (octet >> 4, octet & 15);
        if mantissa > 9 || power > 9 {
            return None;
        }
        let size = u64::from(mantissa) * 10u64.pow(u32::from(power));
        out.push_str(&format!(" {}.{:02}m", size / 100, size % 100));
    }
    Some(())
}
