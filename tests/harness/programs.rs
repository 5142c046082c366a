//! Programs that are installed on this machine or not.

use std::env;
use std::path::PathBuf;

/// Where not everyone's PATH leads.
const ADMINISTRATORS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// A program's file, from PATH or the directories for administrators.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(ADMINISTRATORS.map(PathBuf::from));
    directories.map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// What to install for a program that is not there.
pub fn lacking(program: &str, package: &str) -> Option<String> {
    find(program).is_none().then(|| format!("{program} (package {package})"))
}

/// Whether a program is there; if not, the running test counts as skipped.
pub fn has(program: &str, package: &str) -> bool {
    let lacking = lacking(program, package);
    lacking.iter().for_each(|lacking| crate::skip(lacking));
    lacking.is_none()
}
