//! "Did you mean …": the known word nearest to a mistyped one.

/// The known word with the fewest edits, first one wins; none if there is no known word.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known.into_iter().min_by_key(|candidate| edits(word, candidate))
}

/// Levenshtein distance in characters, ASCII case ignored.
fn edits(a: &str, b: &str) -> usize {
    // Words longer than any we know are far from all of them; cutting bounds the work.
    const LENGTH_MAX: usize = 128;
    let fold = |text: &str| text.chars().take(LENGTH_MAX).map(|c| c.to_ascii_lowercase()).collect::<Vec<_>>();
    let (a, b) = (fold(a), fold(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_edits_win() {
        let known = ["pulse53:interval", "pulse53:timeout", "pulse53:query"];
        assert_eq!(nearest("pulse53:intervall", known), Some("pulse53:interval"));
        assert_eq!(nearest("pulse53:time-out", known), Some("pulse53:timeout"));
        assert_eq!(nearest("x", []), None);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
    }
}
