//! Kernel modules: those the tests need, after those they depend on, uncompressed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A module as the kernel takes it.
pub struct Module {
    pub name: String,
    pub octets: Vec<u8>,
}

/// The wanted modules and all they depend on, in an order in which they can be inserted. What is built into the kernel is left
/// out; what is neither is an error.
pub fn load(directory: &Path, wanted: &[&str]) -> Result<Vec<Module>> {
    let mut paths = BTreeMap::new();
    index(directory, &mut paths)?;
    let builtin = directory.join("modules.builtin");
    let builtin =
        std::fs::read_to_string(&builtin).with_context(|| format!("reading {}", builtin.display()))?;
    let tree = Tree { paths, builtin: builtin.lines().filter_map(|line| name_of(Path::new(line))).collect() };
    let mut modules = Vec::new();
    for name in wanted {
        tree.add(name, &mut modules)?;
    }
    Ok(modules)
}

/// What a kernel brings as modules.
struct Tree {
    paths: BTreeMap<String, PathBuf>,
    builtin: Vec<String>,
}

impl Tree {
    fn add(&self, name: &str, modules: &mut Vec<Module>) -> Result<()> {
        let is_there = modules.iter().any(|module| module.name == name);
        if is_there || self.builtin.iter().any(|builtin| builtin == name) {
            return Ok(());
        }
        let Some(path) = self.paths.get(name) else { bail!("this kernel has no module {name}") };
        let octets = read(path)?;
        for dependency in depends(&octets) {
            self.add(&dependency, modules)?;
        }
        modules.push(Module { name: name.to_owned(), octets });
        Ok(())
    }
}

fn index(directory: &Path, paths: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("listing {}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            index(&entry.path(), paths)?;
        } else if let Some(name) = name_of(&entry.path()) {
            paths.insert(name, entry.path());
        }
    }
    Ok(())
}

/// `virtio_pci` of `…/virtio-pci.ko.xz`: the kernel takes hyphen and underscore for the same.
fn name_of(path: &Path) -> Option<String> {
    let (name, rest) = path.file_name()?.to_str()?.split_once('.')?;
    (rest == "ko" || rest.starts_with("ko.")).then(|| name.replace('-', "_"))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let program = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return std::fs::read(path).with_context(|| format!("reading {}", path.display())),
    };
    let output = Command::new(program).arg("-dc").arg(path).output();
    let output = output.with_context(|| format!("starting {program}, to unpack {}", path.display()))?;
    if !output.status.success() {
        bail!("{program} cannot unpack {}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

/// What the `depends=` string of its `.modinfo` section names.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let value = module[at + KEY.len()..].split(|octet| *octet == 0).next().unwrap_or_default();
    let value = String::from_utf8_lossy(value);
    value.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_come_after_what_they_depend_on() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        write("modules.builtin", "kernel/drivers/virtio/virtio-ring.ko\n");
        write("virtio_net.ko", "ELF\0license=GPL\0depends=virtio_ring,net-failover\0");
        write("net_failover.ko", "ELF\0depends=failover\0");
        write("failover.ko", "ELF\0depends=\0");
        let modules = load(root.path(), &["virtio_net", "failover"]).unwrap();
        let names: Vec<&str> = modules.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["failover", "net_failover", "virtio_net"]);
        assert!(load(root.path(), &["veth"]).is_err());
    }
}
