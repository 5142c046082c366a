//! Embeds the BPF object if `cargo xtask build` has made one; an empty file stands for its absence.

use std::path::Path;
use std::{env, fs};

fn main() {
    let built = Path::new("bpf/pulse53-xdp");
    // The directory, not the file: a missing watched file would run this script on every build.
    println!("cargo::rerun-if-changed=bpf");
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let object = fs::read(built).unwrap_or_default();
    let embedded = Path::new(&out).join("pulse53-xdp");
    // A new file: where a build directory was copied by hard links, its twin would be written, too.
    let _ = fs::remove_file(&embedded);
    fs::write(embedded, object).expect("OUT_DIR is writable");
}
