//! What this process has taken of processor and memory, as the kernel counts.

/// Processor time so far in seconds, and memory in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// In user and system mode, all threads.
    pub processor: f64,
    /// Now.
    pub resident: u64,
    /// At most.
    pub resident_max: u64,
}

/// Clock ticks a second, as Linux tells user space on every machine.
const TICKS: f64 = 100.0;

impl Usage {
    /// Now.
    pub fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").expect("procfs is mounted");
        // The name of the program may hold blanks, and ends with the last parenthesis.
        let fields: Vec<&str> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
        let ticks = |field: usize| fields[field].parse::<f64>().expect("a number");
        let status = std::fs::read_to_string("/proc/self/status").expect("procfs is mounted");
        let bytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("it is told");
            line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
        };
        Self {
            processor: (ticks(11) + ticks(12)) / TICKS,
            resident: bytes("VmRSS:"),
            resident_max: bytes("VmHWM:"),
        }
    }

    /// Processor time since, and memory now.
    pub fn until_now(self) -> Self {
        let now = Self::now();
        Self { processor: now.processor - self.processor, ..now }
    }
}
