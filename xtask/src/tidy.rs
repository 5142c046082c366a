//! The repository's rules that the compiler does not know: each file says what it is, and walls between modules hold.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// These modules of the agent meet in `publish`, as values, and never name each other.
const WALLED: [&str; 4] = ["api", "health", "serve", "datapath"];

/// Every breach, told as `file:line: what`, in the order of the files.
pub fn offences(root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    rust_files(root, &mut files)?;
    files.sort();
    let mut offences = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        if !text.starts_with("//!") {
            offences.push(format!("{name}:1: opens without `//!`: say first what this file is"));
        }
        if let Some(module) = walled_module(&name) {
            for (line, other) in named_modules(&text) {
                if other != module && WALLED.contains(&other.as_str()) {
                    offences.push(format!(
                        "{name}:{line}: `{module}` names `crate::{other}`: they meet in `publish`, as values"
                    ));
                }
            }
        }
    }
    Ok(offences)
}

/// Every Rust file but those that cargo or a tool generates.
fn rust_files(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(directory).with_context(|| format!("listing {}", directory.display()))? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            if name != "target" && !name.to_string_lossy().starts_with('.') {
                rust_files(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The walled module that a file belongs to: `responder/src/api/…` or `responder/src/api.rs`.
fn walled_module(file: &str) -> Option<&'static str> {
    let first = file.strip_prefix("responder/src/")?.split('/').next()?;
    let first = first.strip_suffix(".rs").unwrap_or(first);
    WALLED.into_iter().find(|module| *module == first)
}

/// The modules named through `crate::`, with the line of each: `crate::api`, and both in `crate::{api, serve::udp}`.
fn named_modules(text: &str) -> Vec<(usize, String)> {
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        if code[..at].ends_with(|before: char| is_word(before) || before == '$') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + path.len()..];
        let word = |text: &str| text.chars().take_while(|character| is_word(*character)).collect::<String>();
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(heads(group).map(|head| (line, word(head))));
        } else {
            found.push((line, word(rest)));
        }
    }
    found
}

/// The first level of a `use` group, from behind its opening brace.
fn heads(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let mut start = 0;
    let mut heads = Vec::new();
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                heads.push(group[start..at].trim());
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    heads.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_keeps_its_rules() {
        let offences = offences(crate::workspace::root()).unwrap();
        assert!(offences.is_empty(), "\n{}", offences.join("\n"));
    }

    #[test]
    fn breaches_are_found_and_told_by_line() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("responder/src/api/http.rs", "//! Good.\nuse crate::store::Store; // not crate::serve\n");
        write("responder/src/health.rs", "//! Bad.\nuse crate::{\n    store,\n    serve::{udp, tcp},\n};\n");
        write(
            "responder/src/serve/udp.rs",
            "//! Bad.\n\nfn f() { crate::api::x(); mycrate::health::y(); }\n",
        );
        write("responder/src/publish.rs", "//! Good: here they meet.\nuse crate::{api, health};\n");
        write("xtask/src/main.rs", "fn main() {}\n");
        write("target/generated.rs", "fn main() {}\n");
        let offences = offences(root.path()).unwrap();
        let places: Vec<&str> = offences.iter().map(|told| told.split(": ").next().unwrap()).collect();
        assert_eq!(
            places,
            ["responder/src/health.rs:2", "responder/src/serve/udp.rs:3", "xtask/src/main.rs:1"],
            "{offences:?}"
        );
    }
}
