//! Random identifiers, in the forms that clients check.

/// A random text over an alphabet of at most 256 characters.
fn random(alphabet: &[u8], length: usize) -> String {
    let mut text = String::with_capacity(length);
    // Octets beyond the last whole multiple would favor the first characters.
    let bound = 256 - 256 % alphabet.len();
    while text.len() < length {
        let mut octets = [0; 64];
        if getrandom::fill(&mut octets).is_err() {
            octets.iter_mut().for_each(|octet| *octet = fastrand::u8(..));
        }
        let usable = octets.iter().filter(|octet| usize::from(**octet) < bound);
        let characters = usable.map(|octet| char::from(alphabet[usize::from(*octet) % alphabet.len()]));
        text.extend(characters.take(length - text.len()));
    }
    text
}

const LETTERS_AND_DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// `Z` and 19 letters or digits: with `/hostedzone/` it fits the 32 characters of the model.
pub fn zone() -> String {
    format!("Z{}", random(LETTERS_AND_DIGITS, 19))
}

/// `C` and 19 letters or digits.
pub fn change() -> String {
    format!("C{}", random(LETTERS_AND_DIGITS, 19))
}

/// `N` and 19 letters or digits.
pub fn delegation_set() -> String {
    format!("N{}", random(LETTERS_AND_DIGITS, 19))
}

/// A random UUID (RFC 9562 section 5.4), lower case.
pub fn uuid() -> String {
    let hex = random(b"0123456789abcdef", 30);
    let variant = random(b"89ab", 1);
    format!("{}-{}-4{}-{variant}{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let (zone, uuid) = (zone(), uuid());
        assert!(zone.len() == 20 && zone.starts_with('Z'), "{zone}");
        assert_ne!(zone, super::zone());
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
    }
}
