//! What a process and its children hold, as Linux shows it under `/proc` (proc(5)).

use std::fs;

use scenarios::trace::Resources;

use super::process_tree::processes;

/// What a process and all that it, or a child of it, has started hold; nothing where it has ended, or the system does not say.
pub(crate) fn resources(leader: u32) -> Option<Resources> {
    let mut all = Resources::default();
    for process in processes(leader) {
        // A child may have ended meanwhile.
        let Some(memory_kib) = resident_kib(process) else { continue };
        let Ok(descriptors) = fs::read_dir(format!("/proc/{process}/fd")) else { continue };
        all.processes += 1;
        all.memory_kib += memory_kib;
        all.descriptors += descriptors.count() as u64;
    }
    (all.processes > 0).then_some(all)
}

fn resident_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This process has memory and descriptors, and another one shows.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_holds_something() {
        let before = resources(std::process::id()).unwrap();
        assert!(before.processes >= 1 && before.memory_kib > 0, "{before:?}");
        let files: Vec<_> = (0..200).map(|_| fs::File::open("/proc/self/status").unwrap()).collect();
        let after = resources(std::process::id()).unwrap();
        assert!(after.descriptors >= before.descriptors + 100, "{before:?}, {after:?}");
        drop(files);
    }
}
