//! Every process group that a subject leads, so that none outlives this program, however it ends.
//!
//! A group is listed before anything else can happen, and as long as its subject is held or its leader has not been reaped: until
//! then the system gives its number to no other group.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group};
use tokio::process::{Child, Command};

/// How often to check whether all have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The listed groups, by their leaders' ids.
static LISTED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
/// Whether groups may still begin: read while one does.
static MAY_BEGIN: RwLock<bool> = RwLock::new(true);

/// A process group; those who hold it keep it on the list.
#[derive(Clone)]
pub(super) struct Group(Arc<Listing>);

struct Listing(Option<Pid>);

impl Group {
    /// Starts a process as the leader of a new group.
    pub(super) fn start(command: &mut Command) -> io::Result<(Child, Self)> {
        let may_begin = MAY_BEGIN.read().unwrap_or_else(PoisonError::into_inner);
        if !*may_begin {
            return Err(io::Error::other("this program is ending"));
        }
        let child = command.process_group(0).spawn()?;
        let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        listed().extend(leader.map(Pid::as_raw_pid));
        Ok((child, Self(Arc::new(Listing(leader)))))
    }

    /// Its leader's id.
    pub(super) fn leader(&self) -> Option<Pid> {
        self.0.0
    }

    /// Signals the group. Where its leader has not been reaped, that is signalled too if it has left its group.
    pub(super) fn signal(&self, signal: Signal, leads: bool) {
        let Some(leader) = self.0.0 else { return };
        // The group may have ended already.
        let _ = kill_process_group(leader, signal);
        if leads && getpgid(Some(leader)).is_ok_and(|group| group != leader) {
            let _ = kill_process(leader, signal);
        }
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            listed().remove(&leader.as_raw_pid());
        }
    }
}

/// Kills every group. None begins from now on.
pub(crate) fn kill_all() {
    *MAY_BEGIN.write().unwrap_or_else(PoisonError::into_inner) = false;
    for leader in listed().iter().copied().filter_map(Pid::from_raw) {
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

/// Does something with the leaders of the listed groups while no group begins: a process is started before it is listed.
pub(super) fn while_none_begins(work: impl FnOnce(&BTreeSet<i32>)) {
    let _none_begins = MAY_BEGIN.write().unwrap_or_else(PoisonError::into_inner);
    work(&listed());
}

/// Waits until every subject has been dropped and its leader reaped, for so long at most.
pub async fn all_gone(within: Duration) {
    let gone = async {
        while !listed().is_empty() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    // What cannot be killed is not waited for.
    let _ = tokio::time::timeout(within, gone).await;
}

fn listed() -> MutexGuard<'static, BTreeSet<i32>> {
    LISTED.lock().unwrap_or_else(PoisonError::into_inner)
}
