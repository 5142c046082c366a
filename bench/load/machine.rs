//! On what it was measured.

use std::fmt;

use serde_json::{Value, json};

/// What figures depend on.
pub struct Machine {
    kernel: String,
    cpu: String,
    cpus: usize,
    mitigations: Vec<String>,
    jit: String,
    load: String,
}

/// This machine.
pub fn describe() -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = cpu.map_or("unknown", |(_, model)| model).to_owned();
    let vulnerabilities = std::fs::read_dir("/sys/devices/system/cpu/vulnerabilities");
    let mut mitigations: Vec<String> = vulnerabilities
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let state = std::fs::read_to_string(entry.path()).ok()?;
            let how = state.trim().strip_prefix("Mitigation: ")?.to_owned();
            Some(format!("{}: {how}", entry.file_name().to_string_lossy()))
        })
        .collect();
    mitigations.sort();
    Machine {
        kernel: read("/proc/sys/kernel/osrelease"),
        cpu,
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        mitigations,
        jit: read("/proc/sys/net/core/bpf_jit_enable"),
        load: read("/proc/loadavg"),
    }
}

impl Machine {
    /// For the file of results.
    pub fn json(&self) -> Value {
        json!({
            "kernel": self.kernel,
            "cpu": self.cpu,
            "cpus": self.cpus,
            "mitigations": self.mitigations,
            "bpf_jit_enable": self.jit,
            "load_average": self.load,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kernel, cpu, cpus, jit, load, .. } = self;
        writeln!(f, "Linux {kernel}, {cpus} CPUs ({cpu}), BPF JIT {jit}, load {load}")?;
        let mitigations =
            if self.mitigations.is_empty() { "none".to_owned() } else { self.mitigations.join("; ") };
        write!(f, "CPU mitigations: {mitigations}")
    }
}
