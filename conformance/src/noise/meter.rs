//! What a process and its children use: processor time and memory.

use std::collections::BTreeMap;
use std::fs;

use super::process_tree::{self, Thread};

/// Measures one process and its children whenever it is asked. Threads that begin and end between two questions are not seen.
#[derive(Debug)]
pub struct TreeMeter {
    leader: u32,
    /// What each thread had at the last question.
    ran_ns: BTreeMap<Thread, u64>,
    total_ns: u64,
}

/// What a process and its children use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TreeUsage {
    /// Processor time since the first question, in nanoseconds.
    pub cpu_ns: u64,
    /// Resident memory, in KiB; pages that processes share are counted for each.
    pub resident_kib: u64,
}

impl TreeMeter {
    /// For this process; `None` where the system does not provide what is read (Linux does).
    pub fn new(leader: u32) -> Option<Self> {
        let mut meter = Self { leader, ran_ns: BTreeMap::new(), total_ns: 0 };
        if !process_tree::is_available() {
            return None;
        }
        meter.usage()?;
        // What it ran before is not what is measured.
        meter.total_ns = 0;
        Some(meter)
    }

    /// What it uses now; `None` once the process has ended.
    pub fn usage(&mut self) -> Option<TreeUsage> {
        let threads = process_tree::threads(self.leader);
        let mut ran_ns = BTreeMap::new();
        for thread in threads {
            let Some(time) = thread.processor_time() else { continue };
            let before = self.ran_ns.get(&thread).copied().unwrap_or_default();
            self.total_ns += time.ran_ns.saturating_sub(before);
            ran_ns.insert(thread, time.ran_ns);
        }
        let processes: std::collections::BTreeSet<u32> =
            ran_ns.keys().map(|thread| thread.process()).collect();
        self.ran_ns = ran_ns;
        if processes.is_empty() {
            return None;
        }
        let resident_kib = processes.into_iter().filter_map(resident_kib).sum();
        Some(TreeUsage { cpu_ns: self.total_ns, resident_kib })
    }
}

/// `VmRSS` of proc(5).
fn resident_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// A process that works uses processor time and memory; one that is not there uses nothing.
    #[test]
    fn work_is_seen() {
        let mut meter = TreeMeter::new(std::process::id()).unwrap();
        let mut turns = 0_u64;
        let usage = loop {
            turns = std::hint::black_box(turns + 1);
            let usage = meter.usage().unwrap();
            if usage.cpu_ns > 1_000_000 {
                break usage;
            }
        };
        assert!(usage.resident_kib > 100);
        assert!(TreeMeter::new(u32::MAX - 7).is_none());
    }
}
