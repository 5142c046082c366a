//! The container image: one layer, in a file that podman and docker load; written here, without asking any daemon.
//!
//! The file is an image layout of OCI (image-spec, image-layout.md) with the `manifest.json` that older versions of docker look for. The
//! layer holds the program, the shared libraries it is linked with, as this machine has them, and no shell.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::binary::Binary;
use super::deb::compressed;
use crate::{process, workspace};

/// Where the certificates of those lie whom HTTPS clients trust; an image without them asks no Prometheus over HTTPS.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

/// Number of the account `pulse53` in the image, and of its group.
const ACCOUNT: u64 = 53;

/// Writes the image into a directory.
pub fn write(binary: &Binary, time: u64, directory: &Path) -> Result<PathBuf> {
    let layer = layer(binary, time)?;
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("container images have no name for {other}"),
    };
    let created = process::capture(Command::new("date").args([
        "--utc",
        "--date",
        &format!("@{time}"),
        "+%Y-%m-%dT%H:%M:%SZ",
    ]))?;
    let version = env!("CARGO_PKG_VERSION");
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "created": created.trim(),
        "config": {
            "Entrypoint": ["/usr/bin/pulse53"],
            "Cmd": ["serve"],
            "Env": ["PATH=/usr/bin"],
            "ExposedPorts": {"53/udp": {}, "53/tcp": {}},
            "Volumes": {"/var/lib/pulse53": {}},
            "StopSignal": "SIGTERM",
            "Labels": {
                "org.opencontainers.image.title": "pulse53",
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        "history": [{"created": created.trim(), "created_by": "cargo xtask dist"}],
    });
    let config = config.to_string().into_bytes();
    let layer = compressed(&layer)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &layer)],
    });
    let manifest = manifest.to_string().into_bytes();
    let mut described = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    described["platform"] = json!({"architecture": architecture, "os": "linux"});
    described["annotations"] = json!({"org.opencontainers.image.ref.name": version});
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [described],
    });
    let for_docker = json!([{
        "Config": blob(&config),
        "RepoTags": [format!("pulse53:{version}")],
        "Layers": [blob(&layer)],
    }]);

    let mut archive = Archive::new(time);
    for (path, octets) in [
        ("oci-layout".to_owned(), json!({"imageLayoutVersion": "1.0.0"}).to_string().into_bytes()),
        ("index.json".to_owned(), index.to_string().into_bytes()),
        ("manifest.json".to_owned(), for_docker.to_string().into_bytes()),
        (blob(&config), config),
        (blob(&layer), layer),
        (blob(&manifest), manifest),
    ] {
        archive.file(&path, &octets, 0o644)?;
    }
    let path = directory.join(format!("pulse53_{version}_{architecture}.oci.tar"));
    std::fs::write(&path, archive.finish()?).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// What the container sees.
fn layer(binary: &Binary, time: u64) -> Result<Vec<u8>> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
    let mut archive = Archive::new(time);
    let passwd = format!("root:x:0:0::/:/\npulse53:x:{ACCOUNT}:{ACCOUNT}::/var/lib/pulse53:/\n");
    archive.file("etc/passwd", passwd.as_bytes(), 0o644)?;
    archive.file("etc/group", format!("root:x:0:\npulse53:x:{ACCOUNT}:\n").as_bytes(), 0o644)?;
    let configuration = read(&workspace::root().join("packaging/pulse53.toml"))?;
    archive.file("etc/pulse53/pulse53.toml", &configuration, 0o644)?;
    let certificates = Path::new("/").join(CERTIFICATES);
    if certificates.exists() {
        archive.file(CERTIFICATES, &read(&certificates)?, 0o644)?;
    }
    archive.file("usr/bin/pulse53", &read(&binary.program)?, 0o755)?;
    for library in libraries(&binary.program)? {
        let inside =
            library.strip_prefix("/").with_context(|| format!("{} is no path", library.display()))?;
        archive.file(&inside.display().to_string(), &read(&library)?, 0o755)?;
    }
    for (directory, mode) in [("sys/", 0o755), ("tmp/", 0o1777)] {
        archive.directory(directory, mode)?;
    }
    // Started as root, the server becomes this account, and takes no directory from others.
    archive.own_directory("var/lib/pulse53/", 0o750, ACCOUNT)?;
    archive.finish()
}

/// The shared libraries that a program is linked with, and the loader, by the names it asks for.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let said = process::capture(Command::new("ldd").arg(program))?;
    let mut found = Vec::new();
    for line in said.lines() {
        // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, or the loader: `/lib64/ld-linux-x86-64.so.2 (0x…)`
        let path = line.split("=> ").last().and_then(|rest| rest.split_whitespace().next());
        found.extend(path.filter(|path| path.starts_with('/')).map(PathBuf::from));
    }
    if found.is_empty() {
        bail!("ldd names no library of {}: {said}", program.display());
    }
    found.sort();
    Ok(found)
}

/// A tar archive in which nothing depends on this machine.
struct Archive {
    tar: Builder<Vec<u8>>,
    directories: Vec<String>,
    time: u64,
}

impl Archive {
    fn new(time: u64) -> Self {
        Self { tar: Builder::new(Vec::new()), directories: Vec::new(), time }
    }

    /// A file, after the directories above it.
    fn file(&mut self, path: &str, octets: &[u8], mode: u32) -> Result<()> {
        for (at, _) in path.match_indices('/') {
            self.directory(&path[..=at], 0o755)?;
        }
        self.entry(EntryType::Regular, path, octets, mode, 0)
    }

    /// Root's directory, after those above it, unless it is there already.
    fn directory(&mut self, path: &str, mode: u32) -> Result<()> {
        self.own_directory(path, mode, 0)
    }

    fn own_directory(&mut self, path: &str, mode: u32, owner: u64) -> Result<()> {
        if self.directories.iter().any(|known| known == path) {
            return Ok(());
        }
        for (at, _) in path.trim_end_matches('/').match_indices('/') {
            self.directory(&path[..=at], 0o755)?;
        }
        self.directories.push(path.to_owned());
        self.entry(EntryType::Directory, path, &[], mode, owner)
    }

    fn entry(&mut self, kind: EntryType, path: &str, octets: &[u8], mode: u32, owner: u64) -> Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(octets.len() as u64);
        header.set_mode(mode);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_mtime(self.time);
        self.tar.append_data(&mut header, path, octets).with_context(|| format!("packing {path}"))
    }

    fn finish(self) -> Result<Vec<u8>> {
        self.tar.into_inner().context("packing")
    }
}

fn descriptor(media_type: &str, octets: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(octets), "size": octets.len()})
}

fn digest(octets: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(octets)))
}

/// Where an image layout keeps these octets.
fn blob(octets: &[u8]) -> String {
    format!("blobs/{}", digest(octets).replace(':', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_once_and_before_what_is_in_them() {
        let mut archive = Archive::new(7);
        archive.file("a/b/c", b"1", 0o644).unwrap();
        archive.file("a/b/d", b"2", 0o755).unwrap();
        archive.directory("a/e/", 0o1777).unwrap();
        let octets = archive.finish().unwrap();
        let mut archive = tar::Archive::new(&octets[..]);
        let entries: Vec<(String, u32, u64)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                (entry.path().unwrap().display().to_string(), header.mode().unwrap(), header.mtime().unwrap())
            })
            .collect();
        let names: Vec<&str> = entries.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["a/", "a/b/", "a/b/c", "a/b/d", "a/e/"]);
        assert!(entries.iter().all(|(.., time)| *time == 7));
        assert_eq!(entries[4].1, 0o1777);
    }
}
