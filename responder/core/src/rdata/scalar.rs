//! Numbers, addresses, periods, times and type bitmaps of presentation format.

/// Decimal digits only: no sign, no blank; none above 64 bits.
pub(crate) fn number(raw: &[u8]) -> Option<u64> {
    if raw.is_empty() {
        return None;
    }
    raw.iter().try_fold(0u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Seconds: a number, or numbers with the units w, d, h, m, s as in `1h30m`.
pub(crate) fn period(raw: &[u8]) -> Option<u32> {
    if let Some(seconds) = number(raw) {
        return u32::try_from(seconds).ok();
    }
    let mut sum = 0u64;
    let mut digits = 0;
    for (at, octet) in raw.iter().enumerate() {
        if octet.is_ascii_digit() {
            continue;
        }
        let unit = match octet.to_ascii_lowercase() {
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        sum = sum.checked_add(number(&raw[digits..at])?.checked_mul(unit)?)?;
        digits = at + 1;
    }
    if digits != raw.len() || raw.is_empty() {
        return None;
    }
    u32::try_from(sum).ok()
}

/// A dotted quad; each number at most three digits.
pub(crate) fn ipv4(raw: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let mut parts = raw.split(|octet| *octet == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        // No leading zeros: some readers take them for octal.
        if part.len() > 3 || part.len() > 1 && part[0] == b'0' {
            return None;
        }
        *octet = u8::try_from(number(part)?).ok()?;
    }
    parts.next().is_none().then_some(octets)
}

/// Seconds since 1970 (RFC 4034 section 3.2): fourteen digits are a date, fewer are the seconds themselves.
pub(crate) fn time(text: &str) -> Option<u32> {
    if text.len() != 14 {
        return number(text.as_bytes()).and_then(|seconds| u32::try_from(seconds).ok());
    }
    let part = |from: usize, to: usize| number(text.as_bytes().get(from..to)?);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1970..=2105).contains(&year)
        || day < 1
        || day > month_days
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    // Days before this month of a year that is not leap.
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let mut days = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969) + day - 1;
    days += BEFORE[month as usize - 1] + u64::from(leap && month > 2);
    u32::try_from(days * 86_400 + hour * 3_600 + minute * 60 + second).ok()
}

/// Type bitmap in window blocks (RFC 4034 section 4.1.2).
pub(crate) fn push_types(mut types: Vec<u16>, out: &mut Vec<u8>) {
    types.sort_unstable();
    types.dedup();
    for window in types.chunk_by(|a, b| a >> 8 == b >> 8) {
        let (first, last) = (window[0], window[window.len() - 1]);
        let mut bitmap = vec![0u8; usize::from(last & 0xff) / 8 + 1];
        for bit in window.iter().map(|number| number & 0xff) {
            bitmap[usize::from(bit / 8)] |= 0x80 >> (bit % 8);
        }
        out.push((first >> 8) as u8);
        out.push(bitmap.len() as u8);
        out.extend_from_slice(&bitmap);
    }
}

/// The types of a bitmap; none if it is malformed.
pub(crate) fn types(mut wire: &[u8]) -> Option<Vec<u16>> {
    let mut types = Vec::new();
    let mut last_window = None;
    while let [window, length, rest @ ..] = wire {
        let length = usize::from(*length);
        if !(1..=32).contains(&length) || rest.len() < length || last_window >= Some(*window) {
            return None;
        }
        for (at, octet) in rest[..length].iter().enumerate() {
            for bit in 0..8u16 {
                if octet & (0x80 >> bit) != 0 {
                    types.push((u16::from(*window) << 8) + at as u16 * 8 + bit);
                }
            }
        }
        last_window = Some(*window);
        wire = &rest[length..];
    }
    wire.is_empty().then_some(types)
}
