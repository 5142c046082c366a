//! Where things are: the repository's root, the pinned toolchain, and the per-user cache.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The repository's root: this package lives one level below it.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the xtask package lies inside the workspace")
}

/// The toolchain that `rust-toolchain.toml` pins, so that its version is written down once.
pub fn pinned_toolchain() -> Result<String> {
    let path = root().join("rust-toolchain.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    text.lines()
        .find_map(|line| line.trim().strip_prefix("channel")?.trim().strip_prefix('='))
        .map(|value| value.trim().trim_matches('"').to_owned())
        .with_context(|| format!("{} names no channel", path.display()))
}

/// Directories of this machine that compilers would write into what they make, and what is to stand there.
pub fn stand_ins() -> Result<Vec<(String, &'static str)>> {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let cargo = cargo.context("neither CARGO_HOME nor HOME is set: set one")?;
    let rust = std::env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let rust = rust.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".rustup")));
    let known =
        [Some((root().to_owned(), "/pulse53")), Some((cargo, "/cargo")), rust.map(|rust| (rust, "/rust"))];
    Ok(known.into_iter().flatten().map(|(path, name)| (path.display().to_string(), name)).collect())
}

/// Where tools built for this user are kept: outside the repository, so that a fresh clone finds them again.
pub fn cache() -> Result<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".cache")))
        .map(|cache| cache.join("pulse53"))
        .context("neither XDG_CACHE_HOME nor HOME is set: set one, so that built tools have a place")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_pinned_toolchain_is_a_version() {
        let version = super::pinned_toolchain().unwrap();
        assert!(version.split('.').all(|part| part.parse::<u32>().is_ok()), "{version}");
    }
}
