//! What a process has started, wherever that has gone: into a group or a session of its own, or away from its parent.
//!
//! What loses its parent goes to the next process above it that adopts orphans (PR_SET_CHILD_SUBREAPER in prctl(2)), and so stays in sight.

use std::fs;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, getpgid, getpid, kill_process, wait, waitpid};

use super::groups;
use crate::noise::processes;

/// In the environment of each process that is judged, and so of what it starts: which process it is of.
pub(super) const MARK: &str = "GATECHECK_SUBJECT";
/// Bytes of an environment that are looked through.
const ENVIRONMENT_BYTES: u64 = 256 * 1024;
/// How often to look whether all have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How often to look at most: what cannot be killed is not waited for.
const LOOKS: u32 = 2000;

/// Whether orphans come to this process.
static ADOPTS: AtomicBool = AtomicBool::new(false);

/// Has orphans of all that is started below this process come to it. Where the system has no such thing, they go to the first process.
pub(super) fn adopt() {
    #[cfg(target_os = "linux")]
    ADOPTS.store(rustix::process::set_child_subreaper(Some(getpid())).is_ok(), Ordering::Relaxed);
}

/// A process and what it has started, as far as that can be seen.
pub(super) fn tree(leader: Pid) -> Vec<Pid> {
    processes(leader.as_raw_pid().cast_unsigned()).into_iter().filter_map(pid).collect()
}

/// Whether a process is neither stopped, nor held in the kernel, nor over (proc(5), `stat`), as far as that can be seen. In `vfork` a
/// parent is held until its child goes on.
pub(super) fn runs(id: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    state.is_some_and(|state| !matches!(state, 'T' | 't' | 'D' | 'Z' | 'X'))
}

/// Kills every process that has this mark.
pub(super) fn kill_marked(mark: &str) {
    let wanted = format!("{MARK}={mark}");
    let has_mark = |id: &Pid| {
        let mut bytes = Vec::new();
        let environment = fs::File::open(format!("/proc/{id}/environ"));
        let read =
            environment.and_then(|environment| environment.take(ENVIRONMENT_BYTES).read_to_end(&mut bytes));
        read.is_ok() && bytes.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes())
    };
    let own = getpid();
    let candidates = if ADOPTS.load(Ordering::Relaxed) {
        reap_adopted();
        tree(own)
    } else {
        everything()
    };
    for id in candidates.into_iter().filter(|id| *id != own).filter(has_mark) {
        let _ = kill_process(id, Signal::KILL);
    }
}

/// Reaps what this process has adopted and has ended. Nothing else waits for that, and a tree is looked through up to a limit, which
/// ended processes would use up in a long run.
fn reap_adopted() {
    let own = getpid();
    let Ok(own_group) = getpgid(None) else { return };
    groups::while_none_begins(|leaders| {
        for id in tree(own).into_iter().filter(|id| *id != own) {
            // A leader's end is for its own task. What is in this process's group was started without one of its own, and is awaited
            // where it was started.
            let is_adopted = getpgid(Some(id)).is_ok_and(|group| group != own_group);
            if is_adopted && !leaders.contains(&id.as_raw_pid()) {
                // Whatever is no child of this process, or lives, stays as it is.
                let _ = waitpid(Some(id), WaitOptions::NOHANG);
            }
        }
    });
}

/// Kills all that this process, or what it has adopted, has started; names what would not end. For a process that is about to end:
/// any other wait for one of them is in vain.
#[expect(
    clippy::disallowed_methods,
    reason = "what was killed is gone a moment later, and nothing says when"
)]
pub(super) fn end_all() -> Vec<String> {
    let own = getpid();
    for _ in 0..LOOKS {
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        let left: Vec<_> = tree(own).into_iter().filter(|id| *id != own).collect();
        if left.is_empty() {
            return Vec::new();
        }
        for id in left {
            let _ = kill_process(id, Signal::KILL);
        }
        thread::sleep(LOOK_AGAIN);
    }
    let left = tree(own).into_iter().filter(|id| *id != own);
    left.map(|id| format!("process {id} ({})", name(id))).collect()
}

fn name(id: Pid) -> String {
    let name = fs::read(format!("/proc/{id}/comm")).unwrap_or_default();
    String::from_utf8_lossy(&name).trim_end().escape_default().to_string()
}

/// Every process that this system shows.
fn everything() -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| pid(entry.file_name().to_str()?.parse().ok()?)).collect()
}

fn pid(id: u32) -> Option<Pid> {
    Pid::from_raw(id.cast_signed())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::path::Path;

    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::process::{Streams, Subject};
    use crate::profile::CommandProfile;
    use crate::template::Values;

    /// What a subject leaves behind is adopted, killed and reaped; the subject's own end is still seen by its own task.
    #[tokio::test]
    async fn what_was_adopted_is_reaped() {
        adopt();
        let words = ["sh", "-c", "sleep 600 & echo $!; exec sleep 600"].map(str::to_owned).to_vec();
        let command = CommandProfile { words, env: Default::default() };
        let mut subject =
            Subject::spawn(&command, &Values::default(), Path::new("."), Streams::Piped).unwrap();
        let (_, mut stdout) = subject.take_pipes().unwrap();
        let mut printed = String::new();
        while !printed.ends_with('\n') {
            let mut bytes = [0; 16];
            let count = stdout.read(&mut bytes).await.unwrap();
            printed.push_str(str::from_utf8(&bytes[..count]).unwrap());
        }
        let child = format!("/proc/{}", printed.trim());
        assert!(Path::new(&child).exists());
        subject.kill().await;
        assert_eq!(subject.ended().as_deref(), Some("signal 9"));
        let reaped = async {
            while Path::new(&child).exists() {
                reap_adopted();
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reaped).await.expect("it is gone");
    }
}
