//! Builds, tests and demonstrates pulse53.
fn main() {}
