//! The file of DNS cookie secrets: one a line in hexadecimal, the current one first, the one it replaces second.

use fastpath::cookie::Secret;
use hex::FromHex;
use pulse53_core::model::Source;

use crate::config::{Origin, Problem};

/// Reads the file's text. With one secret alone the second is the same.
pub(super) fn read(file: &str, text: &str) -> Result<[Secret; 2], Problem> {
    let mut secrets = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let refuse = |message: &str| {
            let source = Source { file: file.into(), line: index as u32 + 1, column: 1 };
            Problem { origin: Origin::File(source), message: message.to_owned() }
        };
        let secret = FromHex::from_hex(line).map(Secret::new).map_err(|_| {
            // What is wrong with it would tell what it is.
            refuse("a secret is 32 hexadecimal digits; make one with: openssl rand -hex 16")
        })?;
        if secrets.len() == 2 {
            return Err(refuse("a third secret: keep the current one and the one it replaced"));
        }
        secrets.push(secret);
    }
    match secrets[..] {
        [only] => Ok([only, only]),
        [current, previous] => Ok([current, previous]),
        _ => {
            Err(Problem::whole_file(file.to_owned(), "no secret: write one, made with: openssl rand -hex 16"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    const SECOND: &str = "DD3BDF9344B678B185A6F5CB60FCA715";

    #[test]
    fn the_first_secret_is_the_current_one() {
        let first = Secret::new(0xe5e9_73e5_a6b2_a43f_48e7_dc84_9e37_bfcf_u128.to_be_bytes());
        let second = Secret::new(0xdd3b_df93_44b6_78b1_85a6_f5cb_60fc_a715_u128.to_be_bytes());
        assert_eq!(
            read("s", &format!("# ours\n{FIRST} # since May\n\n{SECOND}\n")).unwrap(),
            [first, second]
        );
        assert_eq!(read("s", FIRST).unwrap(), [first, first]);
    }

    #[test]
    fn mistakes_are_told_by_line_and_without_the_secret() {
        let check = |text: &str, told: &str| {
            let problem = read("secrets", text).unwrap_err().to_string();
            assert!(problem.starts_with(told), "{problem}");
            assert!(!problem.contains(&text[..5.min(text.len())]) || text.is_empty(), "{problem}");
        };
        check("", "secrets:1:1: no secret");
        check(&format!("{FIRST}\n{}", &SECOND[1..]), "secrets:2:1: a secret is 32");
        check(&format!("+{}", &FIRST[1..]), "secrets:1:1: a secret is 32");
        check(&format!("{FIRST}\n{SECOND}\n{FIRST}\n"), "secrets:3:1: a third secret");
    }
}
