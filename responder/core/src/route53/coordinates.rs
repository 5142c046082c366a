//! Coordinates as Route 53 writes them: decimal text, cut to two decimals.

/// Hundredths of a degree, cut towards zero; none if the text is no number within ±`max` degrees.
pub(super) fn centidegrees(text: &str, max: i16) -> Option<i16> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|octet| octet.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    // Three digits say all a longitude can; leading zeros are harmless.
    let whole = whole.trim_start_matches('0');
    if whole.len() > 3 {
        return None;
    }
    let whole: i16 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digit = |at: usize| fraction.as_bytes().get(at).map_or(0, |digit| i16::from(digit - b'0'));
    let beyond = fraction.bytes().any(|digit| digit != b'0');
    if whole > max || whole == max && beyond {
        return None;
    }
    Some(sign * (whole * 100 + digit(0) * 10 + digit(1)))
}

#[cfg(test)]
mod tests {
    use super::centidegrees;

    #[test]
    fn decimals_are_cut_and_bounded() {
        assert_eq!(centidegrees("1.359", 180), Some(135));
        assert_eq!(centidegrees("-0.909", 180), Some(-90));
        assert_eq!(centidegrees("-90", 90), Some(-9000));
        assert_eq!(centidegrees("180.00", 180), Some(18000));
        assert_eq!(centidegrees("007.", 90), Some(700));
        assert_eq!(centidegrees(".5", 90), Some(50));
        for bad in ["90.001", "91", "", ".", "-", "1e2", "١", "1.2.3", "99999999999"] {
            assert_eq!(centidegrees(bad, 90), None, "{bad}");
        }
    }
}
