//! The threads of a process and of its children, as Linux shows them under `/proc` (proc(5)).

use std::fs::{self, File};
use std::io::Read;

/// Processes of a tree that are looked at.
const MAX_PROCESSES: usize = 256;
/// Threads of a tree that are looked at.
const MAX_THREADS: usize = 4096;
/// Bytes of a file that are read: two sums and a count.
const SCHEDSTAT_BYTES: usize = 64;
/// Bytes of a file that are read: a name of 64 bytes at most, and the state behind it.
const STAT_BYTES: usize = 128;
/// Bytes of a file that are read: as many process ids as are looked at.
const CHILDREN_BYTES: usize = 11 * MAX_PROCESSES;

/// A thread of some process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Thread {
    process: u32,
    id: u32,
}

/// What a thread has had since its start, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ProcessorTime {
    /// On a processor.
    pub(super) ran_ns: u64,
    /// Runnable, without a processor. It grows when the thread gets one.
    pub(super) waited_ns: u64,
}

impl Thread {
    /// The process that it is of.
    pub(super) fn process(self) -> u32 {
        self.process
    }

    /// Its processor time; `None` once it has ended.
    pub(super) fn processor_time(self) -> Option<ProcessorTime> {
        ProcessorTime::read(&format!("/proc/{}/task/{}/schedstat", self.process, self.id))
    }

    /// Whether it runs, or would if it had a processor.
    pub(super) fn is_runnable(self) -> bool {
        let mut bytes = [0; STAT_BYTES];
        let stat = read(&format!("/proc/{}/task/{}/stat", self.process, self.id), &mut bytes);
        // The name stands in parentheses, may contain some, and need not be text.
        let state = stat.and_then(|stat| stat.get(stat.iter().rposition(|byte| *byte == b')')? + 2));
        state == Some(&b'R')
    }

    /// The processes that it has started.
    fn children(self) -> Vec<u32> {
        let mut bytes = [0; CHILDREN_BYTES];
        let children = read(&format!("/proc/{}/task/{}/children", self.process, self.id), &mut bytes);
        let text = children.and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default();
        text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }
}

impl ProcessorTime {
    /// What the calling thread has had.
    pub(super) fn own() -> Option<Self> {
        Self::read("/proc/thread-self/schedstat")
    }

    fn read(path: &str) -> Option<Self> {
        let mut bytes = [0; SCHEDSTAT_BYTES];
        let mut words = str::from_utf8(read(path, &mut bytes)?).ok()?.split_whitespace();
        let mut next = || words.next()?.parse().ok();
        Some(Self { ran_ns: next()?, waited_ns: next()? })
    }
}

/// Whether this system provides the files that are read here. A kernel may lack either (`SCHED_INFO`, `PROC_CHILDREN`).
pub(super) fn is_available() -> bool {
    ProcessorTime::own().is_some() && File::open("/proc/thread-self/children").is_ok()
}

/// The threads of a process and of all that it, or a child of it, has started.
pub(super) fn threads(leader: u32) -> Vec<Thread> {
    tree(leader).1
}

/// A process, and all that it, or a child of it, has started.
pub(crate) fn processes(leader: u32) -> Vec<u32> {
    tree(leader).0
}

fn tree(leader: u32) -> (Vec<u32>, Vec<Thread>) {
    let mut processes = vec![leader];
    let mut threads = Vec::new();
    let mut next = 0;
    while let Some(&process) = processes.get(next) {
        next += 1;
        let Ok(entries) = fs::read_dir(format!("/proc/{process}/task")) else { continue };
        let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        for thread in ids.map(|id| Thread { process, id }).take(MAX_THREADS - threads.len()) {
            threads.push(thread);
            let room = MAX_PROCESSES - processes.len();
            processes.extend(thread.children().into_iter().take(room));
        }
    }
    (processes, threads)
}

/// The beginning of a small file.
fn read<'a>(path: &str, bytes: &'a mut [u8]) -> Option<&'a [u8]> {
    let length = File::open(path).ok()?.read(bytes).ok()?;
    Some(&bytes[..length])
}
