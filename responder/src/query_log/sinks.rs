//! Where the lines of a log group go.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;

/// Most octets of a log group's name: with `.log` behind it, it names a file.
const GROUP_LEN_MAX: usize = 251;

/// Files by log group: those that configuration names, and one each in a directory for all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sinks {
    /// Made when it is first needed.
    pub directory: PathBuf,
    /// Files by log group; their directories exist.
    pub named: BTreeMap<String, PathBuf>,
}

/// A log group has no file that could be written.
#[derive(Debug, thiserror::Error)]
#[error("the query log {} cannot be written: {source}", file.display())]
pub struct NoSink {
    /// Which.
    pub file: PathBuf,
    /// Why not.
    pub source: io::Error,
}

impl Sinks {
    /// The file of a group. `/aws/route53/example.com` is `aws-route53-example.com.log` unless configuration says otherwise.
    pub fn file(&self, group: &str) -> PathBuf {
        match self.named.get(group) {
            Some(file) => file.clone(),
            None => {
                let name = group.trim_start_matches('/').replace(['/', '#'], "-");
                self.directory.join(name + ".log")
            }
        }
    }

    /// Opens the file of a group to append to it; it is made if need be.
    pub fn open(&self, group: &str) -> Result<File, NoSink> {
        let file = self.file(group);
        let opened =
            if self.named.contains_key(group) { Ok(()) } else { std::fs::create_dir_all(&self.directory) };
        opened
            .and_then(|()| OpenOptions::new().create(true).append(true).open(&file))
            .map_err(|source| NoSink { file, source })
    }
}

/// The log group that an ARN names: `arn:aws:logs:us-east-1:123456789012:log-group:/aws/route53/example.com`, also with `:*` behind it.
pub fn group_of(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(7, ':');
    let mut next = || parts.next();
    let (prefix, partition, service, region, account, kind, rest) =
        (next()?, next()?, next()?, next()?, next()?, next()?, next()?);
    let is_arn = prefix == "arn" && service == "logs" && kind == "log-group";
    let are_there = [partition, region, account].iter().all(|part| !part.is_empty());
    let group = rest.strip_suffix(":*").unwrap_or(rest);
    // What CloudWatch Logs allows; a file's name is made of it.
    let is_allowed = |octet: u8| octet.is_ascii_alphanumeric() || b"._/#-".contains(&octet);
    let is_name = (1..=GROUP_LEN_MAX).contains(&group.len())
        && group.bytes().all(is_allowed)
        && group.bytes().any(|octet| octet.is_ascii_alphanumeric());
    (is_arn && are_there && is_name).then_some(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_arns() {
        let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/route53/example.com";
        assert_eq!(group_of(arn), Some("/aws/route53/example.com"));
        assert_eq!(group_of(&format!("{arn}:*")), Some("/aws/route53/example.com"));
        for wrong in [
            "",
            "arn:aws:logs:us-east-1:123456789012:log-group:",
            "arn:aws:logs:us-east-1:123456789012:log-group:../..",
            "arn:aws:logs:us-east-1:123456789012:log-group:a b",
            "arn:aws:logs:us-east-1:123456789012:log-group:a:b",
            "arn:aws:logs::123456789012:log-group:a",
            "arn:aws:kms:us-east-1:123456789012:log-group:a",
            "arn:aws:logs:us-east-1:123456789012:stream:a",
        ] {
            assert_eq!(group_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn files_stay_in_the_directory() {
        let sinks = Sinks { directory: "logs".into(), named: BTreeMap::new() };
        for (group, file) in [("/aws/route53/a", "aws-route53-a.log"), ("../../etc/a#b", "..-..-etc-a-b.log")]
        {
            assert_eq!(sinks.file(group), PathBuf::from("logs").join(file));
        }
    }
}
